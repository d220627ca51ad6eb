"""Takes a backup while sales go on: the documents as they are at one moment, and right behind it the store.

In this order, since what follows the journal into the documents stands in them with its position: a position that the
journal has not reached yet would be lost.
"""

import asyncio
import mmap
import secrets
from collections import Counter
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

import server
from server.store.backup.archive import NewBackup
from server.store.backup.key_records import Record, partition_of
from server.store.backup.manifest import DOCUMENTS, STORE, Manifest, PartitionSaid
from server.store.backup.packed_files import PackedWriter, Written
from server.store.backup.progress import Progress, quiet
from server.store.backup.rdb_values import SnapshotError
from server.store.backup.replication import receive_snapshot
from server.store.backup.snapshot import Snapshot
from server.store.connection.commands import command
from server.store.documents.documents import Documents
from server.store.errors import BackupError, DocumentsError
from server.store.keys import RESTORED, RESTORING, SESSION
from server.store.repositories.sealing import sealed_with

LEFT_OUT: Final = tuple(each.encode() for each in (RESTORED, RESTORING, SESSION))
"""Keys that begin so belong to the store itself, or to a browser: they are no part of a backup."""
_ID_BYTES: Final = 8
_TURN: Final = 200
"""Records between two looks at whether the command is to end."""


async def take(
    target: Path, servers: Sequence[Redis], documents: Documents | None, *, progress: Progress = quiet
) -> Manifest:
    """Take a backup. ``documents`` None: there is no database for them.

    Raises
    ------
    BackupError
        The name is taken, or the store sends no snapshot; nothing is left behind.
    StoreUnavailableError
        The store cannot be reached.

    """
    new = NewBackup(target)
    new.begin()
    try:
        made = await _Taking(new.folder, servers, documents, progress).take()
        new.finish(made)
    except SnapshotError as error:
        raise BackupError(str(error)) from None
    except DocumentsError as error:
        raise BackupError(f"{error} Check HOLDFAST_DOCUMENTS_URL and the database; nothing was written.") from None
    except OSError as error:
        raise BackupError(f"The backup cannot be written to {target.parent}: {error}.") from None
    finally:
        new.drop()
    return made


class _Taking:
    def __init__(self, folder: Path, servers: Sequence[Redis], documents: Documents | None, progress: Progress) -> None:
        self._folder = folder
        self._servers = servers
        self._documents = documents
        self._progress = progress
        self._counts: dict[str, Counter[str]] = {}
        self._journals: dict[str, str] = {}
        self._sealed_with: set[str] = set()
        self._last_key = b""

    async def take(self) -> Manifest:
        documents_at: str | None = None
        reading: asyncio.Task[Written] | None = None
        if self._documents is not None:
            begun = asyncio.Event()
            reading = asyncio.create_task(self._read_documents(self._documents, begun))
            await _first(begun.wait(), reading)
            documents_at = _text(await _clock_ms(self._servers[0]))
        try:
            asked_ms = [await _clock_ms(each) for each in self._servers]
            snapshots = await asyncio.gather(*map(self._receive, range(len(self._servers))))
            files = [await reading] if reading is not None else []
        finally:
            if reading is not None:
                reading.cancel()
        said, moments = dict[str, str](), list[int]()
        for number, path in enumerate(snapshots, 1):
            snapshot, written = await self._records(number, path)
            said = snapshot.said
            moments.append(max(asked_ms[number - 1], snapshot.taken_s * 1000))  # by the second, rounded down
            files.append(written)
        return Manifest(
            id=secrets.token_hex(_ID_BYTES),
            holdfast=server.__version__,
            store=_product(said),
            taken_at=_text(min(moments)),
            documents_at=documents_at,
            partitions={name: self._partition(name) for name in sorted(self._counts)},
            sealed_with=sorted(self._sealed_with),
            files=files,
        )

    async def _read_documents(self, documents: Documents, begun: asyncio.Event) -> Written:
        loop = asyncio.get_running_loop()
        with PackedWriter(self._folder / DOCUMENTS) as writer:

            def put(table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
                writer.put((table, columns, rows))

            def begin() -> None:
                loop.call_soon_threadsafe(begun.set)  # a database may work in a thread of its own

            await documents.read_whole(put, begin)
            return writer.close()

    async def _receive(self, at: int) -> Path:
        path = self._folder / f"snapshot-{at + 1}"
        await receive_snapshot(self._servers[at], path, lambda received: self._progress("snapshot", received, 0))
        return path

    async def _records(self, number: int, path: Path) -> tuple[Snapshot, Written]:
        """Write the records of a snapshot, which is not needed any more then."""
        database = int(self._servers[number - 1].connection_pool.connection_kwargs.get("db") or 0)
        with (
            PackedWriter(self._folder / STORE.format(number)) as writer,
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        ):
            snapshot = Snapshot(mapped, database)
            for record in snapshot.records():
                if not record.key.startswith(LEFT_OUT):
                    writer.put(record)
                    self._count(record)
                if not writer.values % _TURN:
                    self._progress("records", snapshot.read_bytes, len(mapped))
                    await asyncio.sleep(0)
            path.unlink()  # noqa: ASYNC240  # nothing else runs
            return snapshot, writer.close()

    def _count(self, record: Record) -> None:
        partition = partition_of(record.key)
        if not partition:
            return
        name = record.key.rpartition(b"}:")[2]
        counts = self._counts.setdefault(partition, Counter())
        if record.key != self._last_key:
            self._last_key = record.key
            counts["keys"] += 1
        if name in (b"stock", b"reservations"):
            counts[name.decode()] += len(record.items) // 2
        elif name == b"journal" and record.type == "stream_end":
            self._journals[partition] = record.items[0].decode()
        elif name.endswith(b":tokens"):
            for packed in record.items[1::2]:
                self._sealed_with |= sealed_with(packed)

    def _partition(self, name: str) -> PartitionSaid:
        counts = self._counts[name]
        journal = self._journals.get(name, "0-0")
        return PartitionSaid(journal, counts["keys"], counts["stock"], counts["reservations"])


async def _first(what: Awaitable[Any], other: "asyncio.Task[Any]") -> None:
    """Wait for something, or for the failure of what should bring it about."""
    waiting = asyncio.ensure_future(what)
    await asyncio.wait([waiting, other], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if other.done():
        other.result()


async def _clock_ms(node: Redis) -> int:
    seconds, microseconds = await command(node, "TIME")
    return int(seconds) * 1000 + int(microseconds) // 1000


def _product(said: dict[str, str]) -> str:
    for name, product in (("valkey-ver", "Valkey"), ("redis-ver", "Redis")):
        if name in said:
            return f"{product} {said[name]}"
    return "unknown"


def _text(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
