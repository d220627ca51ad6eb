"""``holdfast supply``: what is still to come from suppliers, and its being expected or not."""

from datetime import datetime
from typing import Any

import click

from server.cli.daily.asking import Api, api_options, asked, key_of, once_option
from server.cli.daily.listing import as_page, limit_option
from server.cli.daily.tables import print_table, say_there_is_more
from server.cli.terminal import print_json, say
from server.files.wording import counted

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def supply() -> None:
    """Show what is still to come, and say what is.

    \b
      holdfast supply list TS-1001-SİYAH-M
      holdfast supply expect PO-3001:1 TS-1001-SİYAH-M 20 2030-01-15 --reference PO-3001
      holdfast supply forgo PO-3001:1
      holdfast receive TS-1001-SİYAH-M 8 --supply PO-3001:1      when units arrive
    """  # noqa: D301  # click needs the character, not the two


@supply.command("list")
@click.argument("sku", required=False, default="")
@click.option("--location", default="", help="At this location.")
@limit_option
@api_options
def list_(*, sku: str, location: str, limit: int, as_json: bool, **where: Any) -> None:
    """List what is still to come: of a SKU the earliest first, without one of all SKUs.

    \b
      holdfast supply list
      holdfast supply list TS-1001-SİYAH-M --location main
    """  # noqa: D301  # click needs the character, not the two

    async def work(api: Api) -> tuple[list[Any], str]:
        if not sku:
            return await api.pages("/v1/supply", "supply", limit=limit, location=location)
        found = (await api.ask("GET", "/v1/supply", query={"sku": sku, "location": location}))["supply"]
        return found[:limit], "more" if len(found) > limit else ""

    found, following = asked(work, **where)
    if as_json:
        print_json(as_page("supply", found, following))
        return
    if not found:
        say("Nothing is expected.")
        return
    names = ("supply_id", "sku", "location", "expected", "expected_on", "received", "reference")
    print_table(
        ("id", "SKU", "location", "expected", "on", "received", "reference"),
        [[each[name] for name in names] for each in found],
    )
    say_there_is_more(following, limit)


@supply.command()
@click.argument("supply_id", metavar="ID")
@click.argument("sku")
@click.argument("quantity", type=click.IntRange(1))
@click.argument("day", type=_DAY)
@click.option("--location", default="", help="Where it is to arrive [main].")
@click.option("--reference", default="", help="Such as the purchase order's number.")
@once_option
@api_options
def expect(
    *, supply_id: str, sku: str, quantity: int, day: datetime, location: str, reference: str, once: str, as_json: bool,
    **where: Any,
) -> None:  # fmt: skip
    """Set what is to come, and when. Again with other values, it replaces them; units that came stay received.

    \b
      holdfast supply expect PO-3001:1 TS-1001-SİYAH-M 20 2030-01-15 --reference PO-3001
    """  # noqa: D301  # click needs the character, not the two
    body = {"sku": sku, "quantity": quantity, "expected_on": day.date().isoformat()}
    body |= {name: value for name, value in (("location", location), ("reference", reference)) if value}
    _changed("PUT", supply_id, body, once, as_json=as_json, **where)


@supply.command()
@click.argument("supply_id", metavar="ID")
@once_option
@api_options
def forgo(*, supply_id: str, once: str, as_json: bool, **where: Any) -> None:
    """Expect something no longer: it will not come.

    \b
      holdfast supply forgo PO-3001:1
    """  # noqa: D301  # click needs the character, not the two
    _changed("DELETE", supply_id, None, once, as_json=as_json, **where)


def _changed(method: str, supply_id: str, body: object, name: str, *, as_json: bool, **where: Any) -> None:
    key = key_of(name)

    async def work(api: Api) -> dict[str, Any]:
        found: dict[str, Any] = await api.ask(
            method, "/v1/supply/{supply_id}", names={"supply_id": supply_id}, body=body, key=key
        )
        return found

    found = asked(work, **where)
    if as_json:
        print_json(found)
        return
    what = f"{counted(found['expected'], 'unit')} of {found['sku']} at {found['location']} on {found['expected_on']}"
    say(f"{supply_id}: {what}" if method == "PUT" else f"{supply_id} is expected no longer: it was {what}")
