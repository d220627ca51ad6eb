"""Repairs a damaged append-only file: keeps a copy, cuts off the unreadable end, and returns how much that was."""

import asyncio
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from server.store.embedded.binary import ProgramChoice, StoreBinary, find_binary
from server.store.embedded.files import DataDirectory
from server.store.embedded.probe import listening
from server.store.errors import DataDirectoryError, DataDirectoryInUseError, StoreDataDamagedError, StoreStartError

_BASE: Final = "b"
_INCREMENT: Final = "i"
_MANIFEST_WORDS_MIN: Final = 6


async def repair(data_dir: Path, *, server_program: Path | None = None, program: ProgramChoice | None = None) -> str:
    """Repair the append-only file of an embedded store that refuses to load it; return what was done.

    ``server_program`` is the Valkey or Redis server to check with; None finds one as the embedded store does, by
    ``program``.
    Only the end of the newest file can be cut: everything before it stays exactly as it was acknowledged.
    The directory as it was found is kept beside it.

    Raises
    ------
    DataDirectoryInUseError
        A Holdfast or a store is running on it.
    DataDirectoryError
        There is no append-only file, or no room for the copy.
    StoreDataDamagedError
        The damage lies where cutting would lose what came after it; a backup is needed.
    StoreBinaryMissingError
        The tool that does it comes with the server, and there is none.
    StoreBinaryUnknownError
        The server has another hash than it must have.

    """
    return await asyncio.to_thread(_repair, DataDirectory(data_dir), server_program, program)


def _repair(directory: DataDirectory, server_program: Path | None, program: ProgramChoice | None) -> str:
    if not directory.append_only.is_dir():
        raise DataDirectoryError(f"There is no append-only file in {directory.path}. Check --data-dir.")
    lock = directory.own()
    try:
        store_lock = directory.try_hold()
        try:
            if store_lock is None or listening(directory.socket):
                raise _store_lives(directory)
            return _mend(directory, find_binary(server_program, program))
        finally:
            if store_lock is not None:
                store_lock.close()
    finally:
        lock.close()


def _store_lives(directory: DataDirectory) -> DataDirectoryInUseError:
    pid = directory.store_pid()
    return DataDirectoryInUseError(
        f"A store is running on {directory.path}{f' (process {pid})' if pid else ''}: so its data can be loaded. "
        "Start Holdfast, which takes it over, or end it first with SIGTERM.",
        pid,
    )


def _mend(directory: DataDirectory, binary: StoreBinary) -> str:
    files = _parts(directory)
    for kind, file in files:
        _check_kept_part(directory, binary, kind, file, newest=file == files[-1][1])
    newest = files[-1][1]
    if files[-1][0] == _BASE or _is_sound(binary, newest):
        return f"The append-only file in {directory.append_only} is not damaged. Nothing was changed."
    kept = _keep_copy(directory)
    before = newest.stat().st_size
    answer = _run(binary, "check-aof", "--fix", str(newest))
    if answer.returncode or not _is_sound(binary, newest):
        raise StoreDataDamagedError(
            f"{newest} could not be repaired: {answer.stdout.strip()[-300:]}\nThe directory as it was is in {kept}. "
            "Restore a backup."
        )
    after = newest.stat().st_size
    return (
        f"Cut {before - after} of {before} bytes off {newest.name}: what was written after the damage is gone. "
        f"The directory as it was is in {kept}. Start Holdfast and run: holdfast verify"
    )


def _parts(directory: DataDirectory) -> list[tuple[str, Path]]:
    """Read the list of files, oldest first, as (kind, path); files that only wait to be removed are left out."""
    parts = []
    try:
        lines = directory.manifest.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable_manifest(directory) from error
    for line in lines:
        words = line.split()  # file NAME seq NUMBER type KIND
        if len(words) < _MANIFEST_WORDS_MIN or words[0] != "file":
            raise _unreadable_manifest(directory)
        if words[5] in (_BASE, _INCREMENT):
            parts.append((words[5], directory.append_only / words[1]))
    if not parts:
        raise _unreadable_manifest(directory)
    return parts


def _unreadable_manifest(directory: DataDirectory) -> StoreDataDamagedError:
    return StoreDataDamagedError(
        f"{directory.manifest} cannot be read, so it is not known which files belong together. "
        f"Restore a backup of {directory.append_only} as a whole."
    )


def _check_kept_part(directory: DataDirectory, binary: StoreBinary, kind: str, file: Path, *, newest: bool) -> None:
    """Refuse when a part is damaged that has newer changes after it: they would not fit any more."""
    if not file.is_file():
        raise StoreDataDamagedError(f"{file} is missing. Restore a backup of {directory.append_only} as a whole.")
    if newest and kind == _INCREMENT:
        return
    if not _is_sound(binary, file):
        raise StoreDataDamagedError(
            f"{file} is damaged, and the newer files build on it: cutting it would lose sales in the middle. "
            f"Restore a backup of {directory.append_only} as a whole. Nothing was changed."
        )


def _is_sound(binary: StoreBinary, file: Path) -> bool:
    # File by file and never by the manifest: check-aof of Valkey 9.1 takes its own RDB base for a broken AOF,
    # and given a manifest that it cannot read it offers to cut the manifest itself.
    tool = "check-rdb" if file.suffix == ".rdb" else "check-aof"
    return _run(binary, tool, str(file)).returncode == 0


def _run(binary: StoreBinary, tool: str, *words: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(  # noqa: S603  # the server's own program, which looks at the name it is called by
            [binary.tool(tool), *words],
            executable=binary.path,
            input="y\n",
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise StoreStartError(f"{binary.path} could not be run as {binary.tool(tool)}: {error}.") from error


def _keep_copy(directory: DataDirectory) -> Path:
    kept = directory.path / f"appendonlydir.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    try:
        shutil.copytree(directory.append_only, kept)
    except (OSError, shutil.Error) as error:
        shutil.rmtree(kept, ignore_errors=True)
        raise DataDirectoryError(
            f"There is no room to keep a copy of {directory.append_only} ({error}). Free some space; nothing changed."
        ) from error
    return kept
