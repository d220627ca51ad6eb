"""The service as a source's engine sees it: counts and expected receipts go in, records and open orders come out."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from adapters.contract.source import SupplyRow
from server.domain.answers import Refused
from server.domain.limits import DEFAULT_LOCATION, LOCATION_BYTES_MAX
from server.domain.operations.stock import StockOperation
from server.domain.principal import ALL_SCOPES, Principal
from server.domain.reservation import Reservation
from server.domain.spelling import fault, normal
from server.domain.stock import StockRecord
from server.domain.sudden_changes import Place
from server.schemas.expected_receipts import ExpectedReceiptBody
from server.schemas.stock import CountMovement
from server.service import mirrors
from server.service.caller import Caller, Partition
from server.service.checks import InvalidError, enter
from server.service.current_names import current
from server.service.expected_receipts import expect_operation, forgo_operation
from server.service.movements import each_in_order, operation_of
from server.store.connection.timeouts import in_time
from server.store.repositories.known_names import unknown_names
from server.store.repositories.reservations import list_reservations
from server.store.repositories.stock import read_records

INVALID: Final = "invalid"
_PAGE: Final = 200
_PIECE: Final = 1_000


class SourceCount(NamedTuple):
    """What ``on_hand`` of a place was at a seq of the partition."""

    place: Place
    on_hand: int
    seq: int


class SourceDesk(Protocol):
    """Where counts are made."""

    async def levels(self, places: Sequence[Place]) -> dict[Place, StockRecord | None]:
        """Read the records of places, also by old names of their SKUs; None: the SKU is not known there."""

    async def claim(self, source: str, location: str, groups: Collection[str]) -> str:
        """Have a source fill a location of these groups alone; return why it cannot, empty where it does."""

    async def known(self, skus: Sequence[str]) -> set[str]:
        """Return those SKUs that are known here, wherever they lie."""

    async def count(self, source: str, counts: Sequence[SourceCount]) -> dict[Place, str]:
        """Make counts; return the outcomes of those that were refused."""

    async def expect(self, source: str, supply_id: str, row: SupplyRow) -> str:
        """Have units expected; return why not, empty where they are."""

    async def forgo(self, source: str, supply_id: str) -> None:
        """Have units expected no longer, if they were."""

    def open_orders(self) -> AsyncIterator[tuple[str, Reservation]]:
        """Go through the reservations that take units for good and are not shipped whole."""

    async def order(self, reservation_id: str) -> Reservation | None:
        """Read a reservation; None: it is forgotten."""


class ServiceSourceDesk:
    """The desk of one partition; a source counts in its own name."""

    def __init__(self, name: str, partition: Partition) -> None:
        self._name = name
        self._partition = partition

    def _caller(self, source: str) -> Caller:
        enter(self._name)  # names that are stored in an older spelling are found by this one, as for a request
        return Caller(Principal(f"source:{source}", self._name, ALL_SCOPES), self._partition)

    async def levels(self, places: Sequence[Place]) -> dict[Place, StockRecord | None]:
        """Read the records of places."""
        names = await current(self._caller(""), [sku for sku, _ in places])
        stored = [(name, location) for name, (_, location) in zip(names, places, strict=True)]
        records = await in_time(read_records(self._partition.client, self._partition.keyspace, stored))
        return dict(zip(places, records, strict=True))

    async def claim(self, source: str, location: str, groups: Collection[str]) -> str:
        """Have a source fill a location of these groups alone. It is on sale, after all others."""
        if location == DEFAULT_LOCATION:
            return f"location may not be {DEFAULT_LOCATION}, where your own units are"
        if normal(location) != location or fault(location) or len(location.encode()) > LOCATION_BYTES_MAX:
            return f"the name of location {location!r} cannot be used; give it another"
        return await mirrors.claim(self._caller(source), location, is_open=True, groups=groups)

    async def known(self, skus: Sequence[str]) -> set[str]:
        """Return those SKUs that are known here, also by an old name."""
        caller, known = self._caller(""), set[str]()
        for first in range(0, len(skus), _PIECE):  # each in its own time: a list may have a million
            piece = skus[first : first + _PIECE]
            unknown = await in_time(unknown_names(self._partition.client, self._partition.keyspace, "sku", piece))
            renamed = {sku for sku, now in zip(unknown, await current(caller, unknown), strict=True) if sku != now}
            known |= set(piece).difference(unknown) | renamed
        return known

    async def count(self, source: str, counts: Sequence[SourceCount]) -> dict[Place, str]:
        """Make counts through the same door as those of people."""
        caller, refused, made = self._caller(source), dict[Place, str](), list[tuple[str, StockOperation]]()
        places: list[Place] = []
        for each in counts:
            try:
                operation = operation_of(caller, _body(source, each), None, {})
            except InvalidError:
                refused[each.place] = INVALID
                continue
            if operation is not None:
                made.append(operation)
                places.append(each.place)

        async def run(_: str, operation: StockOperation) -> str:
            answer = await caller.ledger.run(operation)
            return answer.outcome if isinstance(answer, Refused) else ""

        outcomes = await each_in_order(made, run, self._partition.bulk_at_once)
        return refused | {places[at]: outcome for at, outcome in outcomes.items() if outcome}

    async def expect(self, source: str, supply_id: str, row: SupplyRow) -> str:
        """Have units expected, as somebody would who asks for it."""
        caller = self._caller(source)
        try:
            body = msgspec.convert(
                {
                    "sku": row.sku,
                    "location": row.location,
                    "quantity": row.quantity,
                    "expected_on": row.expected_on,
                    "reference": row.key,
                },
                ExpectedReceiptBody,
            )
            answer = await caller.ledger.run(await expect_operation(caller, supply_id, body))
        except (InvalidError, msgspec.ValidationError):
            return INVALID
        return answer.outcome if isinstance(answer, Refused) else ""

    async def forgo(self, source: str, supply_id: str) -> None:
        """Have units expected no longer; a refusal says that they are not."""
        caller = self._caller(source)
        await caller.ledger.run(forgo_operation(caller, supply_id))

    async def open_orders(self) -> AsyncIterator[tuple[str, Reservation]]:
        """Go through the committed reservations, a page at a time."""
        after, parts = "", self._partition
        while True:
            page = await list_reservations(
                parts.client, parts.keyspace, parts.limits, state="committed", after=after, limit=_PAGE
            )
            for each in page.reservations:
                yield each
            if not page.next:
                return
            after = page.next

    async def order(self, reservation_id: str) -> Reservation | None:
        """Read a reservation."""
        return (await self._partition.ledger.reservation(reservation_id)).reservation


def _body(source: str, count: SourceCount) -> CountMovement:
    sku, location = count.place
    return CountMovement(count.on_hand, sku, location=location, baseline_seq=count.seq, reason=f"source {source}")


def units_taken(reservation: Reservation) -> Mapping[Place, int]:
    """Return what a reservation has sold at each place: committed or shipped, and not come back."""
    found: dict[Place, int] = {}
    for line in reservation.lines:
        if line.is_stocked:
            place = line.sku, line.location
            found[place] = found.get(place, 0) + line.committed + line.fulfilled - line.returned
    return {place: units for place, units in found.items() if units}
