"""What a channel's key means in a cancel or return, as a plain model: the lines of its components."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from server.domain.answers import LineRefusal, Refused
from server.domain.operations.reservations import LineQuantity, ReturnedLine
from server.domain.reservation import ChannelLine

P = TypeVar("P", LineQuantity, ReturnedLine)
Left = Callable[[Any], int]


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
    """Put lines in the place of keys. ``left``: the units of a line that can be taken."""
    taken = Counter({0: 0})
    for part in wanted:
        if isinstance(part.line, int):
            taken[part.line] += part.quantity
    lines, used, excess = list[P](), Counter[int](), list[LineRefusal]()
    for part in wanted:
        if isinstance(part.line, int):
            lines.append(part)
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
    return Refused("exceeds_remaining", reservation.state, excess) if excess else Written(lines, used)


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
