"""What a backup says of itself: ``manifest.json``, which is written last, so that half a backup has none."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import msgspec

from server.store.backup.packed_files import Written
from server.store.errors import BackupError

NAME: Final = "manifest.json"
FORMAT: Final = "holdfast-backup"
VERSION: Final = 1
"""Grows when an earlier release could not read a backup any more."""
DOCUMENTS: Final = "documents.mpk.gz"
STORE: Final = "store-{}.mpk.gz"
"""A file for each server that keeps a part of the store, numbered from 1."""


class PartitionSaid(msgspec.Struct, frozen=True):
    """What a backup has of a partition. ``journal``: the id of the last entry of its journal that is in it."""

    journal: str = "0-0"
    keys: int = 0
    places: int = 0
    reservations: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A backup. Times are RFC 3339 in UTC.

    ``taken_at``: the moment of the stock, by the store's clock; of several servers that of the first. ``documents_at``:
    that of the documents, which is before; None: there were none. ``holdfast`` and ``store``: the releases that made
    it. ``sealed_with``: the ids of the keys with which credentials that change are encrypted.
    """

    format: str = FORMAT
    version: int = VERSION
    id: str
    holdfast: str
    store: str
    taken_at: str
    documents_at: str | None
    partitions: Mapping[str, PartitionSaid]
    sealed_with: list[str] = []
    files: list[Written]
    checksum: str = ""

    @property
    def store_files(self) -> list[Written]:
        """The files with records of the store."""
        return [each for each in self.files if each.name != DOCUMENTS]

    @property
    def has_documents(self) -> bool:
        """Whether it has documents of orders and the history."""
        return any(each.name == DOCUMENTS for each in self.files)


def packed(manifest: Manifest) -> bytes:
    """Write a manifest with its checksum: the SHA-256 of the same text with an empty one."""
    summed = msgspec.structs.replace(manifest, checksum=_checksum(manifest))
    return msgspec.json.format(msgspec.json.encode(summed), indent=2) + b"\n"


def read(raw: bytes, where: str) -> Manifest:
    """Read a manifest.

    Raises
    ------
    BackupError
        It is none, was changed, or is of a later version.

    """
    try:
        version = msgspec.json.decode(raw, type=_Version)
        if version.format != FORMAT:
            raise BackupError(f"{where} is no backup of Holdfast: its {NAME} has the format {version.format!r}.")
        if version.version > VERSION:
            raise BackupError(
                f"{where} has version {version.version} of the format, and this release reads up to {VERSION}. Restore"
                " it with the release that made it, or a newer one."
            )
        manifest = msgspec.json.decode(raw, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BackupError(f"The {NAME} of {where} cannot be read ({error}). Use another backup.") from None
    if manifest.checksum != _checksum(manifest):
        raise BackupError(f"The {NAME} of {where} was changed: its checksum is another. Use another backup.")
    return manifest


class _Version(msgspec.Struct):
    format: str = ""
    version: int = 0


def _checksum(manifest: Manifest) -> str:
    return sha256(msgspec.json.encode(msgspec.structs.replace(manifest, checksum=""), order="sorted")).hexdigest()
