"""Replicated mode: the calls after a batch that confirm it on the replicas, and the check of their replies.

A WAIT alone is not enough. Some stores let it cover only the writes of its own connection, and an answer may rest on
another's: a replay of an outcome that was unknown, or a refusal because another order took the units.
"""

from collections.abc import Iterable
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import InvalidResponse, ResponseError

from server.store.connection.connect_errors import may_be_elsewhere
from server.store.ledger.function_call import FunctionCall, bulk
from server.store.lua_library import NOT_LOADED


class ReplicaAck:
    """Asks ``replicas`` to confirm within ``timeout_s``; 0 replicas: asks none."""

    def __init__(self, replicas: int, timeout_s: float) -> None:
        self._replicas = replicas
        words = (b"WAIT", b"%d" % replicas, b"%d" % int(1000 * timeout_s))
        self._wait = b"*3\r\n" + b"".join(bulk(word) for word in words)

    def after(self, functions: Iterable[FunctionCall]) -> list[bytes]:
        """Return the calls to send after a batch, WAIT the last of them; none for a batch that only reads.

        A confirmation for each slot: in a cluster one may move away between an operation and its confirmation.
        """
        if not self._replicas:
            return []
        by_slot = {call.slot: call.confirmation for call in functions if call.writes}
        return [*by_slot.values(), self._wait] if by_slot else []

    async def read(self, connection: AbstractConnection, calls: list[bytes], replies: list[Any]) -> None:
        """Read the replies of those calls.

        Raises
        ------
        TimeoutError
            An answer may rest on what no replica has.
        InvalidResponse
            A reply belongs to another call: replies and calls are out of step.

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
    """Return a reply of the right kind, or raise InvalidResponse.

    Answers are lists, a confirmation is a word, a WAIT returns a number: a reply that comes twice shifts them.
    """
    if not isinstance(reply, kind):
        raise InvalidResponse("The store's reply belongs to another call.")
    return reply
