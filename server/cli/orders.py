"""``holdfast orders``: orders that channels told of, one with its timeline, papers, and the erasure of people."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from server.cli import shortages
from server.cli.channels.common import time_text
from server.cli.common import counted, failure, json_option, partition_option, quiet_settings, run, store_options
from server.cli.order_documents import opened_orders, refuse_misplaced
from server.cli.terminal import confirm, console, print_json, say
from server.config.settings import Settings
from server.domain.order_documents import Address, KeptOrder, OrderFilter, WholeOrder
from server.domain.reservation import Reservation
from server.schemas.orders import OrdersQuery
from server.service.order_documents import OrderFound, documents_of, erase, find_orders, read_order, read_paper
from server.service.problems import ProblemError, problem
from server.service.shortages import OrderShortages
from server.store.documents.kept import Paper
from server.store.embedded.private_files import private_file

SHOWN_MAX: Final = 50
SAME_NUMBER_MAX: Final = 20


@click.group(invoke_without_command=True)
@click.option("--channel", help="Of this channel.")
@click.option("--state", help="In this state: held, booked, shipping, shipped, cancelled, closed, recorded.")
@click.option("--sku", help="With this SKU.")
@click.option("--location", help="From this location.")
@click.option("--customer", help="Of the buyer with this customer_ref.")
@click.option("--short", is_flag=True, help="That lack units.")
@click.option("--unmapped", is_flag=True, help="With lines whose SKU is known nowhere.")
@click.option("--limit", type=click.IntRange(1, 200), default=SHOWN_MAX, show_default=True, help="How many, at most.")
@partition_option
@json_option
@store_options
@click.pass_context
def orders(context: click.Context, /, *, limit: int, partition: str, as_json: bool, **options: Any) -> None:
    """Show orders that channels told of, the newest first.

    \b
      holdfast orders
      holdfast orders --channel my-shop --short
      holdfast orders show 10623417
      holdfast orders erase my-shop 10623417
    """  # noqa: D301  # click needs the character, not the two
    if context.invoked_subcommand is not None:
        refuse_misplaced(context)
        return
    names = ("channel", "state", "sku", "location", "customer", "short", "unmapped")
    wanted = {name: value for name in names if (value := options.pop(name))}
    query = OrdersQuery(limit=limit, **wanted)
    found, following = run(_find(quiet_settings(**options), partition, query))
    if as_json:
        print_json([_as_json(each) for each in found])
    elif found:
        console().print(_table(found))
        if following:
            say(f"These are the newest {limit:,}; narrow it down, or raise --limit.")
    else:
        say("No order matches.")


async def _find(settings: Settings, partition: str, query: OrdersQuery) -> tuple[list[KeptOrder], str]:
    async with opened_orders(settings, partition) as caller:
        return await find_orders(caller, query)


def _table(found: list[KeptOrder]) -> Table:
    table = Table("channel", "order", "state", "placed", "units")
    table.add_column("short", justify="right")
    table.add_column("total", justify="right")
    table.add_column("not booked")
    for each in found:
        booking, order = each.booking, each.order
        units = ", ".join(f"{line.quantity} {line.sku}" for line in booking.lines[:3]) if booking else ""
        more = f", … {len(booking.lines) - 3} more" if booking and len(booking.lines) > 3 else ""  # noqa: PLR2004
        cells = (
            each.channel, order.key, booking.state if booking else f"({order.state})", _time(order.placed_ms),
            units + more, f"{booking.short:,}" if booking and booking.short else "", f"{order.total} {order.currency}",
            booking.reason if booking else "to be booked",
        )  # fmt: skip
        table.add_row(*(Text(cell) for cell in cells), style="red" if booking and booking.reason else None)
    return table


def _time(time_ms: int) -> str:
    try:
        return time_text(time_ms or None) or ""
    except (ValueError, OverflowError, OSError):
        return ""  # a channel may tell any number as a time


# -- one order


@orders.command()
@click.argument("number")
@click.option("--channel", default="", help="Its channel, where several have the number.")
@partition_option
@json_option
@store_options
def show(number: str, *, channel: str, partition: str, as_json: bool, **overrides: object) -> None:
    """Show an order: what was sold, to whom, what was booked of it, and what happened when.

    \b
      holdfast orders show 10623417
    """  # noqa: D301  # click needs the character, not the two
    found = run(_read(quiet_settings(**overrides), partition, channel, number))
    if as_json:
        reservations = {name: msgspec.to_builtins(each.state) for name, each in found.reservations.items()}
        short = [shortages.as_json(each, found.shortages.elsewhere) for each in found.shortages.short]
        print_json(msgspec.to_builtins(found.whole) | {"reservations": reservations, "shortages": short})
        return
    console().print(Group(*_shown(found)))


async def _read(settings: Settings, partition: str, channel: str, number: str) -> OrderFound:
    async with opened_orders(settings, partition) as caller:
        if not channel:
            found, _ = await documents_of(caller).find(partition, OrderFilter(number=number), None, SAME_NUMBER_MAX)
            if not found:
                raise ProblemError(problem("unknown_order"))
            if len(found) > 1:
                names = ", ".join(each.channel for each in found)
                raise failure(f"Several channels have an order {number}: {names}. Name one with --channel.")
            channel = found[0].channel
        return await read_order(caller, channel, number)


def _shown(found: OrderFound) -> Iterator[Any]:
    whole, order = found.whole, found.whole.kept.order
    booking = whole.kept.booking
    state = booking.state if booking else "to be booked"
    yield Text(f"{whole.kept.channel} {order.key}: {state}, at the channel {order.status or order.state}", style="bold")
    yield Text(", ".join((f"placed {_time(order.placed_ms)}", f"{order.total} {order.currency}", *whole.kept.flags)))
    if whole.inbox is not None:
        yield Text(f"not booked whole: {whole.inbox.reason} {' '.join(whole.inbox.listings)}", style="red")
    yield _lines(whole)
    for name, reservation in found.reservations.items():
        yield Text(f"{name}: {reservation.state}, {_taken(reservation)}")
    yield from (Text(each, style="red") for each in _short(found.shortages))
    for package in order.packages:
        yield Text(f"package {package.key}: {package.state} {package.carrier} {package.tracking}".rstrip())
    for case in whole.returns:
        yield Text(f"return {case.key}: {case.state}")
    yield from _person(whole)
    steps = [(each.at_ms, each.kind, each.text, each.actor) for each in whole.timeline]
    notes = [(each.at_ms, "note", each.text, each.actor) for each in whole.notes]
    for at_ms, *words in sorted((*steps, *notes)):
        yield Text("  ".join((_time(at_ms), *words)).rstrip())


def _lines(whole: WholeOrder) -> Table:
    table = Table("line", "listing", "title")
    for name in ("ordered", "cancelled", "shipped", "returned", "price"):
        table.add_column(name, justify="right")
    for line in whole.kept.order.lines:
        counts = (line.ordered, line.cancelled, line.shipped, line.returned)
        cells = (
            line.key,
            line.listing or line.barcode or line.sku_hint,
            line.title,
            *map(str, counts),
            line.unit_price,
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _taken(reservation: Reservation) -> str:
    taken = [f"{line.quantity} {line.sku} at {line.location or '-'}" for line in reservation.lines]
    return ", ".join(taken)


def _short(found: OrderShortages) -> Iterator[str]:
    for each in found.short:
        for line in shortages.as_json(each, found.elsewhere)["lines"]:
            yield f"{line['reservation_id']} line {line['line']} lacks {line['lacks']:,} {each.sku} at {each.location}"
            if line["other_locations"]:
                yield shortages.hint(line)


def _person(whole: WholeOrder) -> Iterator[Text]:
    if whole.kept.erased_ms:
        yield Text(f"personal data was erased at {_time(whole.kept.erased_ms)}")
    if whole.buyer is not None:
        yield Text(f"buyer: {whole.buyer.name} {whole.buyer.email} {whole.buyer.phone}".rstrip())
        for what, address in (("ship to", whole.buyer.shipping), ("bill to", whole.buyer.billing)):
            if address is not None:
                yield Text(f"{what}: {_address(address)}")


def _address(each: Address) -> str:
    parts = (
        each.name,
        each.company,
        *each.lines,
        each.district,
        f"{each.postal_code} {each.city}".strip(),
        each.country,
    )
    return ", ".join(part for part in parts if part)


def _as_json(each: KeptOrder) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(each)
    return fields


# -- papers


@orders.command("paper")
@click.argument("channel")
@click.argument("number")
@click.argument("command_id", metavar="ID")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@partition_option
@store_options
def paper(channel: str, number: str, command_id: str, file: Path, *, partition: str, **overrides: object) -> None:
    """Write what a command about an order was answered with, such as a label, to a file that only you can read.

    ID is that of the command in the channel's outbox.

    \b
      holdfast orders paper my-shop 10623417 label-90ffae898087e9bb label.pdf
    """  # noqa: D301  # click needs the character, not the two
    found = run(_paper(quiet_settings(**overrides), partition, channel, number, command_id))
    try:
        with private_file(file) as target:
            target.write(found.body)
    except OSError as error:
        raise failure(f"{file} cannot be written: {error.strerror}. Choose another path.") from None
    say(f"{file}: {found.kind}, {counted(len(found.body), 'byte')}, {found.media_type or 'of no stated type'}")


async def _paper(settings: Settings, partition: str, channel: str, number: str, command_id: str) -> Paper:
    async with opened_orders(settings, partition) as caller:
        return await read_paper(caller, channel, number, command_id)


# -- erasing


@orders.command("erase")
@click.argument("channel")
@click.argument("numbers", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@partition_option
@store_options
def erase_(channel: str, numbers: tuple[str, ...], *, yes: bool, partition: str, **overrides: object) -> None:
    """Erase the personal data of orders for good, also what the channel tells of them later.

    The orders, their lines, their money and their timelines stay, and so do all counters.

    \b
      holdfast orders erase my-shop 10623417
    """  # noqa: D301  # click needs the character, not the two
    if not yes:
        confirm(f"Erase buyer, addresses, notes and labels of {counted(len(numbers), 'order')} of {channel}?")
    kept = run(_erase(quiet_settings(**overrides), partition, channel, numbers))
    for number, was_kept in kept.items():
        say(f"{number}: erased" if was_kept else f"{number}: it is not kept here, and will be without personal data")


async def _erase(settings: Settings, partition: str, channel: str, numbers: tuple[str, ...]) -> dict[str, bool]:
    async with opened_orders(settings, partition) as caller:
        return {number: await erase(caller, channel, number) for number in dict.fromkeys(numbers)}
