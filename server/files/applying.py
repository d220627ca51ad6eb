"""From a file that was read to what it changes: look at it, and apply what was looked at, remembered for its undo."""

import secrets
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

import msgspec

from server.files.file_import import FileImport, ReadFile, Tally, Target
from server.files.keeper import keep_after, keep_before
from server.files.overtaken import Places, overtaken_by
from server.files.preview import Preview
from server.files.reader import BadRow
from server.store.repositories.imports import ImportRecord, ImportStore

T = TypeVar("T")

_ID_BYTES: Final = 4


class Origin(NamedTuple):
    """What an import is remembered as: the command, the name of the file, and the channel or the counted location."""

    kind: str
    file: str
    where: str = ""


async def look(kind: FileImport[T], target: Target, file: ReadFile[T], tally: Tally, *, origin: Origin) -> Preview:
    """Find out what would come of a file; nothing is changed. Errors are those of the kind's preview.

    Where the first import was interrupted, the same file goes on as the first: what is there is its own.
    """
    preview = await kind.preview(target, file, tally)
    preview.refused = list(tally.refused)
    if not preview.is_first:
        newest = (await ImportStore(target.store.client, target.keyspace).all())[:1]
        preview.is_first = any(each.is_first and _is_interrupted(each, file, origin) for each in newest)
    return preview


class Looked(NamedTuple):
    """A file and what was found out about it. ``is_fresh``: a moment ago, so nobody can have gone by it since."""

    preview: Preview
    is_fresh: bool = True


async def apply(
    kind: FileImport[T], target: Target, file: ReadFile[T], looked: Looked, tally: Tally, *, origin: Origin
) -> str:
    """Apply what was looked at; return the id by which it can be undone, empty: there was nothing to do.

    Rows that were refused then stay refused. Rows whose place was counted since are refused now. What a kill leaves is
    remembered as running: the same file goes on with it.
    """
    tally.refused += looked.preview.refused
    left_out, memory = set[int](), ImportStore(target.store.client, target.keyspace)
    if not looked.is_fresh:
        interrupted = await _interrupted(memory, file, origin)
        own: Places = {} if interrupted is None else await _done_by(memory, interrupted)
        await _refuse_overtaken(kind, target, file, looked.preview, tally, own)
        left_out |= looked.preview.settled  # what was a repeat then must not become a count now
        tally.add(unchanged=len(left_out))
    left_out |= {row.line for row in tally.refused}
    file = file._replace(rows=[row for row in file.rows if row.line not in left_out])
    record, goes_on = await _begun(memory, target, file, origin, is_first=looked.preview.is_first)
    target = target._replace(tag=record.id)
    if kind.keeper is not None:
        record = await keep_before(kind.keeper, memory, record, target, file)
    await kind.put(target, file, tally)
    if kind.keeper is not None:
        await keep_after(kind.keeper, memory, record, target)
    if not tally.set and not goes_on:  # what had no effect is nothing to take back
        await memory.forget([record.id])
        return ""
    done = msgspec.structs.replace(record, state="done", ended=await memory.journal_end(), set=tally.set)
    await memory.put(done)
    return record.id


async def _refuse_overtaken(  # noqa: PLR0917  # as in apply
    kind: FileImport[T], target: Target, file: ReadFile[T], preview: Preview, tally: Tally, own: Places
) -> None:
    reasons, moved = await overtaken_by(kind, target, file, preview, own)
    texts: Mapping[int, str] = {row.line: row.text for row in file.rows}
    for line, reason in sorted(reasons.items()):
        tally.add(refused=BadRow(line, reason, texts[line]))
    if moved:
        tally.notes.append(f"Since the preview, sales and deliveries have moved {moved:,} of the places.")


def _is_interrupted(record: ImportRecord, file: ReadFile[T], origin: Origin) -> bool:
    """Whether an import that is not through is of this file: it was interrupted, or still runs."""
    of = (record.kind, record.digest, record.where)
    return record.state == "running" and of == (origin.kind, file.digest, origin.where)


async def _interrupted(memory: ImportStore, file: ReadFile[T], origin: Origin) -> ImportRecord | None:
    """Find an import of the same file that was interrupted; None: there is none."""
    return next((each for each in await memory.all() if _is_interrupted(each, file, origin)), None)


async def _done_by(memory: ImportStore, record: ImportRecord) -> Places:
    """Read from the journal what an import of stock has changed before it was interrupted."""
    found: dict[tuple[str, str], int] = {}
    async for change in memory.changes(record, record.began, None):
        found |= {(line.sku, line.location): line.seq for line in change.lines}
    return found


async def _begun(
    memory: ImportStore, target: Target, file: ReadFile[T], origin: Origin, *, is_first: bool = False
) -> tuple[ImportRecord, bool]:
    """Remember that an import begins; one of the same file that was interrupted goes on, which is also returned."""
    interrupted = await _interrupted(memory, file, origin)
    if interrupted is not None:
        return interrupted, True
    await memory.make_room()
    record = ImportRecord(
        id=secrets.token_hex(_ID_BYTES),
        kind=origin.kind,
        file=origin.file,
        digest=file.digest,
        actor=target.actor,
        at_ms=await memory.now_ms(),
        began=await memory.journal_end(),
        where=origin.where,
        is_first=is_first,
    )
    await memory.put(record)
    return record, False
