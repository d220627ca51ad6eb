"""The balance of one order's line: what it is to become, what was acted on, and what its reservations have.

For what is cancelled and shipped the difference is ``max(0, told − max(acted on, ours))``, where ours is whoever's.
Pieces are booked again only where the channel's own figure falls, never because ours is higher.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from server.domain.booked_orders import BookedLine, BookedPieces
from server.domain.order_progress import Progress
from server.domain.order_told import ToldLine


class Balance:
    """One line. The constructor works out all that needs no operation; the attributes say what does.

    Attributes
    ----------
    line
        The line's record as it is by now, with what needs no operation.
    to_cancel, to_ship, to_take_back
        Pieces that an operation is needed for; ``line.due`` are those to be booked.

    """

    def __init__(self, line: BookedLine, told: ToldLine, progress: Sequence[Progress]) -> None:
        if line.stockless and not told.stockless:
            line = BookedLine(line.key)
        self.told = told
        self.progress = list(progress)
        self.to_cancel = self.to_ship = self.to_take_back = 0
        self._excess = sum(each.revived for each in progress)
        self.line = replace(line, stockless=told.stockless, parts=self._parts(line))
        if told.stockless:
            self.line = replace(
                self.line, ordered=told.ordered, cancelled=told.cancelled, shipped=told.shipped,
                returned=told.returned,
            )  # fmt: skip
            return
        self._expire()
        self._raise()
        self._cancel()
        self._ship()
        self.line = replace(self.line, returned=told.returned)

    def _parts(self, line: BookedLine) -> list[BookedPieces]:
        """Return the parts with what is known of them now."""
        return [
            replace(
                part, replaced=part.replaced - each.revived, cancelled=each.cancelled, shipped=each.shipped,
                returned=each.returned,
            )
            if each.known
            else part
            for part, each in zip(line.parts, self.progress, strict=True)
        ]  # fmt: skip

    @property
    def live(self) -> int:
        """Pieces that are booked or to be booked, those that were shipped included."""
        booked = sum(
            part.pieces - part.replaced - each.cancelled
            for part, each in zip(self.line.parts, self.progress, strict=True)
        )
        return booked - self.line.corrected + self.line.due

    @property
    def cancelled(self) -> int:
        """Pieces that are cancelled here, whoever did it."""
        return self.line.ordered - self.live

    @property
    def shipped(self) -> int:
        """Pieces that left, whoever shipped them, without those that a correction took back."""
        return sum(each.shipped for each in self.progress) - self.line.corrected

    @property
    def returned(self) -> int:
        """Pieces that came back, without those that a correction took back."""
        return sum(each.returned for each in self.progress) - self.line.corrected

    @property
    def is_even(self) -> bool:
        """Whether all is done that was told of the line."""
        line, told = self.line, self.told
        figures = (line.ordered, line.cancelled, line.shipped) == (told.ordered, told.cancelled, told.shipped)
        return figures and not (line.due or self._excess or self.to_cancel or self.to_take_back or self.to_ship)

    def _expire(self) -> None:
        """Have what a hold let go of booked anew."""
        parts = [
            replace(part, replaced=part.replaced + each.expired) if each.expired else part
            for part, each in zip(self.line.parts, self.progress, strict=True)
        ]
        expired = sum(each.expired for each in self.progress)
        self.line = replace(self.line, parts=parts, due=self.line.due + expired)

    def _raise(self) -> None:
        line, told = self.line, self.told
        if told.ordered > line.ordered:
            self.line = replace(line, ordered=told.ordered, due=line.due + told.ordered - line.ordered)

    def _cancel(self) -> None:
        told = self.told.cancelled
        if told < self.line.cancelled:
            again = min(self.line.cancelled - told, max(0, self.cancelled - told))
            self.line = replace(self.line, due=self.line.due + again, cancelled=told)
        difference = max(0, told - max(self.line.cancelled, self.cancelled))
        not_booked = min(self.line.due, difference)
        self.line = replace(self.line, due=self.line.due - not_booked)
        self._settle_cancelled(difference - not_booked)

    def _settle_cancelled(self, missing: int) -> None:
        self.to_cancel = missing + self._excess
        self.line = replace(self.line, cancelled=max(self.line.cancelled, self.told.cancelled - missing))

    def _ship(self) -> None:
        told, before = self.told.shipped, self.line.shipped
        if told < before:
            self.to_take_back = min(before - told, max(0, self.shipped - told))
            self.line = replace(self.line, shipped=told + self.to_take_back)
        else:
            self.to_ship = max(0, told - max(before, self.shipped))
            self.line = replace(self.line, shipped=max(before, told - self.to_ship))

    # -- what an operation will have done: the record that is written with it

    def after_cancel(self, part: int, pieces: int) -> None:
        """Count pieces of a part as cancelled."""
        spare = min(self._excess, pieces)
        self._excess -= spare
        each, known = self.line.parts[part], self.progress[part]
        open_ = known.open - max(0, pieces - known.waiting)
        waiting = max(0, known.waiting - pieces)
        self.progress[part] = known._replace(cancelled=known.cancelled + pieces, open=open_, waiting=waiting)
        self._set(part, replace(each, cancelled=known.cancelled + pieces))
        self.line = replace(self.line, cancelled=self.line.cancelled + pieces - spare)
        self.to_cancel -= pieces

    def after_shipping(self, part: int, pieces: int) -> None:
        """Count pieces of a part as shipped."""
        known = self.progress[part]
        self.progress[part] = known._replace(shipped=known.shipped + pieces, open=known.open - pieces)
        self._set(part, replace(self.line.parts[part], shipped=known.shipped + pieces))
        self.line = replace(self.line, shipped=self.line.shipped + pieces)
        self.to_ship -= pieces

    def after_taking_back(self, part: int, pieces: int) -> None:
        """Count pieces of a part as taken back by a correction: they are to be booked again."""
        known = self.progress[part]
        self.progress[part] = known._replace(returned=known.returned + pieces)
        self._set(part, replace(self.line.parts[part], returned=known.returned + pieces))
        line = self.line
        self.line = replace(
            line, shipped=line.shipped - pieces, corrected=line.corrected + pieces, due=line.due + pieces
        )
        self.to_take_back -= pieces

    def after_booking(self, part: BookedPieces, *, unmapped: bool) -> None:
        """Count the pieces that are due as booked."""
        line = self.line
        self.line = replace(
            line, due=line.due - part.pieces, parts=[*line.parts, part], unmapped=line.unmapped or unmapped
        )
        waiting = part.pieces if unmapped else 0
        self.progress.append(Progress(0, part.pieces - waiting, waiting, 0, 0, 0, unmapped=unmapped))

    def after_moving(self, part: int, pieces: int) -> None:
        """Count pieces of a part as cancelled there and due: they are booked anew, as what they are."""
        known, each = self.progress[part], self.line.parts[part]
        waiting = max(0, known.waiting - pieces)
        self.progress[part] = known._replace(waiting=waiting, unmapped=waiting > 0)
        self._set(part, replace(each, pieces=each.pieces - pieces))
        self.line = replace(self.line, due=self.line.due + pieces)

    def mapped(self, part: int) -> None:
        """Count a part as mapped."""
        known = self.progress[part]
        self.progress[part] = known._replace(open=known.open + known.waiting, waiting=0, unmapped=False)

    def _set(self, part: int, pieces: BookedPieces) -> None:
        parts = list(self.line.parts)
        parts[part] = pieces
        self.line = replace(self.line, parts=parts)
