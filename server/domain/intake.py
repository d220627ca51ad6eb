"""How the orders of a channel come in, and what is kept for it: settings, the walk, what is to be read, what is said.

Types with ``array_like`` are kept in the store as MessagePack, so new fields come at the end, with a default.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

OUTBOX_MAX: Final = 10_000
"""What one channel's outbox holds at most; a command more is refused until some are settled."""
HEARD_MAX: Final = 10_000
"""News of one channel that wait to be taken in; a channel that sends more is asked to come again."""
HEARD_BYTES_MAX: Final = 32 * 1024 * 1024
"""What these take in the store at most, whatever their number: one delivery can have a megabyte."""
SETTLED_KEPT_MS: Final = 30 * 86_400_000
"""How long a settled command can be seen: longer than any shop takes to close the order."""
NOW: Final = "now"
OUTBOX_PAGE_MAX: Final = 1_000

EveryS = Annotated[float, Meta(ge=0.05, le=86_400)]
AfterS = Annotated[float, Meta(ge=0, le=31 * 86_400)]


class OrderIntake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """``[channels.NAME.orders]``: whether and how orders come in, and what is said back by itself: nothing.

    ``since`` (``from`` in the file): "now", or the time whose orders are the first; older ones book nothing.
    ``pull_every_s`` None: as the kind has it. ``open_orders_every_s``: how often each open order is read whole.
    ``short``: which order gets units that come back, the one that waits longest or the newest.
    ``acknowledge``, ``refuse_after_s`` (0: never) and ``ship`` are the rules of what is said by itself.
    """

    enabled: bool = False
    since: str = NOW
    pull_every_s: EveryS | None = None
    open_orders_every_s: EveryS = 1_800.0
    short: Literal["oldest", "newest"] = "oldest"
    acknowledge: Literal["never", "at_once"] = "never"
    refuse_after_s: AfterS = 0.0
    ship: Literal["never", "when_fulfilled"] = "never"

    def __post_init__(self) -> None:
        if self.since != NOW:
            since_ms(self.since)

    @property
    def since_ms(self) -> int | None:
        """From when on orders are taken; None: from the first start."""
        return None if self.since == NOW else since_ms(self.since)


def since_ms(text: str) -> int:
    """Read the time from which on orders are taken.

    Raises
    ------
    ValueError
        It is no time with a zone.

    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError('from must be "now" or a time with its zone, such as 2026-11-29T08:00:00+03:00')
    return int((moment - _EPOCH) / timedelta(milliseconds=1))


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Walk(msgspec.Struct, array_like=True, frozen=True):
    """How far the reading of changed orders, or of returns, has come. Times are of the store's clock.

    ``cursor``: of the next page. ``began``: with which this walk began, and ``whole``: with which the last one began
    that reached its end; from there the reading begins again where the channel refuses a cursor. ``finished_ms``: when
    that one ended, 0: none has.
    """

    cursor: str
    began: str
    whole: str
    started_ms: int
    finished_ms: int = 0


Reason = Literal["hint", "open", "second_look", "inbox", "unread"]
"""Why an order is to be read: somebody said so, it is open, units are missing in it, it is not booked, or no answer."""


class ToRead(msgspec.Struct, array_like=True, frozen=True):
    """An order that is to be read whole, at ``due_ms``. It stays until it is closed there and nothing is left to do.

    ``since_ms``: when it was first seen. ``inbox``: why it is not booked, empty where it is. ``tries``: failures in a
    row. ``acknowledged``: that was asked for. ``short_ms``: since when it is short of units, 0: it is not.
    ``ignored``: a person has said that what is not booked of it need not be. ``short``: pieces of its lines that were
    not there when they were booked.
    """

    due_ms: int
    reason: Reason
    since_ms: int
    inbox: str = ""
    tries: int = 0
    acknowledged: bool = False
    short_ms: int = 0
    ignored: bool = False
    short: list[tuple[str, int]] = []


OutboxState = Literal["waiting", "sending", "unsure", "done", "refused", "superseded", "undecided", "cancelled"]
"""unsure: its answer was lost, the channel is asked. undecided: the channel does not tell either, a person has to look.

The last five are the ends; a person may have any but "done" sent again.
"""
SETTLED: Final[frozenset[OutboxState]] = frozenset({"done", "refused", "superseded", "undecided", "cancelled"})


class OutboxEntry(msgspec.Struct, array_like=True, frozen=True):
    """Something that is said to a channel about an order: ``command`` is it, packed. Times are of the store's clock.

    ``by``: who asked for it, a key's name or "rule:…". ``sent_ms``: when it last left. ``reason``: why
    the channel does not take it, by its code alone: its words may be personal. ``remote_id``: its name of
    what was made. ``erased``: nothing personal of it is to stay. ``before``: of each line that it is about how many
    pieces were cancelled and shipped there when it was last sent.
    """

    id: str
    order: str
    name: str
    command: bytes
    by: str
    state: OutboxState
    created_ms: int
    changed_ms: int
    due_ms: int
    tries: int = 0
    sent_ms: int = 0
    reason: str = ""
    remote_id: str = ""
    erased: bool = False
    before: list[tuple[str, int, int]] = []

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is done about it by itself."""
        return self.state in SETTLED


class IntakeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel's intake stands. ``lag_s``: since all changes were known; the rest are numbers of orders, commands.

    ``outbox_oldest_s``: how long the oldest unsettled command has waited. ``reason``: what keeps orders from coming in.
    ``commands``: what can be said.
    """

    lag_s: float = 0.0
    open: int = 0
    to_read: int = 0
    inbox: int = 0
    outbox: int = 0
    undecided: int = 0
    outbox_oldest_s: float = 0.0
    heard_waiting: int = 0
    since_ms: int = 0
    reason: str = ""
    commands: list[str] = []


class News(msgspec.Struct, array_like=True, frozen=True):
    """What was told from outside and is to be taken in, by a channel or by a person, at ``at_ms``.

    told: ``orders`` and ``returns`` as the adapter understood them, packed and without their buyers, and keys of orders
    to read. read: orders to read now. ignore: orders of the inbox that nobody will book. say: ``entry`` is to be said.
    again, cancel and done: of the outbox, by ``keys`` of it. erase: of which orders nothing personal is to stay in it.
    """

    what: Literal["told", "read", "ignore", "say", "again", "cancel", "erase", "done"]
    at_ms: int
    keys: list[str] = []
    orders: bytes = b""
    returns: bytes = b""
    entry: OutboxEntry | None = None


class HeardAnswer(msgspec.Struct, frozen=True):
    """What is answered to a delivery: as the channel expects it where it was ``taken``, else a problem.

    away: it could not be kept, and should come again.
    """

    result: Literal["taken", "forged", "unreadable", "away"]
    status: int = 200
    headers: dict[str, str] = {}
    body: bytes = b""
