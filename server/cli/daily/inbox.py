"""``holdfast inbox``: orders that could not be booked, and what a person does about each."""

from typing import Any, Final

import click
from rich.table import Table
from rich.text import Text

from server.cli.daily.asking import Api, api_options, asked
from server.cli.daily.listing import as_page, limit_option
from server.cli.daily.tables import minute, say_there_is_more
from server.cli.order_documents import refuse_misplaced
from server.cli.terminal import console, print_json, say

_ALL: Final = "/v1/inbox"
_ONE: Final = "/v1/inbox/{channel}/{number}"
_MISSING: Final = "No server publishes now: it is done once one does."


@click.group("inbox", invoke_without_command=True)
@click.option("--channel", help="Of this channel.")
@click.option("--ignored", is_flag=True, help="What was left alone, in place of what is open.")
@limit_option
@api_options
@click.pass_context
def inbox(
    context: click.Context, /, *, channel: str | None, ignored: bool, limit: int, as_json: bool, **where: Any
) -> None:
    """Show orders that could not be booked, or not whole, and why; the oldest first.

    \b
      holdfast inbox
      holdfast inbox retry my-shop 10623417
      holdfast inbox map my-shop 10623417 8690000000999 TS-1001-SİYAH-M
      holdfast inbox ignore my-shop 10623417
    """  # noqa: D301  # click needs the character, not the two
    if context.invoked_subcommand is not None:
        refuse_misplaced(context)
        return

    async def work(api: Api) -> tuple[list[Any], str]:
        state = "ignored" if ignored else "open"
        return await api.pages(_ALL, "entries", limit=limit, channel=channel, state=state)

    found, following = asked(work, **where)
    if as_json:
        print_json(as_page("entries", found, following))
    elif found:
        console().print(_table(found))
        say_there_is_more(following, limit)
    else:
        say("Nothing was left alone." if ignored else "The inbox is empty.")


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("channel", "order", "why", "listings", "since")
    table.add_column("tries", justify="right")
    for each in found:
        why = f"{each['reason']}: {each['detail']}" if each["detail"] else each["reason"]
        cells = (
            each["channel"], each["number"], why, " ".join(each["listings"]), minute(each["first_at"]),
            f"{each['tries']:,}",
        )  # fmt: skip
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _do(verb: str, channel: str, number: str, said: str, *, as_json: bool, body: object = None, **where: Any) -> None:
    async def work(api: Api) -> dict[str, Any]:
        names = {"channel": channel, "number": number}
        found: dict[str, Any] = await api.ask("POST", f"{_ONE}/{verb}", names=names, body=body)
        return found

    found = asked(work, **where)
    if as_json:
        print_json(found)
        return
    say(said)
    if found["publisher_missing"]:
        say(_MISSING, err=True)


@inbox.command()
@click.argument("channel")
@click.argument("number")
@api_options
def retry(channel: str, number: str, **options: Any) -> None:
    """Have an order read from its channel and booked now.

    \b
      holdfast inbox retry my-shop 10623417
    """  # noqa: D301  # click needs the character, not the two
    _do("retry", channel, number, f"{number} is tried again.", **options)


@inbox.command()
@click.argument("channel")
@click.argument("number")
@api_options
def ignore(channel: str, number: str, **options: Any) -> None:
    """Leave an order alone, until something else keeps it from being booked.

    \b
      holdfast inbox ignore my-shop 10623417
    """  # noqa: D301  # click needs the character, not the two
    _do("ignore", channel, number, f"{number} is left alone.", **options)


@inbox.command("map")
@click.argument("channel")
@click.argument("number")
@click.argument("key")
@click.argument("sku")
@click.option("--factor", type=click.IntRange(min=1), help="Units of the SKU in one piece, for a pack.")
@api_options
def map_(channel: str, number: str, key: str, sku: str, *, factor: int | None, **options: Any) -> None:
    """Say once and for all which SKU the channel means by a key, and have the order booked.

    \b
      holdfast inbox map my-shop 10623417 8690000000999 TS-1001-SİYAH-M
      holdfast inbox map my-shop 10623417 8690000000999 TS-1001-SİYAH-M --factor 6
    """  # noqa: D301  # click needs the character, not the two
    listing = {"sku": sku, "key": key} | ({} if factor is None else {"factor": factor})
    said = f"{key} means {sku} from now on; {number} is tried again."
    _do("map", channel, number, said, body={"listings": [listing]}, **options)
