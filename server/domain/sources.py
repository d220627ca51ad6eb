"""Sources: ERPs that own the stock, and feeds of suppliers. What is configured of each, and what is kept about it.

Types with ``array_like`` are kept in the store as MessagePack, so new fields come at the end, with a default.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from server.domain.channels import PUBLISHER_MISSING_MS, Circuit, check_channel_name
from server.domain.late_numbers import LateRules
from server.domain.limits import DEFAULT_PARTITION
from server.domain.locations import ConfiguredGroups, check_groups
from server.domain.replenishment import Days
from server.domain.sudden_changes import ChangeRules, ListSuspicion, Place, Suspicion

ORDER_KEPT_MS: Final = 30 * 86_400_000
"""How long an order is kept after its last change: as long as most shops take returns. Each takes half a kilobyte."""
UNREADABLE_SHOWN_MAX: Final = 20
WAITING_PER_PAGE_MAX: Final = 1_000
WHOLE_LIST: Final[Place] = ("", "")
"""In place of a SKU and a location: the list as a whole waits."""

PULL_NOW: Final[Place] = ("", "now")
"""In place of them, too: the source is to be read now."""

EveryS = Annotated[float, Meta(ge=0.05, le=86_400)]
OpenOrders = Literal["tell", "known"]


class SourceRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a source is read and told.

    ``pull_every_s``: what has changed is read so often, and everything every ``whole_every_s``. ``supply``: what it
    expects to come is taken over, too, as often as everything. ``open_orders``: of orders that are older than the first
    start it is told as of all others ("tell"), or it has them already ("known"). ``changes``: which numbers wait.
    ``late``: what becomes of numbers that are too old, of a source that is told of nothing. ``lead_time_days``: how
    long its units take until they can be shipped; it is shown to whoever asks. ``groups``: those of a location that the
    source fills alone.
    """

    pull_every_s: EveryS = 60.0
    whole_every_s: EveryS = 3_600.0
    supply: bool = False
    open_orders: OpenOrders = "tell"
    changes: ChangeRules = ChangeRules()
    late: LateRules = LateRules()
    lead_time_days: Days = 0.0
    groups: ConfiguredGroups = ()

    def __post_init__(self) -> None:
        check_groups(self.groups)


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One configured source, without its credentials. ``options`` are the kind's own."""

    name: str
    kind: str
    partition: str = DEFAULT_PARTITION
    rules: SourceRules = SourceRules()
    options: dict[str, Any] = {}
    allow_private: list[str] = []
    timeout_s: float = 15.0


def check_source_name(name: str) -> None:
    """Refuse a name that a source cannot have: the rule is that of channels.

    Raises
    ------
    ValueError
        It cannot; the message has the rule.

    """
    try:
        check_channel_name(name)
    except ValueError as error:
        raise ValueError(str(error).replace("channel ", "source ", 1)) from None


Units = list[tuple[str, str, int]]
"""SKU, location and units of each place; none that is zero."""


class TrackedOrder(msgspec.Struct, array_like=True, frozen=True):
    """A reservation of which the source is told, or was.

    ``sold``: what it takes by the journal up to ``seq``. ``told``: what the source's document has. ``due_ms``: when it
    is told next, 0: nothing is to be told. ``since_ms``: since when something is. ``reason``: why the source does not
    take it; it is told again when it changes, or a person asks.
    """

    channel: str
    number: str
    sold: Units
    told: Units
    seq: int
    changed_ms: int
    due_ms: int = 0
    since_ms: int = 0
    tries: int = 0
    reason: str = ""

    @property
    def untold(self) -> dict[Place, int]:
        """The units at each place that the source's numbers do not know of yet; negative: that came back."""
        found = {(sku, location): units for sku, location, units in self.sold}
        for sku, location, units in self.told:
            found[sku, location] = found.get((sku, location), 0) - units
        return {place: units for place, units in found.items() if units}

    @property
    def is_due(self) -> bool:
        """Whether it is to be told, and the source has not refused it."""
        return self.due_ms > 0

    def is_old(self, now_ms: int) -> bool:
        """Whether nothing is expected to come of it any more."""
        return not self.untold and (not self.sold or now_ms - self.changed_ms > ORDER_KEPT_MS)


Decision = Literal["", "confirmed", "refused"]


class WaitingNumber(msgspec.Struct, array_like=True, frozen=True):
    """A number that the source says and that is not believed. ``before``: what it would have been without a change.

    For :data:`WHOLE_LIST` the two are numbers of places. ``decision`` of a person, ``by`` whom; empty: there is none.
    """

    why: Suspicion | ListSuspicion
    before: int
    after: int
    since_ms: int
    decision: Decision = ""
    by: str = ""


class Decided(msgspec.Struct, array_like=True, frozen=True):
    """What a person decided about a waiting number that was ``after``."""

    decision: Decision
    after: int
    by: str


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a source stands, as the publisher last wrote it. Times are milliseconds since 1970, ages seconds.

    ``known_ms``: as of when its numbers are known; 0: never. ``whole_ms``: when everything was last read. ``places``:
    for how many it has numbers. ``waiting``: numbers that no person has decided about. ``untold``: orders that it is
    yet to be told of, the oldest for ``untold_oldest_s``; ``refused``: that it does not take. ``unreadable``: some SKUs
    whose number is none. ``not_counted``: numbers of the last walk that the stock did not take. ``supplies``: receipts
    that it expects. ``is_late``: its numbers are too old, and taken for what its rules say.
    """

    publisher: str
    written_ms: int
    circuit: Circuit = "closed"
    reason: str = ""
    begun_ms: int = 0
    known_ms: int = 0
    whole_ms: int = 0
    places: int = 0
    waiting: int = 0
    untold: int = 0
    untold_oldest_s: float = 0.0
    refused: int = 0
    not_counted: int = 0
    supplies: int = 0
    unreadable: list[str] = []
    is_late: bool = False

    def is_current(self, now_ms: int) -> bool:
        """Whether a publisher runs, as for a channel."""
        return abs(now_ms - self.written_ms) <= PUBLISHER_MISSING_MS

    def age_s(self, now_ms: int) -> float:
        """Return for how long the source's numbers have not been known; since it began, where they never were."""
        return max(0.0, (now_ms - (self.known_ms or self.begun_ms or now_ms)) / 1000)
