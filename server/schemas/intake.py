"""The intake of a channel over the wire: how it stands, and what is said back about its orders."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from server.domain.intake import OUTBOX_PAGE_MAX, OutboxState
from server.schemas.common import After, Body, Quantity, Reference

CommandName = Literal["acknowledge", "refuse", "ship", "invoice", "settle_return", "label"]
COMMAND_LINES_MAX = 1_000
ORDERS_MAX = 100


class IntakeView(msgspec.Struct, frozen=True):
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


class OutboxQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which commands: of a ``state``, about an ``order``; the newest first. ``after``: the ``next`` of a page."""

    state: OutboxState | msgspec.UnsetType = msgspec.UNSET
    order: Reference | msgspec.UnsetType = msgspec.UNSET
    after: After = ""
    limit: Annotated[int, Meta(ge=1, le=OUTBOX_PAGE_MAX)] = 100


class OutboxEntryView(msgspec.Struct, frozen=True):
    """A command. ``asked_by``: a key's name, or a rule. ``sent_at``: when it last left.

    ``reason``: why the channel does not take it, in its words. ``remote_id``: its name of what was made.
    """

    id: str
    order: str
    command: str
    state: OutboxState
    asked_by: str
    created_at: datetime
    changed_at: datetime
    sent_at: datetime | None
    tries: int
    reason: str
    remote_id: str


class OutboxList(msgspec.Struct, frozen=True):
    """Some commands, the newest first. ``complete`` false: there are more, from ``next`` on."""

    commands: list[OutboxEntryView]
    complete: bool
    next: str


class PiecesBody(Body, frozen=True):
    """Pieces of an order's line, by the channel's key of the line."""

    line: Reference
    quantity: Quantity


class CommandBody(Body, frozen=True):
    """What is to be said about an order. Which fields count depends on ``command``.

    refuse: ``lines``, ``reason``. ship: ``lines``, ``package``, ``carrier``, ``tracking``, ``url``. invoice:
    ``number``, ``url``, ``package``. settle_return: ``case``, ``lines``, ``accept``, ``reason``. label: ``package``,
    ``format``.
    """

    command: CommandName
    order: Reference
    lines: Annotated[list[PiecesBody], Meta(max_length=COMMAND_LINES_MAX)] | msgspec.UnsetType = msgspec.UNSET
    reason: Reference | msgspec.UnsetType = msgspec.UNSET
    package: Reference | msgspec.UnsetType = msgspec.UNSET
    carrier: Reference | msgspec.UnsetType = msgspec.UNSET
    tracking: Reference | msgspec.UnsetType = msgspec.UNSET
    url: Annotated[str, Meta(min_length=1, max_length=2_000)] | msgspec.UnsetType = msgspec.UNSET
    number: Reference | msgspec.UnsetType = msgspec.UNSET
    case: Reference | msgspec.UnsetType = msgspec.UNSET
    accept: bool | msgspec.UnsetType = msgspec.UNSET
    format: Reference | msgspec.UnsetType = msgspec.UNSET


class CommandIds(Body, frozen=True):
    """Commands of the outbox, by their ids."""

    ids: Annotated[list[Reference], Meta(min_length=1, max_length=ORDERS_MAX)]


class OrderNumbers(Body, frozen=True):
    """Orders of a channel, by their numbers."""

    orders: Annotated[list[Reference], Meta(min_length=1, max_length=ORDERS_MAX)]


class Remembered(msgspec.Struct, frozen=True):
    """What was asked for will be done. ``ids``: of commands, or numbers of orders.

    ``publisher_missing``: nobody takes it up just now; it waits.
    """

    channel: str
    ids: list[str]
    publisher_missing: bool
