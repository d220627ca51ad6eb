"""What a channel lists, what it should show of each listing, and what it has confirmed."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from msgspec.structs import replace

from adapters.contract.adapter import Capabilities
from server.channels.outbound.dead_letters import DeadLetters
from server.channels.outbound.in_flight import CanSend, InFlight, Value
from server.channels.outbound.pending import PendingSku
from server.channels.outbound.stock_levels import StockLevels
from server.channels.write_behind import ChannelWriteBehind
from server.domain.channels import ChannelRules, Listing, Shown, publishable


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
        self.rules = rules
        self.dead_letters = dead_letters
        self._lists_all = lists_all
        self._quantity_max = capabilities.quantity_max
        self._takes_price = capabilities.takes_price
        self._stock_levels = stock_levels
        self._write_behind = write_behind
        self._listings: dict[str, Listing] = {}
        self._sku_of_key: dict[str, str] = {}
        self._shown: dict[str, Shown] = {}

    def __len__(self) -> int:
        """Count the SKUs that have a listing of their own."""
        return len(self._listings)

    # -- listings

    def add(self, listing: Listing) -> str | None:
        """Add a listing, or replace the SKU's former one.

        Returns
        -------
        str or None
            The SKU that has the key already, in which case nothing is added: one key cannot show the stock of both.

        """
        owner = self._sku_of_key.get(listing.key)
        if owner is not None and owner != listing.sku:
            return owner
        before = self._listings.get(listing.sku)
        if before is not None:
            self._sku_of_key.pop(before.key, None)
        self._sku_of_key[listing.key] = listing.sku
        self._listings[listing.sku] = listing
        return None

    def own_listing(self, sku: str) -> Listing | None:
        """Return a SKU's listing as it was added; None: there is none."""
        return self._listings.get(sku)

    def listing(self, sku: str) -> Listing | None:
        """Return a SKU's listing; None: the channel does not know the SKU.

        A SKU that got another key is first listed under the old one, with 0: what stays there could be sold.
        """
        listing = self._listings.get(sku)
        if listing is None and self._lists_all:
            listing = Listing(sku, sku)
        if listing is not None:
            shown = self._shown.get(sku)
            if (
                shown is not None
                and shown.key != listing.key
                and shown.may_show_units
                and shown.key not in self._sku_of_key
            ):
                return Listing(sku, shown.key, listed=False)
        return listing

    def has_other_key(self, sent: InFlight) -> bool:
        """Return whether a SKU's listing has another key by now than the one it was sent with."""
        listing = self._listings.get(sent.sku)
        return listing is not None and listing.key != sent.key

    def skus(self) -> list[str]:
        """Return every SKU that the channel lists."""
        return list(self._stock_levels) if self._lists_all else list(self._listings)

    # -- what the channel has confirmed

    def load_shown(self, shown: dict[str, Shown]) -> None:
        """Take over what an earlier publisher knew the channel to show, by SKU."""
        self._shown = shown

    def set_shown(self, sku: str, shown: Shown | None) -> None:
        """Set what the channel shows of a SKU; None: that is unknown."""
        if shown is None:
            self._shown.pop(sku, None)
        else:
            self._shown[sku] = shown
        self._write_behind.shown(sku, shown)

    def shown(self, sku: str) -> Shown | None:
        """Return what the channel has confirmed of a SKU; None: that is unknown."""
        return self._shown.get(sku)

    def shown_skus(self, is_wanted: Callable[[str], bool], at_most: int) -> Iterator[str]:
        """Go through the first few SKUs that the channel has confirmed and that are wanted."""
        return islice(filter(is_wanted, self._shown), at_most)

    def is_shown(self, listing: Listing, value: Value) -> bool:
        """Return whether the channel has confirmed this very value."""
        shown = self._shown.get(listing.sku)
        return (
            shown is not None
            and shown.confirms(listing.key, value.quantity)
            and (not value.price or (shown.price, shown.list_price) == (value.price, value.list_price))
        )

    def is_quantity_shown(self, listing: Listing, quantity: int) -> bool:
        """Return whether the channel has confirmed this quantity; only a price may be new."""
        shown = self._shown.get(listing.sku)
        return shown is not None and shown.confirms(listing.key, quantity)

    def shows_stock(self, sku: str) -> bool:
        """Return whether the channel shows units of a SKU, or may."""
        shown = self._shown.get(sku)
        return shown is None or shown.may_show_units

    def add_own_sale(self, sku: str, units: int) -> None:
        """Record that the channel has sold units itself, and with that changed what it shows."""
        shown = self._shown.get(sku)
        if shown is not None:
            self.set_shown(sku, replace(shown, sold=(shown.sold or 0) + units))

    def is_sold_out_there(self, sku: str) -> bool:
        """Return whether the channel's own sales may have made it show none."""
        shown = self._shown.get(sku)
        return shown is not None and shown.is_sold_out_there

    # -- what it should show

    def value(self, listing: Listing) -> Value:
        """Return what the channel should show of a listing now."""
        units = publishable(
            self.rules, self._stock_levels.available(listing.sku, self._write_behind.channel), listed=listing.listed
        )
        if self._quantity_max is not None:
            units = min(units, self._quantity_max)
        if not self._takes_price or self.dead_letters.refuses_price(listing):
            return Value(units, "", "")
        return Value(units, listing.price, listing.list_price)

    def in_flight(self, sku: str, listing: Listing, value: Value, pending: PendingSku, can_send: CanSend) -> InFlight:
        """Make what carries a value to the channel, with its price where that is new and may be sent.

        Three travel without it: a fall to zero, which no price may hold back; what goes ``alone``; and a quantity that
        was refused. Once it is confirmed the price follows.
        """
        shown = self._shown.get(sku)
        priced = False
        if (
            value.price
            and not self._is_fall(listing, value, pending)
            and not pending.alone
            and not self.dead_letters.is_refused(sku)
        ):
            is_new = shown is None or (shown.price, shown.list_price) != (value.price, value.list_price)
            priced = (pending.forced or is_new) and can_send(listing.key, True) <= 0
        return InFlight(
            sku, listing.key, value, self._stock_levels.seq(sku), pending, priced, shown, listing, self.rules,
            self._stock_levels.closed.version,
        )  # fmt: skip

    def _is_fall(self, listing: Listing, value: Value, pending: PendingSku) -> bool:
        """Return whether a value may take the last units off what the channel shows."""
        return not value.quantity and (pending.forced or not self.is_quantity_shown(listing, 0))

    def is_current(self, sent: InFlight) -> bool:
        """Return whether nothing has changed since a value was made, and no price had to stay behind."""
        return (
            self._stock_levels.seq(sent.sku) == sent.seq
            and self._stock_levels.closed.version == sent.locations_version
            and self._listings.get(sent.sku, sent.listing) is sent.listing
            and sent.rules is self.rules
            and (sent.with_price or not sent.value.price)
        )


NEVER: Final[CanSend] = lambda _key, _priced: float("inf")  # noqa: E731
"""Keeps a price from being sent."""
