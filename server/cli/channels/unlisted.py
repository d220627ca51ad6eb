"""``holdfast channels unlisted``: SKUs that are in stock, and that no channel lists."""

from collections.abc import AsyncIterator
from typing import Final

import click

from server.cli.common import json_option, opened_store, partition_option, quiet_settings, run, store_options
from server.cli.terminal import print_csv, print_json, say
from server.config.settings import Settings
from server.config.toml_tables import listed
from server.files.wording import counted
from server.store.command_session import OpenStore
from server.store.keys import Keyspace
from server.store.repositories.channels import ChannelStore
from server.store.repositories.unlisted import Unlisted
from server.store.repositories.unlisted import unlisted as read_page

SKUS_AT_A_TIME: Final = 500


@click.command()
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: sku, available.")
@partition_option
@json_option
@store_options
def unlisted(*, as_csv: bool, as_json: bool, partition: str, **overrides: object) -> None:
    """List SKUs that are in stock, and that no channel lists.

    They could be sold, and nobody sees them. A channel that lists all SKUs has all but those that were taken off it.

    \b
      holdfast channels unlisted
      holdfast channels unlisted --csv > unlisted.csv
    """  # noqa: D301  # click needs the character, not the two
    if as_csv and as_json:
        raise click.UsageError("Choose --csv or --json.")
    channels, found = run(_find(quiet_settings(**overrides), partition))
    if as_json:
        print_json({"channels": channels, "skus": [{"sku": sku, "available": units} for sku, units in found]})
        return
    if as_csv:
        print_csv(("sku", "available"), found)
        return
    for sku, available in found:
        say(f"{sku}: {available:,}")
    where = listed(channels) if channels else "no channel, for there is none"
    say(f"{counted(len(found), 'SKU')} in stock and on none of these: {where}" if channels else f"Looked at {where}.")


async def _find(settings: Settings, partition: str) -> tuple[list[str], list[tuple[str, int]]]:
    async with opened_store(settings) as store:
        channels = await _channels(store, partition)
        found = {each.sku: each.available async for each in _pages(store, partition, channels)}
    return sorted(channels), sorted(found.items())


async def _channels(store: OpenStore, partition: str) -> dict[str, bool]:
    """Name the channels that are known, and whether each lists all SKUs, as its publisher last said."""
    kept = ChannelStore(store.client, Keyspace(partition))
    statuses = await kept.statuses()
    return {name: name in statuses and statuses[name].lists_all for name in await kept.channels()}


async def _pages(store: OpenStore, partition: str, channels: dict[str, bool]) -> AsyncIterator[Unlisted]:
    place = -1
    while place:
        page = await read_page(store.client, Keyspace(partition), channels, max(0, place), SKUS_AT_A_TIME)
        for each in page.found:
            yield each
        place = page.following
