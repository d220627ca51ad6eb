"""``holdfast receive``: units arrived."""

from typing import Any

import click

from server.cli.common import failure
from server.cli.daily.asking import Api, api_options, asked, key_of, once_option, refused
from server.cli.files.command import allow_similar_option
from server.cli.terminal import print_json, say


@click.command()
@click.argument("sku")
@click.argument("quantity", type=click.IntRange(1))
@click.option("--location", default="", help="Where they arrived [where they were expected, else main].")
@click.option("--barcode", is_flag=True, help="SKU is a barcode or a GS1 label, and QUANTITY counts its packs.")
@click.option("--supply", "supply_id", metavar="ID", default="", help="The expected receipt that arrived.")
@click.option("--reason", default="", help="A reason, kept in the journal.")
@allow_similar_option
@once_option
@api_options
def receive(
    *, sku: str, quantity: int, location: str, barcode: bool, supply_id: str, reason: str, allow_similar: bool,
    once: str, as_json: bool, **where: Any,
) -> None:  # fmt: skip
    """Add units that arrived. For many at once, see holdfast move.

    \b
      holdfast receive TS-1001-SİYAH-M 20 --reason PO-2041
      holdfast receive 18690000000033 2 --barcode --location store-b
      holdfast receive TS-1001-SİYAH-M 8 --supply PO-3001:1
      holdfast receive TS-1001-SİYAH-M 20 --once "delivery 2041"     has one effect, however often it is run
    """  # noqa: D301  # click needs the character, not the two
    movement: dict[str, Any] = {"kind": "receive", "barcode" if barcode else "sku": sku, "quantity": quantity}
    given = (("location", location), ("supply_id", supply_id), ("reason", reason), ("allow_similar", allow_similar))
    movement |= {name: value for name, value in given if value}
    key = key_of(once)

    async def work(api: Api) -> dict[str, Any]:
        answer = await api.ask("POST", "/v1/stock/movements", body={"movements": [movement]}, key=key)
        [result] = answer["results"]
        if "problem" in result:
            raise failure(refused(result["problem"]))
        found: dict[str, Any] = result
        return found

    found = asked(work, **where)
    if as_json:
        print_json(found)
        return
    stock = found["stock"]
    was = "was received before" if found.get("replayed") else "received"
    counts = f"{stock['on_hand']:,} on hand, {stock['available']:,} available"
    say(f"{stock['sku']} at {stock['location']}: {quantity:,} {was}; {counts}")
