"""What a channel shows of its listings, what it should show, and why the two differ."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from server.domain import limits
from server.domain.aliases import LocationNames
from server.domain.channels import (
    ChannelRules,
    ChannelSettings,
    DeadLetter,
    Listing,
    Shown,
    rules_in_force,
    understood,
)
from server.domain.publishable import publishable_pieces, why_pieces
from server.schemas.channels import ListingState
from server.service.caller import Caller
from server.service.channel_states import States, states, store_of
from server.store.connection.timeouts import in_time
from server.store.ledger import slices
from server.store.repositories.location_names import read_location_names
from server.turns import in_turns

AT_ONCE: Final = 50
"""Listings that are worked out before others have a turn of the event loop: some tenths of a millisecond."""
TOO_MANY_PLACES: Final = "not worked out: this page is about too many places; ask for fewer listings"


class Standing(NamedTuple):
    """A listing and how it stands. ``should_show`` None: there was no room to work it out.

    ``shown``: what the channel confirmed last, None: nothing is known. ``refused``: what it does not take.
    """

    listing: Listing
    state: ListingState
    should_show: int | None
    why: str
    shown: Shown | None
    refused: DeadLetter | None


class _Numbers(NamedTuple):
    """What the numbers of one channel follow from."""

    rules: ChannelRules
    quantity_max: int | None
    available: Mapping[str, Mapping[str, int]]
    """SKU -> location -> units; SKUs that were not reached are missing."""


class Looked(NamedTuple):
    """What is read once for all channels of a request."""

    states: States
    given: Mapping[str, Mapping[str, Any]]
    names: LocationNames


async def look(caller: Caller) -> Looked:
    """Read what all channels have in common.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    parts = caller.partition
    names = await in_time(read_location_names(parts.client, parts.keyspace))
    return Looked(await states(caller), await in_time(store_of(caller).given_rules()), names)


async def standings(
    caller: Caller, settings: ChannelSettings, listings: Sequence[Listing], looked: Looked
) -> list[Standing]:
    """Work out how listings of a channel stand, in their order.

    Raises
    ------
    OverloadedError, StoreUnavailableError
        The store did not answer in time.

    """
    if not listings:
        return []
    store = store_of(caller)
    shown = await in_time(store.shown_under(settings.name, [each.key for each in listings]))
    refused = await in_time(store.dead_letters_of(settings.name, [each.sku for each in listings]))
    skus = list(dict.fromkeys(part.sku for each in listings for part in each.made_of))
    numbers = _Numbers(
        _as_called_now(rules_in_force(settings.rules, understood(looked.given.get(settings.name, {}))), looked.names),
        looked.states.of(settings.name)[0].quantity_max,
        await _available(caller, settings.name, skus, looked.names),
    )
    each_with_its_own = zip(listings, shown, refused, strict=True)
    return [_standing(numbers, *each) async for each in in_turns(each_with_its_own, AT_ONCE)]


def _as_called_now(rules: ChannelRules, names: LocationNames) -> ChannelRules:
    if not names or not rules.locations:
        return rules
    return msgspec.structs.replace(rules, locations=list(dict.fromkeys(map(names.current, rules.locations))))


async def _available(
    caller: Caller, channel: str, skus: Sequence[str], names: LocationNames
) -> dict[str, dict[str, int]]:
    """Read what a channel can have of SKUs at each open location, as far as one request may read."""
    found: dict[str, dict[str, int]] = {}
    places, at = 0, dict[str, int]()
    async for each in slices.availability(caller.ledger, skus, channel=channel):
        assert isinstance(each.value, list)  # noqa: S101  # only sums are not, and none are asked for
        places += len(each.value)
        for level in each.value:
            now = names.current(level.location)
            at[now] = at.get(now, 0) + level.available
        if each.is_last:
            found[skus[each.number]], at = at, {}
        if places > limits.PLACES_PER_REQUEST_MAX:
            break
    return found


def _standing(numbers: _Numbers, listing: Listing, shown: Shown | None, refused: DeadLetter | None) -> Standing:
    available = numbers.available
    if refused is not None and refused.key != listing.key:
        refused = None  # of a key that it has left
    if any(part.sku not in available for part in listing.made_of):
        return Standing(listing, "refused" if refused else "pending", None, TOO_MANY_PLACES, shown, refused)
    should = publishable_pieces(numbers.rules, listing, available.__getitem__)
    if numbers.quantity_max is not None:
        should = min(should, numbers.quantity_max)
    why = why_pieces(numbers.rules, listing, available.__getitem__, numbers.quantity_max)
    return Standing(listing, _state(listing, should, shown, refused), should, why, shown, refused)


def _state(listing: Listing, should: int, shown: Shown | None, refused: DeadLetter | None) -> ListingState:
    if refused is not None:
        return "refused"
    if shown is None or not shown.confirms(listing.sku, should):
        return "pending"
    return "shown" if listing.listed else "unlisted"
