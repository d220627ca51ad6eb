"""Group commit on a cluster: a batcher for each node; calls refused because a slot moved are sent to the next node.

A refused call has not run, so sending it to the right node is not sending it twice. One whose reply was lost is never
sent again, here as anywhere.
"""

import asyncio
from functools import partial
from typing import Any, Final

from redis.exceptions import MovedError

from server.store.connection.address_discovery import Address
from server.store.connection.cluster import PAUSE_S, REDIRECTED, Cluster
from server.store.ledger.batcher import Batcher
from server.store.ledger.function_call import FunctionCall, Turn, Waiting
from server.store.ledger.replies import meaning

_CLOSE_S: Final = 0.005


class ClusterBatcher:
    """Sends operations to the nodes of a cluster in batches. ``bounds`` are those of each node's :class:`Batcher`."""

    def __init__(self, cluster: Cluster, **bounds: Any) -> None:
        self._cluster = cluster
        self._bounds = bounds
        self._batchers: dict[Address, Batcher] = {}
        self._resting = 0

    def start(self) -> None:
        """Begin to follow where the slots are."""
        self._loop = asyncio.get_running_loop()
        self._cluster.changed.append(self._sort_out)
        self._cluster.follow()

    async def close(self) -> None:
        """Answer all waiting operations, then close. The caller bounds it with a timeout."""
        try:
            while self._resting:  # noqa: ASYNC110  # only at a stop
                await asyncio.sleep(_CLOSE_S)
        finally:
            self._cluster.changed.remove(self._sort_out)
            await asyncio.gather(*(batcher.close() for batcher in self._batchers.values()))

    def submit(self, turn: Turn, call: FunctionCall, operation: bytes, weight: int) -> "asyncio.Future[Any]":
        """Queue one operation on the node that has its partition; as :meth:`Batcher.submit`."""
        return self._batcher(self._cluster.owner(call.slot)).submit(turn, call, operation, weight)

    @property
    def waiting(self) -> int:
        """How many operations wait to be sent."""
        return self._resting + sum(batcher.waiting for batcher in self._batchers.values())

    def _batcher(self, address: Address) -> Batcher:
        known = self._batchers.get(address)
        if known is None:

            def redirect(call: FunctionCall, waiting: list[Waiting], error: Exception) -> bool:
                return self._redirect(address, call, waiting, error)

            known = self._batchers[address] = Batcher(
                lambda: self._cluster.connection_to(address), redirect=redirect, **self._bounds
            )
            known.start()
        return known

    def _redirect(self, asked: Address, call: FunctionCall, waiting: list[Waiting], error: Exception) -> bool:
        """Send operations that a node refused unrun to the slot's node, or again after a pause, until their timeout."""
        if not isinstance(error, REDIRECTED):
            return False
        self._cluster.learn(error, asked)
        owner = self._cluster.owner(call.slot)
        if isinstance(error, MovedError) and owner != asked:
            self._batcher(owner).take_over(waiting)
        else:
            self._resting += len(waiting)
            self._loop.call_later(PAUSE_S, self._again, call, waiting, error)
        return True

    def _again(self, call: FunctionCall, waiting: list[Waiting], error: Exception) -> None:
        self._resting -= len(waiting)
        oldest_s = self._loop.time() - float(self._bounds["queue_timeout_s"])
        for each in waiting:
            if each.since_s < oldest_s and not each.answer.done():
                each.answer.set_exception(meaning(error, call))
        self._batcher(self._cluster.owner(call.slot)).take_over([each for each in waiting if not each.answer.done()])

    def _sort_out(self) -> None:
        """Move operations that wait for a node without their slot to the one that has it."""
        for address, batcher in list(self._batchers.items()):
            for waiting in batcher.take_out(partial(self._is_misplaced, address)):
                self._batcher(self._cluster.owner(waiting.call.slot)).take_over([waiting])

    def _is_misplaced(self, here: Address, call: FunctionCall) -> bool:
        return self._cluster.owner(call.slot) != here
