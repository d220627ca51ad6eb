"""Files as merchants have them: looked at, applied, and taken back."""

from dataclasses import replace
from datetime import datetime
from typing import Literal

from holdfast.binding import ModeT, Resource, operation
from holdfast.calls import Call, Repeat, name_in_path, query_of, read, sets
from holdfast.types import FileView, ImportList, UndoneView

Kind = Literal["barcodes", "categories", "count", "import", "listings", "locations", "move"]
_ANY: str = "application/octet-stream"


class Files(Resource[ModeT]):
    """Files that change stock or lists."""

    @operation
    def send(
        self,
        kind: Kind,
        file: bytes,
        *,
        dry_run: bool | None = None,
        name: str | None = None,
        yes: bool | None = None,
        factor: float | None = None,
        to_zero: float | None = None,
        channel: str | None = None,
        location: str | None = None,
        baseline_seq: int | None = None,
        counted_at: datetime | None = None,
        allow_similar: bool | None = None,
        again: bool | None = None,
        encoding: str | None = None,
        sheet: str | None = None,
        columns: str | None = None,
        ignore_columns: str | None = None,
        decimal: Literal["", ",", "."] | None = None,
        negative: Literal["refuse", "zero"] | None = None,
        as_written: bool | None = None,
    ) -> Call[FileView]:
        """Look at a file: what it would change, and a token that applies it. ``POST /v1/files/{kind}``.

        With ``dry_run=False`` it is applied at once, and not sent again after a lost answer. Look first, and
        :meth:`apply`: that can be repeated.

        Raises ``Refused`` (file_needs_yes, file_refused).
        """
        query = query_of({
            "dry_run": dry_run, "name": name, "yes": yes, "factor": factor, "to_zero": to_zero, "channel": channel,
            "location": location, "baseline_seq": baseline_seq, "counted_at": counted_at,
            "allow_similar": allow_similar, "again": again, "encoding": encoding, "sheet": sheet, "columns": columns,
            "ignore_columns": ignore_columns, "decimal": decimal, "negative": negative, "as_written": as_written,
        })  # fmt: skip
        call = sets("POST", f"/v1/files/{name_in_path(kind)}{query}", FileView, file)
        applies = dry_run is False
        find_out = "read the imports; if the file is listed, it was applied" if applies else call.find_out
        repeat = Repeat.ADDS if applies else Repeat.READS
        return replace(call, content_type=_ANY, repeat=repeat, find_out=find_out)

    @operation
    def apply(self, kind: Kind, token: str) -> Call[FileView]:
        """Apply a file that was looked at, once. ``POST /v1/files/{kind}/{token}``.

        Raises ``NotFound`` (unknown_file) and ``Refused`` (file_in_use, file_refused).
        """
        return sets("POST", _file(kind, token), FileView)

    @operation
    def read(self, kind: Kind, token: str) -> Call[FileView]:
        """Read how far a file is. ``GET /v1/files/{kind}/{token}``.

        Raises ``NotFound`` (unknown_file).
        """
        return read(_file(kind, token), FileView)

    @operation
    def read_bad(self, kind: Kind, token: str) -> Call[bytes]:
        """Read the bad rows as a file to correct. ``GET /v1/files/{kind}/{token}/bad``.

        Raises ``NotFound`` (unknown_file).
        """
        return read(f"{_file(kind, token)}/bad", bytes)


class Imports(Resource[ModeT]):
    """Files that were applied."""

    @operation
    def read_many(self) -> Call[ImportList]:
        """Read the last imports. ``GET /v1/imports``."""
        return read("/v1/imports", ImportList)

    @operation
    def undo(
        self,
        import_id: str,
        *,
        dry_run: bool | None = None,
        short: bool | None = None,
        interrupted: bool | None = None,
        reason: str | None = None,
    ) -> Call[UndoneView]:
        """Take an import back, or look at what would come of it. ``POST /v1/imports/{import_id}/undo``.

        Raises ``NotFound`` (unknown_import) and ``Refused`` (import_stays).
        """
        query = query_of({"dry_run": dry_run, "short": short, "interrupted": interrupted, "reason": reason})
        return sets("POST", f"/v1/imports/{name_in_path(import_id)}/undo{query}", UndoneView)


def _file(kind: Kind, token: str) -> str:
    return f"/v1/files/{name_in_path(kind)}/{name_in_path(token)}"
