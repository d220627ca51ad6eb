"""How far the lines of a booked order are in its reservations, whoever moved them: desk, API or intake.

Units are fungible: those of lines that were split or moved belong to any booked line of that SKU. Where more than one
could have moved them, it was the one for which they were moved before, or of which the channel tells that.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Final, NamedTuple

from server.domain.booked_orders import BookedLine, BookedPieces
from server.domain.reservation import Reservation, ReservationLine

SHIPPED, OPEN, WAITING, EXPIRED, RETURNED = range(5)
"""What units of a reservation are; ``WAITING``: owed, or unmapped, so they can be cancelled and not shipped."""
_KINDS: Final = (SHIPPED, OPEN, WAITING, EXPIRED)
"""Each unit is one of these, or it was cancelled."""


class Progress(NamedTuple):
    """Pieces of one part of a line, whole ones. ``open`` can be shipped or cancelled, ``waiting`` only cancelled.

    ``expired``: their hold ended. ``cancelled``: by whatever means, an edit too. ``revived``: their hold had ended, and
    they were booked anew; then somebody has committed them after all.
    """

    shipped: int
    open: int
    waiting: int
    expired: int
    returned: int
    cancelled: int
    revived: int = 0
    unmapped: bool = False
    known: bool = True


class Figures(NamedTuple):
    """What the channel tells of a line, or what of that was acted on before, in pieces."""

    cancelled: int
    shipped: int


def seen_of(record: Reservation) -> str:
    """Say what a reservation has of each kind of units; ``lua/lib/order_notes.lua`` makes the same."""
    lines = record.lines
    sums = (
        record.seq, sum(line.held for line in lines), sum(line.committed for line in lines),
        sum(line.fulfilled for line in lines), sum(line.released for line in lines),
        sum(line.expired for line in lines), sum(line.returned for line in lines),
        sum(line.waiting for line in lines), sum(line.owed for line in lines),
    )  # fmt: skip
    return ":".join(map(str, sums))


class _Claim:
    """One component of a part: how many units it can have, and what it has got so far."""

    def __init__(self, part: BookedPieces, number: int, units: int) -> None:
        self.number = number
        self.units = units
        self.gone = part.replaced * units
        self.got = [0, 0, 0, 0, 0]
        self.room = 0
        self.shipped: Sequence[int] = ()
        self.kept: Sequence[int] = ()

    def let_go(self, supply: list[int]) -> None:
        """Leave out what expired and was booked anew."""
        units = min(self.gone, supply[EXPIRED])
        supply[EXPIRED] -= units
        self.gone -= units

    def have(self, pieces: int, told: Figures, acted: Figures) -> None:
        """Have room for so many pieces. What is both told and acted on comes before what is only one of them."""
        self.room = pieces * self.units
        shipped = (told.shipped, acted.shipped)
        kept = (max(0, pieces - told.cancelled), max(0, pieces - acted.cancelled))
        self.shipped = [each * self.units for each in (min(shipped), told.shipped)]
        self.kept = [each * self.units for each in (min(kept), *kept)]

    def take(self, kind: int, most: int, supply: list[int]) -> None:
        units = min(most, supply[kind], self.room)
        if units > 0:
            self.got[kind] += units
            supply[kind] -= units
            self.room -= units


def progress_in(
    record: Reservation, parts: Sequence[BookedPieces], figures: Sequence[tuple[Figures, Figures]]
) -> list[Progress]:
    """Return how far each part of a reservation is; ``figures``: what is told of its line, and what was acted on."""
    claims = [
        [_Claim(part, number, units) for number, units in zip(part.lines, part.units, strict=True)] for part in parts
    ]
    every = [claim for of_part in claims for claim in of_part]
    of_lines = list(enumerate(map(_units_of, record.lines), 1))
    # Lines of their own first: what was split or moved from them fills what is left.
    supplies = [(supply, [each for each in every if each.number == number]) for number, supply in of_lines]
    supplies += [(supply, _of_same_sku(record, number, every)) for number, supply in of_lines]
    for supply, claimants in supplies:
        for claim in claimants:
            claim.let_go(supply)
    revived = [_revived(of_part) for of_part in claims]
    for part, of_line, of_part, back in zip(parts, figures, claims, revived, strict=True):
        for claim in of_part:
            claim.have(part.pieces - part.replaced + back, *of_line)
    for supply, claimants in supplies:
        _share(claimants, supply)
    return [_progress(record, part, of_part, back) for part, of_part, back in zip(parts, claims, revived, strict=True)]


def _of_same_sku(record: Reservation, number: int, claims: Sequence[_Claim]) -> list[_Claim]:
    sku = record.lines[number - 1].sku
    return [claim for claim in claims if record.lines[claim.number - 1].sku == sku]


def _revived(claims: Sequence[_Claim]) -> int:
    return min((claim.gone // claim.units for claim in claims), default=0)


def _units_of(line: ReservationLine) -> list[int]:
    waiting = line.owed + line.waiting
    return [line.fulfilled, line.held + line.committed, waiting, line.expired, line.returned]


def _share(claims: Sequence[_Claim], supply: list[int]) -> None:
    """Give the units of a line to those that may have them: first by their figures, then as there is room."""
    for shipped in zip(*(claim.shipped for claim in claims), strict=True):
        for claim, units in zip(claims, shipped, strict=True):
            claim.take(SHIPPED, units - claim.got[SHIPPED], supply)
    for claim in claims:
        claim.take(SHIPPED, claim.room, supply)
    for kind in (OPEN, WAITING, EXPIRED):
        for kept in zip(*(claim.kept for claim in claims), strict=True):
            for claim, units in zip(claims, kept, strict=True):
                claim.take(kind, units - sum(claim.got[each] for each in _KINDS), supply)
        for claim in claims:
            claim.take(kind, claim.room, supply)
    for claim in claims:
        back = min(supply[RETURNED], claim.got[SHIPPED] - claim.got[RETURNED])
        claim.got[RETURNED] += back
        supply[RETURNED] -= back


def _progress(record: Reservation, part: BookedPieces, claims: Sequence[_Claim], revived: int) -> Progress:
    def pieces(kind: int) -> int:
        return min((claim.got[kind] // claim.units for claim in claims), default=0)

    shipped, opened, waiting, expired, returned = (pieces(kind) for kind in range(5))
    # A piece of which a component is gone is neither there nor cancelled.
    begun = max((-(-sum(claim.got[kind] for kind in _KINDS) // claim.units) for claim in claims), default=0)
    unmapped = any(record.lines[claim.number - 1].is_unmapped for claim in claims)
    cancelled = part.pieces - part.replaced + revived - begun
    return Progress(shipped, opened, waiting, expired, returned, cancelled, revived, unmapped)


def last_known(part: BookedPieces) -> Progress:
    """Return how far a part was when it was looked at last, for its reservation is forgotten: nothing of it moves."""
    return Progress(part.shipped, 0, 0, 0, part.returned, part.cancelled, known=False)


def measured(
    lines: Sequence[BookedLine],
    reservations: Sequence[str],
    found: Mapping[str, Reservation],
    figures: Sequence[Figures],
) -> list[list[Progress]]:
    """Return how far each part of each line is; ``found``: the reservations that are not forgotten."""
    result = [[last_known(part) for part in line.parts] for line in lines]
    for index, reservation_id in enumerate(reservations):
        record = found.get(reservation_id)
        at = [(i, j) for i, line in enumerate(lines) for j, part in enumerate(line.parts) if part.reservation == index]
        if record is None or not at:
            continue
        parts = [lines[i].parts[j] for i, j in at]
        of_parts = [(figures[i], Figures(lines[i].cancelled, lines[i].shipped)) for i, _ in at]
        for (i, j), each in zip(at, progress_in(record, parts, of_parts), strict=True):
            result[i][j] = each
    return result


def take_units(  # noqa: PLR0917  # all are needed, and none has a default
    record: Reservation,
    part: BookedPieces,
    pieces: int,
    units_of: Callable[[ReservationLine], int],
    taken: dict[int, int],
    owned: Container[int],
) -> list[tuple[int, int]] | None:
    """Choose the lines, and units of each, of some pieces of a part; None: they are not there.

    ``taken``: units that others take already, by line; what is chosen is added. ``owned``: lines of other parts, which
    come last.
    """
    chosen, took = list[tuple[int, int]](), dict(taken)
    for number, units in zip(part.lines, part.units, strict=True):
        missing = pieces * units
        sku = record.lines[number - 1].sku
        others = [i for i, line in enumerate(record.lines, 1) if i != number and line.sku == sku]
        for each in (number, *sorted(others, key=lambda i: (i in owned, i))):
            some = min(missing, units_of(record.lines[each - 1]) - took.get(each, 0))
            if some > 0:
                took[each] = took.get(each, 0) + some
                chosen.append((each, some))
                missing -= some
        if missing:
            return None
    taken.update(took)
    return chosen
