"""How a listing stands, and a SKU on each channel, as they are shown."""

from collections.abc import Sequence

from server.domain.components import sku_in
from server.schemas.channels import ComponentView, ListingStandingView, OnChannelView, RefusedView
from server.schemas.common import time_of
from server.service.channel_listings import OnChannel
from server.service.channel_numbers import Standing


def on_channel_views(found: Sequence[OnChannel]) -> list[OnChannelView]:
    """Show how a SKU stands on each channel."""
    return [
        OnChannelView(
            each.settings.name, each.settings.kind, each.is_missing,
            [standing_view(standing) for standing in each.standings], each.is_complete,
        )
        for each in found
    ]  # fmt: skip


def standing_view(standing: Standing) -> ListingStandingView:
    """Show a listing and how it stands."""
    each, shown = standing.listing, standing.shown
    sku, factor, components = sku_in(each.sku), 0, [ComponentView(part.sku, part.quantity) for part in each.components]
    if len(components) == 1:
        sku, factor, components = components[0].sku, components[0].quantity, []
    return ListingStandingView(
        sku, each.key, each.listed, each.price, each.list_price, each.currency, each.attributes, factor, components,
        state=standing.state, shown=None if shown is None else shown.quantity, should_show=standing.should_show,
        why=standing.why, confirmed_at=None if shown is None else time_of(shown.confirmed_ms),
        pending=standing.state == "pending", refused=_refused(standing),
    )  # fmt: skip


def _refused(standing: Standing) -> RefusedView | None:
    letter = standing.refused
    if letter is None:
        return None
    return RefusedView(letter.quantity, letter.code, letter.reason, letter.attempts, time_of(letter.last_ms))
