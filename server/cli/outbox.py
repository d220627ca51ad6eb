"""``holdfast outbox``: what is said to channels about their orders, and what a person does about each command."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, get_args

import click
import msgspec
from rich.table import Table
from rich.text import Text

from server.cli.common import failure, json_option, partition_option, quiet_settings, run, store_options
from server.cli.order_documents import opened_orders, refuse_misplaced
from server.cli.terminal import console, print_json, say
from server.cli.times import time_text
from server.config.settings import Settings
from server.domain.field_faults import faults_of
from server.domain.intake import SETTLED, OutboxEntry, OutboxState
from server.schemas.intake import CommandBody, CommandName, OutboxQuery
from server.service import outbox as service
from server.service.caller import Caller

SHOWN_MAX: Final = 50
_MISSING: Final = "No server publishes now: it is done once one does."
_Ask = Callable[[Caller, str, list[str]], Awaitable[bool]]


@click.group(invoke_without_command=True)
@click.option("--channel", help="Of this channel.")
@click.option("--state", type=click.Choice(get_args(OutboxState)), help="In this state.")
@click.option("--order", help="About this order.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=SHOWN_MAX, show_default=True, help="How many, at most.")
@partition_option
@json_option
@store_options
@click.pass_context
def outbox(
    context: click.Context,
    /,
    *,
    channel: str | None,
    state: OutboxState | None,
    order: str | None,
    limit: int,
    partition: str,
    as_json: bool,
    **overrides: object,
) -> None:
    """Show what is said to channels about orders, and what came of it; the newest first.

    Of an undecided command nobody knows whether it was carried out. Look at the channel, and then say so: done, or
    again.

    \b
      holdfast outbox --state undecided
      holdfast outbox show my-shop ship-90ffae898087e9bb
      holdfast outbox say my-shop 10623417 ship --line 9031=2 --tracking 733610
      holdfast outbox again my-shop ship-90ffae898087e9bb
      holdfast outbox cancel my-shop ship-90ffae898087e9bb
      holdfast outbox done my-shop ship-90ffae898087e9bb
    """  # noqa: D301  # click needs the character, not the two
    if context.invoked_subcommand is not None:
        refuse_misplaced(context)
        return
    query = OutboxQuery(state or msgspec.UNSET, order or msgspec.UNSET, limit=limit)
    found, complete = run(_read(quiet_settings(**overrides), partition, channel, query))
    if as_json:
        print_json([{"channel": name, **_as_json(entry)} for name, entry in found])
    elif found:
        console().print(_table(found))
        if not complete:
            say(f"These are the newest {limit:,}; narrow it down, or raise --limit.")
    else:
        say("No command matches." if channel or state or order else "The outbox is empty.")


async def _read(
    settings: Settings, partition: str, channel: str | None, query: OutboxQuery
) -> tuple[list[tuple[str, OutboxEntry]], bool]:
    """Read the newest commands of one channel, or of all; and whether those are all."""
    async with opened_orders(settings, partition) as caller:
        enabled = sorted(name for name, each in caller.partition.channels.items() if each.orders.enabled)
        found: list[tuple[str, OutboxEntry]] = []
        complete = True
        for name in [channel] if channel else enabled:
            page = await service.commands(caller, name, query)
            found, complete = found + [(name, entry) for entry in page.found], complete and page.is_complete
    found.sort(key=lambda each: (-each[1].created_ms, each[1].id))
    return found[: query.limit], complete and len(found) <= query.limit


def _table(found: list[tuple[str, OutboxEntry]]) -> Table:
    table = Table("channel", "id", "order", "state", "asked by", "since", "why")
    table.add_column("tries", justify="right")
    for name, each in found:
        cells = (
            name, each.id, each.order, each.state, each.by, time_text(each.created_ms) or "", each.reason,
            f"{each.tries:,}",
        )  # fmt: skip
        table.add_row(*(Text(cell) for cell in cells), style="red" if each.state == "undecided" else None)
    return table


def _as_json(entry: OutboxEntry) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.structs.asdict(entry)
    try:
        command = msgspec.msgpack.decode(entry.command)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        command = None
    return {**fields, "command": command}


@outbox.command()
@click.argument("channel")
@click.argument("id_", metavar="ID")
@partition_option
@json_option
@store_options
def show(channel: str, id_: str, *, partition: str, as_json: bool, **overrides: object) -> None:
    """Show one command: what it says, and what came of it.

    \b
      holdfast outbox show my-shop ship-90ffae898087e9bb
    """  # noqa: D301  # click needs the character, not the two
    entry = run(_find(quiet_settings(**overrides), partition, channel, id_))
    if as_json:
        print_json({"channel": channel, **_as_json(entry)})
        return
    fields = _as_json(entry)
    say(f"{entry.id}: {entry.state}" + (f" ({entry.reason})" if entry.reason else ""))
    say(f"asked by {entry.by} at {time_text(entry.created_ms)}, tries {entry.tries:,}")
    if entry.sent_ms:
        say(f"last sent at {time_text(entry.sent_ms)}")
    if entry.remote_id:
        say(f"the channel calls it {entry.remote_id}")
    for name, value in (fields["command"] or {}).items():
        if value:
            say(f"  {name}: {_words(value)}")


def _words(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


async def _find(settings: Settings, partition: str, channel: str, entry_id: str) -> OutboxEntry:
    async with opened_orders(settings, partition) as caller:
        return await service.command(caller, channel, entry_id)


# -- what a person does about commands


class _Asked(NamedTuple):
    """What a person asks for, and in which states commands must be for that."""

    ask: _Ask
    states: frozenset[OutboxState]
    says: str


_AGAIN: Final = _Asked(service.again, SETTLED - {"done"}, "is sent again.")
_CANCEL: Final = _Asked(
    service.cancel, frozenset({"waiting", "undecided"}), "is taken back, unless it is sent just now."
)
_DONE: Final = _Asked(service.done, frozenset({"unsure", "undecided"}), "counts as done.")


def _ask_for(asked: _Asked, ids: tuple[str, ...], channel: str, partition: str, overrides: dict[str, Any]) -> None:
    """Ask for something of commands that stand so that it can be done: of all that are named, or of none."""
    named = list(dict.fromkeys(ids))
    if run(_ask(asked, named, channel, partition, quiet_settings(**overrides))):
        say(_MISSING, err=True)
    for each in named:
        say(f"{each} {asked.says}")


async def _ask(asked: _Asked, ids: list[str], channel: str, partition: str, settings: Settings) -> bool:
    async with opened_orders(settings, partition) as caller:
        for each in ids:
            entry = await service.command(caller, channel, each)
            if entry.state not in asked.states:
                wanted = ", ".join(sorted(asked.states))
                raise failure(f"{each} is {entry.state}; it must be one of {wanted}. Nothing was asked for.")
        return await asked.ask(caller, channel, ids)


def _about_commands(command: Any) -> Any:
    """Add what every command about commands takes."""
    ids = click.argument("ids", metavar="ID", nargs=-1, required=True)
    return click.argument("channel")(ids(partition_option(store_options(command))))


@outbox.command()
@_about_commands
def again(channel: str, ids: tuple[str, ...], *, partition: str, **overrides: object) -> None:
    """Send settled commands again that are not done.

    \b
      holdfast outbox again my-shop ship-90ffae898087e9bb
    """  # noqa: D301  # click needs the character, not the two
    _ask_for(_AGAIN, ids, channel, partition, overrides)


@outbox.command()
@_about_commands
def cancel(channel: str, ids: tuple[str, ...], *, partition: str, **overrides: object) -> None:
    """Take back commands that were not sent yet, or let go of undecided ones that were not carried out.

    \b
      holdfast outbox cancel my-shop ship-90ffae898087e9bb
    """  # noqa: D301  # click needs the character, not the two
    _ask_for(_CANCEL, ids, channel, partition, overrides)


@outbox.command()
@_about_commands
def done(channel: str, ids: tuple[str, ...], *, partition: str, **overrides: object) -> None:
    """Say of commands whose answer was lost that they were carried out, as you have seen at the channel.

    \b
      holdfast outbox done my-shop ship-90ffae898087e9bb
    """  # noqa: D301  # click needs the character, not the two
    _ask_for(_DONE, ids, channel, partition, overrides)


# -- saying something


@outbox.command("say")
@click.argument("channel")
@click.argument("order")
@click.argument("command", type=click.Choice(get_args(CommandName)))
@click.option("--line", "lines", multiple=True, metavar="KEY=PIECES", help="Pieces of a line. Repeatable.")
@click.option("--reason", help="Why it is refused: out_of_stock, damaged, price, address, buyer_asked, other.")
@click.option("--package", help="The channel's parcel.")
@click.option("--carrier", help="Who carries the parcel.")
@click.option("--tracking", help="The parcel's tracking number.")
@click.option("--url", help="Where the parcel can be tracked, or the invoice read.")
@click.option("--number", help="The invoice's number.")
@click.option("--case", help="The return's key.")
@click.option("--accept/--decline", default=None, help="Whether the return is accepted.")
@click.option("--format", "format", help="Of the label.")
@partition_option
@store_options
def say_(
    channel: str, order: str, command: str, *, lines: tuple[str, ...], partition: str, data_dir: Any, store_url: Any,
    **fields: Any,
) -> None:  # fmt: skip
    """Say something to a channel about one of its orders.

    \b
      holdfast outbox say my-shop 10623417 ship --line 9031=2 --carrier dhl --tracking 733610
      holdfast outbox say my-shop 10623417 refuse --line 9031=1 --reason out_of_stock
    """  # noqa: D301  # click needs the character, not the two
    given = {name: value for name, value in fields.items() if value is not None}
    if lines:
        given["lines"] = [_pieces(each) for each in lines]
    body = {"command": command, "order": order, **given}
    settings = quiet_settings(data_dir=data_dir, store_url=store_url)
    entry_id, missing = run(_say(settings, partition, channel, body))
    say(f"{entry_id} is said to {channel}.")
    if missing:
        say(_MISSING, err=True)


def _pieces(text: str) -> dict[str, Any]:
    key, _, pieces = text.rpartition("=")
    if not key or not pieces.isdecimal():
        raise click.BadParameter(f"{text}: write the line's key, = and how many pieces", param_hint="--line")
    return {"line": key, "quantity": int(pieces)}


async def _say(settings: Settings, partition: str, channel: str, fields: dict[str, Any]) -> tuple[str, bool]:
    try:
        body = msgspec.convert(fields, CommandBody)
    except msgspec.ValidationError:
        faults = faults_of(fields, CommandBody)
        raise click.UsageError("\n".join(f"{fault.field} {fault.rule}" for fault in faults)) from None
    async with opened_orders(settings, partition) as caller:
        return await service.say(caller, channel, body)
