"""Whether the listings of a request can stand beside the others: in its end, one SKU at most is listed under a key.

A file is too long for one request. It is judged by its end as well, and divided so that each request can stand.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from server.domain.channels import Listing
from server.domain.components import key_in


class KeyConflict(NamedTuple):
    """A listing whose key another SKU has in the end; ``place``: of the listing in its request.

    ``is_name``: the key is the other SKU's own name, under which the channel lists it by itself.
    """

    place: int
    listing: Listing
    other: str
    is_name: bool = False

    def rule_in(self, whole: str) -> str:
        """Return what is wrong and what to do; ``whole``: what is judged by its end, a request or a file."""
        key, other = self.listing.key, self.other
        if key_in(other) is not None:
            return f"{key} is listed already, with a factor or components; send those, too, or unlist it"
        has = f"{other} is listed under {key} by itself" if self.is_name else f"{other} is listed under {key} already"
        return f"{has}; give {other} another key, or unlist it, in the same {whole}"


def as_kept(
    listings: Sequence[Listing], stored: Mapping[str, Listing], names: Collection[str]
) -> tuple[list[Listing], list[Listing]]:
    """Return listings as they are to be kept, and further ones that change with them.

    A factor can be given for the key of a SKU's own listing. With 1 that stays what it is. With more the key is a
    pack's from now on, and the SKU is not listed under it any more.

    Parameters
    ----------
    listings
        What was given.
    stored
        At least those of the same SKUs and keys, and of the SKUs of packs, by what they are known by.
    names
        Names of SKUs that have no listing and are listed under their name by themselves.

    """
    named = {listing.sku for listing in listings}
    kept, further = list[Listing](), list[Listing]()
    for listing in listings:
        own = _own(listing, stored, names)
        if own is not None and own.sku not in named:
            if listing.components[0].quantity == 1 and listing.sku not in stored:
                kept.append(replace(listing, sku=own.sku, components=[]))
                continue
            if own.listed and listing.listed:
                further.append(replace(own, listed=False))
        kept.append(listing)
    return kept, further


def _own(listing: Listing, stored: Mapping[str, Listing], names: Collection[str]) -> Listing | None:
    """Return the own listing of a pack's SKU where it has the same key; None: it has another, or it is no pack."""
    if len(listing.components) != 1:
        return None
    sku = listing.components[0].sku
    own = Listing(sku, sku) if sku in names else stored.get(sku)
    return own if own is not None and own.key == listing.key else None


def key_conflicts(listings: Sequence[Listing], owners: Mapping[str, str], names: Collection[str]) -> list[KeyConflict]:
    """Find the listings that cannot stand: only the end counts, so keys may be swapped and passed on.

    Parameters
    ----------
    listings
        All of one request; each SKU once. Packs and bundles have in its place what they are known by.
    owners
        The SKUs that are listed under keys now, by key.
    names
        Names of SKUs that have no listing and are listed under their name by themselves.

    """
    named, taken = {listing.sku for listing in listings}, dict[str, str]()
    found = []
    for place, listing in enumerate(listings):
        if not listing.listed:
            continue
        first, owner = taken.setdefault(listing.key, listing.sku), owners.get(listing.key)
        if first != listing.sku:
            found.append(KeyConflict(place, listing, first))
        elif owner is not None and owner not in named:
            found.append(KeyConflict(place, listing, owner))
        elif listing.key in names and listing.key not in named:
            found.append(KeyConflict(place, listing, listing.key, is_name=True))
    return found


def cannot_stand(
    listings: Sequence[Listing], owners: Mapping[str, str], names: Collection[str]
) -> dict[str, KeyConflict]:
    """Find by SKU which listings of a file cannot stand, where the others are taken: as :func:`key_conflicts`.

    A SKU that cannot get its new key keeps its old one, so whoever wanted that cannot have it either.
    """
    held = {sku: key for key, sku in owners.items()} | {name: name for name in names}
    wanted = {listing.key: (place, listing) for place, listing in enumerate(listings) if listing.listed}
    found = {each.listing.sku: each for each in key_conflicts(listings, owners, names)}
    waiting = list(found)
    while waiting:
        sku = waiting.pop()
        place, listing = wanted.get(held.get(sku, ""), (0, None))
        if listing is not None and listing.sku != sku and listing.sku not in found:
            found[listing.sku] = KeyConflict(place, listing, sku, is_name=sku in names)
            waiting.append(listing.sku)
    return found


def in_requests(
    listings: Sequence[Listing], owners: Mapping[str, str], stored: Mapping[str, Listing], size: int
) -> Iterator[list[Listing]]:
    """Divide listings that can stand into requests of ``size`` at most, each of which can stand after those before it.

    A key is left before it is taken, and a circle of keys goes in one request. A circle that is too long for that is
    opened: one of its SKUs is unlisted first and gets its listing last.

    ``owners``: the SKUs that have keys now, by key, also those that have their own name. ``stored``: by SKU.
    """
    request: list[Listing] = []
    for block in _blocks(listings, owners, stored, size):
        if request and len(request) + len(block) > size:
            yield request
            request = []
        request += block
    if request:
        yield request


def _blocks(
    listings: Sequence[Listing], owners: Mapping[str, str], stored: Mapping[str, Listing], size: int
) -> Iterator[list[Listing]]:
    """Go through what has to go together, in an order in which each key is left before it is taken."""
    left = {listing.sku: listing for listing in listings}
    for listing in listings:
        chain, at = list[Listing](), listing
        while left.get(at.sku) is at:
            del left[at.sku]
            chain.append(at)
            owner = owners.get(at.key, at.sku) if at.listed else at.sku
            at = left.get(owner, at)
        chain.reverse()  # the last one wants a key that is free by now
        is_circle = len(chain) > 1 and chain[0].listed and owners.get(chain[0].key) == chain[-1].sku
        if not is_circle:
            yield from ([each] for each in chain)
        elif len(chain) <= size:
            yield chain
        else:
            last = chain[-1]
            parked = stored.get(last.sku, Listing(last.sku, last.sku))
            yield [replace(parked, listed=False)]
            yield from ([each] for each in chain)
