"""The audit: do counters, reservations and journal agree? Exact on a live system, without stopping it.

**One moment.** ``S0`` is the partition's ``seq`` at the start, read together with the journal's last id (one MULTI).
Each line of the journal has the next seq and is written by the script that changes the record, so the state at S0 can
be worked out from any later reading of a record:

- *stock*: the record's own seq says which lines are in it. A reading with ``seq <= S0`` is the state at S0; from a
  later one the deltas of its lines in ``(S0, seq]`` are subtracted. Records are never deleted, so HSCAN, which
  returns every field that exists from its start to its end, misses none; one made later rolls back to zero.
- *reservations*: the same, for the seq of a record is that of its last line (an extend has none and moves no units).
  One that was live at S0 and that the scan did not return must have left the hash meanwhile, so a line after S0
  names it: it is read again, live or ended, with its seq, and rolled back likewise. One that a change after S0 makes
  was not there at S0. One that HSCAN returns twice counts once: the first reading and its seq belong together.
- the *window* of the journal after S0 is complete if its seqs follow each other without a gap. If they do not, the
  journal was trimmed under the audit: the report is inconclusive, and lists only what is wrong at any moment.

**At S0**, for each (SKU, location): ``held`` and ``committed`` are the sums over the reservations, no bucket but
``on_hand`` is negative, ``shortage`` is the sum of what ``available`` lies below zero, ``lacking`` that of reserved
units that are not on the shelf, and what an allocation of a channel counts as used is the sum over that channel's
reservations. What is counted of a key with a quota, and of its customers, is what they hold.

**At any moment**: each reservation agrees with itself; ``deadlines`` holds exactly the holders with their deadlines;
``skus`` lists exactly the locations of the stock. Those indexes have no seq, so what looks wrong is read again, both
sides in one MULTI, before it is reported. So is what each place lacks.

**Backorders**: a (SKU, location) waits for what its lines wait for, and the queue has exactly those lines,
each in its order; see :mod:`server.store.audit.backorder_check`.

**Transfers**: ``in_transit`` is the sum of what their lines have on its way (read in one MULTI), and that of the
journal's changes of them, if nothing was ever removed from it.

**Expected receipts**: the index by SKU names exactly those from which units are still to come.

**Orders of channels**: what was booked of an order stands in lines of its reservations, no more than they were made
with; see :mod:`server.store.audit.order_check`.

**Against the journal**: if nothing was ever removed from it, the sums of all deltas are the counters, and the last
seqs are equal. If it was trimmed, ``available`` moves from line to line of a (SKU, location) by the deltas, and the
last line agrees with the record at S0. Trimming takes from the front only, so a gap in the middle is drift,
unless trimming overtook the reader, which then starts over after it.

Kinds of drift (``Drift.what``): the name of a bucket; ``quantity`` (a line's parts against its quantity), ``returned``
(more than was shipped), ``backordered``, ``queue``,
``allocations`` (what a channel's own units or cap count as used, or the journal's sum of that),
``negative``, ``state``, ``place`` (live or ended), ``deadline``, ``seq``, ``available``, ``shortage``, ``lacking``,
``skus``, ``in_transit``, ``supply``, ``tombstone``, ``likeness`` (a name is not under its fold, or under another),
``quota`` (what a key with a quota, or a customer of it, counts as held),
``order`` (an order of a channel is not as it was booked),
``sequence`` (lines of the journal are missing or twice there), ``unreadable``.

Memory: about 300 bytes for a stock record and 150 for a live reservation, so 0.45 GB for a million of both.
The event loop gets its turn every few milliseconds; ``pause_s`` slows the reading further.
"""

import time
from collections.abc import Sequence

import msgspec
from redis.asyncio import Redis

from server.domain.aliases import NAMES_ONLY
from server.domain.reservation import Reservation
from server.domain.transfer import Transfer
from server.store.audit.backorder_check import QueueCheck
from server.store.audit.checks import AuditReport, Drift, Findings, check_record, check_transfer, is_hold
from server.store.audit.journal_check import History
from server.store.audit.lacking_check import LackingCheck
from server.store.audit.likeness_check import LikenessCheck
from server.store.audit.order_check import OrderCheck
from server.store.audit.quota_check import QuotaCheck
from server.store.audit.reader import CHUNK, Moment, Progress, Reader
from server.store.audit.receipt_check import ReceiptCheck
from server.store.audit.state_at_start import StateAtStart
from server.store.audit.tombstone_check import TombstoneCheck
from server.store.connection.commands import command
from server.store.journal.journal import DamagedEntryError, read
from server.store.journal.replay import Replay, RowNumbers
from server.store.keys import Keyspace, split_field, stored_text
from server.store.repositories.aliases import read_moving_aliases
from server.store.repositories.stock import decode_stock

__all__ = ["AuditReport", "Drift", "Progress", "Replay", "audit"]

_decode_reservation = msgspec.msgpack.Decoder(Reservation).decode
_decode_transfer = msgspec.msgpack.Decoder(Transfer).decode
_decode_locations = msgspec.msgpack.Decoder(list[str]).decode


async def audit(
    client: Redis,
    keyspace: Keyspace,
    *,
    progress: Progress | None = None,
    journal: bool = True,
    pause_s: float = 0,
) -> AuditReport:
    """Audit one partition. ``journal`` False: leave out the comparison with the journal's history.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    return await _Audit(Reader(client, keyspace, progress, pause_s)).run(journal=journal)


class _Audit:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._keys = reader.keys
        self._skus = reader.keys.all[1]
        self._findings = Findings()
        self._row_numbers = RowNumbers()
        self._entries = 0

    async def run(self, *, journal: bool) -> AuditReport:
        began_s = time.monotonic()
        self._start = self._read_until = await self._reader.moment()
        self._state = StateAtStart(self._row_numbers, self._start.seq)
        self._state.names = await read_moving_aliases(self._reader.client, self._keys)
        history = History(self._reader, self._start, self._state, self._row_numbers, self._findings)
        await self._scan_stock()  # before the reservations: see AllocationsAtStart
        await self._scan_live()
        await self._scan_ended()
        await self._scan_deadlines()
        await QueueCheck(self._reader, self._findings).check_members()
        await TombstoneCheck(self._reader, self._findings).check_members()
        await self._scan_skus()
        await self._check_transfers()
        await ReceiptCheck(self._reader, self._findings, self._state.names.aliases).check_index()
        await LikenessCheck(self._reader, self._findings).check()
        await OrderCheck(self._reader, self._findings).check()
        conclusive, quotas = await self._roll_back(), dict[bytes, int]()
        if conclusive:
            await self._compare()
            quotas = await QuotaCheck(
                self._reader, self._findings, self._state.quotas, self._roll_back_to_now
            ).compare()
            if journal:
                await history.compare()
        return AuditReport(
            drift=self._findings.listed,
            drift_count=self._findings.count,
            drift_units=self._findings.units,
            conclusive=conclusive,
            reservations=self._state.reservations,
            places=self._state.records_read,
            journal_entries=self._entries + history.entries,
            journal_complete=history.complete,
            seconds=time.monotonic() - began_s,
            quotas=quotas,
        )

    # -- reservations

    async def _scan_live(self) -> None:
        async for chunk in self._reader.scan("reservations", "HSCAN", self._keys.reservations, self._start.live):
            deadlines: dict[bytes, int] = {}
            queue = QueueCheck(self._reader, self._findings)
            for raw_id, packed in chunk:
                await self._reader.breathe()
                if self._state.has_seen(raw_id):
                    continue
                record = self._record(self._keys.reservations, raw_id, packed)
                self._state.saw_reservation(raw_id, record)
                if record is not None:
                    self._findings.add_all(check_record(stored_text(raw_id), record, live=True))
                    queue.saw(raw_id, record)
                    if is_hold(record):
                        deadlines[raw_id] = record.deadline_ms
            await self._check_deadlines(deadlines)
            await queue.check_records()

    async def _scan_ended(self) -> None:
        async for chunk in self._reader.scan("ended reservations", "HSCAN", self._keys.ended, self._start.ended):
            tombstones = []
            for raw_id, packed in chunk:
                await self._reader.breathe()
                record = self._record(self._keys.ended, raw_id, packed)
                if record is not None:
                    self._findings.add_all(check_record(stored_text(raw_id), record, live=False))
                    tombstones += [raw_id] if record.is_tombstone else []
            await TombstoneCheck(self._reader, self._findings).check_records(tombstones)
            await self._check_not_both([raw_id for raw_id, _ in chunk if self._state.has_seen(raw_id)])

    def _record(self, key: str, raw_id: bytes, packed: bytes) -> Reservation | None:
        record = _readable(packed)
        if record is None:
            self._unreadable(key, raw_id)
        return record

    def _unreadable(self, key: str, name: bytes) -> None:
        self._findings.add(Drift("", "", "unreadable", "a record", f"{key} {stored_text(name)!r}"))

    async def _check_not_both(self, ids: Sequence[bytes]) -> None:
        """Check those that were seen live and ended: each ended, or was revived, or lies in both."""
        keys = (self._keys.reservations, self._keys.ended)
        found = await self._reader.together(*(("HEXISTS", key, raw_id) for raw_id in ids for key in keys))
        for raw_id, live, ended in zip(ids, found[::2], found[1::2], strict=True):
            if live and ended:
                self._findings.add(Drift("", "", "place", "live or ended", "both", stored_text(raw_id)))

    async def _check_deadlines(self, expected: dict[bytes, int]) -> None:
        if not expected:
            return
        scores = await command(self._reader.client, "ZMSCORE", self._keys.deadlines, *expected)
        for (raw_id, deadline_ms), score in zip(expected.items(), scores, strict=True):
            if score is None or int(score) != deadline_ms:
                await self._check_deadline_again(raw_id)

    async def _scan_deadlines(self) -> None:
        async for chunk in self._reader.scan("deadlines", "ZSCAN", self._keys.deadlines, self._start.deadlines):
            members = [member for member, _ in chunk]
            records = await command(self._reader.client, "HMGET", self._keys.reservations, *members)
            for (member, score), packed in zip(chunk, records, strict=True):
                await self._reader.breathe()
                if _deadline(packed) != int(score):
                    await self._check_deadline_again(member)

    async def _check_deadline_again(self, raw_id: bytes) -> None:
        packed, score = await self._reader.together(
            ("HGET", self._keys.reservations, raw_id), ("ZSCORE", self._keys.deadlines, raw_id)
        )
        expected, found = _deadline(packed), "none" if score is None else int(score)
        if expected != found:
            self._findings.add(Drift("", "", "deadline", expected, found, stored_text(raw_id)))

    # -- stock

    async def _scan_stock(self) -> None:
        async for chunk in self._reader.scan("stock", "HSCAN", self._keys.stock, self._start.stock):
            for field, packed in chunk:
                await self._reader.breathe()
                try:
                    self._state.saw_stock(field, decode_stock(packed))
                except msgspec.DecodeError:
                    self._unreadable(self._keys.stock, field)

    async def _scan_skus(self) -> None:
        async for chunk in self._reader.scan("skus", "HSCAN", self._skus, self._start.stock):
            for sku, packed in chunk:
                await self._reader.breathe()
                try:
                    locations = _decode_locations(packed)
                except msgspec.DecodeError:
                    self._unreadable(self._skus, sku)
                else:
                    await self._check_places(sku, locations)
        for field in self._state.unlisted():
            await self._check_place_again(field)

    async def _check_places(self, sku: bytes, locations: list[str]) -> None:
        if len(set(locations)) != len(locations):
            self._findings.add(Drift(stored_text(sku), "", "skus", len(set(locations)), len(locations)))
        for location in locations:
            field = sku + b"\0" + location.encode()
            if not self._state.list_record(field):
                await self._check_place_again(field)

    async def _check_place_again(self, field: bytes) -> None:
        sku, _, location = field.partition(b"\0")
        packed, known = await self._reader.together(("HGET", self._skus, sku), ("HEXISTS", self._keys.stock, field))
        try:
            listed = packed is not None and stored_text(location) in _decode_locations(packed)
        except msgspec.DecodeError:
            return  # reported where it was scanned
        if listed != bool(known):
            words = ("unlisted", "listed")
            self._findings.add(Drift(*split_field(field), "skus", words[bool(known)], words[listed]))

    # -- transfers

    async def _check_transfers(self) -> None:
        """Compare the units in transit with the stored sum. They are few enough to be read together."""
        documents, kept = await self._reader.together(
            ("HGETALL", self._keys.transfers), ("HGET", self._keys.meta, "in_transit")
        )
        units = 0
        for raw_id, packed in documents.items():
            await self._reader.breathe()
            try:
                transfer = _decode_transfer(packed)
            except msgspec.DecodeError:
                self._unreadable(self._keys.transfers, raw_id)
                continue
            self._findings.add_all(check_transfer(stored_text(raw_id), transfer))
            units += sum(line.in_transit for line in transfer.lines)
        if units != int(kept or 0):
            self._findings.add(Drift("", "", "in_transit", units, int(kept or 0)))

    # -- back to the start

    async def _roll_back(self) -> bool:
        """Bring what was read to the moment of the start; False: the journal lacks what it takes."""
        if not await self._roll_back_to_now():
            return False
        missed = list(self._state.missed)
        for first in range(0, len(missed), CHUNK):
            await self._recover(missed[first : first + CHUNK])
        if missed and not await self._roll_back_to_now():
            return False
        self._findings.add_all(self._state.unconfirmed())
        return True

    async def _roll_back_to_now(self) -> bool:
        after, self._read_until = self._read_until, await self._reader.moment()
        return await self._roll_back_through(after, self._read_until)

    async def _roll_back_through(self, after: Moment, until: Moment) -> bool:
        seq, done, total = after.seq, 0, until.journal.entries_added - after.journal.entries_added
        entries = read(self._reader.client, self._keys, after.journal.last_id, until.journal.last_id)
        try:
            async for _, changes in entries:
                for change in changes:
                    await self._reader.breathe()
                    for line in change.lines:
                        seq += 1
                        if line.seq != seq or change.operation in NAMES_ONLY:  # else read under two names, or none
                            return False
                    self._state.roll_back(change)
                done += 1
                self._reader.report("changes since", done, total)
        except DamagedEntryError:
            return False
        self._entries += done
        return seq == until.seq

    async def _recover(self, ids: list[bytes]) -> None:
        live, ended, seq = await self._reader.together(
            ("HMGET", self._keys.reservations, *ids),
            ("HMGET", self._keys.ended, *ids),
            ("HGET", self._keys.meta, "seq"),
        )
        for raw_id, live_packed, ended_packed in zip(ids, live, ended, strict=True):
            self._state.recover(raw_id, _readable(live_packed or ended_packed), int(seq or 0))

    async def _compare(self) -> None:
        shortage, lacking, short = 0, 0, set()
        for row, field in enumerate(list(self._row_numbers.fields())):
            await self._reader.breathe()
            shortage += max(0, -self._state.available(row))
            if lacks := self._state.lacks(row):
                lacking += lacks
                short.add(field)
            self._findings.add_all(self._state.compare(row, field))
        if shortage != self._start.shortage:
            self._findings.add(Drift("", "", "shortage", shortage, self._start.shortage))
        if self._start.lacking >= 0:
            if lacking != self._start.lacking:
                self._findings.add(Drift("", "", "lacking", lacking, self._start.lacking))
            await LackingCheck(self._reader, self._findings).check_places(short)


def _readable(packed: bytes | None) -> Reservation | None:
    try:
        return None if packed is None else _decode_reservation(packed)
    except msgspec.DecodeError:
        return None


def _deadline(packed: bytes | None) -> int | str:
    record = _readable(packed)
    return record.deadline_ms if record is not None and is_hold(record) else "none"
