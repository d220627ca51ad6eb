"""``holdfast shortages``: where more is reserved than there is, which orders lack units, and where else they are."""

from typing import Any

import click

from server.cli import shortages as sentences
from server.cli.daily.asking import Api, api_options, asked
from server.cli.daily.listing import as_page, limit_option
from server.cli.daily.tables import print_table, say_there_is_more
from server.cli.terminal import print_json, say


@click.command()
@limit_option
@api_options
def shortages(*, limit: int, as_json: bool, **where: Any) -> None:
    """Show where more is reserved than there is, and which orders will not get all of their units.

    \b
      holdfast shortages
      holdfast shortages --url https://stock.example --key stock.key

    Of each order it says which other locations have what it lacks, and how to take it from there.
    """  # noqa: D301  # click needs the character, not the two

    async def work(api: Api) -> tuple[list[Any], str]:
        return await api.pages("/v1/shortages", "shortages", limit=limit)

    found, following = asked(work, **where)
    if as_json:
        print_json(as_page("shortages", found, following))
        return
    if not found:
        say("Nothing is short.")
        return
    rows = [
        (each["sku"], each["location"], each["short"], line["reservation_id"], line["channel"], line["order_ref"],
         line["lacks"], _others(line))
        for each in found
        for line in each["lines"]
    ]  # fmt: skip
    print_table(("SKU", "location", "short", "reservation", "channel", "order", "lacks", "others have"), rows)
    movable = [line for each in found for line in each["lines"] if line["other_locations"]]
    for line in movable[: sentences.HINTS_MAX]:
        say(f"{line['reservation_id']}: {sentences.hint(line)}")
    say_there_is_more(following, limit)


def _others(line: dict[str, Any]) -> str:
    return ", ".join(f"{each['location']} {each['available']:,}" for each in line["other_locations"] or ())
