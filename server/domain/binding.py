"""Late binding: the location of open lines is chosen again when they are committed or shipped."""

from typing import ClassVar

import msgspec

from server.domain.operations.base import LINES_ASSUMED
from server.domain.operations.reservations import Commit, Fulfil
from server.domain.sourcing import RECORDS_PER_LINE, Candidate


class Binding(msgspec.Struct, frozen=True):
    """The locations of open lines: the best of the ``candidates``, or only ``location``.

    ``lua/operations/bind.lua`` describes what happens where the units are not available.
    """

    candidates: list[Candidate]
    splits_max: int = 0
    split_lines: bool = False
    location: str = ""


class Bound(msgspec.Struct, frozen=True):
    """A commit or fulfil that binds open lines in the same step."""

    function: ClassVar[str] = "mutate"

    operation: Commit | Fulfil
    binding: Binding

    @property
    def weight(self) -> int:
        """The lines of the reservation, as assumed, and the records that the plan reads."""
        return LINES_ASSUMED + LINES_ASSUMED * len(self.binding.candidates) // RECORDS_PER_LINE


def at_location(location: str) -> Binding:
    """Bind to a named location."""
    return Binding([Candidate(location, 0)], location=location)
