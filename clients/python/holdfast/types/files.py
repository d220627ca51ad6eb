"""What is sent and answered: files.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from datetime import datetime

import msgspec


class BadRowView(msgspec.Struct, frozen=True, kw_only=True):
    """A row that cannot be imported, why, and as it stands in the file."""

    line: int
    reason: str
    row: str


class ChangeOfFileView(msgspec.Struct, frozen=True, kw_only=True):
    """What a row changes: what it is about, and the figures before (null: there was nothing) and after."""

    line: int
    change: str
    """One of: changed, lowered, new, raised, unchanged, zeroed."""
    about: dict[str, str]
    before: dict[str, object] | None
    after: dict[str, object]


class ConcernView(msgspec.Struct, frozen=True, kw_only=True):
    """What needs a yes, in one word and in words, and the first lines that have it."""

    concern: str
    detail: str
    lines: list[int] = msgspec.field(default_factory=list)


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
    state: str
    """One of: done, running, undoing, undone."""
    is_kept: bool


class NotTakenBack(msgspec.Struct, frozen=True, kw_only=True):
    """A place or an entry that stays as it is, and why."""

    what: str
    reason: str


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was looked at, is applied or was applied.

    ``counts``: of the rows, by what they do. The lists have the first of each; ``changes_total`` and ``bad_total`` say
    how many there are. ``done``: rows that were applied so far. ``token`` and ``expires_at``: to apply it.
    ``import_id``: by which it is taken back.
    """

    kind: str
    file: str
    state: str
    """One of: applying, done, waiting."""
    rows: int
    done: int | None = None
    counts: dict[str, int]
    concerns: list[ConcernView]
    new_skus: list[str]
    new_locations: list[str]
    changes: list[ChangeOfFileView]
    changes_total: int
    bad: list[BadRowView]
    bad_total: int
    notes: list[str] = msgspec.field(default_factory=list)
    token: str | None = None
    expires_at: datetime | None = None
    import_id: str | None = None


class ImportList(msgspec.Struct, frozen=True, kw_only=True):
    """The last imports, the newest first."""

    imports: list[ImportView]


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
