"""Where a backup lies: a folder, or one file (.tar) with the same files in it. Half a backup never has its name."""

import contextlib
import io
import os
import secrets
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from server.store.backup import manifest as manifests
from server.store.backup.manifest import Manifest
from server.store.backup.packed_files import FILE_MODE, DamagedBackupError, made_private, sum_of
from server.store.errors import BackupError

TAR: Final = ".tar"
"""A name that ends so is that of one file."""
_FOLDER_MODE: Final = 0o700
_PARTIAL: Final = ".partial-"


class NewBackup:
    """A backup that is being made, in a folder beside its name. It gets the name once it is whole."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.folder = target.parent / f"{target.name}{_PARTIAL}{secrets.token_hex(4)}"

    @property
    def is_file(self) -> bool:
        """Whether it is to be one file."""
        return self.target.suffix == TAR

    def begin(self) -> None:
        """Make the folder.

        Raises
        ------
        BackupError
            The name is taken, or the folder around it cannot be written.

        """
        self.check_free()
        try:
            self.folder.mkdir(_FOLDER_MODE)
        except OSError as error:
            raise BackupError(f"The backup cannot be written to {self.target.parent}: {error.strerror}.") from None

    def check_free(self) -> None:
        """Check that nothing has the name; an empty folder is nothing, where a folder is wanted."""
        target = self.target
        if target.is_dir() and not self.is_file and not any(target.iterdir()):
            return
        if target.exists() or target.is_symlink():
            raise BackupError(f"{target} is there already, and is never overwritten. Choose another name.")

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, and give the backup its name.

        Raises
        ------
        BackupError
            The name was taken meanwhile.

        """
        with made_private(self.folder / manifests.NAME) as file:
            file.write(manifests.packed(manifest))
            file.flush()
            os.fsync(file.fileno())
        self.check_free()
        if self.is_file:
            self._as_file(manifest)
        else:
            self.folder.rename(self.target)
        _flush_folder(self.target.parent)

    def _as_file(self, manifest: Manifest) -> None:
        """Move one file after the other into one, so that little more room is needed than the largest takes."""
        whole = self.folder / "whole"
        with made_private(whole) as out, tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name in (*(each.name for each in manifest.files), manifests.NAME):
                tar.add(self.folder / name, name, filter=_without_owner)
                (self.folder / name).unlink()
            out.flush()
            os.fsync(out.fileno())
        # A link does not replace what has the name meanwhile, as a rename would.
        try:
            os.link(whole, self.target)
        except FileExistsError:
            raise BackupError(
                f"{self.target} is there already, and is never overwritten. Choose another name."
            ) from None

    def drop(self) -> None:
        """Remove what is left of it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = FILE_MODE
    return member


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Backup:
    """A backup that is there, with its manifest read."""

    def __init__(self, source: Path) -> None:
        """Open a backup.

        Raises
        ------
        BackupError
            There is none, or its manifest cannot be used.

        """
        self.source = source
        with self.opened(manifests.NAME) as file:
            self.manifest = manifests.read(file.read(), str(source))

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """Open a file of it.

        Raises
        ------
        BackupError
            It is not there, or is damaged.

        """
        try:
            with contextlib.ExitStack() as stack:
                if self.source.is_dir():
                    file: BinaryIO = stack.enter_context((self.source / name).open("rb"))
                else:
                    tar = stack.enter_context(tarfile.open(self.source, "r:"))
                    found = tar.extractfile(name)
                    file = found if found is not None else io.BytesIO()  # type: ignore[assignment]  # it can be read and sought
                yield file
        except DamagedBackupError as error:
            raise BackupError(f"{self.source}, {name}: {error}") from None
        except (FileNotFoundError, KeyError):
            raise BackupError(
                f"{self.source} is no backup, or not a whole one: there is no {name}. Name the folder or the {TAR} that"
                " `holdfast backup` has made."
            ) from None
        except (tarfile.TarError, OSError) as error:
            raise BackupError(f"{self.source} cannot be read: {error}. Use another backup.") from None

    def check(self) -> None:
        """Compare every file with its checksum.

        Raises
        ------
        BackupError
            One is missing or was changed.

        """
        for each in self.manifest.files:
            with self.opened(each.name) as file:
                if sum_of(file) != each.sha256:
                    raise BackupError(
                        f"{each.name} of {self.source} was changed since it was made: its checksum is another. Use"
                        " another backup; nothing was restored."
                    )
