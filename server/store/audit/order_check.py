"""The audit of what was booked of channels' orders: each record against the reservations that it names."""

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
    """Return what is wrong with a record: what is expected, what is so, and the reservation."""
    claimed: dict[tuple[str, int], int] = {}
    for line in record.lines:
        for part in line.parts:
            if not 0 <= part.reservation < len(record.reservations):
                yield "a reservation of the order", f"number {part.reservation}", ""
                continue
            name = record.reservations[part.reservation]
            reservation = found.get(name)
            for number, units in zip(part.lines, part.units, strict=True):
                if reservation is not None and not 0 < number <= len(reservation.lines):
                    yield f"{len(reservation.lines)} lines", f"line {number}", name
                claimed[name, number] = claimed.get((name, number), 0) + part.pieces * units
    for (name, number), units in claimed.items():
        reservation = found.get(name)
        if reservation is None or number > len(reservation.lines) or reservation.is_tombstone:
            continue
        of_line = reservation.lines[number - 1]
        most = max(of_line.quantity, of_line.quantity - of_line.edited)
        if units > most:
            yield f"{most} units of line {number}", f"{units}", name


def _readable(packed: bytes) -> BookedOrder | None:
    try:
        return _decode(packed)
    except msgspec.MsgspecError:
        return None
