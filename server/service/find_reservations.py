"""Find reservations by what a caller knows of them: its order number, its customer, or when they were made.

An index among the documents finds them; the records that are shown are read from the store, and have to match, too.
"""

from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from server.domain.finding import customer_name
from server.domain.reservation import Reservation, as_of
from server.domain.spelling import is_spelling
from server.schemas.reservations import ListQuery
from server.service.caller import Caller
from server.service.checks import check_channel, check_reference, check_sku, check_time_ms
from server.service.documents import Freshness, documents_of, freshness
from server.service.pages import next_of, place_in, unveiled, veiled
from server.store.connection.timeouts import in_time
from server.store.documents import finding_search as search
from server.store.documents.database import Session
from server.store.documents.finding_search import ReservationFilter
from server.store.repositories.aliases import names_of
from server.store.repositories.channels import ChannelStore
from server.store.repositories.reservation_records import read_reservations

LOOKED_AT_MAX: Final = 200
"""Reservations that one page looks at beyond those that it shows; it may find few that match, and go on."""
_ORDER_REF: Final = "order_ref"
_Ms = Annotated[int, Meta(ge=0, le=2**53)]
_decode_place = msgspec.json.Decoder(tuple[_Ms, str]).decode
_decode_veiled = msgspec.json.Decoder(tuple[_Ms, str, str]).decode


class ReservationsFound(NamedTuple):
    """A page, as of a time on the store's clock; ``following``: the ``after`` of the next one, empty on the last."""

    found: list[tuple[str, Reservation]]
    following: str
    as_of_ms: int
    freshness: Freshness


def uses_index(query: ListQuery) -> bool:
    """Return whether a query asks for something that only the index knows."""
    return any(
        value is not msgspec.UNSET for value in (query.order_ref, query.customer_ref, query.from_, query.to, query.sort)
    )


async def find_reservations(caller: Caller, query: ListQuery) -> ReservationsFound:
    """Read a page of the reservations that match.

    Raises
    ------
    InvalidError
        A field breaks a rule, or ``after`` is not what a page returned as its next.
    ProblemError
        There is no documents database.
    DocumentsError
        The database does not answer.
    StoreUnavailableError
        The store did not answer in time.

    """
    age, documents, parts = await freshness(caller), documents_of(caller), caller.partition
    partition, wanted = caller.principal.partition, await _filter(caller, query)
    matches = await _Match.of(caller, query)
    places = await _Places.of(caller)
    place = places.read(query.after) if query.after else None
    found: dict[str, Reservation] = {}
    now_ms, looked = await in_time(ChannelStore(parts.client, parts.keyspace).now_ms()), 0
    while True:
        limit = query.limit - len(found) + 1

        async def look(
            session: Session, after: tuple[int, str] | None = place, limit: int = limit
        ) -> list[tuple[int, str]]:
            return await search.reservations(session, partition, wanted, after, limit)

        rows = await documents.look(look)
        page = rows[: limit - 1]
        records = await in_time(read_reservations(parts.client, parts.keyspace, [name for _, name in page]))
        shown = {name: as_of(record, now_ms) for name, record in records.items()}
        found |= {name: record for name, record in shown.items() if matches.fits(record)}
        looked += len(page)
        place = page[-1] if page else place
        if len(rows) < limit:
            return ReservationsFound(list(found.items()), "", now_ms, age)
        if len(found) >= query.limit or looked >= LOOKED_AT_MAX + query.limit:
            return ReservationsFound(list(found.items()), places.next_of(place), now_ms, age)


class _Places(NamedTuple):
    """Where pages go on: behind a reservation that was looked at, which who asks may not be allowed to see.

    ``key``: of those who see one channel alone; empty: they see all.
    """

    key: bytes

    @classmethod
    async def of(cls, caller: Caller) -> "_Places":
        principal = caller.principal
        is_narrow = principal.reach is not None and bool(principal.reach.channel)
        return cls(await documents_of(caller).customer_key(principal.partition) if is_narrow else b"")

    def read(self, after: str) -> tuple[int, str]:
        if not self.key:
            return place_in(after, _decode_place)
        created_ms, nonce, masked = place_in(after, _decode_veiled)
        return created_ms, unveiled(nonce, masked, self.key)

    def next_of(self, place: tuple[int, str] | None) -> str:
        assert place is not None  # noqa: S101  # a page that ends has looked at something
        return next_of((place[0], *veiled(place[1], self.key)) if self.key else place)


async def _filter(caller: Caller, query: ListQuery) -> ReservationFilter:
    order_ref = check_reference("order_ref", query.order_ref) if isinstance(query.order_ref, str) else ""
    customer = ""
    if isinstance(query.customer_ref, str):
        key = await documents_of(caller).customer_key(caller.principal.partition)
        customer = customer_name(key, check_reference("customer_ref", query.customer_ref))
    return ReservationFilter(
        order_ref,
        customer,
        check_time_ms("from", query.from_),
        check_time_ms("to", query.to),
        is_oldest_first=query.sort == "created",
    )


class _Match(NamedTuple):
    """What the record of a reservation has to have."""

    query: ListQuery
    skus: tuple[str, ...]
    channel: str

    @classmethod
    async def of(cls, caller: Caller, query: ListQuery) -> "_Match":
        """Check a query; raises as :func:`find_reservations`."""
        parts, skus = caller.partition, tuple[str, ...]()
        if query.sku is not None:
            skus = await in_time(names_of(parts.client, parts.keyspace, check_sku("sku", query.sku)))
        return cls(query, skus, "" if query.channel is None else check_channel("channel", query.channel))

    def fits(self, record: Reservation) -> bool:
        query = self.query
        return (
            (query.state is msgspec.UNSET or record.state == query.state)
            and (query.order_ref in (msgspec.UNSET, dict(record.notes).get(_ORDER_REF, record.order_ref)))
            and (query.customer_ref in (msgspec.UNSET, record.customer_ref))
            and (not self.channel or is_spelling(record.channel, self.channel))
            and (not self.skus or any(line.sku in self.skus for line in record.lines))
            and (not query.unmapped or any(line.is_unmapped for line in record.lines))
        )
