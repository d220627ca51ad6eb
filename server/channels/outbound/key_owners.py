"""A channel's listings, and which SKU owns each key: what a key shows is its owner's number.

A pack or bundle has in place of a SKU what ``known_by`` makes of its key. It is never listed by itself.
"""

from collections.abc import Callable, Iterator

from server.domain.channels import Listing
from server.domain.components import key_in


class KeyOwners:
    """One channel's listings.

    A key has one owner: the SKU that is listed under it, else one that was there and is not listed any more. Where
    two are listed under one key, the first keeps it, and the other is a rival.

    Parameters
    ----------
    lists_all
        Whether a SKU without a listing is listed under its own name, unless that key has an owner that is listed.
    skus
        The SKUs that there are.

    """

    def __init__(self, *, lists_all: bool, skus: Callable[[], Iterator[str]], is_sku: Callable[[str], bool]) -> None:
        self._lists_all = lists_all
        self._skus = skus
        self._is_sku = is_sku
        self._listings: dict[str, Listing] = {}
        self._owners: dict[str, str] = {}
        self._others: dict[str, list[str]] = {}
        self._holding: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        """Count the SKUs that have a listing of their own."""
        return len(self._listings)

    def put(self, sku: str, listing: Listing | None) -> None:
        """Replace a SKU's listing; None removes it."""
        before = self._listings.get(sku)
        if before is not None and (listing is None or listing.key != before.key):
            self._leave(sku, before.key)
        self._hold(sku, before, listing)
        if listing is None:
            self._listings.pop(sku, None)
            return
        self._listings[sku] = listing
        is_new_there = before is None or before.key != listing.key
        if is_new_there and self._owners.setdefault(listing.key, sku) != sku:
            self._others.setdefault(listing.key, []).append(sku)
        self._settle(listing.key)

    def keys_about(self, sku: str, listing: Listing | None) -> Iterator[str]:
        """Go through the keys whose owner may change when a SKU gets this listing."""
        for each in (self._listings.get(sku), listing):
            if each is not None:
                yield each.key
        if self._lists_all and key_in(sku) is None:
            yield sku

    def holding(self, sku: str) -> Iterator[Listing]:
        """Go through the packs and bundles that hold a SKU and own their keys."""
        return self._holding_of(sku) if sku in self._holding else iter(())

    def _holding_of(self, sku: str) -> Iterator[Listing]:
        for known_by in self._holding[sku]:
            listing = self.of(known_by)
            if listing is not None:
                yield listing

    def all_of(self, sku: str) -> Iterator[Listing]:
        """Go through the listings of a SKU that own their keys: its own, and the packs and bundles that hold it."""
        listing = self.of(sku)
        if listing is not None:
            yield listing
        yield from self.holding(sku)

    def known_with(self, sku: str) -> Iterator[str]:
        """Go through what the listings of a SKU are known by, whether they own their keys or not."""
        yield sku
        yield from self._holding.get(sku, ())

    def stored(self, sku: str) -> Listing | None:
        """Return a SKU's listing as it was put; None: there is none."""
        return self._listings.get(sku)

    def wanted(self, sku: str) -> Listing | None:
        """Return the listing that a SKU has or gets by itself, whoever owns its key; None: it is not listed."""
        listing = self._listings.get(sku)
        return Listing(sku, sku) if listing is None and self._lists_all and key_in(sku) is None else listing

    def of(self, sku: str) -> Listing | None:
        """Return a SKU's listing if the SKU owns its key."""
        if not self._lists_all:
            listing = self._listings.get(sku)
            return listing if listing is not None and self._owners.get(listing.key) == sku else None
        listing = self.wanted(sku)
        if listing is None:
            return None
        owner = self.owner(listing.key)
        return owner if owner is not None and owner.sku == sku else None

    def owner(self, key: str) -> Listing | None:
        """Return the listing that owns a key; None: nobody does."""
        sku = self._owners.get(key)
        listing = self._listings[sku] if sku is not None else None
        if (
            self._lists_all
            and (listing is None or not listing.listed)
            and key not in self._listings
            and self._is_sku(key)
        ):
            return Listing(key, key)
        return listing

    def rivals(self, key: str) -> Iterator[Listing]:
        """Go through the listings of other SKUs that should own a key, too."""
        owner = self.owner(key)
        for sku in self._others.get(key, ()):
            if self._listings[sku].listed and (owner is None or owner.sku != sku):
                yield self._listings[sku]
        if self._lists_all and key not in self._listings and self._is_sku(key) and owner != Listing(key, key):
            yield Listing(key, key)

    def contested(self) -> Iterator[str]:
        """Go through the keys that may have rivals."""
        yield from self._others
        if self._lists_all:
            for key in self._owners:
                if key not in self._listings and self._is_sku(key):
                    yield key

    def keys(self) -> Iterator[str]:
        """Go through all keys that have an owner, the order of the SKUs first where all are listed."""
        owners = self._owners
        if not self._lists_all:
            yield from owners
            return
        for sku in self._skus():
            listing = self._listings.get(sku)
            if listing is None:
                if sku not in owners:
                    yield sku
            elif owners[listing.key] == sku:
                yield listing.key
        for key, sku in owners.items():
            if not self._is_sku(sku):
                yield key

    def _hold(self, known_by: str, before: Listing | None, listing: Listing | None) -> None:
        """Note which SKUs a listing holds from now on."""
        for each in before.components if before is not None else ():
            holding = self._holding[each.sku]
            del holding[known_by]
            if not holding:
                del self._holding[each.sku]
        for each in listing.components if listing is not None else ():
            self._holding.setdefault(each.sku, {})[known_by] = None

    def _leave(self, sku: str, key: str) -> None:
        others = self._others.get(key, [])
        if self._owners[key] != sku:
            others.remove(sku)
        elif others:
            self._owners[key] = others.pop(0)
        else:
            del self._owners[key]
        if key in self._others and not others:
            del self._others[key]
        self._settle(key)

    def _settle(self, key: str) -> None:
        """Let one that is listed own the key rather than one that is not."""
        others = self._others.get(key)
        if not others or self._listings[self._owners[key]].listed:
            return
        listed = next((place for place, sku in enumerate(others) if self._listings[sku].listed), None)
        if listed is not None:
            others[listed], self._owners[key] = self._owners[key], others[listed]
