"""The ledger of one partition: a typed method for each operation. It knows what is asked, not how it travels."""

from dataclasses import dataclass
from typing import Final, cast

import msgspec

from server.domain.binding import Bound
from server.domain.exchange import Exchange, ExchangeAnswer, Exchanged, ExchangeRefused, promise_of
from server.domain.expected_receipt import ExpectedReceiptChanged
from server.domain.operations.allocations import Allocate, AllocateMove
from server.domain.operations.expected_receipts import Expect, Forgo, ReceiveExpected
from server.domain.operations.reservations import (
    Cancel,
    Commit,
    Extend,
    Fulfil,
    Order,
    Release,
    Relocate,
    Reserve,
    Return,
)
from server.domain.operations.stock import Adjust, Count, Move, Receive, SetBackorder
from server.domain.operations.transfers import Arrive, Ship
from server.domain.outcomes import (
    AllocationAnswer,
    AllocationUsageUnknown,
    ExpectedReceiptAnswer,
    Refused,
    ReservationAnswer,
    RetryAfterExpiry,
    StockAnswer,
    TransferAnswer,
)
from server.domain.reservation import Changed, FoundReservation
from server.domain.sourcing import Sourced
from server.domain.stock import FoundAvailability, SkuStock, StockChanged
from server.domain.transfer import TransferChanged
from server.store.keys import Keyspace
from server.store.ledger.function_call import FunctionCall, Submitter
from server.store.lua_library import library

EXPIRE_BATCH_MAX: Final = 400
"""Lapsed holds that one script ends; some 4 ms of the store's time."""
SETTLE_LINES: Final = 4
"""What an operation on an existing reservation weighs in a batch: how many lines it has is not known before."""

PAIRS_PER_LINE: Final = 6
"""So many records that sourcing has to look at weigh as much as one line."""

_decode_changed = msgspec.msgpack.Decoder(
    Changed | Refused | RetryAfterExpiry | StockChanged | AllocationUsageUnknown | Exchanged | ExchangeRefused
).decode
_decode_transfer = msgspec.msgpack.Decoder(TransferChanged | Refused | RetryAfterExpiry).decode
_decode_supply = msgspec.msgpack.Decoder(ExpectedReceiptChanged | StockChanged | Refused).decode
_decode_availability = msgspec.msgpack.Decoder(FoundAvailability).decode
_decode_stock = msgspec.msgpack.Decoder(SkuStock).decode
_decode_reservation = msgspec.msgpack.Decoder(FoundReservation).decode


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things live, in seconds; see the settings of the same names."""

    life_max_s: int
    idempotency_s: int
    ended_s: int
    fulfilled_s: int

    def packed(self) -> bytes:
        """Pack for the scripts: their first argument, in milliseconds (``lua/lib/context.lua``)."""
        seconds = (self.life_max_s, self.idempotency_s, self.ended_s, self.fulfilled_s)
        return msgspec.msgpack.encode([EXPIRE_BATCH_MAX, *(1000 * each for each in seconds)])


class Ledger:
    """All operations on one partition's stock.

    Every method raises :class:`~server.store.ledger.batcher.OverloadedError`,
    :class:`~server.store.errors.StoreUnavailableError` (in both cases nothing happened) or
    :class:`~server.store.ledger.batcher.OutcomeUnknownError`. Refusals are values.
    """

    def __init__(self, batcher: Submitter, keyspace: Keyspace, retention: Retention) -> None:
        limits, functions = retention.packed(), library().function
        self.keyspace = keyspace
        self._submit = batcher.submit
        self._take = FunctionCall(
            functions("mutate"), keyspace, limits, _decode_changed, writes=True, keys=keyspace.promising
        )
        self._settle = FunctionCall(
            functions("mutate_when_full"), keyspace, limits, _decode_changed, writes=True, keys=keyspace.promising
        )
        self._transfer = FunctionCall(
            functions("mutate_transfers"), keyspace, limits, _decode_transfer, writes=True, keys=keyspace.transferring
        )
        self._supply = FunctionCall(
            functions("mutate_expected_receipts"),
            keyspace,
            limits,
            _decode_supply,
            writes=True,
            keys=keyspace.receiving,
        )
        # One script, but a lane for each shape of answer.
        self._availability = FunctionCall(functions("read"), keyspace, limits, _decode_availability, writes=False)
        self._stock = FunctionCall(functions("read"), keyspace, limits, _decode_stock, writes=False)
        self._reservation = FunctionCall(functions("read"), keyspace, limits, _decode_reservation, writes=False)

    async def reserve(self, operation: Reserve) -> ReservationAnswer:
        """Hold units: Changed, or Refused with id_reused, unknown_sku, out_of_stock."""
        return await self._promise(self._take, operation, len(operation.lines))

    async def order(self, operation: Order) -> ReservationAnswer:
        """Reserve and commit at once; refusals as for :meth:`reserve`."""
        return await self._promise(self._take, operation, len(operation.lines))

    async def source(self, operation: Sourced) -> ReservationAnswer:
        """Reserve or order, with locations chosen by the store; refusals also location_closed, too_many_splits."""
        return await self._promise(self._take, operation, _weight(operation))

    async def commit(self, operation: Commit) -> ReservationAnswer:
        """Turn held units into ordered ones."""
        return await self._promise(self._settle, operation, SETTLE_LINES)

    async def relocate(self, operation: Relocate) -> ReservationAnswer:
        """Take promised units from other locations."""
        return await self._promise(self._take, operation, SETTLE_LINES + len(operation.lines))

    async def bind(self, operation: Bound) -> ReservationAnswer:
        """Commit or fulfil, and take what is open from the location named, or from the best of the candidates.

        Refused as they are, and with a location named: not_open, location_closed, unknown_sku, out_of_stock,
        too_many_lines.
        """
        weight = SETTLE_LINES + SETTLE_LINES * len(operation.binding.candidates) // PAIRS_PER_LINE
        return await self._promise(self._take, operation, weight)

    async def exchange(self, operation: Exchange) -> ExchangeAnswer:
        """Take shipped units back and promise others instead. Refused as either half is, and nothing changed."""
        promise = operation.promise
        weight = _weight(promise) if isinstance(promise, Sourced) else len(promise_of(operation).lines)
        return cast(
            ExchangeAnswer, await self._until_told(self._take, operation, weight + len(operation.returned.lines))
        )

    async def extend(self, operation: Extend) -> ReservationAnswer:
        """Move a hold's deadline."""
        return cast(ReservationAnswer, await self._submit(self._settle, operation, 1))

    async def release(self, operation: Release) -> ReservationAnswer:
        """Give held units back."""
        return cast(ReservationAnswer, await self._submit(self._settle, operation, SETTLE_LINES))

    async def cancel(self, operation: Cancel) -> ReservationAnswer:
        """Give ordered units back."""
        return cast(ReservationAnswer, await self._submit(self._settle, operation, SETTLE_LINES))

    async def fulfil(self, operation: Fulfil) -> ReservationAnswer:
        """Ship ordered units."""
        return cast(ReservationAnswer, await self._submit(self._settle, operation, SETTLE_LINES))

    async def take_back(self, operation: Return) -> ReservationAnswer:
        """Take shipped units back. Refused: unknown_reservation, not_fulfilled, exceeds_remaining."""
        return cast(ReservationAnswer, await self._submit(self._take, operation, len(operation.lines)))

    async def move_stock(
        self, operation: Receive | ReceiveExpected | Adjust | Count | Move | SetBackorder
    ) -> StockAnswer:
        """Receive, adjust, count, move between buckets, or say what may be waited for."""
        if isinstance(operation, ReceiveExpected):
            return cast(StockAnswer, await self._submit(self._supply, operation, 1))
        return cast(StockAnswer, await self._submit(self._take, operation, 1))

    async def expect(self, operation: Expect | Forgo) -> ExpectedReceiptAnswer:
        """Say what is to come, or that it will not. Refused: id_reused, unknown_supply."""
        return cast(ExpectedReceiptAnswer, await self._submit(self._supply, operation, 1))

    async def transfer(self, operation: Ship | Arrive) -> TransferAnswer:
        """Send units to another location, or receive them there.

        Refused: id_reused, unknown_sku, exceeds_available; unknown_transfer, transfer_closed, exceeds_remaining.
        """
        while True:  # as in _promise
            answer = await self._submit(self._transfer, operation, len(operation.lines) or 1)
            if type(answer) is not RetryAfterExpiry:
                return cast(TransferAnswer, answer)

    async def allocate(self, operation: Allocate | AllocateMove) -> AllocationAnswer:
        """Give a channel units of its own or a cap, or move them; see :mod:`server.store.repositories.allocations`.

        Refused: unknown_sku, exceeds_available, unknown_allocation, allocation_differs, exceeds_remaining,
        too_many_allocations.
        """
        while True:  # as in _promise
            answer = await self._submit(self._take, operation, 1)
            if type(answer) is not RetryAfterExpiry:
                return cast(AllocationAnswer, answer)

    async def availability(self, skus: list[str], location: str = "", channel: str = "") -> FoundAvailability:
        """Read what may still be promised of some SKUs (up to some 100), at one location or at each.

        ``channel`` empty: to anybody; else to that channel, its own units and its caps considered.
        """
        question = ("availability", skus, location, channel)
        return cast(FoundAvailability, await self._submit(self._availability, question, len(skus)))

    async def stock(self, sku: str) -> SkuStock:
        """Read every bucket of a SKU at each location."""
        return cast(SkuStock, await self._submit(self._stock, ("stock", sku, "", ""), 1))

    async def reservation(self, reservation_id: str) -> FoundReservation:
        """Read one reservation."""
        question = ("reservation", reservation_id, "", "")
        return cast(FoundReservation, await self._submit(self._reservation, question, 1))

    async def _promise(
        self, lane: FunctionCall, operation: Reserve | Order | Commit | Sourced | Relocate | Bound, lines: int
    ) -> ReservationAnswer:
        """Submit until the store need not end lapsed holds first, which it does a bounded number at a time."""
        while True:
            answer = await self._submit(lane, operation, lines)
            if type(answer) is not RetryAfterExpiry:
                return cast(ReservationAnswer, answer)

    async def _until_told(self, lane: FunctionCall, operation: Exchange, lines: int) -> object:
        """As :meth:`_promise`, for another shape of answer."""
        while True:
            answer: object = await self._submit(lane, operation, lines)
            if type(answer) is not RetryAfterExpiry:
                return answer


def _weight(operation: Sourced) -> int:
    """Weigh a promise that is planned: all candidates of the first rank are looked at."""
    lines, candidates = len(operation.promise.lines), operation.plan.candidates
    equals = sum(each.rank == candidates[0].rank for each in candidates)
    return lines + lines * equals // PAIRS_PER_LINE
