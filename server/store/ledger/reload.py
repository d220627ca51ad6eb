"""A store that has lost the Lua library: it is loaded, and what did not run for want of it is sent once more."""

import asyncio
from collections.abc import Callable
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from server.store.connection.call_connection import CallConnection, late
from server.store.ledger.function_call import FunctionCall, Waiting, packed
from server.store.lua_library import NOT_LOADED


def is_lost(reply: Any) -> bool:
    """Return whether a call did not run because the store has no library: it was restarted, or somebody flushed it."""
    return isinstance(reply, ResponseError) and NOT_LOADED in str(reply)


class Reload:
    """Loads the library, on connections of its own. ``connect`` makes one that is not connected."""

    def __init__(self, connect: Callable[[], AbstractConnection]) -> None:
        self._connect = connect
        self._since_s: dict[CallConnection, float] = {}

    async def repeat(
        self, call: FunctionCall, waiting: list[Waiting], confirmations: list[bytes]
    ) -> tuple[Any, list[Any]]:
        """Load the library and send a call that did not run once more, and behind it ``confirmations``.

        Returns the reply, or the error in its place, and the replies to the confirmations; none where nothing ran.
        Where a WAIT speaks for its own connection only, the one of the batch would not speak for this.

        Replies of later calls may be on their way on the slot's connection, so it cannot be used for it.
        """
        connection = CallConnection(self._connect())
        self._since_s[connection] = asyncio.get_running_loop().time()
        try:
            await connection.open()
            load = packed("FUNCTION", "LOAD", "REPLACE", call.function.library.source)
            # No other call was ever made on this connection, so the number is all the same, and dropped.
            loaded, reply = await connection.ask(load, call.command([each.operation for each in waiting]))
            if isinstance(reply, Exception):
                return loaded if isinstance(loaded, Exception) else reply, []
            confirming = await connection.ask(*confirmations) if confirmations else []
            return reply[:-1] if isinstance(reply, list) else reply, confirming
        finally:
            del self._since_s[connection]
            await connection.close()

    def cut_older(self, since_s: float) -> None:
        """Cut off what has begun before a time, and has no answer yet."""
        for connection in [connection for connection, began_s in self._since_s.items() if began_s < since_s]:
            connection.cut(late())
