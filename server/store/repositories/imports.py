"""The memory of imports: what each was, where in the journal its changes are, and what rows of lists have replaced.

What an import did to stock is in the journal, each change with the tag of its import behind the reason. Listings,
barcodes, locations and categories have no such record, so what they replace is kept here.
"""

import zlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from server.domain.changes import Change
from server.store.connection.commands import command, together
from server.store.connection.connect import StoreClient
from server.store.journal import journal
from server.store.journal.entries import Bounds
from server.store.keys import Keyspace

KEPT_MAX: Final = 50
"""Imports of a partition that are remembered; older ones make room."""
KEPT_MS: Final = 7 * 86_400_000
"""How long what lists have replaced is remembered."""
PIECE_ROWS: Final = 1_000
"""Rows of one field: some ten kilobytes when compressed."""
PIECES_MAX: Final = 200
"""Of one import: two million bytes or so."""

UNDONE: Final = "undo"
"""The journal's operation: why a list that was imported is taken back."""

State = Literal["running", "done", "undoing", "undone"]
Replaced = tuple[str, bytes | None, bytes | None]
"""What a row is about, what was there before and what was there after; None: nothing."""


class ImportRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One import. ``id``: stands behind the reasons of its changes in the journal.

    ``began``, ``ended``: the last entries of the journal before it and when it was through. ``undo_began``: the same of
    its undo. ``set``: rows that had an effect. ``where``: the channel of listings, the
    location that was counted. ``keeps``: whether what it replaced is kept. ``is_first``: there was no stock before it.
    """

    id: str
    kind: str
    file: str
    digest: str
    actor: str
    at_ms: int
    began: str
    state: State = "running"
    ended: str = ""
    undo_began: str = ""
    set: int = 0
    where: str = ""
    keeps: bool = True
    is_first: bool = False


def is_of_import(change: Change, import_id: str) -> bool:
    """Whether a change of the journal is of an import, or of its undo."""
    tag = f" #{import_id}"
    return any(name == "reason" and value.endswith(tag) for name, value in change.notes)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ImportRecord).decode
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Replaced]).decode


class ImportStore:
    """The imports of a partition. Methods raise StoreUnavailableError if the store does not answer."""

    def __init__(self, client: StoreClient, keyspace: Keyspace) -> None:
        self._client = client
        self._keyspace = keyspace

    async def all(self) -> list[ImportRecord]:
        """Read those that are remembered, the newest first."""
        kept = await command(self._client, "HVALS", self._keyspace.imports)
        return sorted(map(_decode, kept), key=lambda each: (each.at_ms, each.id), reverse=True)

    async def now_ms(self) -> int:
        """Read the store's clock."""
        seconds, micros = await command(self._client, "TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    async def journal_end(self) -> str:
        """Read the id of the newest entry of the journal."""
        return (await self.journal_bounds()).last_id

    async def journal_bounds(self) -> Bounds:
        """Read where the journal begins and ends."""
        return await journal.bounds(self._client, self._keyspace)

    async def put(self, record: ImportRecord) -> None:
        """Remember an import, or what became of it."""
        await command(self._client, "HSET", self._keyspace.imports, record.id, _encode(record))

    async def forget(self, imports: Iterable[str]) -> None:
        """Forget imports, and what they have replaced."""
        for each in imports:
            pieces = [f"{each}:{number}" for number in range(PIECES_MAX)]
            keys = self._keyspace
            await together(
                self._client, [("HDEL", keys.imports, each), ("HDEL", keys.imports_before, *pieces)]
            )  # fmt: skip

    async def make_room(self) -> None:
        """Forget what is too old, and what is too much."""
        now_ms, there = await self.now_ms(), await self.all()
        await self.forget(each.id for each in there if each.at_ms < now_ms - KEPT_MS)
        await self.forget(each.id for each in there[KEPT_MAX - 1 :])

    async def changes(self, record: ImportRecord, after: str, until: str | None) -> AsyncIterator[Change]:
        """Go through the changes of an import, or of its undo, in a part of the journal."""
        async for _, changes in journal.read(self._client, self._keyspace, after, until):
            for change in changes:
                if is_of_import(change, record.id):
                    yield change

    async def note_undo(self, record: ImportRecord, actor: str, reason: str) -> None:
        """Write into the journal why a list is taken back: the changes that follow do not say it."""
        notes = [("file", record.file), ("kind", record.kind), ("import", record.id), ("reason", reason)]
        channel = record.where if record.kind == "listings" else ""
        change = Change(UNDONE, await self.now_ms(), actor, channel, "", "", [], notes)
        await command(self._client, "XADD", self._keyspace.journal, "*", "e", _pack([change]))

    async def keep(self, import_id: str, replaced: Sequence[Replaced]) -> bool:
        """Keep what rows replace; False: there are too many of them to be kept."""
        pieces = [replaced[first : first + PIECE_ROWS] for first in range(0, len(replaced), PIECE_ROWS)]
        if len(pieces) > PIECES_MAX:
            return False
        # The first one last: what can be read from it on is whole, wherever a kill stopped this.
        for number, piece in reversed(list(enumerate(pieces))):
            packed = zlib.compress(_pack(piece), 1)
            await command(self._client, "HSET", self._keyspace.imports_before, f"{import_id}:{number}", packed)
        return True

    async def replaced(self, import_id: str) -> Mapping[str, tuple[bytes | None, bytes | None]]:
        """Read what rows have replaced, and what they put in its place."""
        found: dict[str, tuple[bytes | None, bytes | None]] = {}
        for number in range(PIECES_MAX):
            packed = await command(self._client, "HGET", self._keyspace.imports_before, f"{import_id}:{number}")
            if packed is None:
                break
            found |= {name: (before, after) for name, before, after in _unpack(zlib.decompress(packed))}
        return found
