"""The audit of what was booked of channels' orders: each record against the reservations that it names."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import msgspec

from server.domain.booked_orders import POSTED, BookedOrder
from server.domain.reservation import Reservation
from server.store.audit.checks import Drift, Findings
from server.store.audit.reader import Reader
from server.store.keys import stored_text

_KIND: Final = "order"
_decode = msgspec.msgpack.Decoder(BookedOrder).decode
_decode_reservation = msgspec.msgpack.Decoder(Reservation).decode


class OrderCheck:
    """Compares records with their reservations; what looks wrong is read again, all of it at one moment."""

    def __init__(self, reader: Reader, findings: Findings) -> None:
        self._reader = reader
        self._findings = findings

    async def check(self) -> None:
        """Check every record. A reservation that is forgotten proves nothing."""
        async for chunk in self._reader.scan("orders", "HSCAN", self._reader.keys.orders, 0):
            for field, packed in chunk:
                await self._reader.breathe()
                record = _readable(packed)
                if record is None:
                    shown = f"{self._reader.keys.orders} {stored_text(field)!r}"
                    self._findings.add(Drift("", "", "unreadable", "a record", shown))
                elif record.state != POSTED:
                    await self._check_record(field)

    async def _check_record(self, field: bytes) -> None:
        record, found = await self._together(field)
        if record is None:
            return
        number = stored_text(field).replace("\0", " ")
        for expected, is_so, name in _faults(record, found):
            self._findings.add(Drift("", "", _KIND, f"{number}: {expected}", is_so, name))

    async def _together(self, field: bytes) -> tuple[BookedOrder | None, dict[str, Reservation]]:
        """Read a record and its reservations at one moment; again where others were added meanwhile."""
        keys, names = self._reader.keys, list[str]()
        while True:
            questions = [("HGET", key, name) for name in names for key in (keys.reservations, keys.ended)]
            packed, *records = await self._reader.together(("HGET", keys.orders, field), *questions)
            record = None if packed is None else _readable(packed)
            if record is None or record.reservations == names:
                break
            names = record.reservations
        pairs = zip(names, records[::2], records[1::2], strict=True)
        return record, {name: _decode_reservation(live or ended) for name, live, ended in pairs if live or ended}


def _faults(record: BookedOrder, found: dict[str, Reservation]) -> Iterator[tuple[str, str, str]]:
    """Return what is wrong with a record: what is expected, what is so, and the reservation.

    A line may have been split, so what is claimed of all lines of a SKU is compared.
    """
    claimed: defaultdict[tuple[str, str], int] = defaultdict(int)
    for part in (part for line in record.lines for part in line.parts):
        if not 0 <= part.reservation < len(record.reservations):
            yield "a reservation of the order", f"number {part.reservation}", ""
            continue
        name = record.reservations[part.reservation]
        lines = found[name].lines if name in found else []
        for number, units in zip(part.lines, part.units, strict=True):
            if lines and not 0 < number <= len(lines):
                yield f"{len(lines)} lines", f"line {number}", name
            elif lines:
                claimed[name, lines[number - 1].sku] += part.pieces * units
    for (name, sku), units in claimed.items():
        of_sku = [line for line in found[name].lines if line.sku == sku]
        most = sum(max(line.quantity, line.quantity - line.edited) for line in of_sku)
        if units > most:
            yield f"{most} units of {sku}", f"{units}", name


def _readable(packed: bytes) -> BookedOrder | None:
    try:
        return _decode(packed)
    except msgspec.MsgspecError:
        return None
