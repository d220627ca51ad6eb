"""Stock on its way to a channel: the values sent, and what became of each."""

from typing import Any

import msgspec


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One value for one listing: always absolute, always the newest when it is sent.

    ``key`` is the channel's own name of the listing, unique in a push. ``version`` grows with each change of the SKU.
    ``previous`` is what the channel was last known to show, None where nobody knows. ``price`` and ``list_price`` are
    decimal text, None: leave as it is. ``attempt`` counts the definite answers that this very value has had before, so
    that a request whose fate is unknown can carry the same idempotency key again, and one that was refused a new one.
    """

    key: str
    sku: str
    quantity: int
    version: int
    changed_ms: int = 0
    attempt: int = 0
    previous: int | None = None
    price: str | None = None
    list_price: str | None = None
    currency: str | None = None
    attributes: dict[str, str] = {}


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One event that is told in its turn and never replaced. ``id`` is the same each time that it is tried."""

    id: str
    type: str
    subject: str
    at_ms: int
    data: dict[str, Any]


class Applied(msgspec.Struct, frozen=True):
    """The channel has said that it shows this value now."""


class Rejected(msgspec.Struct, frozen=True):
    """The channel will not take this value, however often it is sent. ``reason`` in the channel's own words."""

    code: str
    reason: str


class Retry(msgspec.Struct, frozen=True):
    """Not now: try again, where the channel named a time after ``after_s``.

    ``after_s`` 0: nothing is wrong with this one, another spoiled the push; it is not held against it.
    """

    code: str
    reason: str
    after_s: float | None = None


class Conflict(msgspec.Struct, frozen=True):
    """The channel holds another value than ``previous`` said; ``remote`` is that value where it was told."""

    remote: int | None = None


class Unknown(msgspec.Struct, frozen=True):
    """It may or may not have been applied."""

    reason: str = ""


Outcome = Applied | Rejected | Retry | Conflict | Unknown


Outcomes = dict[str, Outcome]
"""By the item's key. An item that is missing counts as :class:`Unknown`."""


class Ticket(msgspec.Struct, frozen=True):
    """The channel took the whole push for later; ask with :meth:`Adapter.poll` what came of it."""

    id: str


class StillPending(msgspec.Struct, frozen=True):
    """The channel has not finished with a ticket. ``settled``: the items that it has finished with already."""

    settled: Outcomes = {}
