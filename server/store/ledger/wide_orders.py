"""Orders without locations whose SKUs are known at more places than one call looks at.

Their places are read in slices, and the order is sent again with the names of those that count. What it gets is decided
in the call, as ever: names that are out of date promise nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from server.domain.answers import Refused
from server.domain.exchange import Exchange, ExchangeRefused
from server.domain.limits import DEFAULT_LOCATION, PLACES_PER_ORDER_MAX
from server.domain.operations.reservations import Order, Reserve
from server.domain.sourcing import AmongPlaces
from server.domain.stock import PlacesOfSku
from server.store.errors import TooManyPlacesError
from server.store.ledger import slices
from server.store.ledger.reads import Reads

NAMED_MAX: Final = (2_000, 200)
"""Places that an order names, over all its SKUs; the second time fewer, for their records may be long."""
_PER_SKU: Final = (8, 200)
"""Of them for one SKU: at least, for others may sell meanwhile, and at most, as a reservation has lines."""
_WHOLE: Final = 8
"""Places named that have all of the order."""
_ROUNDS: Final = 3
_SOLD_OUT: Final = frozenset({"out_of_stock", "too_many_splits", "unknown_sku"})


class WideOrder:
    """An order that is sent with the names of the places that it may be taken from."""

    def __init__(self, operation: Reserve | Order | Exchange) -> None:
        self._operation = operation
        self._rounds = 0
        self._named_max = NAMED_MAX[0]
        self._suffices = False
        self.named: Any = operation
        """What is sent."""

    async def look(self, ledger: Reads) -> Refused | ExchangeRefused | None:
        """Read the places and name those that count; return the refusal where they are too many."""
        if self._rounds >= _ROUNDS:
            return self._refused()
        if self._rounds:
            self._named_max = NAMED_MAX[1]
        self._rounds += 1
        order = self._order
        wanted = wanted_of(order)
        try:
            found = await slices.stocked(ledger, list(wanted), order.channel, places_max=PLACES_PER_ORDER_MAX)
        except TooManyPlacesError:
            return self._refused()
        self._suffices = all(sum(units for _, units, _ in found[sku].stocked) >= wanted[sku] for sku in wanted)
        among = among_places(order, found, self._named_max)
        is_exchange = isinstance(self._operation, Exchange)
        self.named = msgspec.structs.replace(self._operation, promise=among) if is_exchange else among
        return None

    def is_out_of_date(self, answer: Any) -> bool:
        """Whether an order was refused although the places had its units when they were read: others took them."""
        refused = answer.refused if isinstance(answer, ExchangeRefused) else answer
        if not isinstance(refused, Refused) or refused.outcome not in _SOLD_OUT:
            return False
        return self._suffices and self._rounds < _ROUNDS

    @property
    def _order(self) -> Reserve | Order:
        operation: Any = self._operation
        return operation.promise if isinstance(operation, Exchange) else operation  # type: ignore[return-value]

    def _refused(self) -> Refused | ExchangeRefused:
        refused = Refused("sourcing_incomplete", "", [])
        return ExchangeRefused("promise", refused) if isinstance(self._operation, Exchange) else refused


def wanted_of(order: Reserve | Order) -> Counter[str]:
    """Return the units of each SKU whose lines name no location."""
    wanted: Counter[str] = Counter()
    for line in order.lines:
        if not line.location:
            wanted[line.sku] += line.quantity
    return wanted


def among_places(
    order: Reserve | Order, found: Mapping[str, PlacesOfSku], named_max: int = NAMED_MAX[0]
) -> AmongPlaces:
    """Name the places that an order is to be taken from."""
    named = named_places(found, wanted_of(order), named_max)
    elsewhere = {}
    for sku, names in named.items():
        known = frozenset(names)
        elsewhere[sku] = sum(units for name, units, _ in found[sku].stocked if name not in known)
    return AmongPlaces(order, named, elsewhere)


def named_places(
    found: Mapping[str, PlacesOfSku], wanted: Mapping[str, int], named_max: int = NAMED_MAX[0]
) -> dict[str, list[str]]:
    """Choose for each SKU the places that an order of so many units may need, at most so many in all.

    Those with most units come first, as in the order itself. Where units may be waited for, some of those places are
    named, too. A SKU without any of them is named where it is known, so that the refusal says what is so.
    """
    most = max(1, min(_PER_SKU[1], named_max // max(1, len(wanted))))
    whole = _having_all(found, wanted)[: min(_WHOLE, most)]
    return {sku: _named(found[sku], units, whole, most) for sku, units in wanted.items()}


def _named(places: PlacesOfSku, wanted: int, whole: Sequence[str], most: int) -> list[str]:
    in_order = sorted(places.stocked, key=_most_first)
    waiting = [name for name, _, waits in in_order if waits]
    names = dict.fromkeys(whole)
    names |= dict.fromkeys(_covering(in_order, wanted, most))
    names |= dict.fromkeys(waiting[: _PER_SKU[0]])
    names |= dict.fromkeys((places.open or places.known)[:2])
    return list(names)


def _covering(in_order: Iterable[tuple[str, int, int]], wanted: int, most: int) -> list[str]:
    """Return the first places that have twice what is wanted, and some in any case."""
    names: list[str] = []
    there = 0
    for name, units, _ in in_order:
        if units <= 0 or len(names) >= most or (there >= 2 * wanted and len(names) >= _PER_SKU[0]):
            break
        names.append(name)
        there += units
    return names


def _having_all(found: Mapping[str, PlacesOfSku], wanted: Mapping[str, int]) -> list[str]:
    """Return the places that have all of the order, those with most units first."""
    units: dict[str, int] | None = None
    for sku, quantity in wanted.items():
        there = {name: has for name, has, _ in found[sku].stocked if has >= quantity}
        units = there if units is None else {name: units[name] + has for name, has in there.items() if name in units}
    return sorted(units or (), key=lambda name: (name != DEFAULT_LOCATION, -(units or {})[name], name))


def _most_first(place: tuple[str, int, int]) -> tuple[int, bool, str]:
    name, units, _ = place
    return -units, name != DEFAULT_LOCATION, name
