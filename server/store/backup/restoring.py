"""Fills an empty store, and an empty documents database, from a backup; nobody is told anything until it is released.

The store says that a restore is under way before the first record is written, and that it is whole behind the last. So
what a kill leaves is known as half a backup: it serves nobody, and the next restore begins anew.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis

from server.store.backup.aftercare import mark_released, settle
from server.store.backup.archive import Backup
from server.store.backup.key_records import Record
from server.store.backup.manifest import DOCUMENTS
from server.store.backup.packed_files import packed_values
from server.store.backup.progress import Progress, quiet
from server.store.backup.putting import Putting
from server.store.connection.commands import command
from server.store.connection.scans import SLICE_FIELDS
from server.store.documents.documents import Documents
from server.store.errors import BackupError, DocumentsError
from server.store.keys import RESTORED, RESTORING
from server.store.repositories.restored import Restored, read_restored, write_restored

_HELD_MS: Final = 30_000
_RENEWED_S: Final = 5.0
_TURN: Final = 100
_OURS: Final = "hf:*"
_OWN: Final = frozenset({RESTORED.encode(), RESTORING.encode()})

_Rows = tuple[str, list[str], list[tuple[Any, ...]]]


async def restore(
    backup: Backup, client: Redis, documents: Documents | None, *, progress: Progress = quiet
) -> Restored:
    """Fill an empty store. ``documents`` None: those of the backup are left out.

    Raises
    ------
    BackupError
        The backup is damaged, or the store or its documents are not empty; nothing was changed.
    StoreUnavailableError
        The store went away; run it again.

    """
    backup.check()
    async with _alone(client):
        found = await read_restored(client)
        is_begun = found is not None and found.state == "restoring"
        if not is_begun:
            await _check_empty(client, documents)
        taken_ms = int(datetime.fromisoformat(backup.manifest.taken_at).timestamp() * 1000)
        restored = Restored("restoring", backup.manifest.id, taken_ms)
        await write_restored(client, restored)
        if is_begun:
            await _clear(client)
        if documents is not None and backup.manifest.has_documents:
            await _fill_documents(backup, documents)
        await _fill_store(backup, client, progress)
        now_ms = time.time_ns() // 1_000_000
        await settle(client, list(backup.manifest.partitions), now_ms)
        restored = Restored("halted", backup.manifest.id, taken_ms, now_ms)
        await write_restored(client, restored)
    return restored


async def release(client: Redis) -> Restored:
    """Have a restored store publish, and take orders in again.

    Raises
    ------
    BackupError
        It is not halted, or only a part of a backup.
    StoreUnavailableError
        The store did not answer.

    """
    found = await read_restored(client)
    if found is None:
        raise BackupError("This store was never restored, so nothing is halted.")
    if found.state == "released":
        raise BackupError("This store was released before: nothing is halted.")
    if found.state == "restoring":
        raise BackupError("The restore was interrupted, or still runs. Run it again first: holdfast restore BACKUP")
    now_ms = time.time_ns() // 1_000_000
    await mark_released(client, now_ms)
    released = Restored("released", found.backup, found.taken_ms, found.restored_ms, now_ms)
    await write_restored(client, released)
    return released


async def _check_empty(client: Redis, documents: Documents | None) -> None:
    async for key in client.scan_iter(match=_OURS, count=SLICE_FIELDS):
        if key not in _OWN:
            raise BackupError(
                "The store is not empty, and what is in it is never overwritten. Restore into another one: name a new"
                " folder with --data-dir, or an empty store with --store-url. Holdfast must not run on it."
            )
    try:
        is_empty = documents is None or await documents.is_empty()
    except DocumentsError as error:
        raise BackupError(f"{error} Check the documents database; nothing was restored.") from None
    if not is_empty:
        raise BackupError(
            "The documents database is not empty, and what is in it is never overwritten. Name an empty one with"
            " HOLDFAST_DOCUMENTS_URL, or restore without the documents: --without-documents"
        )


async def _clear(client: Redis) -> None:
    """Remove the part of a backup that an interrupted restore has left."""
    keys = [key async for key in client.scan_iter(match=_OURS, count=SLICE_FIELDS) if key not in _OWN]
    for key in keys:
        await command(client, "UNLINK", key)


async def _fill_documents(backup: Backup, documents: Documents) -> None:
    with backup.opened(DOCUMENTS) as file:
        try:
            await documents.fill(packed_values(file, _Rows))  # type: ignore[arg-type]  # a type it is for mypy only
        except DocumentsError as error:
            raise BackupError(
                f"{error} Check the documents database. The store has a part of the backup only: then run it again."
            ) from None


async def _fill_store(backup: Backup, client: Redis, progress: Progress) -> None:
    total, done = sum(each.values for each in backup.manifest.store_files), 0
    for each in backup.manifest.store_files:
        putting = Putting(client)
        with backup.opened(each.name) as file:
            for record in packed_values(file, Record):
                await putting.put(record)
                done += 1
                if not done % _TURN:
                    progress("records", done, total)
                    await asyncio.sleep(0)
        await putting.flush()


@asynccontextmanager
async def _alone(client: Redis) -> AsyncIterator[None]:
    """Keep a second restore off the store; one that was killed keeps others off for half a minute."""
    token = secrets.token_hex(8)
    if not await command(client, "SET", RESTORING, token, "NX", "PX", _HELD_MS):
        raise BackupError(
            "Another restore runs on this store, or was killed less than half a minute ago. Wait, then run it again."
        )
    renewing = asyncio.create_task(_renew(client, token))
    try:
        yield
    finally:
        renewing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await renewing
        await command(client, "DEL", RESTORING)


async def _renew(client: Redis, token: str) -> None:
    while True:
        await asyncio.sleep(_RENEWED_S)
        await command(client, "SET", RESTORING, token, "XX", "PX", _HELD_MS)
