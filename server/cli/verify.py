"""``holdfast verify``: audit counters against reservations and the journal, and say where they disagree."""

import sys
from typing import Final

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from server.cli.common import (
    console,
    json_option,
    opened_store,
    partition_option,
    print_json,
    progress_console,
    quiet_settings,
    run,
    store_options,
)
from server.config.settings import Settings
from server.store.audit.audit import AuditReport, audit
from server.store.command_session import OpenStore
from server.store.keys import Keyspace

CLEAN: Final = 0
DRIFT: Final = 1
UNDECIDED: Final = 2
ATTEMPTS: Final = 3
"""An audit that the trimming of the journal overtook is made again so often."""

Reports = dict[str, AuditReport]


@click.command()
@partition_option
@click.option("--all", "all_partitions", is_flag=True, help="Audit every partition.")
@json_option
@store_options
def verify(partition: str, all_partitions: bool, as_json: bool, **overrides: object) -> None:
    """Audit: do counters, reservations and journal agree? Exact also while sales go on.

    \b
      holdfast verify                 the default partition
      holdfast verify --all --json    all of them, for a monitor

    The exit code is 0 when they agree, 1 when they do not (the table says where), 2 when it could not be decided.
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    reports = run(_verify(settings, partition, all_partitions=all_partitions), failure_code=UNDECIDED)
    if as_json:
        print_json({name: msgspec.to_builtins(report) for name, report in reports.items()})
    else:
        for name, report in reports.items():
            tell(name, report)
    sys.exit(exit_code(reports))


async def _verify(settings: Settings, partition: str, *, all_partitions: bool) -> Reports:
    async with opened_store(settings) as store:
        names = await store.partitions() if all_partitions else [partition]
        return {name: await audited(store, name) for name in names}


async def audited(store: OpenStore, partition: str) -> AuditReport:
    """Audit one partition, showing how far it is where there is a terminal."""
    shown = progress_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=shown, disable=not shown.is_terminal, transient=True) as progress:
        bars: dict[str, TaskID] = {}

        def on_progress(what: str, done: int, total: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(f"{partition}: {what}", total=total)
            progress.update(bars[what], completed=done, total=total)

        report = await audit(store.client, Keyspace(partition), progress=on_progress)
        for _ in range(ATTEMPTS - 1):
            if report.conclusive or report.drift_count:
                break
            report = await audit(store.client, Keyspace(partition), progress=on_progress)
    return report


def tell(partition: str, report: AuditReport) -> None:
    """Print what an audit found."""
    if report.drift_count:
        click.echo(f"{partition}: {report.drift_count:,} disagreements, {report.drift_units:,} units")
        console().print(_table(report))
        if report.drift_count > len(report.drift):
            click.echo(f"The first {len(report.drift):,} are shown.")
    elif report.conclusive:
        journal = "from its first change" if report.journal_complete else "as far back as it is kept"
        click.echo(
            f"{partition}: clean. {report.places:,} counted places, {report.reservations:,} live reservations and"
            f" {report.journal_entries:,} journal entries ({journal}) agree. {report.seconds:.1f} s"
        )
    if not report.conclusive:
        click.echo(f"{partition}: not decided, because the journal was trimmed meanwhile. Run it again.", err=True)


def _table(report: AuditReport) -> Table:
    table = Table("SKU", "location", "reservation", "what", "expected", "found")
    for each in report.drift:
        table.add_row(each.sku, each.location, each.reservation_id, each.what, str(each.expected), str(each.found))
    return table


def exit_code(reports: Reports) -> int:
    """Say how to end: drift weighs more than doubt."""
    if any(report.drift_count for report in reports.values()):
        return DRIFT
    return CLEAN if all(report.conclusive for report in reports.values()) else UNDECIDED
