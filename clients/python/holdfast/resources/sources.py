"""ERPs that own the stock, and feeds: what of their numbers waits for a person."""

from collections.abc import Sequence
from typing import Literal

from holdfast.binding import ModeT, Resource, operation
from holdfast.calls import Call, adds, fields, name_in_path, read, sets
from holdfast.types import PlaceBody, SourceAsked, SourceList, WaitingList


class Sources(Resource[ModeT]):
    """Where numbers come from."""

    @operation
    def read_many(self) -> Call[SourceList]:
        """Read all sources, and how they stand. ``GET /v1/sources``."""
        return read("/v1/sources", SourceList)

    @operation
    def read_waiting(self, source: str, *, limit: int | None = None) -> Call[WaitingList]:
        """Read the numbers that wait for a person. ``GET /v1/sources/{source}/waiting``.

        Raises ``NotFound`` (unknown_source).
        """
        return read(f"{_source(source)}/waiting", WaitingList, limit=limit)

    @operation
    def decide(
        self,
        source: str,
        *,
        decision: Literal["confirmed", "refused"],
        places: Sequence[PlaceBody] | None = None,
    ) -> Call[SourceAsked]:
        """Confirm numbers that wait, or refuse them: those at ``places``, or all. ``POST …/decisions``.

        It is not sent again after a lost answer: it would decide about numbers that came since, which nobody has seen.

        Raises ``NotFound`` (unknown_source, not_waiting).
        """
        body = fields(decision=decision, places=places)
        find_out = "read the waiting numbers; one with your decision, or one that is gone, was decided"
        return adds("POST", f"{_source(source)}/decisions", SourceAsked, body, find_out=find_out)

    @operation
    def pull(self, source: str) -> Call[SourceAsked]:
        """Have a source read now. ``POST /v1/sources/{source}/pull``.

        Raises ``NotFound`` (unknown_source).
        """
        return sets("POST", f"{_source(source)}/pull", SourceAsked)


def _source(source: str) -> str:
    return f"/v1/sources/{name_in_path(source)}"
