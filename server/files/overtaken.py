"""What came between a preview and its application: rows that were overtaken are said, not silently applied over.

A count is as of when it is applied. So what was sold, delivered or shipped since the preview is an everyday thing: it
is said, and the row holds. Where somebody has counted a place since, or changed an entry of a list, the row may be the
older truth: it is refused, and the file can be looked at again.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from server.files.file_import import FileImport, ReadFile, Tally, Target
from server.files.preview import Difference, Preview
from server.store.repositories.counts import last_counted
from server.store.repositories.stock import partition_seq, read_records

T = TypeVar("T")


Places = Mapping[tuple[str, str], int]
"""What an import has changed before it was interrupted: (SKU, location) -> the seq of its last change there."""


async def overtaken_by(
    kind: FileImport[T], target: Target, file: ReadFile[T], preview: Preview, own: Places
) -> tuple[dict[int, str], int]:
    """Return why which lines do not hold any more, and how many of the others are about places that have moved.

    What the file has done itself, before it was interrupted, overtakes none of its rows. ``own``: what that is.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    if kind.keeper is None:
        return await _of_stock(target, preview, own)
    now = {each.line: each for each in (await kind.preview(target, file, Tally())).differences}
    return {
        each.line: f"{each.subject[0]} was changed since the preview: look at the file again"
        for each in preview.differences
        if each.line in now and now[each.line].before not in {each.before, each.after}
    }, 0


async def _of_stock(target: Target, preview: Preview, own: Places) -> tuple[dict[int, str], int]:
    client, keyspace = target.store.client, target.keyspace
    if await partition_seq(client, keyspace) == preview.as_of:
        return {}, 0
    places = [_place(each) for each in preview.differences]
    records = await read_records(client, keyspace, places)
    moved = [
        (each, record.on_hand)
        for each, record in zip(preview.differences, records, strict=True)
        if record is not None and record.seq > _known(each, preview, own) and record.on_hand != _on_hand(each)
    ]
    counted = await last_counted(client, keyspace, [_place(each) for each, _ in moved])
    reasons = {
        each.line: f"{' at '.join(each.subject)} was counted since the preview: it had {_on_hand(each):,} then, and has"
        f" {on_hand:,} now. Look at the file again"
        for (each, on_hand), seq in zip(moved, counted, strict=True)
        if seq > _known(each, preview, own)
    }
    return reasons, len(moved) - len(reasons)


def _known(each: Difference, preview: Preview, own: Places) -> int:
    """Return up to which seq it is known what came of a place."""
    return max(preview.as_of, own.get(_place(each), 0))


def _place(each: Difference) -> tuple[str, str]:
    sku, location = each.subject
    return sku, location


def _on_hand(each: Difference) -> int:
    figures: Sequence[object] = each.before or (0,)
    return figures[0] if isinstance(figures[0], int) else 0
