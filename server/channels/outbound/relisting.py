"""Takes over new listings, all of one request at once: which keys have another owner, or none any more."""

from collections.abc import Iterable, Mapping
from typing import Final

from server.channels.connection.clock import Clock
from server.channels.outbound.catalogue import Catalogue
from server.channels.outbound.dead_letters import DeadLetters
from server.channels.outbound.pending import Pending
from server.domain.channels import Listing
from server.turns import in_turns

ROUNDS_MAX: Final = 8
"""How often listings of further SKUs are read that own a wanted key: they may have left it in a later entry."""


class Relisting:
    """Changes one channel's listings, whose components it shares with the channel's state."""

    def __init__(self, catalogue: Catalogue, pending: Pending, dead_letters: DeadLetters, clock: Clock) -> None:
        self._catalogue = catalogue
        self._owners = catalogue.owners
        self._pending = pending
        self._dead_letters = dead_letters
        self._clock = clock

    async def load(self, listings: Iterable[Listing]) -> None:
        """Take over what is stored, before anything is sent."""
        refused = list[Listing]()
        async for listing in in_turns(listings):
            if listing.sku in self._dead_letters:
                refused.append(listing)
            else:
                self._owners.put(listing.sku, listing)
        # Those whose key was taken come last, so that the key stays with its owner.
        for listing in refused:
            self._owners.put(listing.sku, listing)

    async def settle_loaded(self) -> None:
        """Put right what changed while nobody published; the stock must be known."""
        await self._catalogue.leave_unowned(self._clock.store_ms())
        for sku in list(self._dead_letters.skus()):
            self._settle_letters(sku)
        for key in list(self._owners.contested()):
            self._find_rivals(key)

    def owners_of(self, listings: Mapping[str, Listing | None]) -> set[str]:
        """Return the SKUs that own keys which these listings want, and are not among them."""
        owners = (self._owners.owner(each.key) for each in listings.values() if each is not None and each.listed)
        return {each.sku for each in owners if each is not None and each.listed and each.sku not in listings}

    def relist(self, listings: Mapping[str, Listing | None], left: Mapping[str, str], *, before: bool) -> list[str]:
        """Replace the listings of some SKUs; None: it has none any more.

        Nothing waits in between, so that what is sent is of the state before it or of the one after it.

        Parameters
        ----------
        listings
            The new ones, by SKU.
        left
            The SKUs by the keys that they have left.
        before
            Whether an earlier publisher may have sent something under those keys that nobody knows of.

        Returns
        -------
        list of str
            The keys to look at.

        """
        owners_before: dict[str, str | None] = {}
        for sku, listing in listings.items():
            for key in self._owners.keys_about(sku, listing):
                owners_before.setdefault(key, _sku(self._owners.owner(key)))
        for key in left:
            owners_before.setdefault(key, _sku(self._owners.owner(key)))
        for sku, listing in listings.items():
            if listing is None or self._owners.stored(sku) != listing:  # what changes it may mend its price
                self._dead_letters.remove_price(sku)
            self._owners.put(sku, listing)
        for key, owner in owners_before.items():
            self._change_owner(key, owner, left.get(key, ""), before=before)
        for sku in listings:
            self._settle_letters(sku)
        for key in owners_before:
            owning = self._owners.owner(key)
            if owning is not None:
                self._settle_letters(owning.sku)
            self._find_rivals(key)
        return list(owners_before)

    def find_implicit_rival(self, sku: str) -> None:
        """Say so where a SKU is not listed under its own name, since that is the key of another one."""
        if self._owners.stored(sku) is None and self._owners.wanted(sku) is not None:
            self._find_rivals(sku)

    # -- the details

    def _change_owner(self, key: str, owner: str | None, left_by: str, *, before: bool) -> None:
        now = _sku(self._owners.owner(key))
        if now is not None:
            self._catalogue.forget_left(key)
        if now != owner:
            self._pending.begin_anew(key)
        if now is not None or (owner is None and not left_by):
            return
        if not before and owner is not None and self._is_refused(key, owner):
            self._pending.discard(key)
        else:
            self._catalogue.leave(key, owner or left_by)
            # A sale or cancel there may be on its way to us, and would be noted at the SKU's new key. What is in flight
            # there may have been before it.
            self._catalogue.add_own_sale(key, 0)
            self._pending.sold(key, 0)

    def _is_refused(self, key: str, sku: str) -> bool:
        """Return whether the channel has never taken a number of a key: nothing is shown there."""
        is_unsure = self._catalogue.shown(key) is not None or self._pending.was_sent(key)
        return self._dead_letters.has_key(sku, key) and not is_unsure

    def _settle_letters(self, sku: str) -> None:
        listing = self._owners.of(sku)
        self._dead_letters.keep_only(sku, listing.key if listing is not None else None)

    def _find_rivals(self, key: str) -> None:
        owner = self._owners.owner(key)
        for rival in self._owners.rivals(key):
            if owner is not None:
                self._dead_letters.add_key_taken(rival, owner.sku, self._clock.store_ms())


def _sku(listing: Listing | None) -> str | None:
    return listing.sku if listing is not None else None
