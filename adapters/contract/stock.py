"""Stock published to a channel: the values sent, and the outcome of each."""

from typing import Any

import msgspec


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One value for one listing: always absolute, always the newest when it is sent.

    ``key`` is the channel's own name of the listing, unique in a push. ``sku`` is the key, too, where the listing is a
    pack or a bundle: its quantity is of no SKU. ``version`` grows with each change of the SKU,
    ``locations_version`` when a location is closed or opened, 0 before the first time.
    ``previous`` is what the channel was last known to show, None: unknown. ``price`` and ``list_price`` are decimal
    text, None: unchanged. ``attempt`` counts the definite answers that this very value has had before, so
    that a request whose result is unknown can carry the same idempotency key again, and a refused one a new key.
    """

    key: str
    sku: str
    quantity: int
    version: int
    locations_version: int = 0
    changed_ms: int = 0
    attempt: int = 0
    previous: int | None = None
    price: str | None = None
    list_price: str | None = None
    currency: str | None = None
    attributes: dict[str, str] = {}


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One event that is sent in its order and never replaced by a newer one. ``id`` is the same in each try."""

    id: str
    type: str
    subject: str
    at_ms: int
    data: dict[str, Any]


class Applied(msgspec.Struct, frozen=True):
    """The channel has confirmed that it shows this value now."""


class Rejected(msgspec.Struct, frozen=True):
    """The channel does not accept this value, however often it is sent. ``reason`` in the channel's own words."""

    code: str
    reason: str


class PriceRejected(msgspec.Struct, frozen=True):
    """The channel shows the quantity now, and does not accept the price. ``reason`` in the channel's own words."""

    code: str
    reason: str


class Retry(msgspec.Struct, frozen=True):
    """Not now: try again, after ``after_s`` seconds where the channel named a time.

    ``after_s`` 0: another item spoiled the push; this one is sent again at once and its refusal is not counted.
    """

    code: str
    reason: str
    after_s: float | None = None


class Conflict(msgspec.Struct, frozen=True):
    """The channel shows another value than ``previous``; ``remote`` is that value where the channel returned it."""

    remote: int | None = None


class Unknown(msgspec.Struct, frozen=True):
    """It may or may not have been applied."""

    reason: str = ""


Outcome = Applied | Rejected | PriceRejected | Retry | Conflict | Unknown


Outcomes = dict[str, Outcome]
"""By the item's key. An item that is missing counts as :class:`Unknown`."""


class Ticket(msgspec.Struct, frozen=True):
    """The channel accepted the whole push for later; :meth:`Adapter.poll` asks for the results."""

    id: str


class StillPending(msgspec.Struct, frozen=True):
    """The channel has not finished with a ticket. ``settled``: the outcomes of finished items.

    ``unnamed``: the keys that its answer leaves out, although it has finished with all that it names. After some more
    answers of that kind they count as :class:`Unknown`.
    """

    settled: Outcomes = {}
    unnamed: frozenset[str] = frozenset()
