"""Replicated mode: what follows a batch so that its answers count, and whether they do.

A WAIT alone is not enough. Some stores let it speak only for what its own connection has written, and an answer may
rest on what another has: a replay of an outcome that was unknown, or a refusal because somebody else took the units.
"""

from collections.abc import Iterable
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import InvalidResponse, ResponseError

from server.store.connection.connect_errors import may_be_elsewhere
from server.store.ledger.function_call import FunctionCall, bulk
from server.store.lua_library import NOT_LOADED


class ReplicaAck:
    """Asks ``replicas`` to confirm within ``timeout_s``; 0 replicas: asks nobody."""

    def __init__(self, replicas: int, timeout_s: float) -> None:
        self._replicas = replicas
        words = (b"WAIT", b"%d" % replicas, b"%d" % int(1000 * timeout_s))
        self._wait = b"*3\r\n" + b"".join(bulk(word) for word in words)

    def after(self, functions: Iterable[FunctionCall]) -> list[bytes]:
        """Give the calls to send after a batch, WAIT the last of them; none for a batch that only reads.

        A confirmation for each slot: in a cluster one may move away between an operation and its confirmation.
        """
        if not self._replicas:
            return []
        by_slot = {call.slot: call.confirmation for call in functions if call.writes}
        return [*by_slot.values(), self._wait] if by_slot else []

    async def read(self, connection: AbstractConnection, calls: list[bytes], replies: list[Any]) -> None:
        """Read what came of those calls.

        Raises
        ------
        TimeoutError
            An answer may rest on what no replica has.
        InvalidResponse
            What came belongs to another call: replies and calls are out of step.

        """
        errors = [reply for reply in replies if isinstance(reply, Exception)]
        nothing_ran = len(errors) == len(replies)
        if nothing_ran and all(map(may_be_elsewhere, errors)):
            return  # the connection is given up, too: to wait for replicas would only take time
        confirmed = False
        for _ in calls[:-1]:
            try:
                _expect(await connection.read_response(disable_decoding=True), bytes)
                confirmed = True
            except ResponseError as error:
                # Then nothing of the batch ran here: what ran was confirmed where the library was loaded.
                confirmed = confirmed or NOT_LOADED in str(error)
        reached = _expect(await connection.read_response(disable_decoding=True), int)
        if not nothing_ran and (reached < self._replicas or not confirmed):
            raise TimeoutError(f"{reached} of {self._replicas} replicas confirmed")


def _expect(reply: Any, kind: type) -> Any:
    """Give back a reply of the right kind, or raise InvalidResponse.

    Answers are lists, a confirmation is a word, a WAIT gives a number: what comes twice shifts them against the calls.
    """
    if not isinstance(reply, kind):
        raise InvalidResponse("The store's reply belongs to another call.")
    return reply
