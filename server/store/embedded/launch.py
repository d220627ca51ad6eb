"""Starts the store process in its own session, with the lock that shows that it is alive."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from server.store.connection.clients import Durability
from server.store.embedded import config
from server.store.embedded.files import DataDirectory, FileLock
from server.store.embedded.private_files import FILE_MODE, private_file
from server.store.embedded.process import StoreProcess
from server.store.errors import StoreStartError

_TRUNCATED: Final = "!!! Truncating the AOF"
_UMASK: Final = 0o077
"""Other users of a shared machine must not read stock and orders."""
_PATTERN: Final = re.compile(r"[*?\[]")
_SPECIAL: Final = re.compile(r"[*?\[\\]")
_TO_LOG: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


def launch(
    directory: DataDirectory, command: Sequence[str | Path], durability: Durability, hold: FileLock
) -> tuple[StoreProcess, int]:
    """Start a store that inherits ``hold``, which is closed here; returns it and where its part of the log begins.

    ``command``: the program, and what stands before it.
    Not a coroutine and not for a thread: a cancellation in the middle would leave an unknown store process.

    Raises
    ------
    DataDirectoryError
        The configuration cannot be written, or the folder for the socket is not safe.
    StoreStartError
        The program cannot be run.

    """
    try:
        directory.ready_socket_folder()
        directory.rotate_log()
        offset = directory.log_bytes()
        with private_file(directory.config) as file:
            file.write(config.render(directory, durability))
        return _run(directory, command, hold), offset
    except OSError as error:
        raise directory.unusable(error) from error
    finally:
        hold.close()


def _run(directory: DataDirectory, command: Sequence[str | Path], hold: FileLock) -> StoreProcess:
    # Its output before it has read where to log.
    with os.fdopen(os.open(directory.log, _TO_LOG, FILE_MODE), "ab") as log:
        try:
            child = subprocess.Popen(  # noqa: S603  # the program that was just found and asked for its version
                [*command, _no_pattern(os.fspath(directory.config))],
                cwd=directory.path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(hold.descriptor,),
                # Ctrl-C in a terminal goes to the whole session: the store must live until the last answers.
                start_new_session=True,
                umask=_UMASK,
            )
        except OSError as error:
            raise StoreStartError(f"{command[-1]} could not be started in {directory.path}: {error}.") from error
    return StoreProcess(child.pid, child)


def _no_pattern(path: str) -> str:
    """Write a path so that the store finds this very file.

    It reads a path with ``*``, ``?`` or ``[`` as a pattern. Where that finds nothing it would start without a
    configuration, open to the network.
    """
    return _SPECIAL.sub(r"\\\g<0>", path) if _PATTERN.search(path) else path


def truncated_tail(log: str) -> bool:
    """Whether a start cut a half-written tail off the append-only file."""
    return _TRUNCATED in log
