"""``holdfast barcodes list``, ``add`` and ``remove``: the barcodes of one SKU."""

from typing import Any, Final

import click

from server.cli.common import reason_option
from server.cli.daily.asking import Api, api_options, asked
from server.cli.daily.listing import as_page, limit_option
from server.cli.daily.tables import print_table, say_there_is_more
from server.cli.terminal import print_json, say

_ALL: Final = "/v1/barcodes"
_ONE: Final = "/v1/barcodes/{barcode}"


@click.command("list")
@click.argument("sku")
@limit_option
@api_options
def list_(sku: str, *, limit: int, as_json: bool, **where: Any) -> None:
    """List the barcodes of a SKU, and how many units each counts.

    \b
      holdfast barcodes list TS-1001-SİYAH-M

    A server that runs finds them, a second after they were set.
    """  # noqa: D301  # click needs the character, not the two

    async def work(api: Api) -> tuple[list[Any], str]:
        return await api.pages("/v1/skus/{sku}/barcodes", "barcodes", names={"sku": sku}, limit=limit)

    found, following = asked(work, **where)
    if as_json:
        print_json(as_page("barcodes", found, following))
    elif found:
        print_table(("barcode", "units"), [(each["barcode"], each["factor"]) for each in found])
        say_there_is_more(following, limit)
    else:
        say(f"No barcode of {sku} is known.")


@click.command()
@click.argument("barcode")
@click.argument("sku")
@click.option("--factor", type=click.IntRange(min=1), default=1, show_default=True, help="Units of the pack.")
@reason_option
@api_options
def add(barcode: str, sku: str, *, factor: int, reason: str, as_json: bool, **where: Any) -> None:
    """Set what one barcode stands for. For many at once, see holdfast barcodes import.

    \b
      holdfast barcodes add 8690000000036 TS-1001-SİYAH-M
      holdfast barcodes add 18690000000033 TS-1001-SİYAH-M --factor 12 --reason "a new carton"

    What it stood for before is replaced.
    """  # noqa: D301  # click needs the character, not the two
    body: dict[str, Any] = {"barcodes": [{"barcode": barcode, "sku": sku, "factor": factor}]}
    body |= {"reason": reason} if reason else {}

    async def work(api: Api) -> Any:
        return await api.ask("PUT", _ALL, body=body)

    found = asked(work, **where)
    if as_json:
        print_json(found)
    else:
        say(f"{barcode}: {factor:,} × {sku}")


@click.command()
@click.argument("barcode")
@reason_option
@api_options
def remove(barcode: str, *, reason: str, as_json: bool, **where: Any) -> None:
    """Take a barcode away: it stands for nothing then.

    \b
      holdfast barcodes remove 8690000000036 --reason "printed on another article"
    """  # noqa: D301  # click needs the character, not the two

    async def work(api: Api) -> Any:
        return await api.ask("DELETE", _ONE, names={"barcode": barcode}, query={"reason": reason})

    found = asked(work, **where)
    if as_json:
        print_json(found)
    else:
        say(f"{found['barcode']} is removed; it was {found['factor']:,} × {found['sku']}.")
