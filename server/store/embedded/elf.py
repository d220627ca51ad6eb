"""Which loader a Linux program needs: without it the system says only "No such file", of a file that is there."""

import struct
from pathlib import Path
from typing import Final

_MAGIC: Final = b"\x7fELF\x02\x01"
"""64 bits, little-endian: all that the wheels are built for."""
_HEADER_BYTES: Final = 64
_INTERPRETER: Final = 3
_MUSL_LOADERS: Final = "ld-musl-*.so.1"


def loader_of(program: Path) -> Path | None:
    """Return the loader that a program names; None: it is no such program, or needs none."""
    try:
        with program.open("rb") as file:
            head = file.read(_HEADER_BYTES)
            if not head.startswith(_MAGIC) or len(head) < _HEADER_BYTES:
                return None
            (table,) = struct.unpack_from("<Q", head, 32)
            size, count = struct.unpack_from("<HH", head, 54)
            for number in range(count):
                file.seek(table + number * size)
                kind, _, at, _, _, length = struct.unpack_from("<IIQQQQ", file.read(size))
                if kind == _INTERPRETER:
                    file.seek(at)
                    return Path(file.read(length).rstrip(b"\0").decode("utf-8", "replace"))
    except (OSError, struct.error):
        return None
    return None


def has_musl(libraries: Path = Path("/lib")) -> bool:
    """Whether this system has musl for its C library, as Alpine has."""
    return any(libraries.glob(_MUSL_LOADERS))
