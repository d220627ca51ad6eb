"""``holdfast events``: stock that ran low, ran out or came back, and shortages."""

import asyncio
from typing import Any, Final

import click

from server.cli.daily.asking import Api, api_options, asked
from server.cli.daily.listing import limit_option
from server.cli.daily.tables import minute, print_table
from server.cli.terminal import print_json, say

FOLLOW_S: Final = 1.0
"""Events are made about once a second."""
PAGE: Final = 1_000


@click.command()
@click.option("--about", type=click.Choice(["places", "skus", "all"]), default="places", show_default=True)
@click.option("--sku", default="", help="Of this SKU.")
@click.option("--after", default="", help="After this event: the `next` of an earlier answer.")
@click.option("--follow", is_flag=True, help="Go on with each new event, until Ctrl-C.")
@limit_option
@api_options
def events(*, about: str, sku: str, after: str, follow: bool, limit: int, as_json: bool, **where: Any) -> None:
    """Show the newest events of stock that crossed a line, the oldest of them first. They are kept for 30 days.

    \b
      holdfast events
      holdfast events --sku TS-1001-SİYAH-M --about all
      holdfast events --follow
    """  # noqa: D301  # click needs the character, not the two
    if follow and as_json:
        raise click.UsageError("--follow shows lines. For JSON, repeat the command with --after and the last `next`.")

    async def work(api: Api) -> tuple[list[Any], str]:
        found, following = await _newest(api, about, sku, after, limit)
        if follow:
            await _follow(api, about, sku, found, following)
        return found, following

    found, following = asked(work, **where)
    if as_json:
        print_json({"events": found, "next": following})
    elif found:
        names = ("time", "event", "SKU", "location", "available", "reorder point")
        print_table(names, [_row(each) for each in found])
    else:
        say("There is no event.")


async def _newest(api: Api, about: str, sku: str, after: str, limit: int) -> tuple[list[Any], str]:
    """Read on to the end, and keep the newest."""
    kept: list[Any] = []
    while True:
        page = await api.ask("GET", "/v1/events", query={"about": about, "after": after, "limit": PAGE})
        kept = [*kept, *(each for each in page["events"] if sku in ("", each["sku"]))][-limit:]
        after = page["next"]
        if len(page["events"]) < PAGE:
            return kept, after


async def _follow(api: Api, about: str, sku: str, found: list[Any], after: str) -> None:
    while True:
        for each in found:
            say("  ".join(str(cell) for cell in _row(each)).rstrip())
        await asyncio.sleep(FOLLOW_S)
        page = await api.ask("GET", "/v1/events", query={"about": about, "after": after, "limit": PAGE})
        found, after = [each for each in page["events"] if sku in ("", each["sku"])], page["next"]


def _row(each: dict[str, Any]) -> tuple[Any, ...]:
    return (
        minute(each["at"]), each["type"], each["sku"], each["location"] or "everywhere", each["available"],
        each["reorder_point"],
    )  # fmt: skip
