"""The audit of what each place lacks: the fields of the hash ``meta`` against the stock records."""

from collections.abc import Iterable

import msgspec

from server.store.audit.checks import Drift, Findings
from server.store.audit.reader import CHUNK, Reader
from server.store.keys import LACKS, split_field
from server.store.repositories.stock import decode_stock


class LackingCheck:
    """Compares at any moment: the field and the record of a place are read together."""

    def __init__(self, reader: Reader, findings: Findings) -> None:
        self._reader = reader
        self._findings = findings

    async def check_places(self, short: Iterable[bytes]) -> None:
        """Check the places that lacked units when the audit began, and those that have a field."""
        places = set(short)
        async for chunk in self._reader.scan("what orders lack", "HSCAN", self._reader.keys.meta, 0):
            places.update(name.removeprefix(LACKS) for name, _ in chunk if name.startswith(LACKS))
        found = sorted(places)
        for first in range(0, len(found), CHUNK):
            await self._check(found[first : first + CHUNK])
            await self._reader.breathe()

    async def _check(self, fields: list[bytes]) -> None:
        keys = self._reader.keys
        written, records = await self._reader.together(
            ("HMGET", keys.meta, *(LACKS + field for field in fields)), ("HMGET", keys.stock, *fields)
        )
        for field, units, packed in zip(fields, written, records, strict=True):
            expected = _lacks(packed)
            if expected != int(units or 0):
                self._findings.add(Drift(*split_field(field), "lacking", expected, int(units or 0)))


def _lacks(packed: bytes | None) -> int:
    try:
        return 0 if packed is None else decode_stock(packed).lacks
    except msgspec.DecodeError:
        return 0  # reported where it was scanned
