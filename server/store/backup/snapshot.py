"""Reads a snapshot (RDB) as Redis 7 and 8 and Valkey send it to a replica: each key of ours as records.

The formats of versions 9 to 12 are known, in which these write all types that have no modules. Consumer groups of
streams and times of single fields are not: nothing of ours has any.
"""

from collections.abc import Iterator
from struct import error as StructError  # noqa: N812  # it is a class
from typing import Final, NamedTuple

from server.store.backup.key_records import ITEMS_MAX, Record, Type
from server.store.backup.rdb_values import Buffer, Pieces, SnapshotError, intset, listpack

OURS: Final = b"hf:"
"""How our keys begin: a store of its own may hold others', too."""
_MAGICS: Final = (b"REDIS", b"VALKEY")
_HEAD_BYTES: Final = 9
_AUX, _SELECT, _RESIZE, _EXPIRES_MS, _EXPIRES_S = 0xFA, 0xFE, 0xFB, 0xFC, 0xFD
_FREQUENCY, _IDLE, _FUNCTION, _SLOT, _END = 0xF9, 0xF8, 0xF5, 0xF4, 0xFF
_SUM_BYTES: Final = 8
_STRING, _LIST, _SET, _HASH, _ZSET = 0, 1, 2, 4, 5
_INTSET, _HASH_PACKED, _ZSET_PACKED, _QUICKLIST, _SET_PACKED = 11, 16, 17, 18, 20
_STREAMS: Final = (15, 19, 21)
_FIRST_WITH_ENDS: Final = 19
_PLAIN: Final = 1
_DELETED, _SAME_FIELDS = 1, 2


class Key(NamedTuple):
    """A key before its value is read."""

    name: bytes
    expires_ms: int


class Snapshot:
    """A snapshot of one server. ``taken_s``: the moment, seconds since 1970, known once the first record was read.

    ``said``: what the server says of itself at the beginning.
    """

    def __init__(self, data: Buffer, database: int) -> None:
        self.said: dict[str, str] = {}
        self._pieces = Pieces(data)
        self._size = len(data)
        self._database = database

    @property
    def taken_s(self) -> int:
        """The moment of it."""
        return int(self.said.get("ctime", "0"))

    @property
    def read_bytes(self) -> int:
        """How much of it was read."""
        return self._pieces.at

    def records(self) -> Iterator[Record]:
        """Read the records of our keys.

        Raises
        ------
        SnapshotError
            It is damaged, or has something that no release of the store writes for keys of ours.

        """
        try:
            yield from self._records()
        except (ValueError, IndexError, StructError) as error:
            raise SnapshotError(
                f"The snapshot cannot be read at byte {self._pieces.at:,} ({error}). Take it again."
            ) from None

    def _records(self) -> Iterator[Record]:
        pieces = self._pieces
        head = pieces.raw(_HEAD_BYTES)
        if not head.startswith(_MAGICS):
            raise SnapshotError("What the store sends is no snapshot. Check that it is Redis 7.0 or newer, or Valkey.")
        database = expires_ms = 0
        while (code := pieces.byte()) != _END:
            if code == _SELECT:
                database = pieces.length()
            elif code == _EXPIRES_MS:
                expires_ms = pieces.whole()
            elif code == _EXPIRES_S:
                expires_ms = int.from_bytes(pieces.raw(4), "little") * 1000
            elif not self._is_remark(code):
                key, expires_ms = Key(pieces.string(), expires_ms), 0
                is_ours = database == self._database and key.name.startswith(OURS)
                yield from (record for record in self._value(code, key) if is_ours)
        if pieces.at + _SUM_BYTES != self._size:
            raise SnapshotError("The snapshot does not end where it says. Take it again.")

    def _is_remark(self, code: int) -> bool:
        """Read past what says something of the keys that come, and nothing of what they hold."""
        pieces = self._pieces
        if code == _AUX:
            name, value = pieces.string(), pieces.string()
            self.said[name.decode("ascii", "replace")] = value.decode("utf-8", "replace")
        elif code in (_RESIZE, _SLOT):
            for _ in range(2 if code == _RESIZE else 3):
                pieces.length()
        elif code == _IDLE:
            pieces.length()
        elif code == _FREQUENCY:
            pieces.byte()
        elif code == _FUNCTION:
            pieces.string()
        else:
            return False
        return True

    def _value(self, code: int, key: Key) -> Iterator[Record]:
        pieces = self._pieces
        if code == _STRING:
            yield Record(key.name, "string", key.expires_ms, [pieces.string()])
        elif code in _STREAMS:
            yield from self._stream(code, key)
        elif code == _QUICKLIST:
            yield from _gathered(key, "list", self._quicklist())
        elif code in (_LIST, _SET):
            yield from _gathered(key, "list" if code == _LIST else "set", self._strings(pieces.length()))
        elif code == _HASH:
            yield from _gathered(key, "hash", self._strings(2 * pieces.length()))
        elif code == _ZSET:
            yield from _gathered(key, "zset", self._scored(pieces.length()))
        elif code == _INTSET:
            yield from _gathered(key, "set", intset(pieces.string()))
        elif code in _PACKED:
            yield from _gathered(key, _PACKED[code], listpack(pieces.string()))
        else:
            raise SnapshotError(
                f"The key {key.name!r} has a value of kind {code}, which cannot be read. If it is not Holdfast's, give"
                " Holdfast a store of its own; if it is, tell us which store that is."
            )

    def _strings(self, count: int) -> Iterator[bytes]:
        string = self._pieces.string
        for _ in range(count):
            yield string()

    def _scored(self, count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield self._pieces.string()
            yield repr(self._pieces.double()).encode()

    def _quicklist(self) -> Iterator[bytes]:
        for _ in range(self._pieces.length()):
            if self._pieces.length() == _PLAIN:
                yield self._pieces.string()
            else:
                yield from listpack(self._pieces.string())

    def _stream(self, code: int, key: Key) -> Iterator[Record]:
        pieces = self._pieces
        for _ in range(pieces.length()):
            master = pieces.string()
            first = int.from_bytes(master[:8], "big"), int.from_bytes(master[8:], "big")
            for entry in _entries(first, list(listpack(pieces.string()))):
                yield Record(key.name, "stream", key.expires_ms, entry)
        entries, last = pieces.length(), self._id()
        added, deleted = entries, b"0-0"
        if code >= _FIRST_WITH_ENDS:
            self._id()
            deleted, added = self._id(), pieces.length()
        if pieces.length():
            raise SnapshotError(f"The stream {key.name!r} has consumer groups; nothing of Holdfast's has any.")
        yield Record(key.name, "stream_end", key.expires_ms, [last, b"%d" % added, deleted])

    def _id(self) -> bytes:
        return b"%d-%d" % (self._pieces.length(), self._pieces.length())


_PACKED: Final[dict[int, Type]] = {_HASH_PACKED: "hash", _ZSET_PACKED: "zset", _SET_PACKED: "set"}


def _gathered(key: Key, kind: Type, items: Iterator[bytes]) -> Iterator[Record]:
    gathered: list[bytes] = []
    for item in items:
        gathered.append(item)
        if len(gathered) >= ITEMS_MAX:
            yield Record(key.name, kind, key.expires_ms, gathered)
            gathered = []
    if gathered:
        yield Record(key.name, kind, key.expires_ms, gathered)


def _entries(first: tuple[int, int], items: list[bytes]) -> Iterator[list[bytes]]:
    """Read the entries of one node of a stream: the fields of the first one stand before all others."""
    field_count = _count(items[2])
    fields, at = items[3 : 3 + field_count], 4 + field_count
    while at < len(items):
        flags = int(items[at])
        entry_id = b"%d-%d" % (first[0] + int(items[at + 1]), first[1] + int(items[at + 2]))
        at += 3
        if flags & _SAME_FIELDS:
            values = items[at : at + field_count]
            pairs = [each for pair in zip(fields, values, strict=True) for each in pair]
            at += field_count
        else:
            count = 2 * _count(items[at])
            pairs = items[at + 1 : at + 1 + count]
            at += 1 + count
        at += 1  # how many elements the entry has, for who reads backwards
        if not flags & _DELETED:
            yield [entry_id, *pairs]


def _count(digits: bytes) -> int:
    count = int(digits)
    if count < 0:
        raise SnapshotError("The snapshot has an entry of a stream that cannot be read. Take it again.")
    return count
