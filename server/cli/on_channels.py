"""What each channel shows of a SKU: the part of ``holdfast show`` that ``--channels`` adds."""

from typing import Any

import msgspec
from rich.table import Table

from server.cli.common import channels_of
from server.cli.times import shown_time
from server.config.settings import Settings
from server.domain.components import name_in
from server.service.caller import local_caller
from server.service.channel_listings import OnChannel, of_sku
from server.service.channel_numbers import Standing
from server.store.command_session import OpenStore


async def read_channels(store: OpenStore, settings: Settings, partition: str, sku: str) -> list[dict[str, Any]]:
    """Read what each configured channel shows of a SKU."""
    caller = local_caller(store, partition)
    parts = msgspec.structs.replace(caller.partition, channels=channels_of(settings, partition))
    _, found = await of_sku(msgspec.structs.replace(caller, partition=parts), sku)
    return [_channel(each) for each in found]


def _channel(each: OnChannel) -> dict[str, Any]:
    return {
        "channel": each.settings.name,
        "kind": each.settings.kind,
        "publisher_missing": each.is_missing,
        "listings": [_listing(standing) for standing in each.standings],
        "complete": each.is_complete,
    }


def _listing(standing: Standing) -> dict[str, Any]:
    shown, refused = standing.shown, standing.refused
    return {
        "listing": name_in(standing.listing.sku),
        "key": standing.listing.key,
        "listed": standing.listing.listed,
        "state": standing.state,
        "shown": None if shown is None else shown.quantity,
        "should_show": standing.should_show,
        "why": standing.why,
        "confirmed_at": None if shown is None else shown_time(shown.confirmed_ms),
        "refused": None if refused is None else {"code": refused.code, "reason": refused.reason},
    }


def channels_table(found: list[dict[str, Any]]) -> Table:
    """Lay out what each channel shows, and why it should show what it should."""
    table = Table("channel", "key", "state", title="On channels", title_justify="left")
    for name in ("shown", "should show"):
        table.add_column(name, justify="right")
    table.add_column("confirmed")
    table.add_column("why")
    for each in found:
        name = each["channel"] + (" (no publisher)" if each["publisher_missing"] else "")
        if not each["listings"]:
            table.add_row(name, "", "not listed", "", "", "", "")
        for one in each["listings"]:
            why = f"refused: {one['refused']['reason']}" if one["refused"] else one["why"]
            numbers = ["?" if one[what] is None else f"{one[what]:,}" for what in ("shown", "should_show")]
            table.add_row(name, one["key"], one["state"], *numbers, one["confirmed_at"] or "", why)
        if not each["complete"]:
            table.add_row(name, "…", "", "", "", "", "there are more packs and bundles that hold it")
    return table
