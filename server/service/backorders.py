"""Preorder and backorder: how many units may be reserved before they are there, and which lines wait for them."""

import msgspec

from server.domain.aliases import NO_ALIASES, NO_LOCATION_NAMES
from server.domain.operations.stock import BackorderMode, SetBackorder
from server.schemas.backorders import BackorderBody, BackordersQuery
from server.service.caller import Caller
from server.service.checks import InvalidError, check_location, check_sku
from server.service.likeness import as_asked, is_allowed
from server.store.connection.timeouts import in_time
from server.store.repositories.aliases import read_aliases
from server.store.repositories.backorders import WaiterPage, find_waiters
from server.store.repositories.location_names import read_location_names


def backorder_operation(caller: Caller, sku: str, location: str, body: BackorderBody) -> SetBackorder:
    """Make the operation that sets how many units of a SKU at a location may be waited for.

    Raises
    ------
    InvalidError
        A field breaks a rule.

    """
    where = check_sku("sku", sku), check_location("location", location)
    body_fingerprint = caller.fingerprint("backorder", sku, location, as_asked(body))
    promise_on = body.promise_on.isoformat() if body.promise_on is not None else ""
    mode = BackorderMode(body.mode)
    head = body_fingerprint, caller.actor, caller.key, *where
    return SetBackorder(*head, mode, body.limit, promise_on, is_allowed(body))


async def waiting_lines(caller: Caller, query: BackordersQuery) -> WaiterPage:
    """Read the lines that wait, in order, a page at a time.

    Raises
    ------
    InvalidError
        A field breaks a rule, or ``after`` is not what a page returned as its next.
    StoreUnavailableError
        The store did not answer in time.

    """
    sku = "" if query.sku is msgspec.UNSET else check_sku("sku", query.sku)
    location = "" if query.location is msgspec.UNSET else check_location("location", query.location)
    client, keyspace = caller.partition.client, caller.partition.keyspace
    try:
        aliases = await in_time(read_aliases(client, keyspace)) if sku else NO_ALIASES
        locations = await in_time(read_location_names(client, keyspace)) if location else NO_LOCATION_NAMES
        return await in_time(
            find_waiters(
                client, keyspace, sku=sku, location=location, after=query.after, limit=query.limit, aliases=aliases,
                locations=locations,
            )
        )  # fmt: skip
    except ValueError as error:
        raise InvalidError("after", str(error)) from None
