"""``holdfast channels listings``: tell from a CSV file under which keys and at which prices a channel lists SKUs."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from server.cli.channels.common import channel_argument
from server.cli.common import opened_store, partition_option, progress_console, quiet_settings, run, store_options
from server.cli.csv.bad_rows import read_csv, report_option, tell_bad_rows, write_report
from server.cli.csv.listings import ListingsFile, Row, read_listings_file
from server.cli.csv.reader import BadRow, shown
from server.config.settings import Settings
from server.config.toml_tables import nearest
from server.domain.channels import LISTINGS_PER_CALL_MAX, Listing
from server.domain.principal import LOCAL
from server.store.errors import StoreError
from server.store.keys import Keyspace
from server.store.repositories.channels import ChannelStore

PIECE: Final = LISTINGS_PER_CALL_MAX
"""Listings of one write: some milliseconds of the store's time."""


@dataclass
class Tally:
    """What came of the rows so far. ``unknown``: listings of SKUs that the stock has never heard of."""

    set: int = 0
    unchanged: int = 0
    unknown: int = 0
    colliding: list[BadRow] = field(default_factory=list)


class Job(NamedTuple):
    """What to take for which channel."""

    file: ListingsFile
    partition: str
    channel: str


@click.command()
@channel_argument
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@partition_option
@report_option
@store_options
def listings(channel: str, file: Path, partition: str, report: Path | None, **overrides: object) -> None:
    """Tell from a CSV file what a channel lists.

    The first line names the columns: sku and key (what the channel calls it), and if you like listed (yes or no;
    no is shown as 0), price, list_price and currency. Every other column becomes an attribute of the listing, for
    adapters that need one. UTF-8; comma, semicolon or tab.

    \b
      sku,key,listed,price,list_price,currency
      TS-1001/SİYAH-M,8680001234567,yes,129.90,159.90,TRY
      "CREMA 50ml, SPF 30",8680007654321,no,,,

    \b
      holdfast channels listings my-shop listings.csv
      holdfast channels listings my-shop listings.csv --report bad.csv

    Listings that the file does not name stay as they are. Running it again changes nothing. A listing may name a SKU
    that the stock does not know yet: the channel is shown 0 until there is some.

    The exit code is 1 if any row was bad; the good ones are taken all the same.
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    parsed = read_csv(file, read_listings_file)
    console = progress_console()
    _tell_attributes(parsed, console)
    if report is not None:
        write_report(report, parsed.bad)  # now, so that a path that cannot be written is known before the work
    tally = Tally()
    run(_import(settings, Job(parsed, partition, channel), tally, console))
    bad = sorted([*parsed.bad, *tally.colliding])
    if report is not None and tally.colliding:
        write_report(report, bad)
    tell_bad_rows(bad, report, console)
    _conclude(parsed, tally, bad)


def _tell_attributes(file: ListingsFile, console: Console) -> None:
    if file.attributes:
        console.print(f"Attributes: {', '.join(file.attributes)}", markup=False, soft_wrap=True)
    for name, close in file.attributes.items():
        if close:
            console.print(f"{shown(name)} is taken for an attribute; did you mean {close}?", markup=False)


async def _import(settings: Settings, job: Job, tally: Tally, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task("listings", total=len(job.file.rows))
        try:
            async with opened_store(settings, create=True) as store:
                await store.register(job.partition)
                kept = ChannelStore(store.client, Keyspace(job.partition))
                await _remark_unknown(job, kept, console)
                before = {listing.sku: listing async for listing in kept.listings(job.channel)}
                for piece in _pieces(_free(job, before, tally)):
                    await _put(job, kept, piece, before, tally)
                    progress.advance(bar, len(piece))
        except (asyncio.CancelledError, StoreError) as error:
            progress.stop()
            word = "Interrupted. " if isinstance(error, asyncio.CancelledError) else ""
            click.echo(f"{word}{_so_far(tally, job.file)}", err=True)
            raise


async def _remark_unknown(job: Job, kept: ChannelStore, console: Console) -> None:
    known = await kept.channels()
    if job.channel not in known:
        question = nearest(job.channel, known)
        text = f"Nothing is known about channel {job.channel!r} yet{question or '.'} Its listings are kept for it."
        console.print(text, markup=False, soft_wrap=True)


def _free(job: Job, before: dict[str, Listing], tally: Tally) -> list[Row]:
    """Pick the rows whose key no SKU has that the file does not name."""
    named = {row.listing.sku for row in job.file.rows}
    taken = {listing.key: sku for sku, listing in before.items() if sku not in named}
    free = []
    for row in job.file.rows:
        other = taken.get(row.listing.key)
        if other is None:
            free.append(row)
        else:
            reason = f"the key {shown(row.listing.key)} is that of {shown(other)} already"
            tally.colliding.append(BadRow(row.line, reason, job.file.sheet.text(row.line)))
    return free


async def _put(job: Job, kept: ChannelStore, rows: list[Row], before: dict[str, Listing], tally: Tally) -> None:
    unknown = await kept.unknown_skus([row.listing.sku for row in rows])
    changed = [row.listing for row in rows if before.get(row.listing.sku) != row.listing]
    if changed:
        await kept.put_listings(job.channel, changed, LOCAL.actor)
    tally.set += len(changed)
    tally.unchanged += len(rows) - len(changed)
    tally.unknown += len(unknown)


def _pieces(rows: list[Row]) -> Iterator[list[Row]]:
    waiting = iter(rows)
    while piece := list(islice(waiting, PIECE)):
        yield piece


def _so_far(tally: Tally, file: ListingsFile) -> str:
    return (
        f"{tally.set + tally.unchanged:,} of {len(file.rows):,} good rows are done and stay so."
        " Run the same command again: it goes on, and what is done is not done twice."
    )


def _conclude(file: ListingsFile, tally: Tally, bad: list[BadRow]) -> None:
    parts = [f"{tally.set:,} set", f"{tally.unchanged:,} unchanged"]
    if file.repeated:
        parts.append(f"{file.repeated:,} said twice")
    click.echo(f"{file.rows_total:,} rows: {', '.join([*parts, f'{len(bad):,} bad'])}")
    if tally.unknown:
        click.echo(f"SKUs that the stock does not know: {tally.unknown:,}; they are shown as 0 until it does.")
    sys.exit(1 if bad else 0)
