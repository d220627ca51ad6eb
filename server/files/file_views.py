"""Shows files to programs: what would come of one, and what came of it."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from server.files.file_import import ReadFile, Tally
from server.files.preview import Concern, Difference, Form, Preview
from server.files.reader import BadRow
from server.files.sheet import facts_of
from server.schemas.files import BadRowView, ChangeOfFileView, ConcernView, FileView

FIRST: Final = 100
"""Changes, bad rows and names that an answer has; the counts are of all."""


def looked_view(  # noqa: PLR0917  # all that was found out
    kind: str, name: str, file: ReadFile[Any], preview: Preview, bad: Sequence[BadRow], concerns: Sequence[Concern]
) -> FileView:
    """Show what would come of a file."""
    changes = preview.changes
    return FileView(
        kind=kind,
        file=name,
        state="waiting",
        rows=file.rows_total,
        counts=preview.counts(len(bad)),
        concerns=[ConcernView(each.concern, each.detail, list(each.lines)) for each in concerns[:FIRST]],
        new_skus=preview.new_skus[:FIRST],
        new_locations=preview.new_locations[:FIRST],
        changes=[change_view(preview.form, each) for each in changes[:FIRST]],
        changes_total=len(changes),
        bad=_bad(bad),
        bad_total=len(bad),
        notes=[*facts_of(file.sheet), *preview.notes][:FIRST],
    )


def applied_view(view: FileView, preview: Preview, file: ReadFile[Any], tally: Tally, import_id: str) -> FileView:
    """Show what came of a file, from what was shown of it before."""
    bad = sorted([*file.bad, *tally.refused])
    refused = {row.line for row in tally.refused}
    return msgspec.structs.replace(
        view,
        state="done",
        done=tally.done,
        counts=preview.counts(len(bad), refused),
        bad=_bad(bad),
        bad_total=len(bad),
        notes=tally.notes[:FIRST],
        import_id=import_id,
        token="",
        expires_at=None,
    )


def _bad(bad: Sequence[BadRow]) -> list[BadRowView]:
    return [BadRowView(row.line, row.reason, row.text) for row in bad[:FIRST]]


def change_view(form: Form, each: Difference) -> ChangeOfFileView:
    """Show what a row changes."""
    return ChangeOfFileView(
        each.line,
        each.verdict.value,
        dict(zip(form.subject, each.subject, strict=True)),
        None if each.before is None else dict(zip(form.figures, each.before, strict=True)),
        dict(zip(form.figures, each.after, strict=True)),
    )
