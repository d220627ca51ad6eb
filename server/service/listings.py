"""Listings: which SKUs a channel sells, under which keys and at which prices."""

import re
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Final

from server.domain import limits
from server.domain.channels import KEY_BYTES_MAX, Listing
from server.domain.listing_keys import KeyConflict, key_conflicts
from server.schemas.channels import CURRENCY, PRICE, ListingBody, ListingsBody, ListingsQuery
from server.schemas.problems import FieldProblem, Problem
from server.service.caller import Caller
from server.service.channels import channel_of, store_of
from server.service.checks import InvalidError, check_name, check_reference, check_sku, check_text
from server.service.problems import ProblemError, problem
from server.service.writes import written
from server.store.connection.timeouts import in_time
from server.store.repositories.channels import ChannelStore

_POSITION: Final = re.compile(r"[0-9]{1,20}\Z", re.ASCII)
_POSITION_MAX: Final = 2**64 - 1
"""What the store returns as the place to go on from."""
_TRIES_MAX: Final = 10
"""Requests about one channel's listings that may pass this one while it is checked."""
_CONFLICTS_SHOWN_MAX: Final = 20


def _price(field: str, value: str | None) -> str:
    if value is None:
        return ""
    if not PRICE.match(value) or not Decimal(value):
        raise InvalidError(field, "must be decimal text above 0 with at most 4 decimals, such as 129.90")
    return value


def _prices(at: str, body: ListingBody) -> tuple[str, str, str]:
    """Check and return price, list_price and currency; empty: left out."""
    price, list_price = _price(f"{at}.price", body.price), _price(f"{at}.list_price", body.list_price)
    if list_price and not price:
        raise InvalidError(f"{at}.list_price", "needs a price beside it")
    if list_price and Decimal(list_price) < Decimal(price):
        raise InvalidError(f"{at}.list_price", "must not be below the price")
    if body.currency is not None and not CURRENCY.match(body.currency):
        raise InvalidError(f"{at}.currency", "must be three capital letters, such as TRY")
    return price, list_price, body.currency or ""


def listing_of(at: str, body: ListingBody) -> Listing:
    """Make a listing of what was given for it.

    Raises
    ------
    InvalidError
        It breaks a rule; the field is named as one below ``at``.

    """
    sku, key = check_sku(f"{at}.sku", body.sku), check_name(f"{at}.key", body.key, KEY_BYTES_MAX)
    for name, value in body.attributes.items():
        check_text(f"{at}.attributes", name, limits.NAME_BYTES_MAX)
        check_reference(f"{at}.attributes.{name}", value)
    return Listing(sku, key, body.listed, *_prices(at, body), body.attributes)


async def put_listings(caller: Caller, channel: str, body: ListingsBody) -> list[str]:
    """Add listings, or replace those of the same SKUs; return the SKUs that the store does not know.

    What counts is the end of the whole request: keys may be swapped, passed on, freed and taken in it.

    Raises
    ------
    InvalidError
        A listing breaks a rule, or a SKU is there twice.
    ProblemError
        The channel is not configured, another SKU is listed under a key, or the store did not answer in time.

    """
    settings = channel_of(caller, channel)
    listings = [listing_of(f"listings[{i}]", each) for i, each in enumerate(body.listings)]
    _check_distinct(listings)
    store = store_of(caller)
    # Before the write: if this fails, nothing has happened.
    unknown = await in_time(store.unknown_skus([listing.sku for listing in listings]))
    for _ in range(_TRIES_MAX):
        version = await in_time(store.listings_version(settings.name))
        conflicts = await find_conflicts(store, settings.name, listings, lists_all=settings.listings == "all")
        if conflicts:
            raise ProblemError(_key_taken(conflicts))
        if await written(store.put_listings(settings.name, listings, caller.actor, version=version)):
            return unknown
    raise ProblemError(problem("overloaded", "Others are changing the same listings. Send the same request again."))


async def find_conflicts(
    store: ChannelStore, channel: str, listings: Sequence[Listing], *, lists_all: bool
) -> list[KeyConflict]:
    """Find the listings whose key another SKU has when all of them are stored.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    stored = await in_time(store.listings_of(channel, [listing.sku for listing in listings]))
    before = {each.sku: each for each in stored if each is not None}
    # Most requests change prices: those need not look through all listings.
    new = {each.key for each in listings if each.listed and not _has_key(before.get(each.sku), each.key)}
    owners = await in_time(store.listed_under(channel, new))
    names = await _names(store, channel, new) if lists_all else set()
    return key_conflicts(listings, owners, names)


def _has_key(listing: Listing | None, key: str) -> bool:
    return listing is not None and listing.listed and listing.key == key


async def _names(store: ChannelStore, channel: str, keys: Collection[str]) -> set[str]:
    """Pick the keys that are names of SKUs which have no listing."""
    names = sorted(keys)
    unknown = set(await in_time(store.unknown_skus(names)))
    stored = await in_time(store.listings_of(channel, names))
    return {name for name, listing in zip(names, stored, strict=True) if listing is None and name not in unknown}


def _key_taken(conflicts: Sequence[KeyConflict]) -> Problem:
    errors = [
        FieldProblem(f"listings[{each.place}].key", each.rule_in("request"))
        for each in conflicts[:_CONFLICTS_SHOWN_MAX]
    ]
    first = conflicts[0]
    return problem("key_taken", f"{first.listing.sku}: {first.rule_in('request')}. Nothing changed.", errors=errors)


def _check_distinct(listings: list[Listing]) -> None:
    """Refuse a SKU that is there twice: the caller cannot have meant to leave open which of the two counts.

    Raises
    ------
    InvalidError
        One is; the field names its second place.

    """
    seen: set[str] = set()
    for i, listing in enumerate(listings):
        if listing.sku in seen:
            raise InvalidError(f"listings[{i}].sku", f"stands twice in this request: {listing.sku}")
        seen.add(listing.sku)
    keys: set[str] = set()
    for i, listing in enumerate(listings):
        if listing.listed and listing.key in keys:
            raise InvalidError(f"listings[{i}].key", f"stands twice in this request: {listing.key}")
        if listing.listed:
            keys.add(listing.key)


async def find_listings(caller: Caller, channel: str, query: ListingsQuery) -> tuple[list[Listing], str]:
    """Read a page of listings, in no order, and the ``after`` of the next one, empty on the last.

    Raises
    ------
    InvalidError
        A field breaks a rule, or ``after`` is not what a page returned as its next.
    ProblemError
        The channel is not configured.
    StoreUnavailableError
        The store did not answer in time.

    """
    name = channel_of(caller, channel).name
    position, store = _position(query.after), store_of(caller)
    if query.sku is not None:
        sku = check_sku("sku", query.sku)
        return [each for each in await in_time(store.listings_of(name, [sku])) if each is not None], ""
    position, found = await in_time(store.page_of_listings(name, position, query.limit))
    return found, str(position) if position else ""


def _position(after: str) -> int:
    if after and (not _POSITION.match(after) or not 0 < int(after) <= _POSITION_MAX):
        raise InvalidError("after", "must be what a page gave as next")
    return int(after or 0)
