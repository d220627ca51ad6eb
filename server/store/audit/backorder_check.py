"""The audit's part about backorders: the queue must have exactly the lines that wait.

The queue has no seq, so what looks wrong is read again, queue and record in one MULTI, before it is reported.
"""

from typing import Final

import msgspec

from server.domain.reservation import Reservation
from server.store.audit.checks import Drift, Findings
from server.store.audit.reader import Reader
from server.store.connection.commands import command
from server.store.keys import stored_text
from server.store.repositories.backorders import Member, members_of, parse_member

_decode: Final = msgspec.msgpack.Decoder(Reservation).decode


class QueueCheck:
    """Compares the records with the queue, and the queue with the records."""

    def __init__(self, reader: Reader, findings: Findings) -> None:
        self._reader = reader
        self._findings = findings
        self._expected: dict[bytes, Member] = {}

    def saw(self, raw_id: bytes, record: Reservation) -> None:
        """Take in a live reservation."""
        for member in members_of(stored_text(raw_id), record):
            self._expected[member.packed()] = member

    async def check_records(self) -> None:
        """Find lines that wait without being in the queue, of the records that were taken in."""
        if not self._expected:
            return
        keys = self._reader.keys
        scores = await command(self._reader.client, "ZMSCORE", keys.backorders, *self._expected)
        for (packed, member), score in zip(self._expected.items(), scores, strict=True):
            if score is None or float(score):
                await self._check_again(packed, member)

    async def check_members(self) -> None:
        """Find members of the queue whose lines do not wait."""
        keys = self._reader.keys
        async for chunk in self._reader.scan("the backorder queue", "ZSCAN", keys.backorders, 0):
            members: list[tuple[bytes, Member]] = []
            for packed, _ in chunk:
                await self._reader.breathe()
                try:
                    members.append((packed, parse_member(packed)))
                except ValueError:
                    self._findings.add(
                        Drift("", "", "unreadable", "a line that waits", f"{keys.backorders} {packed!r}")
                    )
            if not members:
                continue
            ids = [member.reservation_id for _, member in members]
            records = await command(self._reader.client, "HMGET", keys.reservations, *ids)
            for (packed, member), record in zip(members, records, strict=True):
                if not _waits(member, record):
                    await self._check_again(packed, member)

    async def _check_again(self, packed: bytes, member: Member) -> None:
        keys = self._reader.keys
        record, score = await self._reader.together(
            ("HGET", keys.reservations, member.reservation_id), ("ZSCORE", keys.backorders, packed)
        )
        words = ("does not wait", "waits")
        expected, found = words[_waits(member, record)], words[score is not None and not float(score)]
        if expected != found:
            self._findings.add(Drift(member.sku, member.location, "queue", expected, found, member.reservation_id))


def _waits(member: Member, packed: bytes | None) -> bool:
    try:
        return packed is not None and member in members_of(member.reservation_id, _decode(packed))
    except msgspec.DecodeError:
        return False  # reported where it was scanned
