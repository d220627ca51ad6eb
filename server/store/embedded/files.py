"""The data directory: what lies where in it, who owns it, and whether it can be written.

Two locks keep two servers off one directory, because two of them write interleaved into one AOF and neither notices:

``holdfast.lock``
    held by the Holdfast process for its life. A second Holdfast is refused at once.
``store.lock``
    held by the *store* process. We take it, hand the open file to the store as an inherited descriptor and
    close our own; from then on the kernel frees it exactly when the store (and a child of it that rewrites
    the AOF) is gone, however it died. So an orphan left by a killed Holdfast is noticed even while it does
    not answer, and neither a stale pid file nor a pid that was given to another process can mislead us.
    A process must hold both to start a store.

The files themselves are never removed: a lock on a removed file excludes no process. Locks of this kind do not
reach over NFS; the directory belongs on a local disk, as any AOF does.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

import structlog

from server.store.embedded.private_files import DIRECTORY_MODE, FILE_MODE, tighten
from server.store.errors import DataDirectoryError, DataDirectoryInUseError

log = structlog.get_logger("holdfast.store")

SOCKET_PATH_BYTES_MAX: Final = 100
"""The kernel takes 107 bytes on Linux and 103 on macOS."""
_PROBE_BYTES: Final = 64 * 1024
_LOG_BYTES_MAX: Final = 8 * 1024 * 1024
_PROBE: Final = ".probe-"
_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT)
_NO_PERMISSION: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_DIRECTORY: Final = (errno.ENOTDIR, errno.EEXIST)


class FileLock:
    """An exclusive lock on a file, freed when every process that has it open is gone or has closed it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def try_take(cls, path: Path) -> "FileLock | None":
        """Take the lock; None while another process holds it."""
        # A link that somebody laid must not lead the lock, and the number in it, into another file.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def write(self, text: str) -> None:
        """Write a text into the file for processes that find it locked."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, text.encode(), 0)

    def close(self) -> None:
        """Close our end; a process that inherited the lock keeps it. Closing twice is harmless."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class DataDirectory:
    """Names of the files in a data directory. Making one touches nothing."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))
        self.lock = self.path / "holdfast.lock"
        self.store_lock = self.path / "store.lock"
        self.config = self.path / "store.conf"
        self.log = self.path / "store.log"
        self.pid = self.path / "store.pid"
        self.append_only = self.path / "appendonlydir"
        self.manifest = self.append_only / "appendonly.aof.manifest"
        self.documents = self.path / "documents.sqlite3"  # of orders, with its log and the log's index beside it
        self.socket = self._socket_path()

    def _socket_path(self) -> Path:
        inside = self.path / "store.sock"
        if len(os.fsencode(inside)) <= SOCKET_PATH_BYTES_MAX:
            return inside
        # Named by the real directory, so that the next Holdfast finds a store that is still alive.
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"holdfast-{os.getuid()}"
        if len(os.fsencode(folder / f"{name}.sock")) > SOCKET_PATH_BYTES_MAX:
            folder = Path(f"/tmp/holdfast-{os.getuid()}")  # noqa: S108  # owner and mode are checked before use
        return folder / f"{name}.sock"

    def own(self) -> FileLock:
        """Make the directory if need be, become its one Holdfast, and see that it can be written.

        Raises
        ------
        DataDirectoryInUseError
            Another live Holdfast owns it.
        DataDirectoryError
            It is not a directory, cannot be written, or its disk is full.

        """
        try:
            self.path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            lock = FileLock.try_take(self.lock)
            if lock is None:
                raise self._in_use()
            try:
                lock.write(f"{os.getpid()}\n")
                self.tighten()
                self.check_writable()
            except BaseException:
                lock.close()
                raise
        except OSError as error:
            raise self.unusable(error) from error
        return lock

    def tighten(self) -> None:
        """Take the rights of other users from all that is ours here, whatever was there before.

        The directory itself is left as it is where it holds others' files as well, such as a home or /tmp.
        """
        entries = list(self.path.iterdir())
        ours = [each for each in entries if each.name in self._names or each.name.startswith(_PROBE)]
        if len(ours) == len(entries):
            tighten(self.path)
        else:
            log.warning("data_directory_shared", directory=str(self.path), advice="give the store one of its own")
        for each in (*ours, *(self.append_only.iterdir() if self.append_only.is_dir() else ())):
            tighten(each)

    @property
    def _names(self) -> frozenset[str]:
        files = (
            self.lock,
            self.store_lock,
            self.config,
            self.log,
            self.pid,
            self.append_only,
            self.path / "store.sock",
        )
        documents = {f"{self.documents.name}{suffix}" for suffix in ("", "-wal", "-shm", "-journal")}
        return frozenset({*(each.name for each in files), *documents, f"{self.log.name}.1", "lost+found"})

    def try_hold(self) -> FileLock | None:
        """Take the store's lock; None while a store process (or its AOF rewrite) is alive.

        Raises
        ------
        DataDirectoryError
            The lock's file cannot be opened.

        """
        try:
            return FileLock.try_take(self.store_lock)
        except OSError as error:
            raise self.unusable(error) from error

    def check_writable(self) -> None:
        """Write, flush and remove a small file.

        Raises
        ------
        DataDirectoryError
            That failed; the message has the reason.

        """
        probe = self.path / f"{_PROBE}{os.getpid()}"
        try:
            with probe.open("wb") as file:
                file.write(b"\0" * _PROBE_BYTES)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self.unusable(error) from error
        finally:
            with contextlib.suppress(OSError):
                probe.unlink()

    def ready_socket_folder(self) -> None:
        """Check that no other user can reach or replace the socket.

        Raises
        ------
        DataDirectoryError
            The short folder for sockets is another user's, or open to others.

        """
        folder = self.socket.parent
        if folder == self.path:
            return
        try:
            folder.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            found = folder.lstat()
        except OSError as error:
            raise self.unusable(error) from error
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise DataDirectoryError(
                f"The path of {self.path} is too long for a socket, and {folder}, where it would go instead, is not "
                "a directory that only this user can enter. Remove it, or choose a shorter --data-dir."
            )

    def rotate_log(self) -> None:
        """Keep the store's log from growing for ever: one older file is kept."""
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".log.1"))

    def log_since(self, offset: int, bytes_max: int = 16_384) -> str:
        """Read the end of what the store logged after ``offset``."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(offset, self.log_bytes() - bytes_max))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def log_bytes(self) -> int:
        """Size of the store's log now."""
        return self.log.stat().st_size if self.log.exists() else 0

    def store_pid(self) -> int:
        """Read the pid that the store left; 0 where there is none. For messages only: it may be stale."""
        try:
            return int(self.pid.read_text("ascii"))
        except (OSError, ValueError):
            return 0

    def free_bytes(self) -> int:
        """Space that this user can still take on the directory's disk."""
        free = os.statvfs(self.path)
        return free.f_bavail * free.f_frsize

    def _in_use(self) -> DataDirectoryInUseError:
        try:
            pid = int(self.lock.read_text("ascii"))
        except (OSError, ValueError):
            pid = 0  # it has taken the lock and not yet written its pid
        who = f"process {pid}" if pid else "another process"
        return DataDirectoryInUseError(
            f"The data directory {self.path} is in use by a running Holdfast ({who}). Stop that one first, "
            "or choose another directory for this one with --data-dir.",
            pid,
        )

    def unusable(self, error: OSError) -> DataDirectoryError:
        """Make the error for a file in this directory from that of the operating system."""
        if error.errno in _NO_SPACE:
            return self.full()
        if error.errno in _NO_PERMISSION:
            return DataDirectoryError(
                f"The data directory {self.path} cannot be written by user {os.getuid()} ({error.strerror}). "
                "Make this user its owner (chown), or choose another with --data-dir."
            )
        if error.errno in _NO_DIRECTORY:
            return DataDirectoryError(f"{self.path} is not a directory. Choose another one with --data-dir.")
        return DataDirectoryError(
            f"The data directory {self.path} cannot be used: {error}. Choose another, on a local disk, with --data-dir."
        )

    def full(self) -> DataDirectoryError:
        """Make the error for a full disk."""
        return DataDirectoryError(
            f"The disk of the data directory {self.path} is full. Free some space: nothing acknowledged is lost, "
            "and a Holdfast that is running brings its store back by itself."
        )
