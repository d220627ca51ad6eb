"""Operations on reservations: reserve and order, and the changes of their units."""

from typing import ClassVar

import msgspec

from server.domain.key_limits import Quota
from server.domain.operations.base import LINES_ASSUMED, Operation
from server.domain.operations.stock import Disposition
from server.domain.reservation import ChannelLine


class Line(msgspec.Struct, array_like=True, frozen=True):
    """Requested units of one SKU at one location."""

    sku: str
    location: str
    quantity: int


class LineQuantity(msgspec.Struct, array_like=True, frozen=True):
    """A part of an existing reservation: ``line`` counts from 1, in the order of the reservation.

    It can be the channel's key: so many pieces of what it wrote. Or a zero byte and a SKU: units of any of its lines.
    """

    line: int | str
    quantity: int


class ReturnedLine(msgspec.Struct, array_like=True, frozen=True):
    """Returned units of one line or SKU, or pieces of a channel's key. ``location`` empty: that of the line."""

    line: int | str
    quantity: int
    disposition: Disposition
    location: str = ""


class ReservationOperation(Operation, frozen=True):
    """An operation on one reservation.

    A new one is sent with its lines last and flat, since an array costs the store more than its values.
    """


class Reserve(ReservationOperation, tag="reserve", frozen=True):
    """Hold units until a deadline; all or nothing, or as much of each line as there is (``partial``).

    ``backorder``: lines wait for missing units, where the (SKU, location) permits it. ``quota``: that of the key, for
    which the units count; None: the key has none.
    """

    wire: ClassVar[tuple[str, ...]] = (
        "fingerprint", "actor", "reservation_id", "channel", "ttl_ms", "partial", "order_ref", "customer_ref", "flags",
        "channel_lines", "quota", "line_count", "lines",
    )  # fmt: skip

    reservation_id: str
    channel: str
    lines: list[Line]
    ttl_ms: int
    partial: bool = False
    order_ref: str = ""
    customer_ref: str = ""
    flags: list[str] = []
    backorder: bool = False
    channel_lines: list[ChannelLine] = []
    quota: Quota | None = None

    @property
    def weight(self) -> int:
        """Its lines."""
        return len(self.lines)


class Order(ReservationOperation, tag="order", frozen=True):
    """Reserve and commit in one step. ``accept_shortage``: it is sold already, so commit missing units as well.

    It holds nothing, so it counts for no quota: its ``wire`` has the place of one alone.
    ``backorder`` comes first: lines that may not wait become a shortage.
    """

    wire: ClassVar[tuple[str, ...]] = (
        "fingerprint", "actor", "reservation_id", "channel", "accept_shortage", "partial", "order_ref", "customer_ref",
        "flags", "channel_lines", "quota", "line_count", "lines",
    )  # fmt: skip

    reservation_id: str
    channel: str
    lines: list[Line]
    accept_shortage: bool = False
    partial: bool = False
    order_ref: str = ""
    customer_ref: str = ""
    flags: list[str] = []
    backorder: bool = False
    channel_lines: list[ChannelLine] = []

    @property
    def weight(self) -> int:
        """Its lines."""
        return len(self.lines)


class Extend(ReservationOperation, tag="extend", frozen=True):
    """Move the deadline of a hold to now + ``ttl_ms``, never back and never past its longest life.

    ``life_max_ms``: the longest that whoever asks may have it held, from when it was made; 0: as long as any.
    """

    function: ClassVar[str] = "mutate_when_full"

    reservation_id: str
    key: str
    ttl_ms: int
    life_max_ms: int = 0


class PartsOperation(ReservationOperation, frozen=True):
    """An operation on parts of an existing reservation. No lines: all that can be meant.

    A full store still runs it: it gives memory back, or takes next to none.
    """

    function: ClassVar[str] = "mutate_when_full"

    reservation_id: str
    key: str
    lines: list[LineQuantity]

    @property
    def weight(self) -> int:
        """The lines of the reservation, as assumed."""
        return LINES_ASSUMED


class Commit(PartsOperation, tag="commit", frozen=True):
    """Turn held units into ordered ones."""

    keep_remainder: bool = False
    order_ref: str = ""


class Release(PartsOperation, tag="release", frozen=True):
    """Release held units. ``remember``: as in :class:`Cancel`."""

    remember: bool = False


class ReleaseBecause(Release, tag="release_because", frozen=True):
    """Release held units, and say why. An operation of its own: a release without a reason carries no field for it."""

    reason: str = ""


class Cancel(PartsOperation, tag="cancel", frozen=True):
    """Cancel ordered units that have not been shipped.

    ``remember``: where there is no such reservation yet, it is recorded as cancelled when it comes.
    """

    reason: str = ""
    remember: bool = False


class Fulfil(PartsOperation, tag="fulfil", frozen=True):
    """Ship ordered units: they leave ``on_hand``."""

    tracking: str = ""
    carrier: str = ""
    invoice_ref: str = ""
    reason: str = ""


class LineRelocation(msgspec.Struct, array_like=True, frozen=True):
    """Units of a line (``quantity`` 0: all) that are to be taken from the location ``to``."""

    line: int
    quantity: int
    to: str


class Relocate(ReservationOperation, tag="relocate", frozen=True):
    """Move reserved units to other locations, where they must be available."""

    reservation_id: str
    key: str
    lines: list[LineRelocation]
    reason: str = ""

    @property
    def weight(self) -> int:
        """The lines of the reservation, as assumed, and those that are relocated."""
        return LINES_ASSUMED + len(self.lines)


class LineMapping(msgspec.Struct, array_like=True, frozen=True):
    """The SKU that an unmapped line is for. ``location`` empty: wherever an order of it would be taken from."""

    line: int
    sku: str
    location: str = ""


class MapLines(ReservationOperation, tag="map_lines", frozen=True):
    """Give unmapped lines their SKUs and commit their units, even if that makes a shortage; all lines, or none."""

    reservation_id: str
    key: str
    lines: list[LineMapping]

    @property
    def weight(self) -> int:
        """The lines of the reservation, as assumed, and twice those that are mapped: their places are looked for."""
        return LINES_ASSUMED + 2 * len(self.lines)


class LineEdit(msgspec.Struct, array_like=True, frozen=True):
    """The units that one line (``line`` > 0) is to have, or that all lines of a SKU are to have together.

    ``location``: only those of the SKU there; empty: wherever they are.
    """

    line: int
    sku: str
    location: str
    quantity: int


class Edit(ReservationOperation, tag="edit", frozen=True):
    """Change how many units lines have, in one step; all that is named, or nothing.

    ``ttl_ms``: move the deadline as an extend does; 0: it stays. ``accept_shortage``: as of an order. ``life_max_ms``:
    as of an extend. ``quota``: as of a reserve, else false.
    """

    reservation_id: str
    key: str
    lines: list[LineEdit]
    ttl_ms: int = 0
    accept_shortage: bool = False
    life_max_ms: int = 0
    quota: Quota | bool = False

    @property
    def weight(self) -> int:
        """The lines of the reservation, as assumed, and twice those that are edited: places are looked for."""
        return LINES_ASSUMED + 2 * len(self.lines)


class Return(ReservationOperation, tag="return", frozen=True):
    """Take shipped units back, at any location; never more than were shipped. ``lines`` must not be empty."""

    function: ClassVar[str] = "mutate_creating"

    reservation_id: str
    key: str
    lines: list[ReturnedLine]
    reason: str = ""
    allow_similar: bool = False

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The locations that it names: the SKUs are known where they were shipped from."""
        return (), tuple({line.location for line in self.lines if line.location})

    @property
    def weight(self) -> int:
        """Its lines."""
        return len(self.lines)
