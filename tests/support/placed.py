"""What the model makes of an order whose lines name no location: where from, how many, and what waits or is short."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from server.domain.answers import LineRefusal, Refused
from server.domain.limits import DEFAULT_LOCATION
from server.domain.operations.reservations import Line, Order, Reserve
from tests.support.places_oracle import comes_first, may_take_from, parts_of, shown
from tests.support.sourcing_oracle import Parts

Place = tuple[str, str]
NOWHERE = "\0"
"""Location of lines that count in no bucket."""


class Rule(Protocol):
    """How many units may be waited for, and how many are."""

    @property
    def limit(self) -> int: ...
    @property
    def waiting(self) -> int: ...


class Model(Protocol):
    """What is asked of the model."""

    closed: set[str]
    limited: dict[str, set[str]]

    def names_of(self, sku: str) -> list[str]: ...
    def reservable(self, place: Place, channel: str = "") -> int: ...
    def left(self, place: Place, channel: str = "", waiting: int = 0, *, is_capped: bool = True) -> int: ...
    def rule(self, place: Place) -> Rule | None: ...
    def cap_rest(self, place: Place, channel: str) -> int | None: ...
    def end_due_holds(self) -> None: ...


@dataclass
class Piece:
    """A line as it is reserved: what it gets, waits for, and was asked for."""

    name: str
    units: int = 0
    waits: int = 0
    wanted: int = 0


@dataclass
class Wait:
    """Where what is missing of a SKU waits, and how many of those units the place has and gives first."""

    name: str
    first: int


@dataclass
class Made:
    """The operation with every location filled in, the units of its lines, and those that they wait for.

    ``numbers``: those of the lines that the pieces were cut from.
    """

    op: Reserve | Order
    granted: list[int]
    missing: list[int]
    numbers: list[int]


class Placed:
    """One order at one moment."""

    def __init__(self, model: Model, op: Reserve | Order) -> None:
        self.model = model
        self.op = op
        self.accepts = isinstance(op, Order) and op.accept_shortage
        self.wanted: Counter[str] = Counter()
        for line in op.lines:
            if not line.location:
                self.wanted[line.sku] += line.quantity
        self.names = {
            sku: [name for name in model.names_of(sku) if may_take_from(name, op.channel, model.closed, model.limited)]
            for sku in self.wanted
        }

    def made(self) -> Made | Refused:
        """Return what is to be reserved, or why nothing is."""
        refusal = self._unknown()
        if refusal:
            return refusal
        self._find()
        if self._is_short():
            self.model.end_due_holds()
            self._find()
        if self._is_short():
            waits_at = self._waits_at() if self.op.backorder else None
            if waits_at is not None:
                return self._cut(waits_at)
            if self.accepts:
                self._book_missing()
            elif not self.op.partial or not (any(self.granted.values()) or any(map(len, self.parts.values()))):
                return Refused("out_of_stock", "", self._short_lines())
        return self._cut(None)

    def _named(self) -> Iterator[tuple[int, Line]]:
        return ((number, line) for number, line in enumerate(self.op.lines, 1) if line.location)

    def _unnamed(self, sku: str) -> Iterator[tuple[int, int]]:
        lines = enumerate(self.op.lines, 1)
        return ((number, line.quantity) for number, line in lines if not line.location and line.sku == sku)

    def _unknown(self) -> Refused | None:
        unknown = [
            LineRefusal(number, line.sku, line.location, line.quantity, 0)
            for number, line in self._named()
            if line.location not in (NOWHERE, *self.model.names_of(line.sku))
        ]
        closed: list[LineRefusal] = []
        for sku in self.wanted:
            names = self.model.names_of(sku)
            if not names:
                unknown += self._refused(sku, 0)
            elif not self.accepts and set(names) <= self.model.closed:
                closed += self._refused(sku, 0)
        for outcome, lines in (("location_closed", closed), ("unknown_sku", unknown)):
            if lines:
                return Refused(outcome, "", sorted(lines, key=lambda one: one.line))
        return None

    def _refused(self, sku: str, left: int) -> list[LineRefusal]:
        names, lines = self.model.names_of(sku), []
        name = "" if len(names) > 1 else (names or [DEFAULT_LOCATION])[0]
        for number, units in self._unnamed(sku):
            taken = min(units, left)
            left -= taken
            if taken < units:
                lines.append(LineRefusal(number, sku, name, units, taken))
        return lines

    def _find(self) -> None:
        channel, claimed = self.op.channel, Counter[Place]()
        self.granted: dict[int, int] = {}
        for number, line in self._named():
            place = (line.sku, line.location)
            taken = min(line.quantity, max(0, self.model.reservable(place, channel) - claimed[place]))
            claimed[place] += taken
            self.granted[number] = taken
        self.there: dict[Place, int] = {}
        for sku, names in self.names.items():
            for place in ((sku, name) for name in names):
                left = self.model.left(place, channel)
                rest = max(0, self.model.reservable(place, channel) - claimed[place])
                self.there[place] = left if left <= 0 else rest
        counted = {place: max(0, units) for place, units in self.there.items()} if self.accepts else self.there
        most = {sku: shown(sku, counted) for sku in self.wanted}
        self.parts: dict[str, Parts] = parts_of(self.wanted, self.there, most)

    def _missing(self, sku: str) -> int:
        return self.wanted[sku] - sum(units for _, units in self.parts[sku])

    def _is_short(self) -> bool:
        named = any(self.granted[number] < line.quantity for number, line in self._named())
        return named or any(map(self._missing, self.wanted))

    def _short_lines(self) -> list[LineRefusal]:
        lines = [
            LineRefusal(number, line.sku, line.location, line.quantity, self.granted[number])
            for number, line in self._named()
            if self.granted[number] < line.quantity
        ]
        for sku, units in self.wanted.items():
            lines += self._refused(sku, units - self._missing(sku))
        return sorted(lines, key=lambda one: one.line)

    def _in_order(self, sku: str) -> list[str]:
        """The places of a SKU, those that come first for units that are nowhere first."""
        names = sorted(self.names[sku], key=lambda name: comes_first(sku, name, self.there))
        return sorted(names, key=lambda name: name != DEFAULT_LOCATION)

    def _home(self, sku: str) -> str:
        others = sorted(self.model.names_of(sku), key=lambda name: (name != DEFAULT_LOCATION, name))
        return (self._in_order(sku) or others)[0]

    def _waits_at(self) -> dict[str, Wait] | None:
        asked, waits = Counter[Place](), Counter[Place]()
        for number, line in self._named():
            asked[line.sku, line.location] += line.quantity
            waits[line.sku, line.location] += line.quantity - self.granted[number]
        for sku, parts in self.parts.items():
            for name, units in parts:
                asked[sku, name] += units
        found: dict[str, Wait] = {}
        for sku in filter(self._missing, self.wanted):
            missing = self._missing(sku)
            for place in ((sku, name) for name in self._in_order(sku)):
                first = max(0, min(missing, self.there[place] - dict(self.parts[sku]).get(place[1], 0)))
                if self._may_wait(place, asked[place], waits[place] - first, missing):
                    asked[place] += missing
                    waits[place] += missing - first
                    found[sku] = Wait(place[1], first)
                    break
            else:
                return None
        named = {(line.sku, line.location) for _, line in self._named()}
        if all(self._may_wait(place, asked[place], waits[place], 0) for place in named if waits[place]):
            capped = (place for place in named if not self._fits_cap(place, asked[place]))
            return None if any(True for _ in capped) else found
        return None

    def _may_wait(self, place: Place, asked: int, waits: int, missing: int) -> bool:
        rule = self.model.rule(place)
        fits = rule is not None and rule.waiting + waits + missing <= rule.limit
        return fits and self._fits_cap(place, asked + missing)

    def _fits_cap(self, place: Place, units: int) -> bool:
        rest = self.model.cap_rest(place, self.op.channel)
        return rest is None or units <= rest

    def _book_missing(self) -> None:
        for sku in self.wanted:
            missing, home = self._missing(sku), self._home(sku)
            if missing:
                there = dict(self.parts[sku])
                there[home] = there.get(home, 0) + missing
                self.parts[sku] = list(there.items())
        self.granted = {number: line.quantity for number, line in self._named()}

    def _cut(self, waits_at: Mapping[str, Wait] | None) -> Made:
        pieces: dict[int, list[Piece]] = {}
        for number, line in self._named():
            taken = self.granted[number]
            waits = line.quantity - taken if waits_at is not None else 0
            pieces[number] = [Piece(line.location, taken, waits, line.quantity)]
        for sku, parts in self.parts.items():
            units = [name for name, count in parts for _ in range(count)]
            for number, quantity in self._unnamed(sku):
                pieces[number] = self._pieces(sku, quantity, Counter(units[:quantity]), waits_at)
                units = units[quantity:]
        numbers = sorted(pieces)
        rest = [(number, piece) for number in numbers for piece in pieces[number][1:]]
        all_pieces = [(number, pieces[number][0]) for number in numbers] + rest
        lines = [Line(self.op.lines[number - 1].sku, piece.name, piece.wanted) for number, piece in all_pieces]
        op = msgspec.structs.replace(self.op, lines=lines)
        return Made(
            op,
            [piece.units for _, piece in all_pieces],
            [piece.waits for _, piece in all_pieces],
            [number for number, _ in all_pieces],
        )

    def _pieces(self, sku: str, quantity: int, units: Counter[str], waits_at: Mapping[str, Wait] | None) -> list[Piece]:
        own = {name: Piece(name, count, 0, count) for name, count in units.items()}
        missing = quantity - sum(units.values())
        if missing and waits_at is not None:
            where = waits_at[sku]
            piece, first = own.setdefault(where.name, Piece(where.name)), min(missing, where.first)
            piece.units, piece.waits, piece.wanted = piece.units + first, missing - first, piece.wanted + missing
            where.first -= first
        elif missing:
            own = own or {"": Piece(self._home(sku))}
            next(iter(own.values())).wanted += missing
        return list(own.values())
