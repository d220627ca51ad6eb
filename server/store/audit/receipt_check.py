"""The audit of expected receipts: the index by SKU and by parcel against the records."""

from typing import Final

import msgspec

from server.domain.aliases import Aliases
from server.domain.expected_receipt import ExpectedReceipt
from server.store.audit.checks import Drift, Findings
from server.store.audit.reader import Reader
from server.store.keys import stored_text

_PARCEL: Final = b"\0"
"""In front of the SSCC in the index; a SKU cannot begin so."""
_decode = msgspec.msgpack.Decoder(ExpectedReceipt).decode
_decode_ids = msgspec.msgpack.Decoder(list[str]).decode


class ReceiptCheck:
    """Compares the index with the records; what looks wrong is read again."""

    def __init__(self, reader: Reader, findings: Findings, aliases: Aliases) -> None:
        self._reader = reader
        self._findings = findings
        self._aliases = aliases

    async def check_index(self) -> None:
        """Check every list of the index."""
        expected = await self._expected()
        indexed: dict[bytes, set[bytes]] = {}
        async for chunk in self._reader.scan("supply by SKU", "HSCAN", self._reader.keys.supply_skus, 0):
            indexed |= {place: _ids(packed) for place, packed in chunk}
        for place in expected.keys() | indexed.keys():
            await self._reader.breathe()
            wanted, found = expected.get(place, set()), indexed.get(place, set())
            # A release that knew no parcels leaves in their lists what it received; who reads them looks again.
            if not wanted <= found if place.startswith(_PARCEL) else wanted != found:
                await self._check_again(place, sorted(wanted | found))

    async def _expected(self) -> dict[bytes, set[bytes]]:
        """Return from the records what the index is to hold."""
        expected: dict[bytes, set[bytes]] = {}
        async for chunk in self._reader.scan("supply", "HSCAN", self._reader.keys.supply, 0):
            for raw_id, packed in chunk:
                await self._reader.breathe()
                try:
                    places = self._places_of(_decode(packed))
                except msgspec.DecodeError:
                    shown = f"{self._reader.keys.supply} {stored_text(raw_id)!r}"
                    self._findings.add(Drift("", "", "unreadable", "a record", shown))
                    continue
                for place in places:
                    expected.setdefault(place, set()).add(raw_id)
        return expected

    async def _check_again(self, place: bytes, ids: list[bytes]) -> None:
        keys = self._reader.keys
        questions = [("HGET", keys.supply, raw_id) for raw_id in ids]
        packed_ids, *records = await self._reader.together(("HGET", keys.supply_skus, place), *questions)
        wanted = [raw_id for raw_id, packed in zip(ids, records, strict=True) if self._is_open(packed, place)]
        listed = _ids(packed_ids)
        found = [raw_id for raw_id in (wanted if place.startswith(_PARCEL) else ids) if raw_id in listed]
        if wanted != found:
            shown = (stored_text(b", ".join(each)) or "none" for each in (wanted, found))
            self._findings.add(Drift(stored_text(place.lstrip(_PARCEL)), "", "supply", *shown))

    def _places_of(self, receipt: ExpectedReceipt) -> list[bytes]:
        """Name the lists that are to hold a receipt: that of its SKU, and that of its parcel."""
        if not receipt.expected:
            return []
        return [self._aliases.sku(receipt.sku).encode(), *([_PARCEL + receipt.sscc.encode()] if receipt.sscc else [])]

    def _is_open(self, packed: bytes | None, place: bytes) -> bool:
        try:
            return packed is not None and place in self._places_of(_decode(packed))
        except msgspec.DecodeError:
            return False  # reported where it was scanned


def _ids(packed: bytes | None) -> set[bytes]:
    try:
        return set() if packed is None else {name.encode() for name in _decode_ids(packed)}
    except msgspec.DecodeError:
        return {b"unreadable"}
