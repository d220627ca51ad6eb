"""Stock as it lies: every bucket of a SKU, its holders, and what is on its way."""

from typing import Final, NamedTuple

from server.domain import limits
from server.domain.stock import SkuStock
from server.schemas.stock import StockQuery
from server.service.caller import Caller
from server.service.checks import check_location, check_sku
from server.store.connection.timeouts import in_time
from server.store.ledger import slices
from server.store.repositories import reservations, transfers
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
    partition = caller.partition
    client, keyspace = partition.client, partition.keyspace
    found = await slices.stock(caller.ledger, sku, at, places_max=limits.PLACES_PER_ANSWER_MAX)
    if not found.levels:
        return None
    reading = reservations.holders(client, keyspace, partition.limits, sku, HOLDERS_MAX, location=at)
    holders, truncated = await in_time(reading)
    moving = await in_time(transfers.in_transit(client, keyspace, sku))
    moving = [each for each in moving if at in ("", each.source, each.destination)]
    return SkuDetails(found, holders, truncated, moving)
