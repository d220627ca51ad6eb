"""Files over the wire: what may be asked of one, what would come of it, and what came of it."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from server.domain.limits import DEFAULT_LOCATION
from server.domain.sudden_changes import BY_DEFAULT
from server.schemas.channels import ChannelName
from server.schemas.common import CountedAt, Location

FileKind = Annotated[
    str, Meta(description="import, count, move, barcodes, categories, locations or listings.", min_length=1)
]
FileToken = Annotated[str, Meta(description="As the preview of the file has it.", min_length=1, max_length=64)]


Said = Annotated[str, Meta(max_length=2_000)]


class FileQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a file is looked at or applied.

    ``dry_run``: only look, and keep it for its token. ``yes``: apply it whatever needs a yes. ``factor``, ``to_zero``:
    what needs a yes, as numbers that grow or fall to so many times, and percent of rows that fall to zero.
    ``channel``: of listings. ``location``: that was counted, or of rows that name none. ``baseline_seq``,
    ``counted_at``: as of when a count holds. ``again``: a file that was imported before counts again.
    The others say how the file is to be read, as the options of the commands do: ``columns`` is ``sku=Stok Kodu,…``.
    """

    dry_run: bool = True
    name: Annotated[str, Meta(max_length=200)] = "upload"
    yes: bool = False
    factor: Annotated[float, Meta(ge=2, le=1_000_000)] = BY_DEFAULT.factor
    to_zero: Annotated[float, Meta(gt=0, le=100)] = 100 * BY_DEFAULT.share
    channel: ChannelName | None = None
    location: Location = DEFAULT_LOCATION
    baseline_seq: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    counted_at: CountedAt | None = None
    allow_similar: bool = False
    again: bool = False
    encoding: Said = ""
    sheet: Said = ""
    columns: Said = ""
    ignore_columns: Said = ""
    decimal: Literal["", ".", ","] = ""
    negative: Literal["refuse", "zero"] = "refuse"
    as_written: bool = False


class ConcernView(msgspec.Struct, frozen=True):
    """What needs a yes, in one word and in words, and the first lines that have it."""

    concern: str
    detail: str
    lines: list[int] = []


class ChangeOfFileView(msgspec.Struct, frozen=True):
    """What a row changes: what it is about, and the figures before (null: there was nothing) and after."""

    line: int
    change: Literal["new", "raised", "lowered", "zeroed", "changed", "unchanged"]
    about: dict[str, str]
    before: dict[str, Any] | None
    after: dict[str, Any]


class BadRowView(msgspec.Struct, frozen=True):
    """A row that cannot be imported, why, and as it stands in the file."""

    line: int
    reason: str
    row: str


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was looked at, is applied or was applied.

    ``counts``: of the rows, by what they do. The lists have the first of each; ``changes_total`` and ``bad_total`` say
    how many there are. ``done``: rows that were applied so far. ``token`` and ``expires_at``: to apply it.
    ``import_id``: by which it is taken back.
    """

    kind: str
    file: str
    state: Literal["waiting", "applying", "done"]
    rows: int
    done: int = 0
    counts: dict[str, int]
    concerns: list[ConcernView]
    new_skus: list[str]
    new_locations: list[str]
    changes: list[ChangeOfFileView]
    changes_total: int
    bad: list[BadRowView]
    bad_total: int
    notes: list[str] = []
    token: str = ""
    expires_at: datetime | None = None
    import_id: str = ""
