"""Replicated mode: the calls after a batch that confirm it on the replicas, and the check of their replies.

A WAIT alone is not enough. Some stores let it cover only the writes of its own connection, and an answer may rest on
another's: a replay of an outcome that was unknown, or a refusal because another order took the units.
"""

from collections.abc import Iterable
from typing import Any

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

    def check(self, confirming: list[Any], replies: list[Any]) -> None:
        """Look at the replies to those calls, and to the batch before them.

        Raises
        ------
        TimeoutError
            An answer may rest on what no replica has.
        InvalidResponse
            A reply belongs to another call: replies and calls are out of step.

        """
        *marks, reached = confirming
        confirmed = False
        for mark in marks:
            if isinstance(mark, ResponseError):
                # Then nothing of the batch ran here: what ran was confirmed where the library was loaded.
                confirmed = confirmed or NOT_LOADED in str(mark)
            else:
                _expect(mark, bytes)
                confirmed = True
        _expect(reached, int)
        if not _nothing_ran(replies) and (reached < self._replicas or not confirmed):
            raise TimeoutError(f"{reached} of {self._replicas} replicas confirmed")


def is_elsewhere(replies: list[Any]) -> bool:
    """Whether a batch ran nowhere, as this is not the store to write to: to wait for replicas would only take time."""
    return _nothing_ran(replies) and all(map(may_be_elsewhere, replies))


def _nothing_ran(replies: list[Any]) -> bool:
    return all(isinstance(reply, Exception) for reply in replies)


def _expect(reply: Any, kind: type) -> Any:
    """Return a reply of the right kind, or raise InvalidResponse.

    Answers are lists, a confirmation is a word, a WAIT returns a number: a reply that comes twice shifts them.
    """
    if not isinstance(reply, kind):
        raise InvalidResponse("The store's reply belongs to another call.")
    return reply
