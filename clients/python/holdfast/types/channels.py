"""What is sent and answered: channels.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from datetime import datetime

import msgspec

from holdfast.types.common import AllocationView


class ChannelAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The command to the channel's publisher. It stays until it is done; ``publisher_missing``: none does it now."""

    channel: str
    asked: str
    """One of: reconcile, retry, test."""
    publisher_missing: bool


class ChannelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a channel, in short. ``publisher_missing``: no report of it for five seconds or more.

    ``paused``: nothing is sent to it, because a rule says so.
    """

    channel: str
    kind: str
    publisher_missing: bool
    circuit: str
    """One of: closed, halted, open."""
    reason: str
    dirty: int
    oldest_unsent_s: float
    last_confirmed_at: datetime | None
    dead_letters: int
    lag_p50_s: float | None
    lag_p99_s: float | None
    paused: bool


class ChannelRules(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel's publishable quantity follows from the available units, and when it is published.

    ``locations`` empty: all of them. ``buffer`` units are kept back, and ``percent`` of the rest are published: 0 if
    that is less than ``min_publish``, and never more than ``cap``. ``cadence_s`` 0: at once; else every so many
    seconds, but a fall to zero is published at once. ``reconcile_every_s`` 0: only on request. ``paused``: nothing is
    published, and what changes waits.
    """

    locations: list[str] = msgspec.field(default_factory=list)
    buffer: int | None = None
    percent: int | None = None
    min_publish: int | None = None
    cap: int | None = None
    cadence_s: float | None = None
    reconcile_every_s: float | None = None
    paused: bool | None = None


class ConnectionView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the last test of the connection. ``answered`` null: it cannot be known; ``reason`` says why.

    Where the channel did not answer, ``reason`` is in its own words, or those of the network.
    """

    finished_at: datetime
    answered: bool | None
    reason: str


class IntakeView(msgspec.Struct, frozen=True, kw_only=True):
    """How the orders of a channel come in. ``lag_s``: how long ago all changes of its orders were known.

    ``open``: orders that are read again until they are closed; ``to_read``: those that are to be read now; ``inbox``:
    those that are not booked, or not whole. ``outbox``: commands that are not settled, the oldest for
    ``outbox_oldest_s``; ``undecided``: those of which nobody knows whether they were carried out. ``heard_waiting``:
    news that wait. ``since``: orders from then on are taken. ``reason``: what keeps orders from coming in, else empty.
    ``commands``: what can be said.
    """

    lag_s: float
    open: int
    to_read: int
    inbox: int
    outbox: int
    undecided: int
    outbox_oldest_s: float
    heard_waiting: int
    since: datetime
    reason: str
    commands: list[str]


class MirrorView(msgspec.Struct, frozen=True, kw_only=True):
    """The location at which it is counted what the channel holds in its own warehouse.

    ``read_at``: when the last reading began that was counted; null: none was. ``skus`` and ``units``: what it found.
    ``unmapped``: keys that neither a listing nor a SKU has. ``reason``: why nothing is counted, or not all; else empty.
    """

    location: str
    read_at: datetime | None
    skus: int
    units: int
    unmapped: int
    reason: str


class ReconcileView(msgspec.Struct, frozen=True, kw_only=True):
    """What the last comparison found. ``read_back`` false: the channel cannot be read, all was sent again."""

    finished_at: datetime
    checked: int
    differed: int
    read_back: bool


class DeadLetterView(msgspec.Struct, frozen=True, kw_only=True):
    """A value that the channel will not take. ``reason`` is in the channel's own words. ``sku`` of a pack is empty.

    ``field``: "price" means that the channel shows the quantity, and goes on doing so; ``price`` is the refused one.
    """

    sku: str
    key: str
    quantity: int
    code: str
    reason: str
    attempts: int
    first_at: datetime
    last_at: datetime
    seq: int
    field: str
    """One of: price, quantity."""
    price: str


class AllocatedView(msgspec.Struct, frozen=True, kw_only=True):
    """The allocations at one (SKU, location), and what they leave to everybody."""

    sku: str
    location: str
    available: int
    set_aside: int
    seq: int
    allocations: list[AllocationView]


class ChannelList(msgspec.Struct, frozen=True, kw_only=True):
    """Every channel that is configured, by name."""

    channels: list[ChannelSummary]


class ChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """One channel: the rules in force, and the names of those that were set at run time.

    ``listings``: "listed" publishes the SKUs that have a listing; "all" publishes every SKU.
    """

    channel: str
    kind: str
    listings: str
    """One of: all, listed."""
    rules: ChannelRules
    set_at_run_time: list[str]


class ChannelStatusView(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a channel, as its publisher last wrote it at ``written_at``; null: it never did.

    ``oldest_unsent_s``: how long the longest waiting change has waited, in seconds. ``lag_p50_s`` and ``lag_p99_s``:
    from change to the channel's own confirmation, over the last thousand. ``cursor``: the id in the journal up to which
    all is confirmed. ``refused_prices``: how many of the ``dead_letters`` are about a price alone. ``intake``: of its
    orders; null where none come in. ``mirror``: of what the channel holds itself; null where it is not counted.
    ``paused``: nothing is sent to it, because a rule says so. ``test``: of the connection; null: there was none.
    """

    channel: str
    publisher: str
    publisher_missing: bool
    written_at: datetime | None
    circuit: str
    """One of: closed, halted, open."""
    reason: str
    listings: int
    dirty: int
    in_flight: int
    tickets: int
    oldest_unsent_s: float
    last_confirmed_at: datetime | None
    dead_letters: int
    lag_p50_s: float | None
    lag_p99_s: float | None
    cursor: str
    reconcile: ReconcileView | None
    refused_prices: int
    intake: IntakeView | None
    mirror: MirrorView | None
    paused: bool
    test: ConnectionView | None


class DeadLetterList(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first; ``complete``: no more come. ``next`` is the ``after`` of the next page, empty on the last."""

    dead_letters: list[DeadLetterView]
    complete: bool
    next: str
