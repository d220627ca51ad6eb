"""The audit of the index of names: the hash ``likeness`` against what is stored, and against the table of folds."""

from collections.abc import Iterable
from typing import Final

import msgspec

from server.domain.likeness import FOLD_VERSION, Kind, fold
from server.store.audit.checks import Drift, Findings
from server.store.audit.reader import CHUNK, Reader
from server.store.connection.commands import command
from server.store.keys import LIKENESS_COMPLETE, LIKENESS_VERSION, likeness_field, stored_text

_decode_locations = msgspec.msgpack.Decoder(list[str]).decode
_MANY: Final = 20
"""Names of one fold, as in ``lua/lib/likeness.lua``: such a list takes no more."""


class LikenessCheck:
    """Compares an index that is complete and of this table; a name and its field are read again together."""

    def __init__(self, reader: Reader, findings: Findings) -> None:
        self._reader = reader
        self._findings = findings
        self._key = reader.keys.likeness

    async def check(self) -> None:
        """Check that each stored name is in its field, and that each field has names of its fold."""
        version, complete = await command(self._reader.client, "HMGET", self._key, LIKENESS_VERSION, LIKENESS_COMPLETE)
        if complete is None or int(version or 0) != FOLD_VERSION:
            return
        keys = self._reader.keys
        registered = await command(self._reader.client, "HKEYS", keys.locations)
        places = {name for name in map(stored_text, registered) if "\0" not in name}
        await self._check_places(places)
        async for chunk in self._reader.scan("names", "HSCAN", keys.all[1], 0):
            await self._check_names("sku", [stored_text(sku) for sku, _ in chunk])
            new = {name for _, packed in chunk for name in _locations(packed)} - places
            places |= new
            await self._check_places(new)
            await self._reader.breathe()
        async for chunk in self._reader.scan("known names", "HSCAN", self._key, 0):
            for field, names in chunk:
                self._check_field(field, names)
                await self._reader.breathe()

    async def _check_places(self, names: Iterable[str]) -> None:
        found = sorted(names)
        for first in range(0, len(found), CHUNK):
            await self._check_names("location", found[first : first + CHUNK])

    async def _check_names(self, kind: Kind, names: list[str]) -> None:
        if not names:
            return
        fields = [likeness_field(kind, name) for name in names]
        kept = await command(self._reader.client, "HMGET", self._key, *fields)
        for name, field, value in zip(names, fields, kept, strict=True):
            if not _has(value, name):
                await self._check_again(kind, name, field)

    async def _check_again(self, kind: Kind, name: str, field: str) -> None:
        keys = self._reader.keys
        known, is_sku = await self._reader.together(("HGET", self._key, field), ("HEXISTS", keys.all[1], name))
        if not _has(known, name) and (is_sku or kind == "location"):
            self._findings.add(_drift(kind, name, "known", "missing"))

    def _check_field(self, field: bytes, value: bytes) -> None:
        kind, _, folded = stored_text(field).partition("\0")
        if not kind:
            return  # what the hash is
        for name in _names_in(value):
            if kind not in ("sku", "location") or fold(name) != folded:
                self._findings.add(_drift(kind, name, fold(name), folded))


def _drift(kind: str, name: str, expected: str, found: str) -> Drift:
    where = ("", name) if kind == "location" else (name, "")
    return Drift(*where, "likeness", expected, found)


def _names_in(value: bytes) -> list[str]:
    return stored_text(value).split("\0")


def _has(value: bytes | None, name: str) -> bool:
    names = _names_in(value) if value is not None else []
    return name in names or len(names) >= _MANY


def _locations(packed: bytes) -> list[str]:
    try:
        return _decode_locations(packed)
    except msgspec.DecodeError:
        return []  # reported where it was scanned
