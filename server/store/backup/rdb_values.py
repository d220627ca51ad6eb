"""Reads the pieces of a snapshot (RDB) of Redis or Valkey: lengths, strings, and the compact lists inside values."""

from collections.abc import Iterator
from struct import unpack_from
from typing import Final, Protocol

_INT8, _INT16, _INT32, _LZF = range(4)
_BITS_6: Final = 0x3F
_LEN_32, _LEN_64 = 0x80, 0x81
_LISTPACK_HEAD: Final = 6
"""Four bytes of size, two of the number of elements."""
_LISTPACK_END: Final = 0xFF
_ENDS: Final = (128, 16_383, 2_097_151, 268_435_455)
"""Elements of fewer bytes than these end with a field of one, two, three, four bytes; longer ones with five."""
_WIDE_INTS: Final = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}
_SIZES: Final = {2: "<h", 4: "<i", 8: "<q"}


class SnapshotError(Exception):
    """A snapshot cannot be read; the message says what was found, and what to do."""


class Buffer(Protocol):
    """What a snapshot is read from: bytes, or a file that is mapped into memory."""

    def __getitem__(self, key: slice, /) -> bytes:
        """Return some bytes."""

    def __len__(self) -> int:
        """Return how many there are."""


class Pieces:
    """Reads one piece after the other from a snapshot.

    Raises
    ------
    SnapshotError
        By every method: it ends too early, or has what no release of the store writes.

    """

    def __init__(self, data: Buffer) -> None:
        self._data = data
        self.at = 0

    def raw(self, size: int) -> bytes:
        """Read so many bytes as they are."""
        start = self.at
        self.at = start + size
        found = self._data[start : self.at]
        if len(found) != size:
            raise SnapshotError(
                f"The snapshot ends at byte {len(self._data):,}, in the middle of something. Take it again."
            )
        return found

    def byte(self) -> int:
        """Read one byte as a number."""
        return self.raw(1)[0]

    def length(self) -> int:
        """Read a length."""
        length, special = self._length()
        if special:
            raise SnapshotError(f"The snapshot has no length at byte {self.at:,}. Take it again.")
        return length

    def string(self) -> bytes:
        """Read a string, whichever way it is written."""
        length, special = self._length()
        if not special:
            return self.raw(length)
        if length == _LZF:
            packed, whole = self.length(), self.length()
            return unpacked(self.raw(packed), whole)
        if length > _LZF:
            raise SnapshotError(f"The snapshot has a string of kind {length} at byte {self.at:,}, which is not known.")
        size = {_INT8: 1, _INT16: 2, _INT32: 4}[length]
        return b"%d" % int.from_bytes(self.raw(size), "little", signed=True)

    def double(self) -> float:
        """Read a number as eight bytes."""
        found: float = unpack_from("<d", self.raw(8))[0]
        return found

    def whole(self) -> int:
        """Read a number of eight bytes."""
        return int.from_bytes(self.raw(8), "little", signed=True)

    def _length(self) -> tuple[int, bool]:
        first = self.byte()
        kind = first >> 6
        if kind == 0:
            return first, False
        if kind == 1:
            return (first & _BITS_6) << 8 | self.byte(), False
        if first == _LEN_32:
            return int.from_bytes(self.raw(4), "big"), False
        if first == _LEN_64:
            return int.from_bytes(self.raw(8), "big"), False
        return first & _BITS_6, True


def unpacked(packed: bytes, size: int) -> bytes:
    """Unpack what was compressed with LZF, as the store does with strings of more than 20 bytes."""
    out, at, end = bytearray(), 0, len(packed)
    try:
        while at < end:
            control = packed[at]
            at += 1
            if control < 32:  # so many bytes and one more, as they are  # noqa: PLR2004
                out += packed[at : at + control + 1]
                at += control + 1
                continue
            length = control >> 5
            if length == 7:  # noqa: PLR2004
                length += packed[at]
                at += 1
            start = len(out) - ((control & 0x1F) << 8) - packed[at] - 1
            at += 1
            length += 2
            if start < 0:
                raise IndexError  # noqa: TRY301
            found = out[start : start + length]
            # What is repeated may reach into what it makes.
            out += found if len(found) == length else (found * (length // len(found) + 1))[:length]
    except (IndexError, ZeroDivisionError):
        raise SnapshotError("The snapshot has a compressed string that cannot be read. Take it again.") from None
    if len(out) != size:
        raise SnapshotError("The snapshot has a compressed string of another length than it says. Take it again.")
    return bytes(out)


def listpack(data: bytes) -> Iterator[bytes]:
    """Read the elements of a compact list; a number comes as its digits."""
    at = _LISTPACK_HEAD
    try:
        while (first := data[at]) != _LISTPACK_END:
            start = at
            if first < 0x80:  # noqa: PLR2004
                at += 1
                yield b"%d" % first
            elif first < 0xC0:  # noqa: PLR2004
                at += 1 + (first & _BITS_6)
                yield data[start + 1 : at]
            elif first < 0xE0:  # noqa: PLR2004
                number = (first & 0x1F) << 8 | data[at + 1]
                at += 2
                yield b"%d" % (number - 0x2000 if number & 0x1000 else number)
            elif first < 0xF0:  # noqa: PLR2004
                at += 2 + ((first & 0x0F) << 8 | data[at + 1])
                yield data[start + 2 : at]
            elif first == 0xF0:  # noqa: PLR2004
                at += 5 + int.from_bytes(data[at + 1 : at + 5], "little")
                yield data[start + 5 : at]
            else:
                size = _WIDE_INTS[first]
                at += 1 + size
                yield b"%d" % int.from_bytes(data[start + 1 : at], "little", signed=True)
            at += 1 + sum(at - start >= end for end in _ENDS)
    except (IndexError, KeyError):
        raise SnapshotError("The snapshot has a compact list that cannot be read. Take it again.") from None


def intset(data: bytes) -> Iterator[bytes]:
    """Read the numbers of a compact set, as their digits."""
    size, count = unpack_from("<II", data)
    if size not in _SIZES or len(data) != 8 + size * count:
        raise SnapshotError("The snapshot has a set of numbers that cannot be read. Take it again.")
    for at in range(8, len(data), size):
        yield b"%d" % unpack_from(_SIZES[size], data, at)[0]
