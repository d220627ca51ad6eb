"""The contract of a source: an ERP that owns the stock, says how many units there are, and learns what was sold.

A source is an adapter that publishes nothing. Three exchanges make it up. ``pull_stock`` reads, page by page, how many
units of each SKU the ERP can still give; ``pull_supply`` reads what it expects to come; ``tell`` brings the ERP's own
document of an order to what the order is now. As every adapter it holds no queue and no clock.

A kind is a folder ``adapters/<kind>/`` with ``SOURCE = Kind(...)`` in its ``__init__.py``.
"""

import importlib
import pkgutil
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Final

import msgspec

from adapters.contract.adapter import Adapter, Capabilities, Kind
from adapters.contract.http import Exchange
from adapters.contract.limits import Limit
from adapters.contract.stock import Item, Outcomes, Ticket

_NO_SOURCES: Final = frozenset({"contract", "testing"})
WHOLE: Final = ""
"""The cursor of a walk over everything."""


class StockRow(msgspec.Struct, frozen=True):
    """How many units of a SKU the ERP can still give at a location, what it was told of orders taken off.

    ``location``: as Holdfast names it. Negative: the ERP has promised more than it has.
    """

    sku: str
    location: str
    quantity: int


class StockPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of numbers. ``cursor``: of the next page, or of the walk over what changes from now on.

    ``whole``: the walk goes over everything, so a SKU that is missing in all of it is not there any more. A walk
    that was asked for changes may do so, too. A kind counts what it has read, and raises :class:`UnavailableError`
    where a walk that has ended is short. ``unreadable``: SKUs whose number is none; they stand as they are.
    """

    rows: Sequence[StockRow]
    cursor: str
    more: bool
    whole: bool
    unreadable: Sequence[str] = ()


class SupplyRow(msgspec.Struct, frozen=True):
    """What is still to come of a SKU by one line of a purchase. ``key``: the ERP's name of it, which never changes."""

    key: str
    sku: str
    location: str
    quantity: int
    expected_on: date


class SupplyPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of all that is to come."""

    rows: Sequence[SupplyRow]
    cursor: str
    more: bool


class SoldLine(msgspec.Struct, frozen=True):
    """Units of a SKU that an order takes at a location: sold and not cancelled, shipped or not, and not come back."""

    sku: str
    location: str
    quantity: int


class SoldOrder(msgspec.Struct, frozen=True):
    """An order as it is now, whole. ``key`` never changes, and the ERP's document is found by it.

    ``number`` is the channel's, empty where it has none. Without lines nothing of it is sold any more.
    """

    key: str
    channel: str
    number: str
    lines: Sequence[SoldLine]

    def at(self, location: str) -> dict[str, int]:
        """Return the units at a location, by SKU."""
        return {line.sku: line.quantity for line in self.lines if line.location == location}


class Told(msgspec.Struct, frozen=True):
    """The ERP's numbers are without these units from now on, also if they were before."""


class Untold(msgspec.Struct, frozen=True):
    """The ERP does not take it as it is; a person has to look. Its document is as it was. ``reason`` in its words."""

    reason: str


class Source(Adapter):
    """One ERP's wire contract. Saying a thing again is always safe: ``tell`` looks for its document first."""

    limits: tuple[Limit, ...] = ()

    @property
    def capabilities(self) -> Capabilities:
        """What the channels' client has to know: the limits."""
        return Capabilities(items_max=1, limits=self.limits)

    @property
    @abstractmethod
    def locations(self) -> Collection[str]:
        """The locations whose stock the ERP owns, as Holdfast names them."""

    @property
    def is_told(self) -> bool:
        """Whether it is told of orders. One that is not fills its location alone, and a repeated number is no news."""
        return True

    @property
    def supplies(self) -> bool:
        """Whether :meth:`pull_supply` can be asked."""
        return False

    @abstractmethod
    def pull_stock(self, cursor: str, now_s: float) -> Exchange[StockPage]:
        """Read the next page; :data:`WHOLE` begins with everything.

        Raises :class:`CursorRefusedError` where the cursor is not understood any more: everything is read then.
        """

    def pull_supply(self, cursor: str, now_s: float) -> Exchange[SupplyPage]:  # noqa: ARG002
        """Read the next page of what is to come; :data:`WHOLE` begins."""
        raise TypeError(f"{type(self).__name__} declares supplies and has no pull_supply()")

    @abstractmethod
    def tell(self, order: SoldOrder, now_s: float) -> Exchange[Told | Untold]:
        """Bring the ERP's document of an order to what the order is now; where it has none, make one."""

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes | Ticket]:  # noqa: ARG002
        """Refuse: a source is read, and nothing is published to it."""
        raise TypeError(f"{type(self).__name__} is a source")


def whole_units(value: object) -> int | None:
    """Read a number of units; parts of a unit cannot be sold. None: it is no number that can be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not -_UNITS_MAX <= value <= _UNITS_MAX:  # also what is no number at all
        return None
    # 2.9999999 is what is left of 3 after sums of parts.
    return int((value + _ROUNDING) // 1)


_UNITS_MAX: Final = 1_000_000_000
_ROUNDING: Final = 1e-6


def source_kinds() -> Mapping[str, Kind]:
    """Find every kind of source: each folder of ``adapters`` that has a ``SOURCE``."""
    package = importlib.import_module("adapters")
    modules = [name for _, name, _ in pkgutil.iter_modules(package.__path__) if name not in _NO_SOURCES]
    found = [getattr(importlib.import_module(f"adapters.{name}"), "SOURCE", None) for name in sorted(modules)]
    return {kind.name: kind for kind in found if isinstance(kind, Kind)}
