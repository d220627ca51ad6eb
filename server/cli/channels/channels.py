"""``holdfast channels``: the state of the sales channels, and the commands that act on them."""

import asyncio
import sys
from contextlib import nullcontext
from typing import Any, Final, NamedTuple

import click
import msgspec
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from server.cli.channels.common import Standing, standing
from server.cli.channels.delete_listing import delete_listing
from server.cli.channels.kinds_there import kinds
from server.cli.channels.listings import listings
from server.cli.channels.maintenance import dead_letters, reconcile, remove
from server.cli.channels.pause import pause, resume
from server.cli.channels.sign_in import sign_in
from server.cli.channels.unlisted import unlisted
from server.cli.common import json_option, opened_store, partition_option, quiet_settings, run, store_options
from server.cli.terminal import console, print_json
from server.cli.times import time_text
from server.config.settings import Settings
from server.domain.channels import ChannelStatus
from server.store.keys import Keyspace
from server.store.repositories.channels import ChannelStore

FINE: Final = 0
TROUBLE: Final = 1
UNDECIDED: Final = 2
WATCH_S: Final = 1.0
"""A publisher writes its state each second."""


class _Row(NamedTuple):
    """One line of the table, and whether its channel is in trouble."""

    cells: tuple[str, ...]
    trouble: bool


@click.group()
def channels() -> None:
    """Show and manage the sales channels.

    Add a channel in the configuration file; see docs/configuration.md.

    \b
      holdfast channels status
      holdfast channels listings my-shop listings.csv
      holdfast channels pause my-shop --reason "the shop moves"
    """  # noqa: D301  # click needs the character, not the two


@channels.command()
@click.option("--watch", is_flag=True, help="Refresh each second, until Ctrl-C.")
@partition_option
@json_option
@store_options
def status(watch: bool, partition: str, as_json: bool, **overrides: object) -> None:
    """Show values waiting, confirmed and refused by channel.

    \b
      holdfast channels status
      holdfast channels status --watch
      holdfast channels status --json     for a monitor

    \b
    dirty       SKUs whose newest value the channel has not confirmed yet
    unsent      how long the oldest of them has waited
    circuit     closed: the channel works. open: it fails and is retried now and then.
                halted: it is not called again until you correct the cause.
                paused: it is sent nothing, because a rule says so
    dead        values that the channel refuses: see holdfast channels dead-letters CHANNEL
    lag         time from a change of the stock to the channel's own confirmation
    orders      how long ago all changes of its orders were known; empty: they do not come in by themselves

    What keeps orders from coming in is said below the table. The exit code leaves it out.

    A channel of which listings are kept, and which no running server has, is named with the way to remove them.

    The exit code is 0 if every channel works, 1 if a circuit is not closed or there are dead letters, and 2 if that is
    not known: no publisher runs, or the store did not answer.
    """  # noqa: D301  # click needs the character, not the two
    if watch and as_json:
        raise click.UsageError("--watch shows a table. For JSON, leave out --watch and repeat the command.")
    settings = quiet_settings(**overrides)
    if watch:
        run(_watch(settings, partition), failure_code=UNDECIDED)
    found = run(_look(settings, partition), failure_code=UNDECIDED)
    if as_json:
        print_json(_as_json(partition, found))
    else:
        console().print(_shown(partition, found))
    sys.exit(exit_code(found))


async def _look(settings: Settings, partition: str) -> Standing:
    async with opened_store(settings) as store:
        return await standing(ChannelStore(store.client, Keyspace(partition)))


async def _watch(settings: Settings, partition: str) -> None:
    async with opened_store(settings) as store:
        kept = ChannelStore(store.client, Keyspace(partition))
        out = console()
        with Live(console=out, auto_refresh=False) if out.is_terminal else nullcontext() as live:
            while True:
                shown = _shown(partition, await standing(kept))
                # Without a terminal, print one table after the other, as for a log.
                live.update(shown, refresh=True) if live is not None else out.print(shown)
                await asyncio.sleep(WATCH_S)


def exit_code(found: Standing) -> int:
    """Return the exit code: known trouble counts more than an unknown state."""
    if any(_in_trouble(status) for status in found.statuses.values()):
        return TROUBLE
    return UNDECIDED if found.silent() else FINE


def _in_trouble(status: ChannelStatus) -> bool:
    return status.circuit != "closed" or status.dead_letters > 0


# -- for people


def _shown(partition: str, found: Standing) -> Group | Text:
    if not found.channels:
        return Text(
            f"There is no channel in partition {partition} yet. Add one in the configuration file; it appears here"
            " once a server that publishes has started with it.",
            overflow="fold",
        )
    reasons = [
        Text(f"{channel}: {status.reason}", style="red")
        for channel, status in found.statuses.items()
        if status.circuit != "closed" and status.reason
    ]
    reasons += [
        Text(f"{channel}: orders do not come in: {status.intake.reason}", style="red")
        for channel, status in found.statuses.items()
        if status.intake is not None and status.intake.reason
    ]
    reasons += [
        Text(f"{channel}: {status.mirror.location} is not counted: {status.mirror.reason}", style="red")
        for channel, status in found.statuses.items()
        if status.mirror is not None and status.mirror.reason
    ]
    remarks = [Text(remark, style="yellow") for remark in found.remarks()]
    return Group(_table(found), *reasons, *remarks)


def _table(found: Standing) -> Table:
    table = Table("channel", "circuit")
    for name in ("listings", "dirty", "unsent", "last confirmed", "dead", "lag p50", "lag p99", "orders"):
        table.add_column(name, justify="right")
    for channel in found.channels:
        row = _row(channel, found)
        table.add_row(*(Text(cell) for cell in row.cells), style="red" if row.trouble else None)
    return table


def _row(channel: str, found: Standing) -> _Row:
    status = found.statuses.get(channel)
    if status is None:
        return _Row(
            (channel, "not configured" if channel in found.unconfigured() else "not yet published"), trouble=False
        )
    ago_ms = None if status.last_confirmed_ms is None else max(0, found.now_ms - status.last_confirmed_ms)
    circuit = "paused" if status.paused and status.circuit == "closed" else status.circuit
    cells = (
        channel,
        circuit if found.published(channel) else f"{circuit} (as of {_ago(found.age_s(channel))})",
        f"{status.listings:,}",
        f"{status.dirty:,}",
        _seconds(status.oldest_unsent_s) if status.dirty else "",
        "never" if ago_ms is None else _ago(ago_ms / 1000),
        _dead(status),
        _seconds(status.lag_p50_s),
        _seconds(status.lag_p99_s),
        _seconds(status.intake.lag_s if status.intake is not None else None),
    )
    return _Row(cells, _in_trouble(status))


def _dead(status: ChannelStatus) -> str:
    """Count the dead letters, and how many of them are of prices: buyers see those SKUs' quantities all the same."""
    prices = f" ({status.refused_prices:,} of prices)" if status.refused_prices else ""
    return f"{status.dead_letters:,}{prices}"


def _seconds(seconds: float | None) -> str:
    """Show a time with about three digits: 4 ms, 1.2 s, 5 min, 3 h."""
    if seconds is None:
        return ""
    for unit, size, digits in (("h", 3600.0, 1), ("min", 60.0, 1), ("s", 1.0, 1)):
        if seconds >= size:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds * 1000:.0f} ms"


def _ago(seconds: float) -> str:
    return "now" if seconds < 1 else f"{_seconds(seconds)} ago"


# -- for programs


def _as_json(partition: str, found: Standing) -> dict[str, Any]:
    return {
        "partition": partition,
        "as_of": time_text(found.now_ms),
        "publisher_missing": bool(found.silent()),
        "not_configured": found.unconfigured(),
        "channels": [_channel_as_json(channel, found) for channel in found.channels],
    }


def _channel_as_json(channel: str, found: Standing) -> dict[str, Any]:
    status = found.statuses.get(channel, ChannelStatus(publisher="", written_ms=0))
    fields: dict[str, Any] = msgspec.to_builtins(status)
    fields["written_at"] = time_text(fields.pop("written_ms") or None)
    fields["last_confirmed_at"] = time_text(fields.pop("last_confirmed_ms"))
    if status.reconcile is not None:
        fields["reconcile"]["finished_at"] = time_text(fields["reconcile"].pop("finished_ms"))
    if status.test is not None:
        fields["test"]["finished_at"] = time_text(fields["test"].pop("finished_ms"))
    return {"channel": channel, "publisher_missing": not found.published(channel), **fields}


for _command in (kinds, listings, delete_listing, unlisted, dead_letters, reconcile, pause, resume, sign_in, remove):
    channels.add_command(_command)
