"""``holdfast return``: shipped units came back."""

from typing import Any, Final

import click

from server.cli.daily.asking import Api, api_options, asked, key_of, once_option
from server.cli.terminal import print_json, say

DISPOSITIONS: Final = ("restock", "damaged", "quality_control")
_RESERVATION: Final = "/v1/reservations/{reservation_id}"


def _parts(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> list[tuple[int, int]]:
    parts = []
    for each in values:
        line, _, quantity = each.partition("=")
        if not line.isdecimal() or not quantity.isdecimal():
            raise click.BadParameter(f"{each}: write the number of the line, = and how many units")
        parts.append((int(line), int(quantity)))
    return parts


@click.command("return")
@click.argument("reservation_id", metavar="RESERVATION")
@click.option(
    "--line", "parts", metavar="LINE=UNITS", multiple=True, callback=_parts,
    help="Units of one line. Repeatable [all that was shipped].",
)  # fmt: skip
@click.option("--as", "disposition", type=click.Choice(DISPOSITIONS), default="restock", show_default=True)
@click.option("--location", default="", help="Where they are now [where they were shipped from].")
@click.option("--reason", default="", help="A reason, kept with the reservation.")
@once_option
@api_options
def return_(
    *, reservation_id: str, parts: list[tuple[int, int]], disposition: str, location: str, reason: str, once: str,
    as_json: bool, **where: Any,
) -> None:  # fmt: skip
    """Take shipped units back: restock makes them available again, damaged and quality_control do not.

    \b
      holdfast return basket-7
      holdfast return basket-7 --line 1=1 --as damaged --reason cracked
    """  # noqa: D301  # click needs the character, not the two
    if once and not parts:
        raise click.UsageError("With --once, name each --line: what is out is less when it is run again.")
    key, names = key_of(once), {"reservation_id": reservation_id}

    async def work(api: Api) -> dict[str, Any]:
        asked_for = parts or await _out(api, names)
        if not asked_for:
            raise click.UsageError(f"Nothing of {reservation_id} is out: it was not shipped, or all of it is back.")
        of_each = {"disposition": disposition, **({"location": location} if location else {})}
        lines = [{"line": line, "quantity": units, **of_each} for line, units in asked_for]
        body = {"lines": lines, **({"reason": reason} if reason else {})}
        again = "".join(f" --line {line}={units}" for line, units in asked_for)
        path = f"{_RESERVATION}/return"
        found: dict[str, Any] = await api.ask("POST", path, names=names, body=body, key=key, again=again)
        return found

    found = asked(work, **where)
    if as_json:
        print_json(found)
        return
    for line in found["lines"]:
        back = f"{line['returned']:,} of {line['sku']} are back, {line['fulfilled'] - line['returned']:,} are out"
        say(f"{reservation_id} line {line['line']}: {back}")
    for level in found.get("availability", ()):
        say(f"{level['sku']} at {level['location']}: {level['available']:,} available")


async def _out(api: Api, names: dict[str, str]) -> list[tuple[int, int]]:
    """Read how many units of which lines were shipped and are not back."""
    found = await api.ask("GET", _RESERVATION, names=names)
    return [(line["line"], out) for line in found["lines"] if (out := line["fulfilled"] - line["returned"])]
