"""``holdfast orders``: orders that channels told of, one with its timeline, papers, and the erasure of people."""

from base64 import b64decode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from server.cli import shortages
from server.cli.common import failure
from server.cli.daily.asking import Api, api_options, asked
from server.cli.daily.listing import as_page, limit_option
from server.cli.daily.tables import minute, say_there_is_more, shown
from server.cli.order_documents import refuse_misplaced
from server.cli.terminal import confirm, console, print_json, say
from server.files.wording import counted
from server.store.embedded.private_files import private_file

SAME_NUMBER_MAX: Final = 20
_LINES_SHOWN: Final = 3
_ALL: Final = "/v1/orders"
_ONE: Final = "/v1/orders/{channel}/{number}"


@click.group(invoke_without_command=True)
@click.option("--channel", help="Of this channel.")
@click.option("--state", help="In this state: held, booked, shipping, shipped, cancelled, closed, recorded.")
@click.option("--sku", help="With this SKU.")
@click.option("--location", help="From this location.")
@click.option("--customer", help="Of the buyer with this customer_ref.")
@click.option("--short", is_flag=True, help="That lack units.")
@click.option("--unmapped", is_flag=True, help="With lines whose SKU is known nowhere.")
@limit_option
@api_options
@click.pass_context
def orders(context: click.Context, /, *, limit: int, as_json: bool, **options: Any) -> None:
    """Show orders that channels told of, the newest first.

    \b
      holdfast orders
      holdfast orders --channel my-shop --short
      holdfast orders --url https://stock.example --key stock.key
      holdfast orders show 10623417
      holdfast orders erase my-shop 10623417
    """  # noqa: D301  # click needs the character, not the two
    if context.invoked_subcommand is not None:
        refuse_misplaced(context)
        return
    names = ("channel", "state", "sku", "location", "customer", "short", "unmapped")
    wanted = {name: value for name in names if (value := options.pop(name))}

    async def work(api: Api) -> tuple[list[Any], str]:
        return await api.pages(_ALL, "orders", limit=limit, **wanted)

    found, following = asked(work, **options)
    if as_json:
        print_json(as_page("orders", found, following))
    elif found:
        console().print(_table(found))
        say_there_is_more(following, limit)
    else:
        say("No order matches.")


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("channel", "order", "state", "placed", "units")
    table.add_column("short", justify="right")
    table.add_column("total", justify="right")
    table.add_column("not booked")
    for each in found:
        units = ", ".join(f"{line['quantity']} {line['sku']}" for line in each["stock"][:_LINES_SHOWN])
        left_out = len(each["stock"]) - _LINES_SHOWN
        more = f", … {left_out} more" if left_out > 0 else ""
        cells = (
            each["channel"], each["number"], each["state"] or f"({each['channel_state']})", minute(each["placed_at"]),
            units + more, shown(each["short"] or None), f"{each['total']} {each['currency']}",
            each["reason"] if each["booked_at"] else "to be booked",
        )  # fmt: skip
        table.add_row(*(Text(cell) for cell in cells), style="red" if each["reason"] else None)
    return table


# -- one order


@orders.command()
@click.argument("number")
@click.option("--channel", default="", help="Its channel, where several have the number.")
@api_options
def show(number: str, *, channel: str, as_json: bool, **where: Any) -> None:
    """Show an order: what was sold, to whom, what was booked of it, and what happened when.

    \b
      holdfast orders show 10623417
    """  # noqa: D301  # click needs the character, not the two

    async def work(api: Api) -> dict[str, Any]:
        of = channel or await _channel_of(api, number)
        found: dict[str, Any] = await api.ask("GET", _ONE, names={"channel": of, "number": number})
        return found

    found = asked(work, **where)
    if as_json:
        print_json(found)
    else:
        console().print(Group(*_shown(found)))


async def _channel_of(api: Api, number: str) -> str:
    found, _ = await api.pages(_ALL, "orders", limit=SAME_NUMBER_MAX, number=number)
    if not found:
        raise failure(f"No such order. No channel has told of {number}. Check the number.")
    if len(found) > 1:
        names = ", ".join(each["channel"] for each in found)
        raise failure(f"Several channels have an order {number}: {names}. Name one with --channel.")
    return str(found[0]["channel"])


def _shown(found: Mapping[str, Any]) -> Iterator[Any]:
    order = found["order"]
    state = order["state"] or "to be booked"
    at_channel = order["status"] or order["channel_state"]
    yield Text(f"{order['channel']} {order['number']}: {state}, at the channel {at_channel}", style="bold")
    money = f"{order['total']} {order['currency']}"
    yield Text(", ".join((f"placed {minute(order['placed_at'])}", money, *order["flags"])))
    if (inbox := found["inbox"]) is not None:
        yield Text(f"not booked whole: {inbox['reason']} {' '.join(inbox['listings'])}", style="red")
    yield _lines(found["lines"])
    for reservation in found["reservations"]:
        taken = ", ".join(
            f"{line['quantity']} {line['sku']} at {line['location'] or '-'}" for line in reservation["lines"]
        )
        yield Text(f"{reservation['reservation_id']}: {reservation['state']}, {taken}")
    yield from (Text(each, style="red") for each in _short(found["shortages"]))
    for package in found["packages"]:
        line = f"package {package['key']}: {package['state']} {package['carrier']} {package['tracking']}"
        yield Text(line.rstrip())
    for case in found["returns"]:
        yield Text(f"return {case['key']}: {case['state']}")
    yield from _person(found)
    steps = [(each["at"], each["kind"], each["text"], each["actor"]) for each in found["timeline"]]
    notes = [(each["at"], "note", each["text"], each["actor"]) for each in found["notes"]]
    for at, *words in sorted((*steps, *notes)):
        yield Text("  ".join((minute(at), *words)).rstrip())


def _lines(lines: list[dict[str, Any]]) -> Table:
    table = Table("line", "listing", "title")
    counts = ("ordered", "cancelled", "shipped", "returned")
    for name in (*counts, "price"):
        table.add_column(name, justify="right")
    for line in lines:
        known_as = line["listing"] or line["barcode"] or line["sku_hint"]
        cells = (line["key"], known_as, line["title"], *(str(line[name]) for name in counts), line["unit_price"])
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _short(lines: list[dict[str, Any]]) -> Iterator[str]:
    for each in lines:
        lacks = f"{each['lacks']:,} {each['sku']} at {each['location']}"
        yield f"{each['reservation_id']} line {each['line']} lacks {lacks}"
        if each["other_locations"]:
            yield shortages.hint(each)


def _person(found: Mapping[str, Any]) -> Iterator[Text]:
    if found["erased_at"]:
        yield Text(f"personal data was erased at {minute(found['erased_at'])}")
    if found["personal"] == "hidden":
        yield Text("personal data is shown to a key with the scope admin")
    if (buyer := found["buyer"]) is not None:
        yield Text(f"buyer: {buyer['name']} {buyer['email']} {buyer['phone']}".rstrip())
        for what, address in (("ship to", buyer["shipping"]), ("bill to", buyer["billing"])):
            if address is not None:
                yield Text(f"{what}: {_address(address)}")


def _address(each: Mapping[str, Any]) -> str:
    city = f"{each['postal_code']} {each['city']}".strip()
    parts = (each["name"], each["company"], *each["lines"], each["district"], city, each["country"])
    return ", ".join(part for part in parts if part)


# -- papers


@orders.command("paper")
@click.argument("channel")
@click.argument("number")
@click.argument("command_id", metavar="ID")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@api_options
def paper(channel: str, number: str, command_id: str, file: Path, *, as_json: bool, **where: Any) -> None:
    """Write what a command about an order was answered with, such as a label, to a file that only you can read.

    ID is that of the command in the channel's outbox.

    \b
      holdfast orders paper my-shop 10623417 label-90ffae898087e9bb label.pdf
    """  # noqa: D301  # click needs the character, not the two
    names = {"channel": channel, "number": number, "command_id": command_id}

    async def work(api: Api) -> dict[str, Any]:
        found: dict[str, Any] = await api.ask("GET", f"{_ONE}/papers/{{command_id}}", names=names)
        return found

    found = asked(work, **where)
    body = b64decode(found.pop("content"))
    try:
        with private_file(file) as target:
            target.write(body)
    except OSError as error:
        raise failure(f"{file} cannot be written: {error.strerror}. Choose another path.") from None
    if as_json:
        print_json(found | {"file": str(file), "bytes": len(body)})
        return
    say(f"{file}: {found['kind']}, {counted(len(body), 'byte')}, {found['media_type'] or 'of no stated type'}")


# -- erasing


@orders.command("erase")
@click.argument("channel")
@click.argument("numbers", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@api_options
def erase_(channel: str, numbers: tuple[str, ...], *, yes: bool, as_json: bool, **where: Any) -> None:
    """Erase the personal data of orders for good, also what the channel tells of them later.

    The orders, their lines, their money and their timelines stay, and so do all counters.

    \b
      holdfast orders erase my-shop 10623417
    """  # noqa: D301  # click needs the character, not the two
    if not yes:
        confirm(f"Erase buyer, addresses, notes and labels of {counted(len(numbers), 'order')} of {channel}?")

    async def work(api: Api) -> list[dict[str, Any]]:
        return [
            await api.ask("POST", f"{_ONE}/erase", names={"channel": channel, "number": number})
            for number in dict.fromkeys(numbers)
        ]

    erased = asked(work, **where)
    if as_json:
        print_json(erased)
        return
    for each in erased:
        gone = "erased" if each["was_kept"] else "it is not kept here, and will be without personal data"
        say(f"{each['number']}: {gone}")
