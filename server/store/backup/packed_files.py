"""The files of a backup: gzip over values in MessagePack, each behind its length in four bytes, big end first."""

import gzip
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, TypeVar
from zlib import error as ZlibError  # noqa: N812  # it is a class

import msgspec

T = TypeVar("T")

FILE_MODE: Final = 0o600
_HEAD_BYTES: Final = 4
_VALUE_BYTES_MAX: Final = 256 * 1024 * 1024
"""A label of an order has eight megabytes at most, a value of the store some more; a length beyond this is damage."""
_PIECE_BYTES: Final = 1024 * 1024
_LEVEL: Final = 1
"""Most is packed already: more effort than the least gains little."""


class DamagedBackupError(Exception):
    """A file of a backup cannot be read as what it says it is; the message says which, and what to do."""


class Written(msgspec.Struct, frozen=True):
    """A file of a backup: its name, its size, how many values it has, and the SHA-256 of all its bytes."""

    name: str
    bytes: int
    values: int
    sha256: str


class _Summed:
    """A file for its user only; what is written to it is summed up."""

    def __init__(self, path: Path) -> None:
        self._file = made_private(path)
        self.sum = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self.sum.update(data)
        self.bytes += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()


def made_private(path: Path) -> BinaryIO:
    """Make a file that only its user can read; it must not be there yet."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE), "wb")


class PackedWriter:
    """Writes a file that is not there yet."""

    def __init__(self, path: Path) -> None:
        self.values = 0
        self._name = path.name
        self._summed = _Summed(path)
        self._zipped = gzip.GzipFile("", "wb", _LEVEL, self._summed, 0)
        self._encode = msgspec.msgpack.Encoder().encode

    def put(self, value: object) -> None:
        """Write a value."""
        packed = self._encode(value)
        self._zipped.write(len(packed).to_bytes(_HEAD_BYTES, "big") + packed)
        self.values += 1

    def close(self) -> Written:
        """Have it on the disk, and return what it is."""
        self._zipped.close()
        self._summed.close()
        return Written(self._name, self._summed.bytes, self.values, self._summed.sum.hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close it, where that was not done."""
        self._zipped.close()
        self._summed.close()


def packed_values(file: BinaryIO, wanted: type[T]) -> Iterator[T]:
    """Read the values of such a file.

    Raises
    ------
    DamagedBackupError
        It is no such file, or ends too early.

    """
    decode = msgspec.msgpack.Decoder(wanted).decode
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as unzipped:
            while head := unzipped.read(_HEAD_BYTES):
                size = int.from_bytes(head, "big")
                packed = unzipped.read(size) if size <= _VALUE_BYTES_MAX else b""
                if len(head) < _HEAD_BYTES or len(packed) != size:
                    raise DamagedBackupError("A file of the backup ends in the middle of a value. Use another backup.")
                yield decode(packed)
    except (OSError, EOFError, ZlibError, msgspec.MsgspecError) as error:
        raise DamagedBackupError(f"A file of the backup cannot be read ({error}). Use another backup.") from None


def sum_of(file: BinaryIO) -> str:
    """Return the SHA-256 of a file, from its beginning."""
    summed: Any = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_PIECE_BYTES):
        summed.update(piece)
    return str(summed.hexdigest())
