"""Shares of keys: how many requests of one kind a key has running at once; a further one waits a moment for its turn.

This is for what takes long and does not wait for the store in the queue of its key: reports and listings, which read
past the ledger, and bulk requests, whose cost is this process's.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any, Final, Protocol

import msgspec

from server.domain.principal import Principal
from server.service.problems import ProblemError, problem
from server.telemetry.refused_keys import Reason, refused


class Share(Enum):
    """Of which kind of requests a key has only some running at once; the value is what its caller reads."""

    BULK = "bulk requests"
    REPORTS = "reports and listings"


_WAIT_MIN: Final = 0.5
_COUNTED_AS: Final = {Share.BULK: Reason.BULK, Share.REPORTS: Reason.REPORTS}


class _InUse(msgspec.Struct):
    """The share of one key while it uses it. ``users``: those that run or wait."""

    room: asyncio.Semaphore
    users: int = 0


class KeyShares:
    """The shares of all keys, of one kind of requests.

    Parameters
    ----------
    kind
        Of which requests.
    at_once
        How many of them a key has running.
    wait_s
        How long a further one waits at most, and half as long at least.

    """

    def __init__(self, kind: Share, at_once: int, wait_s: float) -> None:
        self._kind = kind
        self._at_once = at_once
        self._wait_s = wait_s
        self._shares: dict[tuple[str, str], _InUse] = {}

    @property
    def keys(self) -> int:
        """How many keys use theirs."""
        return len(self._shares)

    @asynccontextmanager
    async def turn(self, principal: Principal) -> AsyncIterator[None]:
        """Wait for a turn, those of one key in their order.

        Raises
        ------
        ProblemError
            None came in time. Nothing happened.

        """
        who = principal.partition, principal.key
        share = self._shares.get(who)
        if share is None:
            share = self._shares[who] = _InUse(asyncio.Semaphore(self._at_once))
        share.users += 1
        try:
            await self._entered(share.room, who)
            try:
                yield
            finally:
                share.room.release()
        finally:
            share.users -= 1
            if not share.users:
                del self._shares[who]

    async def _entered(self, room: asyncio.Semaphore, who: tuple[str, str]) -> None:
        try:
            # Not all as long: those that came together would be refused together, and hold others up meanwhile.
            wait_s = self._wait_s * random.uniform(_WAIT_MIN, 1.0)  # noqa: S311  # spreads them, no secret
            async with asyncio.timeout(wait_s):
                await room.acquire()
        except TimeoutError:
            refused(_COUNTED_AS[self._kind], *who)
            detail = (
                f"This key has {self._at_once} {self._kind.value} running, as many as it may have. This one was"
                " not processed. Send it again when they are answered."
            )
            raise ProblemError(problem("overloaded", detail)) from None


Shares = dict[Share, KeyShares]
"""By kind."""


class HasShares(Protocol):
    """What the handlers of one process share."""

    shares: Shares


def key_shares(*, bulk: int, reports: int, wait_s: float) -> Shares:
    """Make the shares of every kind; the numbers are those that a key has running at once."""
    return {kind: KeyShares(kind, at_once, wait_s) for kind, at_once in ((Share.BULK, bulk), (Share.REPORTS, reports))}


def within_share(
    handler: Callable[[Any], Awaitable[object]], state: HasShares, kind: Share | None
) -> Callable[[Any], Awaitable[object]]:
    """Have a handler run within the share of its caller's key; no ``kind``: it has no limit."""
    if kind is None:
        return handler

    async def handle(call: Any) -> object:
        shares = state.shares.get(kind)
        if shares is None:
            return await handler(call)
        async with shares.turn(call.caller.principal):
            return await handler(call)

    return handle
