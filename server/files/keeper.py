"""Keeps what an import of a list replaces, so that it can be taken back: as it is stored, before and after."""

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from server.files.file_import import Keeper, ReadFile, Target
from server.store.connection.commands import command
from server.store.repositories.imports import ImportRecord, ImportStore

T = TypeVar("T")

_NAMES_PER_READ: Final = 1_000


async def stored_in(target: Target, key: str, names: Sequence[str]) -> list[bytes | None]:
    """Read fields of a hash, some at a time."""
    found: list[bytes | None] = []
    for first in range(0, len(names), _NAMES_PER_READ):
        found += await command(target.store.client, "HMGET", key, *names[first : first + _NAMES_PER_READ])
    return found


async def keep_before(
    keeper: Keeper[T], memory: ImportStore, record: ImportRecord, target: Target, file: ReadFile[T]
) -> ImportRecord:
    """Keep what is there, before the first change; where the import was interrupted, that of its beginning stays.

    A kill in here leaves an import without an effect, which may have kept something.
    """
    if await memory.replaced(record.id):
        return record
    names = list(dict.fromkeys(await keeper.names(target, file)))
    before = await keeper.read(target, names)
    keeps = await memory.keep(record.id, [(name, was, was) for name, was in zip(names, before, strict=True)])
    record = msgspec.structs.replace(record, keeps=keeps)
    await memory.put(record)
    return record


async def keep_after(keeper: Keeper[T], memory: ImportStore, record: ImportRecord, target: Target) -> None:
    """Keep what is there now, beside what was there before."""
    if record.keeps:
        kept = await memory.replaced(record.id)
        names = list(kept)
        after = await keeper.read(target, names)
        await memory.keep(
            record.id, [(name, kept[name][0], there) for name, there in zip(names, after, strict=True)]
        )  # fmt: skip
