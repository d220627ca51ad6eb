"""Whether a channel is a known one mistyped: what is set aside for it would be sold by nobody."""

from collections.abc import Iterable
from typing import Final

from server.domain.similar_names import closest
from server.service.checks import InvalidError
from server.store.ledger.ledger import Ledger

_ALIKE: Final = 0.85
"""One letter of eight differs. Channels that no file configures are common, and their names are free."""


def looks_like(channel: str, known: Iterable[str]) -> str:
    """Return the known channel that this one may be meant for; empty where it is known, or like none."""
    known = list(known)
    return "" if channel in known else closest(channel, known, cutoff=_ALIKE)


async def check_not_mistyped(
    ledger: Ledger, where: tuple[str, str], field: str, channel: str, known: Iterable[str]
) -> None:
    """Refuse a channel that is like a known one, and has no allocation at this (SKU, location) yet.

    Raises
    ------
    InvalidError
        It is; the rule says what to do.
    StoreUnavailableError
        The store did not answer in time.

    """
    meant = looks_like(channel, known)
    if meant and not await is_allocated(ledger, where, channel):
        raise InvalidError(
            field, f"names {channel}, which is not known; did you mean {meant}? Correct it, or send `new` true"
        )


async def is_allocated(ledger: Ledger, where: tuple[str, str], channel: str) -> bool:
    """Return whether a channel has an allocation at a (SKU, location); errors as the other."""
    stock = await ledger.stock(*where)
    return any(allocation.channel == channel for level in stock.levels for allocation in level.allocated)
