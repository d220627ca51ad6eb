"""The journal read back: every counter rebuilt from nothing but what the entries say."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from server.domain.operations.stock import Bucket

_BUCKETS: Final = tuple(Bucket)


class ChangeLine(msgspec.Struct, array_like=True, frozen=True):
    """What one operation did to one (SKU, location); ``line`` is the reservation's, 0 outside of any."""

    line: int
    sku: str
    location: str
    on_hand: int
    held: int
    committed: int
    damaged: int
    quality_control: int
    safety: int
    available: int
    seq: int
    d_waiting: int = 0
    d_owed: int = 0
    allocations: list[tuple[str, str, int, int]] = []


class Change(msgspec.Struct, array_like=True, frozen=True):
    operation: str
    at_ms: int
    actor: str
    channel: str
    reservation_id: str
    state: str
    lines: list[ChangeLine]
    notes: list[tuple[str, str]]


Entry = list[Change]
"""What one script call did."""


def _decode(packed: bytes) -> Entry:
    return [_change_of(each) for each in msgspec.msgpack.decode(packed)]


def _change_of(fields: list[Any]) -> Change:
    """Read a change; one of three or four fields is a reserve or order, recognised by its record."""
    if len(fields) > 4:
        return msgspec.convert(fields, Change)
    operation, reservation_id, (state, created_ms, _, _, _, channel, actor, _, record_lines, *rest), *behind = fields
    allocations = [each or () for each in behind[0]] if behind else [()] * len(record_lines)
    lines = [
        msgspec.convert(
            [number, sku, location, 0, held, committed, 0, 0, 0, *(_left_after(free, seq, waits[4:6], more))],
            ChangeLine,
        )
        for number, ((sku, location, quantity, _, held, committed, free, seq, *waits), more) in enumerate(
            zip(record_lines, allocations, strict=True), 1
        )
        if quantity and location  # a line without a location counts nowhere
    ]
    notes = [("order_ref", rest[0])] if rest and rest[0] else []
    return Change(operation, created_ms, actor, channel, reservation_id, state, lines, notes)


def _left_after(left: int, seq: int, waits: Sequence[int], more: Sequence[Any]) -> Sequence[Any]:
    """Where channels have something for themselves, a line says what is left for this one."""
    return (more[0], seq, *(waits or (0, 0)), more[1]) if more else (left, seq, *waits)


async def read_journal(client: Redis, key: str, after: str = "-") -> list[tuple[str, Entry]]:
    """Read the journal's entries past an id, oldest first."""
    entries: Any = await client.xrange(key, min=after if after == "-" else f"({after}")
    return [(entry_id.decode(), _decode(fields[b"e"])) for entry_id, fields in entries]


class Replayed:
    """Counters as the journal alone gives them."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.stock: dict[tuple[str, str], Counter[str]] = {}
        self.reserved: dict[tuple[str, int], Counter[str]] = {}
        self.seqs: dict[tuple[str, str], int] = {}
        self.allocations: dict[tuple[str, str], list[tuple[str, str, int, int]]] = {}
        self.seq = 0
        for entry in entries:
            for change in entry:
                for line in change.lines:
                    self._apply(change, line)

    def _apply(self, change: Change, line: ChangeLine) -> None:
        place = (line.sku, line.location)
        assert line.seq == self.seq + 1, f"seq {line.seq} follows {self.seq}"
        self.seq = self.seqs[place] = line.seq
        self.allocations[place] = line.allocations
        buckets = self.stock.setdefault(place, Counter())
        for bucket in _BUCKETS:
            buckets[bucket] += getattr(line, bucket)
        aside = sum(buckets[bucket] for bucket in _BUCKETS if bucket is not Bucket.ON_HAND)
        assert line.available == buckets[Bucket.ON_HAND] - aside, f"available of {place} at seq {line.seq}"
        if line.line:
            reserved = self.reserved.setdefault((change.reservation_id, line.line), Counter())
            reserved["held"] += line.held
            reserved["committed"] += line.committed
            reserved["waiting"] += line.d_waiting
            reserved["owed"] += line.d_owed
