"""How many pieces of a listing a channel is told of, where one piece can be several units of several SKUs."""

from collections.abc import Callable, Mapping

from server.domain.channels import ChannelRules, Listing, publishable
from server.domain.components import pieces


def publishable_pieces(rules: ChannelRules, listing: Listing, available: Callable[[str], Mapping[str, int]]) -> int:
    """Return the publishable quantity of a listing; of a pack or bundle it is the least of its components."""
    if not listing.components:
        return publishable(rules, available(listing.sku), listed=listing.listed)
    if not listing.listed:
        return 0
    return pieces(listing.components, lambda sku: publishable(rules, available(sku)))


def sold_pieces(listing: Listing, sku: str, units: int) -> int:
    """Return how many pieces of a listing a channel may have sold that has sold units of a SKU.

    A part counts as a piece; fewer units than none were taken back.
    """
    for each in listing.components:
        if each.sku == sku:
            return units // each.quantity if units < 0 else -(-units // each.quantity)
    return units
