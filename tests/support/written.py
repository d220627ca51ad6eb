"""What names mean in the parts of a reservation, as a plain model: lines of a key's components, or of a SKU."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec

from server.domain.answers import LineRefusal, Refused
from server.domain.operations.reservations import LineQuantity, ReturnedLine
from server.domain.reservation import ChannelLine

P = TypeVar("P", LineQuantity, ReturnedLine)
Left = Callable[[Any], int]
SKU: Final = "\0"
"""In front of a SKU in the place of a line."""


@dataclass
class Written(Generic[P]):
    """Parts that name lines only, and how many pieces of each channel line are used."""

    lines: list[P]
    used: Counter[int]

    def count(self, reservation: Any, counter: str) -> None:
        """Count the pieces in the reservation's channel lines."""
        for place, pieces in self.used.items():
            line = reservation.channel_lines[place]
            reservation.channel_lines[place] = msgspec.structs.replace(
                line, **{counter: getattr(line, counter) + pieces}
            )


def written_out(reservation: Any, wanted: Sequence[P], left: Left) -> Written[P] | Refused:
    """Put lines in the place of keys, then of SKUs. ``left``: the units of a line that can be taken."""
    lines = [part for part in wanted if isinstance(part.line, int)]
    taken, used, excess = Counter({0: 0}), Counter[int](), list[LineRefusal]()
    for part in lines:
        taken[int(part.line)] += part.quantity
    for part in wanted:
        if isinstance(part.line, int) or part.line.startswith(SKU):
            continue
        missing = part.quantity
        for place, line in enumerate(reservation.channel_lines):
            most = min(missing, line.quantity - line.cancelled - line.returned - used[place])
            if line.key != part.line:
                continue
            pieces, units = _most_pieces(reservation, line, most, left, taken)
            lines += [msgspec.structs.replace(part, line=number, quantity=each) for number, each in units]
            used[place] += pieces
            missing -= pieces
        if missing:
            excess.append(LineRefusal(0, part.line, "", part.quantity, part.quantity - missing))
    for part in wanted:
        if isinstance(part.line, str) and part.line.startswith(SKU):
            scanned = _scanned(reservation, part.line.removeprefix(SKU), part.quantity, left, taken)
            lines += [msgspec.structs.replace(part, line=number, quantity=each) for number, each in scanned.items()]
            if scanned.total() < part.quantity:
                excess.append(LineRefusal(0, part.line.removeprefix(SKU), "", part.quantity, scanned.total()))
    return Refused("exceeds_remaining", reservation.state, excess) if excess else Written(lines, used)


def _scanned(reservation: Any, sku: str, most: int, left: Left, taken: Counter[int]) -> Counter[int]:
    """Take units of a SKU: of lines that are no parts of pieces, then of the others, in their order."""
    of_pieces = {part.line for line in reservation.channel_lines for part in line.parts}
    units = Counter[int]()
    for number in sorted(range(1, len(reservation.lines) + 1), key=lambda each: (each in of_pieces, each)):
        line = reservation.lines[number - 1]
        taking = max(0, min(most - units.total(), left(line) - taken[number])) if line.place[0] == sku else 0
        if taking:
            units[number] += taking
            taken[number] += taking
    return units


def _most_pieces(
    reservation: Any, line: ChannelLine, most: int, left: Left, taken: Counter[int]
) -> tuple[int, list[tuple[int, int]]]:
    """Take as many pieces as there are; return how many, and the units of each line."""
    for pieces in range(most, 0, -1):
        trial = Counter(taken)
        units = _units(reservation, line, pieces, left, trial)
        if units is not None:
            taken.update(trial - taken)
            return pieces, units
    return 0, []


def _units(
    reservation: Any, line: ChannelLine, pieces: int, left: Left, taken: Counter[int]
) -> list[tuple[int, int]] | None:
    """Take each component from its own line, then from what was split or moved from lines of its SKU."""
    units = []
    for part in line.parts:
        sku, missing = reservation.lines[part.line - 1].place[0], pieces * part.units
        further = range(line.behind + 1, len(reservation.lines) + 1)
        for number in (part.line, *(each for each in further if reservation.lines[each - 1].place[0] == sku)):
            taking = max(0, min(missing, left(reservation.lines[number - 1]) - taken[number]))
            if taking:
                units.append((number, taking))
                taken[number] += taking
                missing -= taking
        if missing:
            return None
    return units
