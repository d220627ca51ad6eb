"""Explains from the end of its log why the store did not start."""

import re
from collections.abc import Callable
from typing import Final

from server.store.embedded.files import DataDirectory
from server.store.errors import DataDirectoryError, StoreDataDamagedError, StoreError, StoreStartError

_FREE_BYTES_MIN: Final = 1024 * 1024
"""With less than this the store cannot even log that the disk is full."""
_VALKEY_BASE: Final = b"VALKEY"
"""How a base begins that Valkey 9 wrote; it knows such a base at once, so only another server complains of it."""
_PREFIX = re.compile(r"^\d+:\S+ (?:\d+ \w+ \d+ [\d:.]+ |\([^)]*\) )?[*#.-]? ?")


def explain(directory: DataDirectory, log: str, how_it_ended: str) -> StoreError:
    """Make the error, with the reason and what to do next."""
    for pattern, make in _REASONS:
        match = re.search(pattern, log)
        if match:
            return make(directory, match)
    if directory.free_bytes() < _FREE_BYTES_MIN:
        return directory.full()
    last = f' Its last line: "{last_line(log)}".' if last_line(log) else ""
    return StoreStartError(f"The store {how_it_ended} before it was ready.{last} Read {directory.log}.")


def last_line(log: str) -> str:
    """Return the last logged line, without its time stamp."""
    lines = [line for line in log.splitlines() if line.strip()]
    return _PREFIX.sub("", lines[-1]).strip() if lines else ""


def _damaged(directory: DataDirectory, match: re.Match[str]) -> StoreError:
    return StoreDataDamagedError(
        f"The append-only file in {directory.append_only} is damaged and the store refuses to load it "
        f'("{match[0].strip()}"). Run: holdfast repair --data-dir {directory.path}\n'
        "It keeps a copy, cuts the damaged end off, and prints how much that was. If you have a backup, compare first."
    )


def _damaged_base(directory: DataDirectory, match: re.Match[str]) -> StoreError:
    return StoreDataDamagedError(
        f'The base of the append-only file in {directory.append_only} is damaged ("{match[0].strip()}"); nothing can '
        f"repair that. Move {directory.append_only} aside, put your latest backup of it in its place, and start again."
    )


def _foreign_base(directory: DataDirectory, match: re.Match[str]) -> StoreError:
    """Recognise a base that Redis cannot read because Valkey 9 wrote it."""
    try:
        with (directory.append_only / match["base"]).open("rb") as base:
            foreign = base.read(len(_VALKEY_BASE)) == _VALKEY_BASE
    except OSError:
        foreign = False
    return _newer(directory, match) if foreign else _damaged_base(directory, match)


def _incomplete(directory: DataDirectory, match: re.Match[str]) -> StoreError:
    return StoreDataDamagedError(
        f'A part of the append-only file is missing or its list cannot be read ("{match[0].strip()}"). Put your latest '
        f"backup of {directory.append_only} in its place as a whole, and start again."
    )


def _newer(directory: DataDirectory, match: re.Match[str]) -> StoreError:
    return StoreStartError(
        f"The data in {directory.path} was written by another or newer server than the one installed here "
        f'("{match[0].strip()}"). Install that server again, or a newer one: pip install -U "holdfast[embedded]".'
    )


def _full(directory: DataDirectory, _match: re.Match[str]) -> StoreError:
    return directory.full()


def _forbidden(directory: DataDirectory, match: re.Match[str]) -> StoreError:
    return DataDirectoryError(
        f'The store may not use its files in {directory.path} ("{match[0].strip()}"). '
        f"Make the user that runs Holdfast their owner: chown -R USER {directory.path}"
    )


def _socket(directory: DataDirectory, match: re.Match[str]) -> StoreError:
    return StoreStartError(
        f'The store cannot open its socket {directory.socket} ("{match[0].strip()}"). The directory must be on a '
        "file system that has sockets; choose a --data-dir on a local disk."
    )


def _config(directory: DataDirectory, match: re.Match[str]) -> StoreError:
    return StoreStartError(
        f"The installed server refuses a setting in {directory.config}: {match[1].strip()}. "
        "Holdfast knows Redis 7.0 to 8 and Valkey 8 to 9: install one of them."
    )


def _memory(_directory: DataDirectory, match: re.Match[str]) -> StoreError:
    return StoreStartError(
        f'The store could not get enough memory to load its data ("{match[0].strip()}"). '
        "Add memory to the machine or the container, and start again; nothing is lost."
    )


_REASONS: Final[list[tuple[str, Callable[[DataDirectory, re.Match[str]], StoreError]]]] = [
    (r"Can't handle (?:foreign )?RDB format version \d+", _newer),
    (
        r"(?:Bad file format|Unexpected end of file) reading the append only file (?P<base>\S+\.base\.[^\s:]*)",
        _foreign_base,
    ),
    (
        r"Wrong RDB checksum|Internal error in RDB.*|Error reading the RDB .*|Short read or OOM loading DB.*",
        _damaged_base,
    ),
    (r"(?:Bad file format|Unexpected end of file) reading the append only file [^\s:]*", _damaged),
    (r"Unrecoverable error reading the append only file.*", _damaged),
    (
        r"Invalid AOF manifest.*|Found an empty AOF manifest.*|Unable to obtain the AOF.*|The AOF .* doesn't exist",
        _incomplete,
    ),
    (r"No space left on device|Disk quota exceeded", _full),
    (r"FATAL CONFIG FILE ERROR[^\n]*\n(?:Reading[^\n]*\n)?>>> '(?P<line>[^\n]*)'", _config),
    (r"Failed opening Unix socket.*", _socket),
    (r"[^\n]*(?:Permission denied|Operation not permitted|Read-only file system)", _forbidden),
    (r"Cannot allocate memory|Out Of Memory allocating.*", _memory),
]
"""Tried in this order: the first ones name a cause, the later ones its consequences."""
