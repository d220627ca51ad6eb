"""What the model makes of an edit: which units its lines lose, and where those come from that they gain."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from server.domain.answers import LineRefusal, Refused
from server.domain.operations.reservations import Edit, LineEdit, Order
from server.domain.operations.reservations import Line as WantedLine
from tests.support.operations import no_such_line
from tests.support.places_oracle import may_take_from

if TYPE_CHECKING:
    from tests.support.model import Model, ModelReservation

Place = tuple[str, str]
COUNTERS: Final = ("waiting", "owed", "held", "committed")
"""In the order in which units are taken from them."""


@dataclass
class Target:
    """What one element is about, and what it makes of it."""

    number: int
    sku: str
    location: str
    lines: list[int]
    is_free: bool
    quantity: int
    more: int
    shipped: int

    def refusal(self, units: int, available: int = 0) -> LineRefusal:
        return LineRefusal(self.number, self.sku, self.location, units, available)


@dataclass
class Raise:
    """Units that a line gains; a line of ``None`` is new."""

    target: Target
    place: Place
    line: int | None
    units: int
    is_owed: bool = False


@dataclass
class Edited:
    """An edit of a reservation, as far as it is planned."""

    model: "Model"
    reservation: "ModelReservation"
    op: Edit
    cuts: dict[int, Counter[str]] = field(default_factory=dict)
    raises: list[Raise] = field(default_factory=list)

    def refusal(self) -> Refused | None:
        """Plan it; return what keeps it from being done."""
        return self._misstated() or self._unreachable()

    def _refused(self, outcome: str, lines: list[LineRefusal]) -> Refused:
        return Refused(outcome, self.reservation.state, lines)

    # -- what is asked for

    def _misstated(self) -> Refused | None:
        found = [self._target(number, each) for number, each in enumerate(self.op.lines, 1)]
        self.targets = [target for target in found if target is not None]
        missing = [
            no_such_line(number, len(self.reservation.lines), each.quantity)
            for (number, each), target in zip(enumerate(self.op.lines, 1), found, strict=True)
            if target is None
        ]
        if missing:
            return self._refused("exceeds_remaining", missing)
        twice = [each for place, each in enumerate(self.targets) if any(_clash(each, x) for x in self.targets[:place])]
        below = [each for each in self.targets if each.quantity < each.shipped]
        for outcome, targets in (("named_twice", twice), ("below_shipped", below)):
            if targets:
                return self._refused(outcome, [each.refusal(each.quantity, each.shipped) for each in targets])
        for target in self.targets:
            self._cut(target)
        units = sum(self._units(number) for number in range(1, len(self.reservation.lines) + 1))
        left = units + sum(target.more for target in self.targets)
        return self._refused("nothing_left", []) if left == 0 else None

    def _target(self, number: int, element: LineEdit) -> Target | None:
        lines = self.reservation.lines
        if element.line > len(lines):
            return None
        if element.line:
            (sku, location), numbers = lines[element.line - 1].place, [element.line]
        else:
            sku, location = element.sku, element.location
            numbers = [
                place
                for place, line in enumerate(lines, 1)
                if line.place[0] == sku and (not location or line.place[1] in ("", location))
            ]
        more = element.quantity - sum(map(self._units, numbers))
        shipped = sum(lines[place - 1].fulfilled for place in numbers)
        is_free = not element.line and not location
        return Target(number, sku, location, numbers, is_free, element.quantity, more, shipped)

    def _units(self, number: int) -> int:
        line = self.reservation.lines[number - 1]
        return line.held + line.committed + line.waiting + line.owed + line.fulfilled

    def _cut(self, target: Target) -> None:
        left = max(0, -target.more)
        for counter in COUNTERS:
            for number in reversed(target.lines):
                units = min(left, getattr(self.reservation.lines[number - 1], counter))
                if units:
                    self.cuts.setdefault(number, Counter())[counter] = units
                left -= units

    # -- where units come from

    def _unreachable(self) -> Refused | None:
        further = []
        for target in self.targets:
            if target.more > 0:
                found = self._own_place(target)
                if found is None:
                    further.append(target)
                else:
                    self.raises.append(found)
        return self._not_there() or self._new(further) or self._too_few()

    def _own_place(self, target: Target) -> Raise | None:
        lines = self.reservation.lines
        numbers = (
            [number for number in target.lines if self._has_all(number, target)] if target.is_free else target.lines
        )
        if not numbers:
            return None
        line = lines[numbers[0] - 1]
        return Raise(target, line.place, numbers[0], target.more, line.is_unmapped)

    def _has_all(self, number: int, target: Target) -> bool:
        line, channel = self.reservation.lines[number - 1], self.reservation.asked.channel
        if line.is_unmapped:
            return False
        if not line.place[1]:
            return self._is_untracked(target.sku)
        may_take = may_take_from(line.place[1], channel, self.model.closed, self.model.limited)
        return may_take and self.model.reservable(line.place, channel) >= target.more

    def _is_untracked(self, sku: str) -> bool:
        return sku in self.model.untracked and not self.model.names_of(sku)

    def _not_there(self) -> Refused | None:
        refusals: dict[str, list[LineRefusal]] = {"line_unmapped": [], "location_closed": [], "unknown_sku": []}
        for each in self.raises:
            refusal = LineRefusal(each.target.number, each.target.sku, each.place[1], each.units, 0)
            if not each.place[1] and not each.is_owed and not self._is_untracked(each.target.sku):
                refusals["unknown_sku"].append(refusal)
            elif not self.op.accept_shortage and each.is_owed:
                refusals["line_unmapped"].append(refusal)
            elif not self.op.accept_shortage and each.place[1] in self.model.closed:
                refusals["location_closed"].append(refusal)
        return next((self._refused(outcome, lines) for outcome, lines in refusals.items() if lines), None)

    def _new(self, further: list[Target]) -> Refused | None:
        if not further:
            return None
        elsewhere = [
            each.refusal(each.more)
            for each in further
            if each.location and self.model.names_of(each.sku) and each.location not in self.model.names_of(each.sku)
        ]
        if elsewhere:
            return self._refused("unknown_sku", elsewhere)
        lines = [WantedLine(each.sku, each.location, each.more) for each in further]
        channel = self.reservation.asked.channel
        order = Order("", "", "", channel, lines, accept_shortage=self.op.accept_shortage)
        made = self.model.placed_as_new(order)
        if isinstance(made, Refused):
            return self._refused(
                made.outcome,
                [
                    LineRefusal(further[each.line - 1].number, each.sku, each.location, each.requested, each.available)
                    for each in made.lines
                ],
            )
        for number, line, units in zip(made.numbers, made.op.lines, made.granted, strict=True):
            self.raises.append(self._piece(further[number - 1], line, units))
        return None

    def _piece(self, target: Target, line: WantedLine, units: int) -> Raise:
        is_stocked = line.location in self.model.names_of(line.sku)
        place = (line.sku, line.location if is_stocked else "")
        is_owed = not is_stocked and line.sku not in self.model.untracked
        at = [
            number
            for number in target.lines
            for known in [self.reservation.lines[number - 1]]
            if known.place == place and (is_stocked or known.is_unmapped == is_owed)
        ]
        return Raise(target, place, at[0] if at else None, line.quantity if is_owed else units, is_owed)

    def _too_few(self) -> Refused | None:
        if self.op.accept_shortage:
            taken = [(each.target.number, WantedLine(*each.place, each.units)) for each in self.raises]
            beyond = self.model.too_short(taken)
            return self._refused("out_of_range", beyond) if beyond else None
        if self._short():
            self.model.end_due_holds()
        short = self._short()
        return self._refused("out_of_stock", short) if short else None

    def _short(self) -> list[LineRefusal]:
        """Compare what each place gains with what it has; what other lines lose there counts."""
        net: Counter[Place] = Counter()
        for each in self.raises:
            net[each.place] += each.units
        for number, units in self.cuts.items():
            net[self.reservation.lines[number - 1].place] -= units["held"] + units["committed"]
        found = []
        for place in dict.fromkeys(each.place for each in self.raises):
            left = self.model.reservable(place, self.reservation.asked.channel)
            if net[place] > 0 and left < net[place]:
                first = next(each for each in self.raises if each.place == place)
                found.append(LineRefusal(first.target.number, *place, net[place], max(0, left)))
        return found


def _clash(one: Target, other: Target) -> bool:
    """Say whether two elements are about the same: a SKU by itself is about all of its lines, wherever they are."""
    if set(one.lines) & set(other.lines):
        return True
    if one.sku != other.sku:
        return False
    return one.is_free or other.is_free or (not one.lines and one.location == other.location)
