"""How many pieces of a listing a channel is told of, where one piece can be several units of several SKUs; and why."""

from collections.abc import Callable, Mapping
from typing import Final

from server.domain.channels import ChannelRules, Listing, publishable
from server.domain.components import pieces

LOCATIONS_NAMED_MAX: Final = 5
"""Locations that a sentence names; of more it has the number."""


def publishable_pieces(rules: ChannelRules, listing: Listing, available: Callable[[str], Mapping[str, int]]) -> int:
    """Return the publishable quantity of a listing; of a pack or bundle it is the least of its components."""
    if not listing.components:
        return publishable(rules, available(listing.sku), listed=listing.listed)
    if not listing.listed:
        return 0
    return pieces(listing.components, lambda sku: publishable(rules, available(sku)))


def why_pieces(
    rules: ChannelRules,
    listing: Listing,
    available: Callable[[str], Mapping[str, int]],
    quantity_max: int | None = None,
) -> str:
    """Say how the publishable quantity of a listing comes about; ``quantity_max``: the most that the channel takes."""
    if not listing.listed:
        return "0: it is not listed"
    if listing.components:
        parts = [
            f"{each.sku} for {publishable(rules, available(each.sku)) // each.quantity} of {each.quantity} each"
            f" ({_why_units(rules, available(each.sku))})"
            for each in listing.components
        ]
        why = parts[0] if len(parts) == 1 else "the least of " + ", ".join(parts)
    else:
        why = _why_units(rules, available(listing.sku))
    if quantity_max is not None and publishable_pieces(rules, listing, available) > quantity_max:
        return f"{why}; the channel takes {quantity_max} at most"
    return why


def _why_units(rules: ChannelRules, available: Mapping[str, int]) -> str:
    if not available:
        return "no stock is known of it"
    units = sum(available.get(each, 0) for each in rules.locations) if rules.locations else sum(available.values())
    said = [f"{units} available{_where(rules)}"]
    left = max(0, units - rules.buffer)
    if rules.buffer:
        said.append(f"less buffer {rules.buffer} is {left}")
    share = left * rules.percent // 100
    if rules.percent != 100:  # noqa: PLR2004  # percent
        said.append(f"{rules.percent} % of it is {share}")
    if share < rules.min_publish:
        said.append(f"below min_publish {rules.min_publish} none is shown")
    elif rules.cap is not None and share > rules.cap:
        said.append(f"cap {rules.cap}")
    elif units < 0 and not rules.buffer:
        said.append("so none")
    return ", ".join(said)


def _where(rules: ChannelRules) -> str:
    if not rules.locations:
        return ""
    if len(rules.locations) > LOCATIONS_NAMED_MAX:
        return f" at {len(rules.locations)} locations"
    return f" at {' and '.join(rules.locations)}"


def sold_pieces(listing: Listing, sku: str, units: int) -> int:
    """Return how many pieces of a listing a channel may have sold that has sold units of a SKU.

    A part counts as a piece; fewer units than none were taken back.
    """
    for each in listing.components:
        if each.sku == sku:
            return units // each.quantity if units < 0 else -(-units // each.quantity)
    return units
