"""Imports over the wire: those that are remembered, and what came of taking one back."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from server.schemas.common import Reason

ImportId = Annotated[str, Meta(description="The `import_id` of the answer that applied it.", min_length=1)]


class UndoQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an import is taken back.

    ``dry_run``: only say what would come of it. ``short``: take units even from under orders, which are short then.
    ``interrupted``: take back what an import has done that was interrupted. ``reason``: why; the history keeps it.
    """

    dry_run: bool = True
    short: bool = False
    interrupted: bool = False
    reason: Reason = msgspec.UNSET


class ImportView(msgspec.Struct, frozen=True, kw_only=True):
    """An import that is remembered.

    ``state``: ``running`` also where it was interrupted; ``undoing`` where some of it was taken back. ``rows``: those
    that had an effect. ``where``: the channel of listings, the location that was counted. ``is_kept``: whether what it
    replaced is kept, without which a list cannot be taken back.
    """

    import_id: str
    kind: str
    file: str
    where: str
    at: datetime
    actor: str
    rows: int
    state: Literal["running", "done", "undoing", "undone"]
    is_kept: bool


class ImportList(msgspec.Struct, frozen=True):
    """The last imports, the newest first."""

    imports: list[ImportView]


class NotTakenBack(msgspec.Struct, frozen=True):
    """A place or an entry that stays as it is, and why."""

    what: str
    reason: str


class UndoneView(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken back of an import, or would be where ``applied`` is false.

    The lists have the first of each, and ``taken_back_total`` and ``refused_total`` say how many there are. ``before``:
    those that were taken back earlier. ``stays``: what is never taken back.
    """

    import_id: str
    kind: str
    file: str
    applied: bool
    taken_back: list[str]
    taken_back_total: int
    before: int
    refused: list[NotTakenBack]
    refused_total: int
    stays: list[str]
