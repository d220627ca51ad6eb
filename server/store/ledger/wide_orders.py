"""Operations that take units from wherever they are, of SKUs known at more places than one call looks at.

The script says what it looks for. The places are read in slices, and the operation is sent again with the names of
those that count. What it gets is decided in the call, as ever: names that are out of date promise nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from server.domain.answers import LookInSlices, Refused
from server.domain.exchange import Exchange, ExchangeRefused
from server.domain.limits import DEFAULT_LOCATION, PLACES_PER_ORDER_MAX, RECORD_LINES_MAX
from server.domain.operations.orders import Noted, Numbered
from server.domain.owned import Owned
from server.domain.sourcing import AmongPlaces
from server.domain.stock import PlacesOfSku
from server.store.errors import TooManyPlacesError
from server.store.ledger import slices
from server.store.ledger.reads import Reads

NAMED_MAX: Final = (480, 160, 60)
"""Places that an operation names, over all its SKUs: fewer each time that their records were too long for a call."""
_PER_SKU: Final = (2, RECORD_LINES_MAX)
"""Of them for one SKU: at least, and at most, as a reservation has lines."""
_IN_ANY_CASE: Final = 8
"""Places named of a SKU, for others may sell meanwhile; those that have all of the order; those to wait at."""
_SHARE: Final = 4
"""The latter two have a quarter of the room of a SKU each."""
_KNOWN: Final = 2
_SPARE: Final = 2
"""Places named have so many times what is wanted, and four times as many each time that others took the units."""
_ROUNDS: Final = 8
"""In each, one of those who race gets what it wants."""
_SOLD_OUT: Final = frozenset({"out_of_stock", "too_many_splits", "unknown_sku"})


class WideOrder:
    """An operation that may have to be sent with the names of the places that it may be taken from.

    Attributes
    ----------
    sent
        What is sent next.

    """

    def __init__(self, operation: Any) -> None:
        self._operation = operation
        self._rounds = self._shrunk = self._raced = 0
        self._wanted: dict[str, int] = {}
        self._suffices = False
        self.sent: Any = operation

    async def prepare(self, ledger: Reads, answer: Any) -> Refused | ExchangeRefused | None:
        """Prepare what is sent after an answer; return the refusal where the places are too many.

        An operation whose names are out of date is sent as it was at first, and asks anew.
        """
        if not isinstance(answer, LookInSlices):
            self.sent, self._raced = self._operation, self._raced + 1
            return None
        if self._rounds >= _ROUNDS:
            return self._refused()
        if self.sent is not self._operation:
            self._shrunk = min(self._shrunk + 1, len(NAMED_MAX) - 1)
        self._rounds += 1
        self._wanted = dict(answer.wanted)
        try:
            found = await _read(ledger, answer)
        except TooManyPlacesError:
            return self._refused()
        self._name(found, NAMED_MAX[self._shrunk], _SPARE << 2 * self._raced)
        return None

    def is_out_of_date(self, answer: Any) -> bool:
        """Whether an operation was refused although the places had its units when they were read: others took them."""
        refused = answer.refused if isinstance(answer, ExchangeRefused) else answer
        if not self._suffices or self.sent is self._operation or not isinstance(refused, Refused):
            return False
        about_these = not refused.lines or any(line.sku in self._wanted for line in refused.lines)
        return about_these and refused.outcome in _SOLD_OUT and self._rounds < _ROUNDS

    def _name(self, found: Mapping[str, PlacesOfSku], named_max: int, spare: int) -> None:
        operation = self._operation
        if isinstance(operation, Exchange):
            among = among_places(operation.promise, self._wanted, found, named_max, spare)
            self.sent = msgspec.structs.replace(operation, promise=among)
        elif isinstance(operation, Noted | Numbered | Owned):
            among = among_places(operation.operation, self._wanted, found, named_max, spare)
            self.sent = msgspec.structs.replace(operation, operation=among)
        else:
            self.sent = among = among_places(operation, self._wanted, found, named_max, spare)
        self._suffices = all(_have(found[sku], among.places[sku], units) for sku, units in self._wanted.items())

    def _refused(self) -> Refused | ExchangeRefused:
        refused = Refused("sourcing_incomplete", "", [])
        return ExchangeRefused("promise", refused) if isinstance(self._operation, Exchange) else refused


async def _read(ledger: Reads, asked: LookInSlices) -> dict[str, PlacesOfSku]:
    """Read the places; of what is sold already, the first ones of each SKU where they are too many."""
    skus = [sku for sku, _ in asked.wanted]
    try:
        return await slices.stocked(ledger, skus, asked.channel, places_max=PLACES_PER_ORDER_MAX)
    except TooManyPlacesError:
        if not asked.is_sold:
            raise
    return await slices.first_stocked(ledger, skus, asked.channel)


def _have(places: PlacesOfSku, names: Sequence[str], wanted: int) -> bool:
    """Whether so many places that were named have the units as one reservation has lines; and all, net of shortages."""
    units = {name: units for name, units, _ in places.stocked}
    largest = sorted((max(0, units.get(name, 0)) for name in names), reverse=True)
    return sum(units.values()) >= wanted and sum(largest[:RECORD_LINES_MAX]) >= wanted


def among_places(
    operation: Any,
    wanted: Mapping[str, int],
    found: Mapping[str, PlacesOfSku],
    named_max: int = NAMED_MAX[0],
    spare: int = _SPARE,
) -> AmongPlaces:
    """Name the places that an operation is to take its units from; ``wanted``: of each SKU."""
    named = named_places(found, wanted, named_max, spare)
    elsewhere = {}
    for sku, names in named.items():
        known = frozenset(names)
        elsewhere[sku] = sum(units for name, units, _ in found[sku].stocked if name not in known)
    return AmongPlaces(operation, named, elsewhere)


def named_places(
    found: Mapping[str, PlacesOfSku], wanted: Mapping[str, int], named_max: int = NAMED_MAX[0], spare: int = _SPARE
) -> dict[str, list[str]]:
    """Choose for each SKU the places that an order of so many units may need, until they have ``spare`` times as many.

    Those with most units come first, as in the order itself. Where units may be waited for, some of those places are
    named, too. A SKU without any of them is named where it is known, so that the refusal says what is so.
    """
    most = max(_PER_SKU[0], min(_PER_SKU[1], named_max // max(1, len(wanted))))
    whole = _having_all(found, wanted)[: min(_IN_ANY_CASE, most // _SHARE)]
    return {sku: _named(found[sku], spare * units, whole, most) for sku, units in wanted.items()}


def _named(places: PlacesOfSku, enough: int, whole: Sequence[str], most: int) -> list[str]:
    in_order = sorted(places.stocked, key=_most_first)
    waiting = [name for name, _, waits in in_order if waits]
    names = dict.fromkeys(name for name, _, _ in in_order if name == DEFAULT_LOCATION)
    names |= dict.fromkeys(whole)
    names |= dict.fromkeys(waiting[: min(_IN_ANY_CASE, max(1, most // _SHARE))])
    names |= dict.fromkeys(_covering(in_order, enough, most))
    for name in places.open or places.known:
        if len(names) < _KNOWN:
            names[name] = None
    return list(names)


def _covering(in_order: Iterable[tuple[str, int, int]], enough: int, most: int) -> list[str]:
    """Return the first places that have enough, and some in any case."""
    names: list[str] = []
    there = 0
    for name, units, _ in in_order:
        if units <= 0 or len(names) >= most or (there >= enough and len(names) >= _IN_ANY_CASE):
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
