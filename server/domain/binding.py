"""Late binding: what is held only for want of an address is planned anew when it is committed or shipped."""

from typing import ClassVar

import msgspec

from server.domain.operations.base import LINES_ASSUMED
from server.domain.operations.reservations import Commit, Fulfil
from server.domain.sourcing import RECORDS_PER_LINE, Candidate


class Binding(msgspec.Struct, frozen=True):
    """Where open lines are to be taken from: the best of the ``candidates``, or ``location`` and nowhere else.

    ``closed``: that location takes no new promises. What each of the two means where it cannot be is told in
    ``lua/operations/bind.lua``.
    """

    candidates: list[Candidate]
    splits_max: int = 0
    split_lines: bool = False
    location: str = ""
    closed: bool = False


class Bound(msgspec.Struct, frozen=True):
    """A commit or fulfil that binds what is open, in the same step."""

    function: ClassVar[str] = "mutate"

    operation: Commit | Fulfil
    binding: Binding

    @property
    def weight(self) -> int:
        """The lines of the reservation, as assumed, and the records that the plan looks at."""
        return LINES_ASSUMED + LINES_ASSUMED * len(self.binding.candidates) // RECORDS_PER_LINE


def at_location(location: str, *, closed: bool) -> Binding:
    """Bind to a named location."""
    return Binding([Candidate(location, 0)], location=location, closed=closed)
