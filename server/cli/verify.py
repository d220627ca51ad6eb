"""``holdfast verify``: compare the counters with the reservations and the journal, and print where they differ."""

import sys
from typing import Final

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from server.cli.common import json_option, opened_store, partition_option, quiet_settings, run, store_options
from server.cli.old_names import print_old_names
from server.cli.terminal import console, print_json, progress_console, say
from server.config.settings import Settings
from server.files.wording import counted
from server.store.audit.audit import AuditReport, audit
from server.store.command_session import OpenStore
from server.store.keys import Keyspace
from server.store.repositories.old_names import OldName, find_old_names

CLEAN: Final = 0
DRIFT: Final = 1
UNDECIDED: Final = 2
ATTEMPTS: Final = 3
"""How often to audit in all, if the journal was trimmed during an audit."""

Reports = dict[str, AuditReport]


@click.command()
@partition_option
@click.option("--all", "all_partitions", is_flag=True, help="Audit every partition.")
@click.option("--names", "of_names", is_flag=True, help="List the stored names that could not be stored so today.")
@json_option
@store_options
def verify(partition: str, all_partitions: bool, of_names: bool, as_json: bool, **overrides: object) -> None:
    """Audit the counters of the store.

    It compares them with the reservations and the journal, and is exact while sales go on.

    \b
      holdfast verify                 audit the default partition
      holdfast verify --all --json    audit every partition, for a monitor
      holdfast verify --names         list names with blanks or invisible characters, to be mended

    The exit code is 0 if all agree, 1 if not (the table shows where), and 2 if the audit could not decide.
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    if of_names:
        print_old_names(run(_old_names(settings, partition, all_partitions=all_partitions)), as_json=as_json)
        return
    reports = run(_verify(settings, partition, all_partitions=all_partitions), failure_code=UNDECIDED)
    if as_json:
        print_json({name: msgspec.to_builtins(report) for name, report in reports.items()})
    else:
        for name, report in reports.items():
            print_report(name, report)
    sys.exit(exit_code(reports))


async def _verify(settings: Settings, partition: str, *, all_partitions: bool) -> Reports:
    async with opened_store(settings) as store:
        names = await store.partitions() if all_partitions else [partition]
        return {name: await audited(store, name) for name in names}


async def _old_names(settings: Settings, partition: str, *, all_partitions: bool) -> dict[str, list[OldName]]:
    async with opened_store(settings) as store:
        names = await store.partitions() if all_partitions else [partition]
        return {name: await find_old_names(store.client, Keyspace(name)) for name in names}


async def audited(store: OpenStore, partition: str) -> AuditReport:
    """Audit one partition, with a progress bar on a terminal."""
    shown = progress_console()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
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


def print_report(partition: str, report: AuditReport) -> None:
    """Print the result of an audit."""
    if report.drift_count:
        say(f"{partition}: {counted(report.drift_count, 'disagreement')}, {counted(report.drift_units, 'unit')}")
        console().print(_table(report))
        if report.drift_count > len(report.drift):
            say(f"The table has the first {len(report.drift):,}.")
    elif report.conclusive:
        journal = "from its first change" if report.journal_complete else "as far back as it reaches"
        say(
            f"{partition}: clean. {counted(report.places, 'stock record')},"
            f" {counted(report.reservations, 'live reservation')} and"
            f" {counted(report.journal_entries, 'journal entry', 'journal entries')} ({journal}) agree."
            f" {report.seconds:.1f} s"
        )
    if not report.conclusive:
        say(f"{partition}: not decided, because the journal was trimmed during the audit. Run it again.", err=True)


def _table(report: AuditReport) -> Table:
    table = Table("SKU", "location", "reservation", "what", "expected", "found")
    for each in report.drift:
        table.add_row(each.sku, each.location, each.reservation_id, each.what, str(each.expected), str(each.found))
    return table


def exit_code(reports: Reports) -> int:
    """Return the exit code: drift counts more than an undecided audit."""
    if any(report.drift_count for report in reports.values()):
        return DRIFT
    return CLEAN if all(report.conclusive for report in reports.values()) else UNDECIDED
