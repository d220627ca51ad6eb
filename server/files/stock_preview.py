"""The preview of counts: the store's own answers to them, without their effect, beside what each place has now."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from server.domain.likeness import Kind, fold
from server.domain.stock import StockChanged, StockLevel, StockRecord
from server.files.file_import import Tally, Target
from server.files.name_warnings import name_warnings
from server.files.preview import Difference, Form, Preview
from server.files.reader import BadRow, Row
from server.files.send_rows import See, new_name
from server.store.ledger.ledger import Ledger
from server.store.repositories.known_names import unknown_names
from server.store.repositories.stock import partition_seq, read_records
from server.turns import in_turns

T = TypeVar("T")

KINDS: Final[tuple[Kind, Kind]] = ("sku", "location")


class SendTo(Protocol):
    """Send the rows of a file to a ledger, and give each with its answer to ``see``."""

    def __call__(self, ledger: Ledger, see: See[Any]) -> Awaitable[None]:
        """Send them."""


class Answered(NamedTuple):
    """A row that would take effect, and what its place has then."""

    row: Row[Any]
    level: StockLevel

    def name(self, kind: Kind) -> str:
        """Return its SKU or its location."""
        return self.level.sku if kind == "sku" else self.level.location


OTHERS: Final = ("safety", "damaged", "quality_control")
"""The figures that may stand behind ``on_hand``."""


def told(each: Difference) -> str:
    """Say how the figures of a place would change."""
    at, before, after = " at ".join(each.subject), each.before, each.after
    is_new = before is None
    parts = []
    for at_place, name in enumerate(("", *OTHERS)[: len(after)]):
        old, new = 0 if before is None else before[at_place], after[at_place]
        if old != new or (is_new and not name):
            parts.append(
                f"{name.replace('_', ' ')} {_units(new) if is_new else f'{_units(old)} → {_units(new)}'}".strip()
            )
    return f"{at}: {'new, ' if is_new else ''}{', '.join(parts) or 'unchanged'}"


def _units(figure: object) -> str:
    return f"{figure:,}" if isinstance(figure, int) else str(figure)


FORM: Final = Form(("sku", "location"), ("on_hand", "safety"), told)


async def look_at_stock(target: Target, send: SendTo, tally: Tally, allows_similar: Callable[[Any], bool]) -> Preview:
    """Ask the store what it would answer, and compare with what is there.

    ``allows_similar``: whether the value of a row may be a name like a known one.
    """
    preview = await begun(target, FORM)
    answered: list[Answered] = []

    def see(row: Row[Any], answer: object) -> None:
        if isinstance(answer, StockChanged) and not answer.replayed:
            answered.append(Answered(row, answer.level))

    await send(target.ledger.preview(), see)
    answered.sort(key=lambda each: each.row.line)
    preview.repeated = tally.unchanged
    kept = await without_alike(answered, await new_names(target, answered), tally, allows_similar)
    before = await read_records(target.store.client, target.keyspace, [(e.level.sku, e.level.location) for e in kept])
    preview.differences = [_difference(each, record) async for each, record in in_turns(zip(kept, before, strict=True))]
    await name_new(target, preview, kept)
    return preview


async def begun(target: Target, form: Form) -> Preview:
    """Begin a preview of stock: as of which seq it is, and whether there is any stock."""
    as_of = await partition_seq(target.store.client, target.keyspace)
    return Preview(form=form, as_of=as_of, is_first=await target.store.is_empty(target.partition))


def _difference(each: Answered, record: StockRecord | None) -> Difference:
    level = each.level
    before = None if record is None else (record.on_hand, record.safety)
    return Difference(each.row.line, (level.sku, level.location), before, (level.on_hand, level.safety))


async def name_new(target: Target, preview: Preview, answered: Sequence[Answered]) -> None:
    """Note which names would become known, and which of these may be mistaken."""
    new = await new_names(target, answered)
    preview.new_skus, preview.new_locations = new["sku"], new["location"]
    for kind in KINDS:
        preview.warnings += await name_warnings(target, kind, new[kind])


async def new_names(target: Target, answered: Sequence[Answered]) -> dict[Kind, list[str]]:
    """Return the names that would become known, in the order of the file."""
    client, keyspace = target.store.client, target.keyspace
    return {
        kind: await unknown_names(client, keyspace, kind, dict.fromkeys(each.name(kind) for each in answered))
        for kind in KINDS
    }


async def without_alike(
    answered: list[Answered],
    new_lists: Mapping[Kind, Sequence[str]],
    tally: Tally,
    allows_similar: Callable[[Any], bool],
) -> list[Answered]:
    """Refuse rows whose new names are like a new one of an earlier row: the store answers each row as the first."""
    new = {kind: set(names) for kind, names in new_lists.items()}
    first: dict[tuple[Kind, str], str] = {}
    left = []
    async for each in in_turns(answered):
        refusal = _alike(each, new, first, is_meant=allows_similar(each.row.value))
        if refusal:
            tally.set -= 1
            tally.add(refused=BadRow(each.row.line, refusal, each.row.text))
        else:
            left.append(each)
    return left


def _alike(each: Answered, new: Mapping[Kind, set[str]], first: dict[tuple[Kind, str], str], *, is_meant: bool) -> str:
    """Return why a row is refused, empty: it is not. Then its new names are in ``first``, by their folds."""
    claimed = {(kind, fold(each.name(kind))): each.name(kind) for kind in KINDS if each.name(kind) in new[kind]}
    for (kind, form), name in claimed.items():
        other = first.get((kind, form), name)
        if other != name and not is_meant:
            return new_name(kind, name, other)
    for claim, name in claimed.items():
        first.setdefault(claim, name)
    return ""
