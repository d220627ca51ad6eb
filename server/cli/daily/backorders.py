"""``holdfast backorders``: lines that wait for units, in the order in which they get them."""

from typing import Any

import click

from server.cli.daily.asking import Api, api_options, asked
from server.cli.daily.listing import as_page, limit_option
from server.cli.daily.tables import print_table, say_there_is_more
from server.cli.terminal import print_json, say


@click.command()
@click.option("--sku", default="", help="Of this SKU.")
@click.option("--location", default="", help="At this location.")
@limit_option
@api_options
def backorders(*, sku: str, location: str, limit: int, as_json: bool, **where: Any) -> None:
    """Show the lines that wait for units, by SKU and location, there in the order in which they are filled.

    \b
      holdfast backorders
      holdfast backorders --sku TS-1001-SİYAH-M
    """  # noqa: D301  # click needs the character, not the two

    async def work(api: Api) -> tuple[list[Any], str]:
        return await api.pages("/v1/backorders", "backorders", limit=limit, sku=sku, location=location)

    found, following = asked(work, **where)
    if as_json:
        print_json(as_page("backorders", found, following))
        return
    if not found:
        say("Nothing waits.")
        return
    rows = [
        (each["sku"], each["location"], each["reservation_id"], each["line"], each["channel"], each["backordered"],
         each.get("promise_on", ""), each["vip"], each.get("order_ref", ""))
        for each in found
    ]  # fmt: skip
    print_table(("SKU", "location", "reservation", "line", "channel", "waits for", "promised", "vip", "order"), rows)
    say_there_is_more(following, limit)
