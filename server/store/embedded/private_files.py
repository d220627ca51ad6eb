"""Files and directories that only this user can read, whatever was there before."""

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

FILE_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700
_OTHERS: Final = 0o077


@contextlib.contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to write it anew: it appears at the end, as a file of this user's alone, or not at all.

    A file that was there is replaced, so neither its mode nor a reader who has it open matters. A pipe or a device is
    written as it is. A symbolic link to a file is refused: somebody else may have laid it.

    Raises
    ------
    OSError
        It cannot be written; nothing of what was there has changed.

    """
    if _is_written_directly(path):
        with path.open("wb") as direct:
            yield direct
        return
    descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name[:40]}-")  # it makes it 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _is_written_directly(path: Path) -> bool:
    """Whether a path is a pipe or device, such as /dev/stdout."""
    try:
        there = path.stat()
    except FileNotFoundError:
        there = None
    if there is not None and not stat.S_ISREG(there.st_mode):
        if stat.S_ISDIR(there.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        return True
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link; name the file itself", str(path))
    return False


def tighten(path: Path) -> None:
    """Take a file's or directory's rights from other users, if it is this user's; a symbolic link is left alone."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISREG(found.st_mode):
        mode = FILE_MODE
    elif stat.S_ISDIR(found.st_mode):
        mode = DIRECTORY_MODE
    else:
        return
    if found.st_uid != os.getuid() or not found.st_mode & _OTHERS:
        return
    # By the open file, not by its name, which may have become another's since it was looked at.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)
