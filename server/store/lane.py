"""One function of the library on one partition: how its calls are packed, and what its errors mean."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import structlog
from redis.crc import key_slot
from redis.exceptions import MasterDownError, ReadOnlyError, ResponseError

from server.domain.binding import Bound
from server.domain.exchange import Exchange
from server.domain.operations import Order, Reserve, Return
from server.domain.sourcing import Candidate, Plan, Sourced, chunks
from server.store.errors import OutcomeUnknownError, StoreUnavailableError
from server.store.keys import Keyspace
from server.store.scripts import Function, library

log = structlog.get_logger("holdfast.store")

_encode = msgspec.msgpack.Encoder().encode
_LONG_ARRAY: Final = 16


# Errors that the store raises before it runs a script, by their first word.
_NOTHING_RAN: Final = frozenset({"OOM", "READONLY", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN"}) | {
    "MOVED", "ASK", "TRYAGAIN", "BUSY", "NOAUTH", "NOPERM", "LOADING"
}  # fmt: skip


class Lane:
    """One function of the library on one partition: operations of the same lane can share a call.

    ``limits`` are its first argument; ``decode`` reads one answer; ``writes`` tells whether a lost reply
    leaves doubt; ``keys`` are those that it declares, where they are not a partition's ten. ``slot`` is theirs in a
    cluster; ``confirmation`` is the call after which a WAIT speaks for all that was written before it.
    """

    def __init__(
        self,
        function: Function,
        keyspace: Keyspace,
        limits: bytes,
        decode: Callable[[bytes], Any],
        *,
        writes: bool,
        keys: tuple[str, ...] = (),
    ) -> None:
        self.function = function
        self.decode = decode
        self.writes = writes
        keys = keys or keyspace.all
        self.slot = key_slot(keys[0].encode())
        self.confirmation = _packed("FCALL", library().function("confirm").call_name, "1", keyspace.meta)
        fixed = ("FCALL", function.call_name, str(len(keys)), *keys)
        # Packed once: only the operations differ from call to call.
        self._head = b"*%d\r\n" % (len(fixed) + 3) + b"".join(bulk(word.encode()) for word in fixed) + bulk(limits)

    def command(self, operations: list[bytes], number: bytes = b"0") -> bytes:
        """Pack the call as it goes over the wire; ``number`` comes back as the last of the answers."""
        return self._head + bulk(b"".join(operations)) + bulk(number)


def _packed(*words: str) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(bulk(word.encode()) for word in words)


def bulk(value: bytes) -> bytes:
    """Frame one word of a command."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


def pack(operation: object) -> bytes:
    """Pack an operation: its fields one after the other, without the array around them."""
    if isinstance(operation, Reserve):
        return _pack_promise("reserve", operation, operation.ttl_ms)
    if isinstance(operation, Order):
        return _pack_promise("order", operation, operation.accept_shortage)
    if isinstance(operation, Sourced):
        return _pack_plan(operation.plan) + pack(operation.promise)
    if isinstance(operation, Bound):
        return _pack_binding(operation) + pack(operation.operation)
    if isinstance(operation, Exchange):
        return _pack_return("exchange", operation.returned) + pack(operation.promise)
    # An array of up to 15 begins with one byte that holds its length.
    return _encode(operation)[1:]


def _pack_promise(tag: str, promise: Reserve | Order, its_own: int | bool) -> bytes:
    """Lay the lines flat, too: reading an array costs the store more than all that is in it."""
    fields: list[object] = [
        tag,
        promise.fingerprint,
        promise.actor,
        promise.reservation_id,
        promise.channel,
        its_own,
        "backorder" if promise.backorder else promise.partial,
        promise.order_ref,
        promise.customer_ref,
        promise.flags or False,
        len(promise.lines),
    ]
    for line in promise.lines:
        fields += (line.sku, line.location, line.quantity)
    return _flat(fields)


def _flat(values: list[object]) -> bytes:
    """Pack values one after the other: an array of up to 15 begins with one byte, one of up to 65,535 with three."""
    return _encode(values)[1 if len(values) < _LONG_ARRAY else 3 :]


def _pack_plan(plan: Plan) -> bytes:
    """Pack what ``lua/lib/sourcing.lua`` expects before a promise: chunks of candidates, each packed on its own."""
    open_group = False if plan.open_group is None else plan.open_group
    return _with_chunks(
        ["source", plan.splits_max, plan.closed or False, plan.split_lines, open_group], plan.candidates
    )


def _pack_binding(bound: Bound) -> bytes:
    """Pack what ``lua/operations/bind.lua`` expects before a commit or fulfil."""
    binding = bound.binding
    head = ["bind", binding.splits_max, binding.split_lines, binding.location, binding.closed]
    return _with_chunks(head, binding.candidates)


def _with_chunks(head: list[object], candidates: list[Candidate]) -> bytes:
    cut = [_flat([value for candidate in chunk for value in candidate]) for chunk in chunks(candidates)]
    # Framed by hand as text, whatever its bytes: the store's MessagePack knows no binary.
    return _flat([*head, len(cut)]) + b"".join(b"\xdb" + len(each).to_bytes(4) + each for each in cut)


def _pack_return(tag: str, operation: Return) -> bytes:
    each = operation
    return _flat([tag, each.fingerprint, each.actor, each.reservation_id, each.key, each.lines, each.reason])


def unreadable(lane: Lane, reason: str) -> Exception:
    """Say that an answer came which this release cannot read; its neighbours are not concerned."""
    log.error("answer_unreadable", function=lane.function.name, reason=reason)
    if lane.writes:
        return OutcomeUnknownError("The store gave an answer that cannot be read.")
    return StoreUnavailableError("The store gave an answer that cannot be read.")


def may_be_elsewhere(error: Exception) -> bool:
    """Whether a store answered so because it is not, or no longer, the one to write to: time to look for it anew."""
    return isinstance(error, (ReadOnlyError, MasterDownError)) or str(error).startswith("NOREPLICAS")


def meaning(error: Exception, lane: Lane) -> Exception:
    """Translate the store's error reply for the callers."""
    text = str(error)
    # redis-py strips the code of the errors that it has a class for, and keeps that of the others.
    code = text.partition(" ")[0]
    if code in _NOTHING_RAN or type(error) is not ResponseError or not lane.writes:
        return StoreUnavailableError(f"The store refused: {text}")
    log.error("script_failed", script=lane.function.name, reason=text)
    return OutcomeUnknownError("The store reported a fault inside the operation.")
