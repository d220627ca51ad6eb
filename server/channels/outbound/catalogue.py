"""What a channel lists, what it should show of each listing, and what it has confirmed."""

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from typing import Final

from msgspec.structs import replace

from adapters.contract.adapter import Capabilities
from server.channels.outbound.dead_letters import DeadLetters
from server.channels.outbound.in_flight import CanSend, InFlight, Value
from server.channels.outbound.key_owners import KeyOwners
from server.channels.outbound.pending import PendingKey
from server.channels.outbound.stock_levels import StockLevels
from server.channels.write_behind import ChannelWriteBehind
from server.domain.channels import ChannelRules, Listing, Shown
from server.domain.components import pieces
from server.turns import in_turns

LEFT_KEPT_MS: Final = 7 * 86_400_000
"""Comparisons are a day apart, and a publisher may be away over a weekend."""


class Catalogue:
    """One channel's listings, with the rules that make its numbers.

    Parameters
    ----------
    rules
        How a number comes from what is available; may be replaced at any time.
    lists_all
        Whether a SKU without a listing is listed under its own name.
    capabilities
        What the channel can do.
    dead_letters
        The values that it refuses: the number of a listing has no price while that is refused.

    """

    def __init__(
        self,
        rules: ChannelRules,
        *,
        lists_all: bool,
        capabilities: Capabilities,
        stock_levels: StockLevels,
        dead_letters: DeadLetters,
        write_behind: ChannelWriteBehind,
    ) -> None:
        self._rules = stock_levels.numbered(rules)
        self.dead_letters = dead_letters
        self.lists_all = lists_all
        self.quantity_max = capabilities.quantity_max
        self._takes_price = capabilities.takes_price
        self._stock_levels = stock_levels
        self._write_behind = write_behind
        self._channel = write_behind.channel
        self.owners: Final = KeyOwners(
            lists_all=lists_all, skus=lambda: iter(stock_levels), is_sku=stock_levels.__contains__
        )
        """The listings, and which of them owns each key."""
        self._shown: dict[str, Shown] = {}
        self._left: dict[str, str] = {}
        self._left_by: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """Count the SKUs that have a listing of their own."""
        return len(self.owners)

    @property
    def rules(self) -> ChannelRules:
        """How a number comes from what is available."""
        return self._rules.rules

    @rules.setter
    def rules(self, rules: ChannelRules) -> None:
        self._rules = self._stock_levels.numbered(rules)

    # -- listings

    def listing(self, key: str) -> Listing | None:
        """Return what a key is to show: the listing that owns it, or 0 where its SKU has left it; None: neither."""
        listing = self.owners.owner(key)
        if listing is None and key in self._left:
            return Listing(self._left[key], key, listed=False)
        return listing

    def keys(self) -> list[str]:
        """Return every key that has an owner, or was left by one."""
        return [*self.owners.keys(), *(key for key in self._left if self.owners.owner(key) is None)]

    # -- keys that nobody owns any more

    def leave(self, key: str, sku: str) -> None:
        """Note that a SKU has left a key, under which the channel may still show its units."""
        before = self._left.get(key)
        if before is not None:
            self._left_by[before].discard(key)
        self._left[key] = sku
        self._left_by.setdefault(sku, set()).add(key)

    def forget_left(self, key: str) -> None:
        """Forget that a key was left: somebody owns it again, or the channel does not know it."""
        sku = self._left.pop(key, None)
        if sku is not None:
            self._left_by[sku].discard(key)

    def left_by(self, sku: str) -> Collection[str]:
        """Return the keys that a SKU has left."""
        return self._left_by.get(sku, ())

    async def leave_unowned(self, now_ms: int) -> None:
        """Find the keys that nobody owns, and forget those that have shown nothing for long.

        Until then comparisons look at them, too: a channel may have said yes to the 0 and changed nothing.
        """
        async for key, shown in in_turns(list(self._shown.items())):
            if self.owners.owner(key) is not None:
                continue
            if shown.may_show_units or now_ms - shown.confirmed_ms < LEFT_KEPT_MS:
                self.leave(key, shown.sku)
            else:
                self.set_shown(key, None)

    # -- what the channel has confirmed

    def load_shown(self, stored: Mapping[str, Shown]) -> None:
        """Take over what an earlier publisher knew the channel to show.

        It is stored by key. An earlier release stores it by SKU, and does not write which that is.
        """
        of_before = {field: replace(shown, sku=field) for field, shown in stored.items() if not shown.sku}
        self._shown = {key: shown for key, shown in stored.items() if shown.sku}
        for sku, shown in of_before.items():
            if shown.key != sku:
                self._write_behind.shown(sku, None)
        for sku, shown in of_before.items():
            self._shown[shown.key] = shown
            if shown.key != sku:
                self._write_behind.shown(shown.key, shown)

    def forget_shown(self) -> list[Shown]:
        """Treat what is shown of all listings as unknown; returns what is still known of keys that nobody owns."""
        self._shown = {key: shown for key, shown in self._shown.items() if self.owners.owner(key) is None}
        return list(self._shown.values())

    def set_shown(self, key: str, shown: Shown | None) -> None:
        """Set what the channel shows under a key; None: that is unknown."""
        if shown is None:
            self._shown.pop(key, None)
        else:
            self._shown[key] = shown
        self._write_behind.shown(key, shown)

    def shown(self, key: str) -> Shown | None:
        """Return what the channel has confirmed of a key; None: that is unknown."""
        return self._shown.get(key)

    def shown_keys(self, is_wanted: Callable[[str], bool], at_most: int) -> Iterator[str]:
        """Go through the first few keys that the channel has confirmed and that are wanted."""
        return islice(filter(is_wanted, self._shown), at_most)

    def is_shown(self, listing: Listing, value: Value) -> bool:
        """Return whether the channel has confirmed this very value."""
        shown = self._shown.get(listing.key)
        return (
            shown is not None
            and shown.confirms(listing.sku, value.quantity)
            and (not value.price or (shown.price, shown.list_price) == (value.price, value.list_price))
        )

    def is_quantity_shown(self, listing: Listing, quantity: int) -> bool:
        """Return whether the channel has confirmed this quantity; only a price may be new."""
        shown = self._shown.get(listing.key)
        return shown is not None and shown.confirms(listing.sku, quantity)

    def shows_stock(self, key: str) -> bool:
        """Return whether the channel shows units under a key, or may."""
        shown = self._shown.get(key)
        return shown is None or shown.may_show_units

    def add_own_sale(self, key: str, units: int) -> None:
        """Record that the channel has sold units itself, and with that changed what it shows."""
        shown = self._shown.get(key)
        if shown is not None:
            self.set_shown(key, replace(shown, sold=(shown.sold or 0) + units))

    def is_sold_out_there(self, key: str) -> bool:
        """Return whether the channel's own sales may have made it show none."""
        shown = self._shown.get(key)
        return shown is not None and shown.is_sold_out_there

    # -- what it should show

    def value(self, listing: Listing) -> Value:
        """Return what the channel should show of a listing now."""
        if not listing.listed:
            units = 0
        elif listing.components:
            units = pieces(listing.components, self._published)
        else:
            units = self._stock_levels.published(listing.sku, self._channel, self._rules)
        if self.quantity_max is not None:
            units = min(units, self.quantity_max)
        # No listing has a list price alone.
        if not listing.price or not self._takes_price or self.dead_letters.refuses_price(listing):
            return Value(units, "", "")
        return Value(units, listing.price, listing.list_price)

    def _published(self, sku: str) -> int:
        return self._stock_levels.published(sku, self._channel, self._rules)

    def _seq(self, listing: Listing) -> int:
        """Return the newest seq of what a listing is made of; 0: none of it is known."""
        seq = self._stock_levels.seq
        return max(seq(each.sku) for each in listing.components) if listing.components else seq(listing.sku)

    def _version(self, listing: Listing, shown: Shown | None) -> int:
        """Return the seq to send. What is not known any more is told 0, which is newer than all that was told."""
        return self._seq(listing) or max(self._stock_levels.newest_seq, shown.seq if shown is not None else 0)

    def in_flight(self, listing: Listing, value: Value, pending: PendingKey, can_send: CanSend) -> InFlight:
        """Make what carries a value to the channel, with its price where that is new and may be sent.

        Three travel without it: a fall to zero, which no price may hold back; what goes ``alone``; and a quantity that
        was refused. Once it is confirmed the price follows.
        """
        shown = self._shown.get(listing.key)
        priced = False
        if (
            value.price
            and not self._is_fall(listing, value, pending)
            and not pending.alone
            and not self.dead_letters.is_refused(listing.sku)
        ):
            is_new = shown is None or (shown.price, shown.list_price) != (value.price, value.list_price)
            priced = (pending.forced or is_new) and can_send(listing.key, True) <= 0
        return InFlight(
            listing.sku, listing.key, value, self._version(listing, shown), pending, priced, shown, listing, self.rules,
            self._stock_levels.closed.version, self._stock_levels.versions_from,
        )  # fmt: skip

    def _is_fall(self, listing: Listing, value: Value, pending: PendingKey) -> bool:
        """Return whether a value may take the last units off what the channel shows."""
        return not value.quantity and (pending.forced or not self.is_quantity_shown(listing, 0))

    def is_current(self, sent: InFlight) -> bool:
        """Return whether nothing has changed since a value was made, and no price had to stay behind."""
        if sent.rules is not self._rules.rules or self._stock_levels.closed.version != sent.locations_version:
            return False
        stored = self.owners.stored(sent.sku)
        return (
            (stored is sent.listing or stored is None or stored == sent.listing)
            and self._seq(sent.listing) in (0, sent.seq)
            and self.is_of_owner(sent)
            and (sent.with_price or not sent.value.price)
        )

    def is_of_owner(self, sent: InFlight) -> bool:
        """Return whether the SKU that was sent still owns the key it was sent with."""
        owner = self.owners.owner(sent.key)
        return owner is not None and owner.sku == sent.sku


NEVER: Final[CanSend] = lambda _key, _priced: float("inf")  # noqa: E731
"""Keeps a price from being sent."""
