"""Whether a peer is right: its records, a race for few units, holds that expire. A fast peer that is wrong is none."""

import time
from typing import Final, NamedTuple

from bench.http.contestants import MiscountError
from bench.peers.base import EXPIRY_SKU, RACE_SKU, Peer, Recorded
from bench.peers.web import ask_at_once

_CONNECTIONS: Final = 32
_LONG_S: Final = 3600
_TTL_S: Final = 2
_LOOK_S: Final = 0.1


class Sizes(NamedTuple):
    """How much is asked in the checks, and how long after its deadline a hold may keep its units."""

    units: int
    requests: int
    holds: int
    grace_s: float


USUAL: Final = Sizes(units=50, requests=200, holds=500, grace_s=5.0)


class Right(NamedTuple):
    """What the checks found. ``never_released`` is None where holds have no deadline."""

    units: int
    asked: int
    granted: int
    holds: int
    never_released: int | None

    @property
    def oversold(self) -> int:
        """Units that were reserved and are not there."""
        return max(0, self.granted - self.units)


def check(peer: Peer, sizes: Sizes) -> Right:
    """Let callers race for few units, and let holds expire."""
    return Right(sizes.units, sizes.requests, race(peer, sizes), sizes.holds, expire(peer, sizes))


def race(peer: Peer, sizes: Sizes) -> int:
    """Ask for more than there is, all at once; returns how many requests were granted."""
    peer.put(RACE_SKU, sizes.units)
    may_fail = peer.target.may_fail
    return ask_at_once(peer.url, lambda: peer.ask(RACE_SKU, _LONG_S), sizes.requests, _CONNECTIONS, may_fail=may_fail)


def expire(peer: Peer, sizes: Sizes) -> int | None:
    """Make holds that are never paid for; returns how many units were never released, None if holds cannot expire."""
    if not peer.expires:
        return None
    holds = sizes.holds
    peer.put(EXPIRY_SKU, holds)
    granted = ask_at_once(peer.url, lambda: peer.ask(EXPIRY_SKU, _TTL_S), holds, _CONNECTIONS)
    if granted != holds:
        raise MiscountError(f"{peer.url}: of {holds} units, only {granted} could be held")
    until = time.monotonic() + _TTL_S + sizes.grace_s
    while (available := peer.available(EXPIRY_SKU)) < holds and time.monotonic() < until:
        time.sleep(_LOOK_S)
    return holds - available


def compare_with_records(title: str, before: Recorded, now: Recorded, acknowledged: int, unread: int) -> None:
    """Compare what was acknowledged with what a peer has recorded.

    Raises
    ------
    MiscountError
        Its two sums differ, or it recorded less than it acknowledged, or more than it was asked.

    """
    reserved, gone = now.reserved - before.reserved, now.gone - before.gone
    if reserved != gone or not acknowledged <= reserved <= acknowledged + unread:
        raise MiscountError(
            f"{title}: {acknowledged} units were acknowledged, at most {unread} more were on their way; its "
            f"reservations hold {reserved}, and {gone} are gone from what is available"
        )
