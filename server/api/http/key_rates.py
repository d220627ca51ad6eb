"""How many requests a second a key may make: counted by the store for all processes, and leased from it in advance.

A process asks the store for some requests of the current second, lets them in without asking again, and asks for more
when they are used up: for twice as many each time, up to an eighth of the rate, so the store is asked two dozen times a
second at most. What it has not used when the second is over is lost. So of each second of the store's clock no more are
let in than the rate, however many processes there are. Once the store has no more, the rest of the second is refused
here.
"""

import asyncio
import math
import time
from typing import Final

import msgspec

from server.domain.principal import Principal
from server.service.problems import ProblemError, problem
from server.store.connection.connect import StoreClient
from server.store.repositories.request_leases import lease_requests
from server.telemetry.refused_keys import Reason, refused

WINDOW_S: Final = 1
LARGEST_LEASE_DIVISOR: Final = 8
"""A lease is an eighth of the rate at most: what is lost with the second, and what other processes lack meanwhile."""
FIRST_LEASE_DIVISOR: Final = 8
"""The first lease of a second is an eighth of what this process let in during the one before that had any."""
_AT_ONCE_S: Final = 0.02
"""So long at least a lease is good once it has come: those who wait for it were counted in its second."""


class _Lease(msgspec.Struct):
    """The requests of the current second that one process may let in with one key without asking the store again.

    ``tokens``: how many it may still let in, before ``until_s``, seconds of the monotonic clock. ``left``: how many the
    store had left for all processes when it was asked last; 0: the rest of the second is refused. ``used``: how many
    the process has let in since the second began. ``size``: how many to ask for next. ``asking``: the task that asks
    the store, which all callers wait for; None: nobody asks.
    """

    tokens: int = 0
    left: int = 1
    until_s: float = 0.0
    used: int = 0
    size: int = 1
    asking: asyncio.Task[None] | None = None

    def take_one(self) -> bool:
        """Let a request in, if there is one left of what was leased."""
        if not self.tokens or time.monotonic() >= self.until_s:
            return False
        self.tokens -= 1
        self.used += 1
        return True


class KeyRates:
    """The leases of one process. Only requests of keys with a rate come here."""

    def __init__(self, client: StoreClient) -> None:
        self._client = client
        self._leases: dict[tuple[str, str], _Lease] = {}

    async def admit(self, principal: Principal) -> None:
        """Let a request in; nothing is awaited while some are left of what was leased.

        Raises
        ------
        ProblemError
            The key has made all requests of this second. Nothing happened.
        StoreUnavailableError
            The store did not answer.

        """
        lease = self._lease_of(principal)
        while not lease.take_one():
            if not lease.left and time.monotonic() < lease.until_s:
                raise self._refusal(principal)
            if lease.asking is None:
                lease.asking = asyncio.create_task(self._ask(principal, lease), name="rate-lease")
                lease.asking.add_done_callback(_discard_result)
            await asyncio.shield(lease.asking)

    def headers(self, principal: Principal) -> dict[str, str]:
        """Return what an answer says of the key's rate; empty: it has none. ``Reset`` is in seconds."""
        per_s = _per_s(principal)
        if not per_s:
            return {}
        lease = self._lease_of(principal)
        remaining, left_s = lease.tokens + lease.left, lease.until_s - time.monotonic()
        if left_s <= 0:  # the next second has begun, and nobody has asked for any of it here
            remaining, left_s = per_s, WINDOW_S
        return {
            "RateLimit-Limit": str(per_s),
            "RateLimit-Remaining": str(remaining),
            "RateLimit-Reset": str(math.ceil(left_s)),
        }

    def _lease_of(self, principal: Principal) -> _Lease:
        name = (principal.partition, principal.key)
        lease = self._leases.get(name)
        if lease is None:
            lease = self._leases[name] = _Lease()
        return lease

    async def _ask(self, principal: Principal, lease: _Lease) -> None:
        try:
            await self._lease_more(principal, lease)
        finally:
            lease.asking = None

    async def _lease_more(self, principal: Principal, lease: _Lease) -> None:
        per_s = _per_s(principal)
        most = max(1, per_s // LARGEST_LEASE_DIVISOR)
        if time.monotonic() >= lease.until_s:  # another second begins
            lease.size, lease.used = max(1, min(most, lease.used // FIRST_LEASE_DIVISOR)), 0
        got = await lease_requests(self._client, principal.partition, principal.key, per_s, lease.size)
        lease.size = min(2 * lease.size, most)
        lease.tokens, lease.left = got.given, got.left
        lease.until_s = max(got.until_s, time.monotonic() + _AT_ONCE_S)

    def _refusal(self, principal: Principal) -> ProblemError:
        refused(Reason.RATE, principal.partition, principal.key)
        detail = f"This key may make {_per_s(principal):,} requests a second. This one was not processed."
        headers = {"Retry-After": str(WINDOW_S), **self.headers(principal)}
        return ProblemError(problem("rate_limited", detail), headers)


def _discard_result(asking: asyncio.Task[None]) -> None:
    """Read the task's exception, so that asyncio logs none: those who asked may have left meanwhile."""
    if not asking.cancelled():
        asking.exception()


def _per_s(principal: Principal) -> int:
    return 0 if principal.limits is None else principal.limits.requests_per_s
