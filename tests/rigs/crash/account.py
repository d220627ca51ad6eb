"""Accounting after a crash: what the store holds against what callers were answered."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from server.domain.reservation import Reservation
from server.store.journal.journal import decode_entry
from server.store.keys import Keyspace
from tests.rigs.crash.loader import NOT_DONE, REACHED, UNDECIDED, Request
from tests.support.http import Server

_AFTER: Final = {"reserve": 1, "order": 2, "commit": 2, "release": 3, "fulfil": 3}
_decode = msgspec.msgpack.Decoder(Reservation).decode


class Account(msgspec.Struct):
    """What did not add up; empty lists are what is wanted."""

    lost: list[str] = []
    double: list[str] = []
    wrong: list[str] = []

    @property
    def clean(self) -> bool:
        return not (self.lost or self.double or self.wrong)


def account(server: Server, partition: str, on_hand: dict[str, int], requests: Iterable[Request]) -> Account:
    """Compare the embedded store of a server with the requests, as :func:`account_of` does."""
    with server.store() as store:
        return account_of(store, partition, on_hand, requests)


def account_of(store: Any, partition: str, on_hand: dict[str, int], requests: Iterable[Request]) -> Account:
    """Compare a store, by a blocking client, with the requests; what is undecided may have happened once at most."""
    keyspace = Keyspace(partition)
    records = {
        name.decode(): _decode(packed)
        for key in (keyspace.reservations, keyspace.ended)
        for name, packed in store.hgetall(key).items()
    }
    levels = {field.decode(): msgspec.msgpack.decode(value) for field, value in store.hgetall(keyspace.stock).items()}
    changes = [change for _, fields in store.xrange(keyspace.journal) for change in decode_entry(fields)]
    result = Account()
    _acknowledged(result, records, list(requests))
    _journal(result, changes)
    _counters(result, records, levels, on_hand)
    return result


def _acknowledged(result: Account, records: dict[str, Reservation], requests: list[Request]) -> None:
    """Each acknowledged effect is there; nothing is there that was not asked for."""
    expected: dict[str, Request] = {}
    asked = {request.reservation_id for request in requests}
    for request in requests:
        before = expected.get(request.reservation_id)
        if request.done and (before is None or _AFTER[request.operation] > _AFTER[before.operation]):
            expected[request.reservation_id] = request
    undecided = {request.reservation_id for request in requests if request.outcome in UNDECIDED}
    for name, request in expected.items():
        record = records.get(name)
        if record is None:
            result.lost.append(f"{name}: {request.operation} acknowledged, nothing there")
        elif record.state != REACHED[request.operation] and name not in undecided:
            result.lost.append(f"{name}: {request.operation} acknowledged, but it is {record.state}")
    for request in requests:
        record = records.get(request.reservation_id)
        if record is not None and request.operation in ("reserve", "order"):
            if request.outcome in NOT_DONE:
                result.wrong.append(f"{request.reservation_id}: there, but answered {request.outcome}")
            wanted = [(line["sku"], line["quantity"]) for line in request.body["lines"]]
            if [(line.sku, line.quantity) for line in record.lines] != wanted:
                result.wrong.append(f"{request.reservation_id}: other lines than asked for")
    result.wrong += [f"{name}: no caller asked for it" for name in sorted(records.keys() - asked)]


def _journal(result: Account, changes: list[Any]) -> None:
    """Each operation on each reservation stands in the journal once."""
    seen = Counter((change.reservation_id, change.operation) for change in changes if change.reservation_id)
    taken = Counter(change.reservation_id for change in changes if change.operation in ("reserve", "order"))
    result.double += [f"{name}: {operation} {times} times" for (name, operation), times in seen.items() if times > 1]
    result.double += [f"{name}: taken {times} times" for name, times in taken.items() if times > 1]


def _counters(
    result: Account, records: dict[str, Reservation], levels: dict[str, list[int]], on_hand: dict[str, int]
) -> None:
    """The counters of each SKU are the sums over its lines."""
    held, committed, fulfilled = Counter[str](), Counter[str](), Counter[str]()
    for record in records.values():
        for line in record.lines:
            held[line.sku] += line.held
            committed[line.sku] += line.committed
            fulfilled[line.sku] += line.fulfilled
    for sku, units in on_hand.items():
        level = levels[f"{sku}\0main"]
        wanted = [units - fulfilled[sku], held[sku], committed[sku]]
        if level[:3] != wanted:
            result.double.append(f"{sku}: counters {level[:3]}, sums over the lines {wanted}")
