"""Stock as it lies: every bucket of a SKU, its holders, and what is on its way."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from server.domain import limits
from server.domain.stock import SkuStock, StockLevel
from server.schemas.stock import StockQuery
from server.service.caller import Caller
from server.service.checks import check_location, check_sku
from server.service.holder_search import holder_search
from server.store.connection.timeouts import in_time
from server.store.ledger import slices
from server.store.repositories import reservations, transfers
from server.store.repositories.aliases import names_of
from server.store.repositories.location_names import read_location_names
from server.store.repositories.named_holders import named_holders
from server.store.repositories.reservations import Holder
from server.store.repositories.transfers import InTransit

HOLDERS_MAX: Final = 500
_EVERYWHERE: Final = StockQuery()


class SkuDetails(NamedTuple):
    """Everything that the number of a SKU follows from. ``truncated``: there are more holders than are listed."""

    stock: SkuStock
    holders: list[Holder]
    truncated: bool
    in_transit: list[InTransit]


async def details(caller: Caller, sku: str, query: StockQuery = _EVERYWHERE) -> SkuDetails | None:
    """Read the buckets of a SKU, its holders and what is on its way, at all locations or at one.

    None: unknown SKU, or unknown at this location.

    Raises
    ------
    InvalidError
        It cannot be a SKU or a location.
    TooManyPlacesError
        It is at more locations than an answer may list.
    OverloadedError, StoreUnavailableError
        The store did not answer.

    """
    sku = check_sku("sku", sku)
    at = "" if query.location is None else check_location("location", query.location)
    client, keyspace = caller.partition.client, caller.partition.keyspace
    found = await slices.stock(caller.ledger, sku, at, places_max=limits.PLACES_PER_ANSWER_MAX)
    if not found.levels:
        return None
    holders, truncated = await _holders(caller, sku, at, found.levels)
    moving = await in_time(transfers.in_transit(client, keyspace, caller.partition.limits, sku))
    if at:
        places = (await in_time(read_location_names(client, keyspace))).names(at)
        moving = [each for each in moving if each.source in places or each.destination in places]
    return SkuDetails(found, holders, truncated, moving)


async def _holders(caller: Caller, sku: str, at: str, levels: Sequence[StockLevel]) -> tuple[list[Holder], bool]:
    """Find the holders among the reservations that the database names; where it lacks some, among all."""
    reserved = [(level.sku, level.location) for level in levels if level.held + level.committed]
    if not reserved:
        return [], False
    partition, search = caller.partition, holder_search(caller)
    client, keyspace = partition.client, partition.keyspace
    if search is not None:
        skus = await in_time(names_of(client, keyspace, sku))
        named = await search([(name, "") for name in skus])
        ids = list(dict.fromkeys(name for each in named.values() for name in each))
        reading = named_holders(client, keyspace, skus, ids, reserved=reserved, limit=HOLDERS_MAX, location=at)
        found = await in_time(reading)
        if found is not None:
            return found
    return await in_time(reservations.holders(client, keyspace, partition.limits, sku, HOLDERS_MAX, location=at))
