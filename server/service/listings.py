"""Listings: which SKUs a channel sells, under which keys and at which prices."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec
from msgspec.structs import replace

from server.domain import limits
from server.domain.channels import KEY_BYTES_MAX, Listing
from server.domain.components import COMPONENTS_PER_CALL_MAX, LISTINGS_PER_COMPONENT_MAX, Component, known_by, name_in
from server.domain.listing_keys import KeyConflict, as_kept, key_conflicts
from server.schemas.channels import CURRENCY, PRICE, ListingBody, ListingsBody, ListingsQuery
from server.schemas.problems import FieldProblem, Problem
from server.service.caller import Caller
from server.service.channel_states import channel_of, store_of
from server.service.checks import InvalidError, check_name, check_reference, check_sku, check_text
from server.service.current_names import current
from server.service.line_names import stored_listings
from server.service.problems import ProblemError, problem
from server.service.writes import written
from server.store.connection.timeouts import in_report_time, in_time
from server.store.repositories.channels import ChannelStore

_BY_KEY: Final = "k"
"""Begins the position in the listings that are known by their key; they come after the others."""
_POSITION: Final = re.compile(r"[0-9]{1,20}\Z", re.ASCII)
_POSITION_MAX: Final = 2**64 - 1
"""What the store returns as the place to go on from."""
_TRIES_MAX: Final = 10
"""Requests about one channel's listings that may pass this one while it is checked."""
_CONFLICTS_SHOWN_MAX: Final = 20
_TOO_MANY: Final = "The listings could not be looked through for new keys in time; try again."
"""All are looked through: a million take some seconds."""


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
    """Make a listing of what was given for it: one with a factor or with components is known by its key.

    Raises
    ------
    InvalidError
        It breaks a rule; the field is named as one below ``at``.

    """
    key = check_name(f"{at}.key", body.key, KEY_BYTES_MAX)
    sku, components = _meaning(at, body)
    for name, value in body.attributes.items():
        check_text(f"{at}.attributes", name, limits.NAME_BYTES_MAX)
        check_reference(f"{at}.attributes.{name}", value)
    return Listing(sku or known_by(key), key, body.listed, *_prices(at, body), body.attributes, components)


def _meaning(at: str, body: ListingBody) -> tuple[str, list[Component]]:
    """Return the SKU that a listing is known by, empty for one that is known by its key, and its components."""
    if isinstance(body.sku, str):
        if body.components is not msgspec.UNSET:
            raise InvalidError(f"{at}.components", "may not stand beside sku: a bundle names its SKUs as components")
        sku = check_sku(f"{at}.sku", body.sku)
        return (sku, []) if body.factor is msgspec.UNSET else ("", [Component(sku, body.factor)])
    if body.components is msgspec.UNSET:
        raise InvalidError(f"{at}.sku", "must be there; a bundle has components in its place")
    if body.factor is not msgspec.UNSET:
        raise InvalidError(f"{at}.factor", "needs a sku beside it; each component has a quantity of its own")
    components = [
        Component(check_sku(f"{at}.components[{i}].sku", each.sku), each.quantity)
        for i, each in enumerate(body.components)
    ]
    skus = [each.sku for each in components]
    for i, sku in enumerate(skus):
        if sku in skus[:i]:
            raise InvalidError(f"{at}.components[{i}].sku", f"is there twice: {sku}; add the quantities up")
    return "", components


async def put_listings(caller: Caller, channel: str, body: ListingsBody) -> list[str]:
    """Add listings, or replace those of the same SKUs and keys; return the SKUs that the store does not know.

    What counts is the end of the whole request: keys may be swapped, passed on, freed and taken in it.

    Raises
    ------
    InvalidError
        A listing breaks a rule, or a SKU or key is there twice.
    ProblemError
        The channel is not configured, another SKU is listed under a key, or the store did not answer in time.

    """
    settings = channel_of(caller, channel)
    listings = [listing_of(f"listings[{i}]", each) for i, each in enumerate(body.listings)]
    store, lists_all = store_of(caller), settings.listings == "all"
    # Before the write: if this fails, nothing has happened.
    unknown = await in_time(store.unknown_skus(skus_of(await _as_called_now(caller, listings))))
    for _ in range(_TRIES_MAX):
        version = await in_time(store.listings_version(settings.name))
        named = await _as_called_now(caller, listings)  # a rename changes the version, too
        _check_distinct(named)
        changed = await _checked(store, settings.name, named, lists_all=lists_all)
        if await written(store.put_listings(settings.name, changed, caller.actor, version=version)):
            return unknown
    raise ProblemError(problem("overloaded", "Others are changing the same listings. Send the same request again."))


async def _as_called_now(caller: Caller, listings: Sequence[Listing]) -> list[Listing]:
    """Return listings with SKUs as they are called now.

    Raises
    ------
    InvalidError
        A bundle names a SKU twice, by two of its names.

    """
    skus = skus_of(listings)
    names = dict(zip(skus, await current(caller, skus), strict=True))
    found = []
    for i, each in enumerate(listings):
        components = [replace(part, sku=names[part.sku]) for part in each.components]
        if len({part.sku for part in components}) < len(components):
            raise InvalidError(f"listings[{i}].components", "name a SKU twice, by two of its names; add them up")
        found.append(replace(each, sku=each.sku if components else names[each.sku], components=components))
    return found


def skus_of(listings: Sequence[Listing]) -> list[str]:
    """Return the SKUs of listings, those of components as well, each once."""
    parts = ([each.sku for each in listing.components] or [listing.sku] for listing in listings)
    return list(dict.fromkeys(sku for part in parts for sku in part))


async def _checked(store: ChannelStore, channel: str, listings: Sequence[Listing], *, lists_all: bool) -> list[Listing]:
    """Return what is to be stored for listings, if it can stand beside the others."""
    concerned = dict.fromkeys([*(each.sku for each in listings), *skus_of(listings)])
    found = await in_time(store.listings_of(channel, list(concerned)))
    stored = {each.sku: each for each in found if each is not None}
    # Most requests change prices: those need not look through all listings.
    new = {each.key for each in listings if each.listed and not _has_key(stored.get(each.sku), each.key)}
    names = await _names(store, channel, new) if lists_all else set()
    kept, further = as_kept(listings, stored, names)
    listed = await in_report_time(store.listed_under(channel, new), _TOO_MANY)
    conflicts = key_conflicts([*kept, *further], listed, names)
    if conflicts:
        raise ProblemError(_key_taken(conflicts))
    await in_time(check_components(store, channel, kept, stored))
    return [*kept, *further]


async def check_components(
    store: ChannelStore, channel: str, listings: Sequence[Listing], stored: Mapping[str, Listing]
) -> None:
    """Check that a request changes few enough components, and that no SKU comes into too many packs and bundles.

    Raises
    ------
    InvalidError
        It does not; the rule says what to do.

    """
    changes = Counter[str]()
    touched, place = 0, dict[str, int]()
    for i, listing in enumerate(listings):
        before = stored.get(listing.sku)
        had = {each.sku for each in before.components} if before is not None else set()
        has = {each.sku for each in listing.components}
        touched += len(had ^ has)
        changes.update(has - had)
        changes.subtract(had - has)
        place |= dict.fromkeys(has - had, i)
    if touched > COMPONENTS_PER_CALL_MAX:
        rule = f"change {touched:,} components; one request may change {COMPONENTS_PER_CALL_MAX:,}, so send fewer"
        raise InvalidError("listings", rule)
    grown = [sku for sku, change in changes.items() if change > 0]
    for sku, count in zip(grown, await store.count_holding(channel, grown), strict=True):
        if count + changes[sku] > LISTINGS_PER_COMPONENT_MAX:
            rule = (
                f"{sku} is in {count:,} packs and bundles of this channel; it can be in {LISTINGS_PER_COMPONENT_MAX:,}"
            )
            raise InvalidError(f"listings[{place[sku]}].components", rule)


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
    return problem(
        "key_taken", f"{name_in(first.listing.sku)}: {first.rule_in('request')}. Nothing changed.", errors=errors
    )


def _check_distinct(listings: list[Listing]) -> None:
    """Refuse a SKU that is there twice: the caller cannot have meant to leave open which of the two counts.

    Raises
    ------
    InvalidError
        One is, or a key; the field names its second place.

    """
    seen, keys = set[str](), set[str]()
    for i, listing in enumerate(listings):
        if listing.sku in seen and not listing.components:
            raise InvalidError(f"listings[{i}].sku", f"stands twice in this request: {listing.sku}")
        if listing.sku in seen or (listing.listed and listing.key in keys):
            raise InvalidError(f"listings[{i}].key", f"stands twice in this request: {listing.key}")
        seen.add(listing.sku)
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
    name, store = channel_of(caller, channel).name, store_of(caller)
    if query.key is not None:
        key = check_name("key", query.key, KEY_BYTES_MAX)
        under = (await stored_listings(caller, name, [key])).values()
        return [each for each in under if query.sku is None or query.sku in skus_of([each])], ""
    if query.sku is not None:
        [sku] = await current(caller, [check_sku("sku", query.sku)])
        return await in_time(_of_sku(store, name, sku)), ""
    by_key, position = _position(query.after)
    position, page = await in_time(store.page_of_listings(name, position, query.limit, by_key=by_key))
    if not by_key and not position:
        left = max(1, query.limit - len(page))
        by_key, (position, more) = True, await in_time(store.page_of_listings(name, 0, left, by_key=True))
        page += more
    return page, (_BY_KEY if by_key else "") + str(position) if position else ""


async def _of_sku(store: ChannelStore, channel: str, sku: str) -> list[Listing]:
    own = await store.listings_of(channel, [sku])
    return [*(each for each in own if each is not None), *await store.holding(channel, sku)]


def _position(after: str) -> tuple[bool, int]:
    """Return whether a page goes on among what is known by its key, and where."""
    by_key, number = after.startswith(_BY_KEY), after.removeprefix(_BY_KEY)
    if after and (not _POSITION.match(number) or not 0 < int(number) <= _POSITION_MAX):
        raise InvalidError("after", "must be what a page gave as next")
    return by_key, int(number or 0)
