"""Walks through what changed at a channel, its orders or its returns, a page at a time; no page is left behind."""

from collections.abc import Awaitable, Callable
from typing import Final, Literal

import structlog
from msgspec.structs import replace

from adapters.contract.adapter import Adapter
from adapters.contract.errors import ChannelError, CursorRefusedError
from adapters.contract.http import ORDERS, Exchange
from adapters.contract.orders import Intake, Pulled
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.domain.intake import Walk
from server.store.repositories.intake import IntakeWrites

log = structlog.get_logger("holdfast.intake")

RETRY_S: Final = 5.0
"""After a page that could not be read; the circuit breaker makes it longer."""
REFUSED_S: Final = 1.0
OVERLAP_MS: Final = 3_600_000
"""How far before the last known moment a walk begins whose cursors are all refused."""

WalkName = Literal["orders", "returns"]


class Poller:
    """One walk of one channel. ``take`` has all of a page taken in, and returns once that is durable."""

    def __init__(
        self,
        name: WalkName,
        client: ChannelClient,
        *,
        intake: Intake,
        writes: IntakeWrites,
        clock: Clock,
        every_s: float,
        take: Callable[[Pulled, float], Awaitable[None]],
    ) -> None:
        self.name: WalkName = name
        self.reason = ""
        """What keeps the walk from going on; empty where nothing does."""
        self._client = client
        self._intake = intake
        self._writes = writes
        self._clock = clock
        self._every_s = every_s
        self._take = take
        self._walk: Walk | None = None
        self._since_ms = 0

    def begin(self, walk: Walk | None, since_ms: int) -> None:
        """Go on where an earlier holder of the lease was; None: with what changed since a time."""
        self._since_ms = since_ms
        self._walk = walk or self._from(since_ms)

    def known_until_ms(self) -> int:
        """Return up to when all changes are known; that of the first start where no walk has ended yet."""
        walk = self._walk
        return walk.finished_ms or self._since_ms if walk is not None else self._since_ms

    async def page(self) -> float:
        """Take in the next page; return after how many seconds the one behind it is read.

        Raises
        ------
        StoreError, OverloadedError, OutcomeUnknownError
            Not all of the page is durable, so it is read again.

        """
        walk = self._walk
        if walk is None:
            raise RuntimeError("begin() comes first")
        wait_s = self._client.wait_s(ORDERS)
        if wait_s > 0:
            return min(wait_s, RETRY_S)
        asked_s, asked_ms = self._clock.now_s(), self._clock.store_ms()
        if walk.cursor == walk.began:
            walk = replace(walk, started_ms=asked_ms)
        try:
            pulled = await self._client.talk(lambda adapter: self._pull(adapter, walk.cursor))
        except CursorRefusedError as error:
            self._begin_again(walk, error)
            await self._writes.save()
            return REFUSED_S
        except ChannelError as error:
            self.reason = error.reason
            return min(RETRY_S, max(0.0, error.after_s or RETRY_S))
        await self._take(pulled, asked_s)
        self.reason = ""
        self._move(walk, pulled)
        await self._writes.save()
        if pulled.more:
            return 0.0
        return max(self._intake.pull_floor_s, pulled.again_after_s or self._every_s)

    def _pull(self, adapter: Adapter, cursor: str) -> Exchange[Pulled]:
        pull = adapter.pull_orders if self.name == "orders" else adapter.pull_returns
        return pull(cursor, self._clock.wall_s())

    def _move(self, walk: Walk, pulled: Pulled) -> None:
        if pulled.more:
            moved = replace(walk, cursor=pulled.cursor)
        else:
            # Everything that had changed when the walk began is known now; what changed meanwhile the next one finds.
            moved = Walk(pulled.cursor, pulled.cursor, walk.began, walk.started_ms, walk.started_ms)
        self._walk = moved
        self._writes.walk(self.name, moved)

    def _begin_again(self, walk: Walk, error: CursorRefusedError) -> None:
        """Begin again from where the last whole walk began; where that is refused, too, from a time."""
        self.reason = error.reason
        if walk.whole and walk.cursor != walk.whole:
            again = replace(walk, cursor=walk.whole, began=walk.whole)
        else:
            known_ms = walk.finished_ms or self._since_ms
            oldest_ms = self._clock.store_ms() - int(1000 * self._intake.history_s)
            since_ms = max(self._since_ms, oldest_ms, known_ms - OVERLAP_MS)
            again = replace(self._from(since_ms), finished_ms=walk.finished_ms)
        log.warning("intake_cursor_refused", walk=self.name, reason=error.reason, advice="it begins again by itself")
        self._walk = again
        self._writes.walk(self.name, again)

    def _from(self, since_ms: int) -> Walk:
        cursor = self._client.adapter.first_cursor(since_ms)
        return Walk(cursor, cursor, "", self._clock.store_ms())
