"""Takes an import of stock back by counter-movements, as far as nothing since contradicts.

The journal says what it did: each of its changes has its tag behind the reason. So also an import that was killed is
known exactly, and an undo that was killed goes on: what it has done has the same tag.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from server.domain.answers import Refused
from server.domain.operations.stock import TakeBack
from server.domain.stock import StockChanged
from server.files.file_import import ImportStoppedError, Tally, Target
from server.files.reader import Row
from server.files.send_rows import Runs, send_rows
from server.files.wording import counted
from server.store.repositories.imports import ImportRecord, ImportStore

STOCK_KINDS: Final = frozenset({"import", "count", "move"})
SUPPLIES_NAMED_MAX: Final = 10
_SINCE: Final = "it was counted since, and that number stands"
_GONE: Final = "it is not there any more"


class Made(msgspec.Struct):
    """What an import did at a place, in all: signed units of each bucket, and its last change there."""

    sku: str
    location: str
    seq: int = 0
    at_ms: int = -1
    on_hand: int = 0
    damaged: int = 0
    quality_control: int = 0
    safety: int = 0

    @property
    def place(self) -> str:
        """The place, in words."""
        return f"{self.sku} at {self.location}"

    @property
    def is_nothing(self) -> bool:
        """Whether its changes came to nothing."""
        return not (self.on_hand or self.damaged or self.quality_control or self.safety)


@dataclass
class Undone:
    """What came of an undo: what was taken back, and what not and why, by place or entry.

    ``before``: what an undo that was interrupted, or an earlier one, had taken back. ``stays``: what is not taken back.
    """

    taken: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    before: int = 0
    stays: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to take back."""
        return not self.refused


def choose(records: Iterable[ImportRecord], wanted: str | None, *, interrupted: bool) -> ImportRecord:
    """Return the import to take back: the one that is named, or the last that is not taken back yet.

    Raises
    ------
    ImportStoppedError
        There is none, or it was interrupted and that is not meant.

    """
    there = list(records)
    found = [each for each in there if (each.id == wanted if wanted else each.state != "undone")]
    if not found:
        mend = "holdfast undo --list shows those that are remembered"
        raise ImportStoppedError(
            f"No import {wanted} is remembered; {mend}." if wanted else f"There is no import to take back; {mend}."
        )
    record = found[0]
    if record.state == "running" and not interrupted:
        raise ImportStoppedError(
            f"The import of {record.file} ({record.id}) was interrupted, or still runs. Import the same file again:"
            " that completes it. Or add --interrupted to take back what it has done, when it does not run any more."
        )
    return record


async def undo_stock(
    target: Target, record: ImportRecord, tally: Tally, *, may_be_short: bool, only_look: bool, why: str = ""
) -> Undone:
    """Take an import of stock back; ``only_look``: say what would come of that. Safe to repeat.

    ``why``: stands in the history with each change.

    Raises
    ------
    ImportStoppedError
        The journal does not have all of it any more.
    StoreUnreachableError
        A place could not be reached for a minute; what is taken back stays so.

    """
    memory = ImportStore(target.store.client, target.keyspace)
    if (await memory.journal_bounds()).is_lost(record.began):
        raise ImportStoppedError(
            f"The journal does not have all of the import of {record.file} ({record.id}) any more, so it cannot be"
            " taken back. It goes as far back as HOLDFAST_JOURNAL_RETENTION_S says. Count what is wrong."
        )
    made = await _made(memory, record, record.began, record.ended or None)
    record, taken_before = await _begun(memory, record, only_look=only_look)
    left = {place: each for place, each in made.items() if not each.is_nothing and place not in taken_before}
    done = Undone(before=len(taken_before))
    await _send(target, record, left, (tally, done), may_be_short=may_be_short, only_look=only_look, why=why)
    done.stays = await _stays(memory, record, left)
    if not only_look and done.is_whole:
        await memory.put(msgspec.structs.replace(record, state="undone"))
    return done


async def _begun(memory: ImportStore, record: ImportRecord, *, only_look: bool) -> tuple[ImportRecord, set[str]]:
    """Remember that the undo begins; return the places that one before it has taken back."""
    if record.state == "undoing" or record.undo_began:
        return record, set(await _made(memory, record, record.undo_began, None))
    if only_look:
        return record, set()
    now = await memory.journal_end()
    record = msgspec.structs.replace(record, state="undoing", ended=record.ended or now, undo_began=now)
    await memory.put(record)
    return record, set()


async def _made(memory: ImportStore, record: ImportRecord, after: str, until: str | None) -> dict[str, Made]:
    """Add up what changes with the tag of an import did in a part of the journal, by place."""
    found: dict[str, Made] = {}
    async for change in memory.changes(record, after, until):
        for line in change.lines:
            made = found.setdefault(f"{line.sku} at {line.location}", Made(line.sku, line.location))
            made.seq, made.at_ms = max((made.seq, made.at_ms), (line.seq, change.at_ms))
            made.on_hand += line.d_on_hand
            made.damaged += line.d_damaged
            made.quality_control += line.d_quality_control
            made.safety += line.d_safety
    return found


async def _send(
    target: Target,
    record: ImportRecord,
    left: Mapping[str, Made],
    came: tuple[Tally, Undone],
    *,
    may_be_short: bool,
    only_look: bool,
    why: str,
) -> None:
    tally, done = came
    tagged = target._replace(tag=record.id)

    def see(row: Row[Made], answer: object) -> None:
        if isinstance(answer, Refused):
            done.refused[row.text] = _why(answer)
        elif isinstance(answer, StockChanged):
            done.taken.append(_told(row.value, answer))

    rows = [Row(number, each.place, each) for number, each in enumerate(left.values(), 1)]
    # The reason first: a long name of a file may be cut.
    reason = tagged.tagged(f"{why} (undo {record.file})" if why else f"undo {record.file}")
    operations = [[(row, _counter(row.value, record, target.actor, reason, may_be_short=may_be_short))] for row in rows]
    ledger: Runs = target.ledger.preview() if only_look else target.ledger
    await send_rows(ledger, operations, tally, (), see, in_flight=target.in_flight)


def _counter(made: Made, record: ImportRecord, actor: str, reason: str, *, may_be_short: bool) -> TakeBack:
    key = f"undo:{record.id}:{made.location}\0{made.sku}"
    return TakeBack(
        f"undo:{record.id}", actor, key, made.sku, made.location, made.seq, -made.on_hand, -made.damaged,
        -made.quality_control, -made.safety, may_be_short, reason, made.at_ms,
    )  # fmt: skip


def _told(made: Made, answer: StockChanged) -> str:
    level, change = answer.level, -made.on_hand
    what = [f"{level.on_hand - change:,} → {level.on_hand:,}"] if change else []
    for name in ("damaged", "quality_control", "safety"):
        units = getattr(made, name)
        if units:
            now = getattr(level, name)
            what.append(f"{name.replace('_', ' ')} {now + units:,} → {now:,}")
    short = f"; short of {-level.available:,} now" if level.available < 0 else ""
    return f"{made.place}: {', '.join(what)}{short}"


def _why(refused: Refused) -> str:
    line = refused.lines[0] if refused.lines else None
    if refused.outcome == "counted_since":
        return _SINCE
    if refused.outcome == "unknown_sku" or line is None:
        return _GONE
    if refused.outcome == "exceeds_remaining":
        return (
            f"{counted(line.requested, 'unit')} would go, but only {line.available:,} are there: the others have left"
        )
    if refused.outcome == "out_of_stock":
        units = counted(line.requested, "unit")
        return (
            f"{units} would go, but only {line.available:,} are free: the others are reserved, sold or kept back."
            " --short takes them back all the same, and shows the shortage"
        )
    return refused.outcome


async def _stays(memory: ImportStore, record: ImportRecord, left: Mapping[str, Made]) -> list[str]:
    """Say what an undo does not take back: names that became known, and that expected units came."""
    skus, supplies = set[str](), set[str]()
    async for change in memory.changes(record, record.began, record.ended or None):
        skus |= {value for name, value in change.notes if name == "new_sku"}
        supplies |= {value for name, value in change.notes if name == "supply"}
    said = []
    if skus and left:
        are = "is a SKU that was" if len(skus) == 1 else "are SKUs that were"
        said.append(f"{counted(len(skus), 'name')} {are} new with it; known they stay, with what is left of them.")
    if supplies and left:
        more = " …" if len(supplies) > SUPPLIES_NAMED_MAX else ""
        which = ", ".join(sorted(supplies)[:SUPPLIES_NAMED_MAX]) + more
        is_one = len(supplies) == 1
        said.append(
            f"{counted(len(supplies), 'expected receipt')} {'is' if is_one else 'are'} received all the same: {which}."
            " Expect what is to come after all under another id, with holdfast supply expect."
        )
    return said
