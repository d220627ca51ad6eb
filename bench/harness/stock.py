"""The stock that the bench sells: its names, the commands that fill a store with it, and whether it adds up."""

import itertools
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.harness.driver import drive
from server.domain.limits import DEFAULT_LOCATION, DEFAULT_PARTITION
from server.domain.operations.base import Operation
from server.domain.operations.reservations import Line, Reserve
from server.domain.operations.stock import Count
from server.domain.sourcing import Sourced
from server.store.keys import Keyspace
from server.store.ledger.codec import pack
from server.store.ledger.function_call import FunctionCall
from server.store.ledger.ledger import Retention
from server.store.lua_library import library

PARTITION: Final = DEFAULT_PARTITION
ON_HAND: Final = 500_000_000
"""More than any run can sell, so that every reservation is granted."""
SPREAD_SKUS: Final = 10_000
FILL_BATCH: Final = 128
TTL_MS: Final = 86_400_000
"""So long that nothing expires while it is measured."""
_DAY_S: Final = 86_400
# As the settings are by default.
LIMITS: Final = Retention(
    life_max_s=7 * _DAY_S, idempotency_s=_DAY_S, ended_s=7 * _DAY_S, fulfilled_s=90 * _DAY_S
).packed()
_HELD: Final = 1
_FORGET_AT_ONCE: Final = 1_000
_DONE: Final = ("changed", "stock_changed", "transfer_changed", "supply_changed")
_ANSWER_HEADS: Final = tuple(bytes([size]) + msgspec.msgpack.encode(tag) for size in range(0x91, 0x96) for tag in _DONE)
"""MessagePack arrays of a few fields, the tag first."""

_numbers = itertools.count(1)
_decode = msgspec.msgpack.Decoder().decode


def sku(number: int) -> str:
    """Name the SKU of this number, counted from 0, as ``bench/harness/reserve.lua`` does."""
    return f"BENCH-{number:07d}"


def keyspace() -> Keyspace:
    """Name the keys of the bench's partition, which is the server's default one."""
    return Keyspace(PARTITION)


def _call(function: str) -> FunctionCall:
    """Make what packs calls of a function that changes something, exactly as the server does."""
    its_keys = {
        "mutate_creating": keyspace().creating,
        "mutate_transfers": keyspace().transferring,
        "mutate_expected_receipts": keyspace().receiving,
    }
    keys = its_keys.get(function, keyspace().reserving)
    return FunctionCall(
        library().function(function), keyspace(), LIMITS, msgspec.msgpack.decode, writes=True, keys=keys
    )


def commands(operations: Sequence[Operation | Sourced], batch: int) -> list[bytes]:
    """Pack operations of one function into calls of ``batch`` each."""
    call, packed = _call(operations[0].function).command, [pack(operation) for operation in operations]
    return [call(packed[first : first + batch]) for first in range(0, len(packed), batch)]


def reserves(skus: Sequence[int], ttls_ms: Iterator[int] | None = None) -> list[Reserve]:
    """Make one reservation of one unit for each number in ``skus``, with ids that were never used before."""
    run, ttls_ms = secrets.token_hex(4), ttls_ms or itertools.repeat(TTL_MS)
    return [
        Reserve(
            "0123456789abcdef", "local", f"{run}-{next(_numbers)}", "web", [Line(sku(n), DEFAULT_LOCATION, 1)], ttl_ms
        )
        for n, ttl_ms in zip(skus, ttls_ms, strict=False)
    ]


def took_effect(reply: Any) -> bool:
    """Whether every answer of a batch says that the operation was done."""
    # The last one is no answer: it is the number of the call.
    return type(reply) is list and all(answer.startswith(_ANSWER_HEADS) for answer in reply[:-1])


def fill_skus(socket: Path, skus: int) -> None:
    """Count ``skus`` SKUs into a store, through the function that every count goes through."""
    for start in range(0, skus, 100_000):
        stop = min(start + 100_000, skus)
        counts = [Count("", "local", "", sku(n), DEFAULT_LOCATION, ON_HAND) for n in range(start, stop)]
        drive(socket, commands(counts, FILL_BATCH), FILL_BATCH, took_effect)


def fill_reservations(socket: Path, reservations: int, skus: int) -> None:
    """Make live reservations of one line, spread over ``skus`` SKUs, through the function that reserves."""
    for start in range(0, reservations, 100_000):
        numbers = [n * 7919 % skus for n in range(start, min(start + 100_000, reservations))]
        drive(socket, commands(reserves(numbers), FILL_BATCH), FILL_BATCH, took_effect)


def forget_reservations(client: Any, operations: Sequence[Reserve]) -> None:
    """Take reservations and journal out of a store again; what they hold stays counted, which costs nothing."""
    ids = [operation.reservation_id for operation in operations]
    with client.pipeline(transaction=False) as pipeline:
        for first in range(0, len(ids), _FORGET_AT_ONCE):
            pipeline.hdel(keyspace().reservations, *ids[first : first + _FORGET_AT_ONCE])
            pipeline.zrem(keyspace().deadlines, *ids[first : first + _FORGET_AT_ONCE])
        pipeline.unlink(keyspace().journal)
        pipeline.execute()


def is_counted(client: Any) -> bool:
    """Whether all that the journal has is in the figures of days."""
    keys = keyspace()
    newest = client.xinfo_stream(keys.journal)["last-generated-id"]
    return bool(client.hget(keys.figures, "cursor") == newest)


def held_units(client: Any) -> int:
    """Sum up what the store says is held, over every SKU and location."""
    return sum(_decode(packed)[_HELD] for packed in client.hvals(keyspace().stock))
