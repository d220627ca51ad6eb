"""``holdfast inbox``: orders that could not be booked, and what a person does about each."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import click
import msgspec
from rich.table import Table
from rich.text import Text

from server.cli.channels.common import time_text
from server.cli.common import json_option, partition_option, quiet_settings, run, store_options
from server.cli.order_documents import opened_orders, refuse_misplaced
from server.cli.terminal import console, print_json, say
from server.config.settings import Settings
from server.domain.order_documents import InboxEntry
from server.schemas.channels import ListingBody, ListingsBody
from server.schemas.orders import InboxQuery
from server.service import inbox as service
from server.service.caller import Caller
from server.service.listings import put_listings
from server.service.order_documents import inbox as read_inbox

SHOWN_MAX: Final = 200
_MISSING: Final = "No server publishes now: it is done once one does."


@click.group("inbox", invoke_without_command=True)
@click.option("--channel", help="Of this channel.")
@click.option("--ignored", is_flag=True, help="What was left alone, in place of what is open.")
@partition_option
@json_option
@store_options
@click.pass_context
def inbox(
    context: click.Context, /, *, channel: str | None, ignored: bool, partition: str, as_json: bool, **overrides: object
) -> None:
    """Show orders that could not be booked, or not whole, and why; the oldest first.

    \b
      holdfast inbox
      holdfast inbox retry my-shop 10623417
      holdfast inbox map my-shop 10623417 8690000000999 TS-1001-M
      holdfast inbox ignore my-shop 10623417
    """  # noqa: D301  # click needs the character, not the two
    if context.invoked_subcommand is not None:
        refuse_misplaced(context)
        return
    query = InboxQuery(channel=channel, state="ignored" if ignored else "open", limit=SHOWN_MAX)
    found, following = run(_read(quiet_settings(**overrides), partition, query))
    if as_json:
        print_json([msgspec.to_builtins(each) for each in found])
    elif found:
        console().print(_table(found))
        if following:
            say(f"These are the oldest {SHOWN_MAX:,}.")
    else:
        say("Nothing was left alone." if ignored else "The inbox is empty.")


async def _read(settings: Settings, partition: str, query: InboxQuery) -> tuple[list[InboxEntry], str]:
    async with opened_orders(settings, partition) as caller:
        return await read_inbox(caller, query)


def _table(found: list[InboxEntry]) -> Table:
    table = Table("channel", "order", "why", "listings", "since")
    table.add_column("tries", justify="right")
    for each in found:
        why = f"{each.reason}: {each.detail}" if each.detail else each.reason
        cells = (
            each.channel,
            each.number,
            why,
            " ".join(each.listings),
            time_text(each.first_ms) or "",
            f"{each.tries:,}",
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table


_Work = Callable[[Caller], Awaitable[tuple[InboxEntry, bool]]]


async def _do(settings: Settings, partition: str, work: _Work) -> bool:
    async with opened_orders(settings, partition) as caller:
        return (await work(caller))[1]


def _asked(what: str, overrides: dict[str, Any], partition: str, work: _Work) -> None:
    missing = run(_do(quiet_settings(**overrides), partition, work))
    say(what)
    if missing:
        say(_MISSING, err=True)


@inbox.command()
@click.argument("channel")
@click.argument("number")
@partition_option
@store_options
def retry(channel: str, number: str, *, partition: str, **overrides: object) -> None:
    """Have an order read from its channel and booked now.

    \b
      holdfast inbox retry my-shop 10623417
    """  # noqa: D301  # click needs the character, not the two
    _asked(f"{number} is tried again.", overrides, partition, lambda caller: service.retry(caller, channel, number))


@inbox.command()
@click.argument("channel")
@click.argument("number")
@partition_option
@store_options
def ignore(channel: str, number: str, *, partition: str, **overrides: object) -> None:
    """Leave an order alone, until something else keeps it from being booked.

    \b
      holdfast inbox ignore my-shop 10623417
    """  # noqa: D301  # click needs the character, not the two
    _asked(f"{number} is left alone.", overrides, partition, lambda caller: service.ignore(caller, channel, number))


@inbox.command("map")
@click.argument("channel")
@click.argument("number")
@click.argument("key")
@click.argument("sku")
@click.option("--factor", type=click.IntRange(min=1), help="Units of the SKU in one piece, for a pack.")
@partition_option
@store_options
def map_(
    channel: str, number: str, key: str, sku: str, *, factor: int | None, partition: str, **overrides: object
) -> None:
    """Say once and for all which SKU the channel means by a key, and have the order booked.

    \b
      holdfast inbox map my-shop 10623417 8690000000999 TS-1001-M
      holdfast inbox map my-shop 10623417 8690000000999 TS-1001-M --factor 6
    """  # noqa: D301  # click needs the character, not the two
    listing = ListingBody(sku=sku, key=key, factor=msgspec.UNSET if factor is None else factor)
    body = ListingsBody([listing])

    async def work(caller: Caller) -> tuple[InboxEntry, bool]:
        entry = await service.entry_of(caller, channel, number)
        await put_listings(caller, entry.channel, body)
        return await service.retry(caller, channel, number)

    _asked(f"{key} means {sku} from now on; {number} is tried again.", overrides, partition, work)
