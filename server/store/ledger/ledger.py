"""The ledger of one partition: its operations and queries, and their answers. It does not know how a call is sent."""

from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast, overload

import msgspec

from server.domain.answers import (
    AllocationAnswer,
    AllocationUsageUnknown,
    BatchAnswer,
    BatchNoted,
    ExpectedReceiptAnswer,
    LookInSlices,
    OrderNoted,
    Refused,
    ReservationAnswer,
    RetryAfterExpiry,
    RetryWithWeight,
    StockAnswer,
    TransferAnswer,
)
from server.domain.binding import Bound
from server.domain.copied_stock import FoundLevels
from server.domain.exchange import Exchange, ExchangeAnswer, Exchanged, ExchangeRefused
from server.domain.expected_receipt import ExpectedReceiptChanged
from server.domain.operations import (
    AllocationOperation,
    BatchOperation,
    ExpectedReceiptOperation,
    ReservationOperation,
    StockOperation,
    TransferOperation,
)
from server.domain.operations.orders import Noted, Numbered
from server.domain.operations.reservations import Reserve
from server.domain.principal import SYSTEM
from server.domain.reservation import Changed, FoundReservation
from server.domain.sourcing import RECORDS_PER_LINE, AmongPlaces, Choice, Sourced
from server.domain.stock import (
    FoundAvailability,
    FoundPlaces,
    FoundStocked,
    FoundSums,
    FoundUnits,
    SkuStock,
    StockChanged,
)
from server.domain.transfer import TransferChanged
from server.store.keys import Keyspace
from server.store.ledger.codec import pack, pack_places_to_explain, pack_to_explain
from server.store.ledger.function_call import FunctionCall, Submitter, Turn
from server.store.ledger.slices import WEIGHT_GROWTH
from server.store.ledger.wide_orders import WideOrder
from server.store.lua_library import library

EXPIRE_BATCH_MAX: Final = 200
"""Due holds that one script expires, and fewer where they have many lines: some 2 to 5 ms of the store's time."""

_AGAIN: Final = frozenset({RetryAfterExpiry, RetryWithWeight, LookInSlices})
"""Answers that are not those of an operation: it is sent again."""

_decode_answer = msgspec.msgpack.Decoder(
    Changed
    | Refused
    | RetryAfterExpiry
    | RetryWithWeight
    | LookInSlices
    | StockChanged
    | AllocationUsageUnknown
    | Exchanged
    | ExchangeRefused
    | TransferChanged
    | ExpectedReceiptChanged
    | BatchNoted
    | OrderNoted
).decode
_decode_availability = msgspec.msgpack.Decoder(FoundAvailability).decode
_decode_stocked = msgspec.msgpack.Decoder(FoundStocked).decode
_decode_levels = msgspec.msgpack.Decoder(FoundLevels).decode
_decode_sums = msgspec.msgpack.Decoder(FoundSums).decode
_decode_stock = msgspec.msgpack.Decoder(SkuStock).decode
_decode_places = msgspec.msgpack.Decoder(FoundPlaces).decode
_decode_units = msgspec.msgpack.Decoder(FoundUnits).decode
_decode_reservation = msgspec.msgpack.Decoder(FoundReservation).decode
_decode_choice = msgspec.msgpack.Decoder(Choice).decode


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
    """All operations on one partition's stock. They wait for the store in the queue of ``key``, or of the system.

    Every method raises :class:`~server.store.errors.OverloadedError`,
    :class:`~server.store.errors.StoreUnavailableError` (in both cases nothing happened) or
    :class:`~server.store.errors.OutcomeUnknownError`. Refusals are values.
    """

    def __init__(self, batcher: Submitter, keyspace: Keyspace, retention: Retention, key: str = SYSTEM) -> None:
        self.keyspace = keyspace
        self._batcher = batcher
        self._submit = partial(batcher.submit, Turn(keyspace.partition, key))
        self._limits = retention.packed()
        self._looked_at = _AGAIN
        self._functions = {
            name: self._function(name, keys)
            for name, keys in (
                ("mutate", keyspace.reserving),
                ("mutate_when_full", keyspace.reserving),
                ("mutate_creating", keyspace.creating),
                ("mutate_transfers", keyspace.transferring),
                ("mutate_expected_receipts", keyspace.receiving),
                ("mutate_noting", keyspace.noting),
                ("mutate_noting_when_full", keyspace.noting),
            )
        }
        # One function, but a call for each shape of answer.
        self._availability = self._question("read", _decode_availability)
        self._stocked = self._question("read", _decode_stocked)
        self._sums = self._question("read", _decode_sums)
        self._levels = self._question("read", _decode_levels)
        self._stock = self._question("read", _decode_stock)
        self._reservation = self._question("read", _decode_reservation)
        self._places = self._question("read", _decode_places)
        self._units = self._question("read", _decode_units)
        self._choice = self._question("explain_sourcing", _decode_choice)

    def of(self, key: str) -> "Ledger":
        """Return the same ledger for the operations of a key."""
        other = copy(self)
        other._submit = partial(self._batcher.submit, Turn(self.keyspace.partition, key))  # noqa: SLF001  # it is ours
        return other

    def preview(self) -> "Ledger":
        """Return a ledger that answers what this one would to movements of stock.

        It changes nothing, and takes no other operations. Each is answered as if it came next.
        """
        other, keys = copy(self), self.keyspace.creating
        call = FunctionCall(
            library().function("preview"), self.keyspace, self._limits, _decode_answer, writes=False, keys=keys
        )
        other._functions = {"mutate_creating": call, "mutate": call}  # noqa: SLF001  # it is ours
        return other

    def _function(self, name: str, keys: tuple[str, ...]) -> FunctionCall:
        function = library().function(name)
        return FunctionCall(function, self.keyspace, self._limits, _decode_answer, writes=True, keys=keys)

    def _question(self, name: str, decode: Any) -> FunctionCall:
        return FunctionCall(library().function(name), self.keyspace, self._limits, decode, writes=False)

    @overload
    async def run(self, operation: ReservationOperation | Sourced | Bound) -> ReservationAnswer: ...
    @overload
    async def run(self, operation: StockOperation) -> StockAnswer: ...
    @overload
    async def run(self, operation: AllocationOperation) -> AllocationAnswer: ...
    @overload
    async def run(self, operation: TransferOperation) -> TransferAnswer: ...
    @overload
    async def run(self, operation: ExpectedReceiptOperation) -> ExpectedReceiptAnswer: ...
    @overload
    async def run(self, operation: BatchOperation) -> BatchAnswer: ...
    @overload
    async def run(self, operation: Exchange) -> ExchangeAnswer: ...
    @overload
    async def run(self, operation: Numbered) -> ReservationAnswer: ...
    @overload
    async def run(self, operation: Noted) -> ReservationAnswer | OrderNoted: ...

    async def run(self, operation: Any) -> Any:
        """Run one operation, or refuse it.

        The answer's type follows from the operation's kind; the operation's file in ``lua/operations/`` lists its
        refusals.
        """
        answer = await self._submit(self._functions[operation.function], pack(operation), operation.weight)
        return answer if type(answer) not in self._looked_at else await self._look_at(operation, answer)

    async def _look_at(self, operation: Any, answer: Any) -> Any:
        """Do what an answer asks for that cannot simply be returned."""
        return await self._run_again(operation, answer)

    async def _run_again(self, operation: Any, answer: Any) -> Any:
        """Send an operation until it is answered; ``answer``: the one that it got."""
        weight, wide = operation.weight, WideOrder(operation)
        while type(answer) in _AGAIN or wide.is_out_of_date(answer):
            # Each call expires some of the due holds; until none is left, their units are not available.
            if type(answer) is RetryWithWeight:
                weight = max(answer.weight, WEIGHT_GROWTH * weight)
            elif type(answer) is not RetryAfterExpiry:
                refused = await wide.prepare(self, answer)
                if refused is not None:
                    return refused
                operation, weight = wide.sent, wide.sent.weight
            answer = await self._submit(self._functions[operation.function], pack(operation), weight)
        return answer

    # One call of the store reads some places only, so the answers to the following say how far they came; ``slices.py``
    # reads all. ``start`` is where the answer before stopped, and ``weight`` what that has shown.

    async def availability(
        self, skus: list[str], location: str = "", channel: str = "", *, start: int = 0, weight: int = 0
    ) -> FoundAvailability:
        """Read what is available to promise of some SKUs (up to some 100), at one location or at each.

        ``channel`` empty: to any channel; else to that channel, its own units and its caps considered.
        """
        question = pack(("availability", skus, location, channel, start))
        return cast(FoundAvailability, await self._submit(self._availability, question, weight or len(skus)))

    async def stocked(self, skus: list[str], channel: str = "", *, start: int = 0, weight: int = 0) -> FoundStocked:
        """Read where an order of a channel could be taken from."""
        question = pack(("stocked", skus, "", channel, start))
        return cast(FoundStocked, await self._submit(self._stocked, question, weight or len(skus)))

    async def sums(
        self, skus: list[str], location: str = "", channel: str = "", *, start: int = 0, weight: int = 0
    ) -> FoundSums:
        """Read the same, summed up over the locations."""
        question = pack(("sums", skus, location, channel, start))
        return cast(FoundSums, await self._submit(self._sums, question, weight or len(skus)))

    async def levels(self, skus: list[str], *, weight: int = 0) -> FoundLevels:
        """Read what a copy of some SKUs has to hold (up to some 100), as far as one call comes."""
        question = pack(("levels", skus, "", "", 0))
        return cast(FoundLevels, await self._submit(self._levels, question, weight or len(skus)))

    async def stock(self, sku: str, location: str = "", *, start: int = 0, weight: int = 1) -> SkuStock:
        """Read every bucket of a SKU at each location, or at one."""
        return cast(SkuStock, await self._submit(self._stock, pack(("stock", [sku], location, "", start)), weight))

    async def reservation(self, reservation_id: str) -> FoundReservation:
        """Read one reservation."""
        question = ("reservation", reservation_id, "", "", 0)
        return cast(FoundReservation, await self._submit(self._reservation, pack(question), 1))

    async def places(self, skus: list[str], *, weight: int = 0) -> FoundPlaces:
        """Read where SKUs are known (up to some 100)."""
        question = pack(("places", skus, "", "", 0))
        return cast(FoundPlaces, await self._submit(self._places, question, weight or len(skus)))

    async def units(self, pairs: list[tuple[str, str]], channel: str, *, growth: int = 1) -> FoundUnits:
        """Read how many units of each SKU at a location a channel can reserve (up to some 1,000 pairs)."""
        weight = growth * (1 + len(pairs) // RECORDS_PER_LINE)
        return cast(FoundUnits, await self._submit(self._units, pack(("units", pairs, "", channel, 0)), weight))

    async def explain_places(self, operation: Reserve | AmongPlaces, pairs: int) -> Choice:
        """Choose locations as :meth:`run` would now, as :meth:`explain`; for lines that are not sourced.

        ``pairs``: at how many locations the SKUs are known, in all.
        """
        packed, weight = pack_places_to_explain(operation), operation.weight + pairs // RECORDS_PER_LINE
        return cast(Choice, await self._submit(self._choice, packed, weight))

    async def explain(self, operation: Sourced) -> Choice:
        """Choose locations as :meth:`run` would now, and change nothing.

        A hold past its deadline that has not expired yet counts as held: to expire it would be a change.
        """
        return cast(Choice, await self._submit(self._choice, pack_to_explain(operation), operation.weight_to_explain))
