"""The dry run of an import of stock: the store's own answers to its counts, without their effect."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from server.cli.csv.csv_import import CsvFile, Put, Tally, Target
from server.cli.csv.dry_run import name_warnings, names_of, screenful
from server.cli.csv.reader import BadRow, Row
from server.cli.csv.send_rows import new_name
from server.cli.csv.stock import Counted, count_rows, source_of
from server.domain.answers import StockAnswer
from server.domain.likeness import Kind, fold
from server.domain.stock import StockChanged, StockLevel, StockRecord
from server.store.repositories.known_names import unknown_names
from server.store.repositories.stock import read_records

_KINDS: Final[tuple[Kind, Kind]] = ("sku", "location")


class _Answered(NamedTuple):
    """A row that would be counted, and what its place has then."""

    row: Row[Counted]
    level: StockLevel

    def name(self, kind: Kind) -> str:
        return self.level.sku if kind == "sku" else self.level.location


def preview_of(reason: str, salt: str = "") -> Put[Counted]:
    """Make the dry run of :func:`~server.cli.csv.stock.stock_import`; the parameters are its own."""

    async def preview(target: Target, file: CsvFile[Counted], tally: Tally) -> None:
        answered: list[_Answered] = []

        def see(row: Row[Counted], answer: StockAnswer) -> None:
            if isinstance(answer, StockChanged) and not answer.replayed:
                answered.append(_Answered(row, answer.level))

        ledger, source = target.store.ledger(target.partition), source_of(file, reason, salt)
        await count_rows(ledger.preview(), file.rows, source, tally, target.store.client, see=see)
        answered.sort(key=lambda each: each.row.line)
        new = {kind: set(await _new(target, kind, answered)) for kind in _KINDS}
        await _tell(target, _without_alike(answered, new, tally), tally)

    return preview


async def _new(target: Target, kind: Kind, answered: list[_Answered]) -> list[str]:
    """Return the names that would become known, in the order of the file."""
    keyspace = target.store.ledger(target.partition).keyspace
    return await unknown_names(target.store.client, keyspace, kind, [each.name(kind) for each in answered])


def _without_alike(answered: list[_Answered], new: Mapping[Kind, set[str]], tally: Tally) -> list[_Answered]:
    """Refuse rows whose new names are like a new one of an earlier row: the store answers each row as the first."""
    first: dict[tuple[Kind, str], str] = {}
    left = []
    for each in answered:
        refusal = _alike(each, new, first)
        if refusal:
            tally.set -= 1
            tally.add(refused=BadRow(each.row.line, refusal, each.row.text))
        else:
            left.append(each)
    return left


def _alike(each: _Answered, new: Mapping[Kind, set[str]], first: dict[tuple[Kind, str], str]) -> str:
    """Return why a row is refused, empty: it is not. Then its new names are in ``first``, by their folds."""
    claimed = {(kind, fold(each.name(kind))): each.name(kind) for kind in _KINDS if each.name(kind) in new[kind]}
    for (kind, form), name in claimed.items():
        other = first.get((kind, form), name)
        if other != name and not each.row.value.allow_similar:
            return new_name(kind, name, other)
    for claim, name in claimed.items():
        first.setdefault(claim, name)
    return ""


async def _tell(target: Target, answered: list[_Answered], tally: Tally) -> None:
    """Note what would change, which names are new, and which of those may be mistaken."""
    keyspace = target.store.ledger(target.partition).keyspace
    places = [(each.level.sku, each.level.location) for each in answered]
    before = await read_records(target.store.client, keyspace, places)
    changes = [_change(record, each.level) for record, each in zip(before, answered, strict=True)]
    tally.notes += screenful([each for each in changes if each], "change")
    same = changes.count("")
    if same:
        tally.notes.append(f"{same:,} of those that would be set have these figures already.")
    warnings: list[str] = []
    for kind in _KINDS:
        new = await _new(target, kind, answered)
        tally.notes += names_of(kind, new)
        warnings += await name_warnings(target, kind, new)
    tally.notes += screenful(warnings, "warning")


def _change(before: StockRecord | None, level: StockLevel) -> str:
    """Say how the figures of a place would change; empty: not at all."""
    at = f"{level.sku} at {level.location}"
    if before is None:
        return f"{at}: new, {level.on_hand:,}" + (f", safety {level.safety:,}" if level.safety else "")
    changed = []
    if before.on_hand != level.on_hand:
        changed.append(f"{before.on_hand:,} → {level.on_hand:,}")
    if before.safety != level.safety:
        changed.append(f"safety {before.safety:,} → {level.safety:,}")
    return f"{at}: {', '.join(changed)}" if changed else ""
