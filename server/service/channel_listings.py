"""The listings of channels as people look at them: found, with what the channel shows of each and should show."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from server.domain.channels import ChannelSettings, Listing
from server.domain.finding import squeezed, words
from server.schemas.channels import ListingsQuery, ListingState
from server.service.caller import Caller
from server.service.channel_numbers import Looked, Standing, look, standings
from server.service.channel_states import channel_of, store_of
from server.service.checks import InvalidError, check_sku
from server.service.current_names import current
from server.service.documents import documents_of
from server.service.listings import find_listings
from server.service.pages import check_position, next_of, place_in
from server.store.connection.timeouts import in_time
from server.store.documents import finding_search as search
from server.store.documents.database import Session
from server.store.documents.finding_search import SkuFilter
from server.store.repositories.listings import Listed

LOOKED_AT_MAX: Final = 1_000
"""Listings that one page looks at, where it wants those of one state; it may find few of them, and go on."""
OF_SKU_MAX: Final = 200
"""Listings of a SKU that one channel is shown with: its own, and the packs and bundles that hold it."""
ROUNDS_MAX: Final = 4
"""How often a page looks at some hundred names of the index; it may find few that match, and go on."""
_Place = tuple[str, str, str]
"""Where the search for a name goes on: behind a key (k, "", the key), or among SKUs (w) behind one by a word of it."""
_decode_place = msgspec.json.Decoder(tuple[Literal["k", "w"], str, str]).decode
_decode_position = msgspec.json.Decoder(tuple[int]).decode


async def find(caller: Caller, channel: str, query: ListingsQuery) -> tuple[list[Standing], str]:
    """Read a page of listings with how they stand, and the ``after`` of the next one, empty on the last.

    Raises
    ------
    InvalidError
        A field breaks a rule, or ``after`` is not what a page returned as its next.
    ProblemError
        The channel is not configured; or there is no documents database, which finds names.
    DocumentsError
        It does not answer.
    OverloadedError, StoreUnavailableError
        The store did not answer in time.

    """
    settings = channel_of(caller, channel)
    looked = await look(caller)
    if query.q is not None:
        return await _named(caller, settings, query, looked)
    if query.state is msgspec.UNSET:
        found, following = await find_listings(caller, settings.name, query)
        return await standings(caller, settings, found, looked), following
    if query.state == "refused" and query.sku is None and query.key is None:
        return await _refused(caller, settings, query, looked)
    return await _of_state(caller, settings, query, query.state, looked)


async def _named(
    caller: Caller, settings: ChannelSettings, query: ListingsQuery, looked: Looked
) -> tuple[list[Standing], str]:
    """Find listings by what their keys begin with, and then by words of their SKUs."""
    text = query.q or ""
    if query.sku is not None or query.key is not None:
        raise InvalidError("q", "may not stand beside sku or key, which name a listing exactly")
    if not words(text):
        raise InvalidError("q", "must have a letter or a digit")
    place: _Place | None = place_in(query.after, _decode_place) if query.after else ("k", "", "")
    found: dict[str, Standing] = {}
    for _ in range(ROUNDS_MAX):
        if place is None or len(found) >= query.limit:
            break
        along = _along_keys if place[0] == "k" else _along_words
        listings, place = await along(caller, settings, text, place, query.limit - len(found))
        for each in await standings(caller, settings, listings, looked):
            if query.state in (msgspec.UNSET, each.state):
                found.setdefault(each.listing.sku, each)
    return list(found.values()), "" if place is None else next_of(place)


async def _along_keys(
    caller: Caller, settings: ChannelSettings, text: str, place: _Place, limit: int
) -> tuple[list[Listing], _Place]:
    partition, beginning = caller.principal.partition, squeezed(text)

    async def look(session: Session) -> list[tuple[str, str, str]]:
        # Of the key alone: squeezed, it may be many times as long, and an address takes no such cursor.
        after = (squeezed(place[2]), place[2]) if place[2] else None
        return await search.listings_with_key(session, partition, settings.name, beginning, after, limit=limit)

    rows = await documents_of(caller).look(look)
    stored = await in_time(store_of(caller).listings_of(settings.name, list(dict.fromkeys(row[2] for row in rows))))
    following = ("k", "", rows[-1][1]) if len(rows) == limit else ("w", search.along_words(_longest(text)).least, "")
    return [each for each in stored if each is not None], following


async def _along_words(
    caller: Caller, settings: ChannelSettings, text: str, place: _Place, limit: int
) -> tuple[list[Listing], _Place | None]:
    partition, asked = caller.principal.partition, words(text)
    is_all = settings.listings == "all"
    wanted = SkuFilter(channel="" if is_all else settings.name, words=tuple(asked))

    async def look(session: Session) -> search.Candidates:
        along = search.along_words(_longest(text))
        return await search.look(session, partition, along, wanted, (place[1], place[2]), limit=limit)

    found = await documents_of(caller).look(look)
    listings = await _not_by_key(caller, settings, [each.sku for each in found.found], squeezed(text))
    if found.following is None:
        return listings, None
    tail, sku = found.following
    return listings, ("w", tail, sku)


def _longest(text: str) -> str:
    return max(words(text), key=len)


async def _not_by_key(caller: Caller, settings: ChannelSettings, skus: Sequence[str], beginning: str) -> list[Listing]:
    """Read the listings of SKUs, with the packs and bundles that hold them, each once.

    Those are left out whose key begins so: by it they were found before.
    """
    [on] = await in_time(store_of(caller).on_channels([settings.name], skus))
    found = await _with_packs(caller, settings, skus, on)
    own, _ = on
    implicit = {sku for sku, listing in zip(skus, own, strict=True) if listing is None}  # the index has no key of it
    listings = {each.sku: each for some in found.values() for each in some[: OF_SKU_MAX + 1]}
    return [each for each in listings.values() if each.sku in implicit or not squeezed(each.key).startswith(beginning)]


async def _with_packs(
    caller: Caller, settings: ChannelSettings, skus: Sequence[str], on: Listed
) -> dict[str, list[Listing]]:
    found: dict[str, list[Listing]] = {}
    for sku, listing, packs in zip(skus, *on, strict=True):
        if listing is None and settings.listings == "all":
            listing = Listing(sku, sku)  # noqa: PLW2901  # under its own name
        several = await in_time(store_of(caller).holding(settings.name, sku)) if packs else []
        found[sku] = ([] if listing is None else [listing]) + several
    return found


async def _of_state(
    caller: Caller, settings: ChannelSettings, query: ListingsQuery, state: ListingState, looked: Looked
) -> tuple[list[Standing], str]:
    """Look through listings for those of a state, as many as one page looks at."""
    found, at, after = list[Standing](), 0, query.after
    while True:
        page = msgspec.structs.replace(query, after=after, limit=max(query.limit, LOOKED_AT_MAX // 10))
        listings, after = await find_listings(caller, settings.name, page)
        found += [each for each in await standings(caller, settings, listings, looked) if each.state == state]
        at += max(len(listings), page.limit)
        if not after or len(found) >= query.limit or at >= LOOKED_AT_MAX:
            return found, after


async def _refused(
    caller: Caller, settings: ChannelSettings, query: ListingsQuery, looked: Looked
) -> tuple[list[Standing], str]:
    """Go by the dead letters: of a million listings, few are refused."""
    store = store_of(caller)
    position = check_position(*place_in(query.after, _decode_position)) if query.after else 0
    position, letters = await in_time(store.page_of_dead_letters(settings.name, position, query.limit))
    names = list(dict.fromkeys(each.sku for each in letters if each.field == "quantity"))
    stored = await in_time(store.listings_of(settings.name, names))
    listings = [each or Listing(name, name) for name, each in zip(names, stored, strict=True)]
    found = [each for each in await standings(caller, settings, listings, looked) if each.state == "refused"]
    return found, next_of((position,)) if position else ""


class OnChannel(NamedTuple):
    """How a SKU stands on a channel; ``is_complete`` False: there are more packs and bundles that hold it."""

    settings: ChannelSettings
    is_missing: bool
    """Whether nobody publishes to it."""
    standings: list[Standing]
    is_complete: bool


async def of_sku(caller: Caller, sku: str) -> tuple[str, list[OnChannel]]:
    """Read what each channel shows of a SKU, by name; and what the SKU is called now.

    Raises
    ------
    InvalidError
        It cannot be a SKU.
    OverloadedError, StoreUnavailableError
        The store did not answer in time.

    """
    [sku] = await current(caller, [check_sku("sku", sku)])
    return sku, (await of_skus(caller, [sku]))[sku]


async def of_skus(caller: Caller, skus: Sequence[str]) -> dict[str, list[OnChannel]]:
    """Read what each channel shows of some SKUs, by SKU and by name of the channel. Their names are today's.

    Raises
    ------
    OverloadedError, StoreUnavailableError
        The store did not answer in time.

    """
    looked = await look(caller)
    found = dict[str, list[OnChannel]]()
    channels = sorted(caller.partition.channels.items())
    on_channels = await in_time(store_of(caller).on_channels([settings.name for _, settings in channels], skus))
    for (name, settings), on_channel in zip(channels, on_channels, strict=True):
        listings = await _with_packs(caller, settings, skus, on_channel)
        # A bundle of several of them is worked out once.
        once = {each.sku: each for some in listings.values() for each in some[:OF_SKU_MAX]}
        shown = {each.listing.sku: each for each in await standings(caller, settings, list(once.values()), looked)}
        for sku, some in listings.items():
            stand = [shown[each.sku] for each in some[:OF_SKU_MAX]]
            on = OnChannel(settings, looked.states.of(name)[1], stand, len(some) <= OF_SKU_MAX)
            found.setdefault(sku, []).append(on)
    return {sku: found.get(sku, []) for sku in skus}
