"""``holdfast count``: set a location to what was counted there; print the differences and who is short by them."""

import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from server.cli import shortages
from server.cli.common import (
    channels_of,
    failure,
    named,
    opened_store,
    partition_option,
    quiet_settings,
    run,
    store_options,
)
from server.cli.files.command import How, Shown, allow_similar_option, apply_shown, progress_bar, reason_of
from server.cli.files.dry_run import dry_run_option, opened_to_look
from server.cli.files.preview_output import concern_options, rules_of
from server.cli.files.reading import first_read, heed_columns, keep_columns, read_file, reading_options
from server.cli.terminal import progress_console, say
from server.config.settings import Settings
from server.domain.allocations import left
from server.domain.limits import DEFAULT_LOCATION
from server.domain.shortages import newest_first
from server.domain.spelling import normal
from server.files.applying import Origin, look
from server.files.cell_values import time_ms
from server.files.file_import import FileImport, ReadFile, Tally, Target
from server.files.harmless_cells import write_csv
from server.files.preview import concerns_of
from server.files.reader import BadCellError, Row
from server.files.send_rows import StoreUnreachableError
from server.files.sheet import facts_of
from server.files.stock import KIND, Counted, count_import
from server.files.wording import counted
from server.service.checks import STORED_NAMES, check_location
from server.service.shortages import find_elsewhere
from server.store.command_session import OpenStore
from server.store.connection.commands import command
from server.store.journal import journal
from server.store.keys import Keyspace
from server.store.repositories.imports import is_of_import
from server.store.repositories.location_names import read_location_names
from server.store.repositories.shortages import lacking_at, short_at

SHOWN_MAX: Final = 25
"""Differences on the terminal: about a screenful."""
_PATIENCE_S: Final = 30.0


class Difference(NamedTuple):
    """What a count changed of one SKU: by how many units ``on_hand``, and what is available since."""

    sku: str
    by: int
    available: int


class Found(NamedTuple):
    """The result of a count of a location. ``uncounted``: SKUs with stock there that the file does not name."""

    differences: list[Difference]
    uncounted: list[str]
    shortages: list[dict[str, Any]]


class Job(NamedTuple):
    """What was counted where. ``counts`` None: the file is still to be read, by what the store knows of its columns.

    ``baseline_seq``, ``counted_ms`` -1: the figures are as of now. ``missing_is_none``: see the option.
    """

    path: Path
    counts: ReadFile[Counted] | None
    location: str
    baseline_seq: int
    missing_is_none: bool
    counted_ms: int
    how: How

    @property
    def partition(self) -> str:
        """Where it is."""
        return self.how.partition

    @property
    def file(self) -> ReadFile[Counted]:
        """The file, once it was read."""
        assert self.counts is not None  # noqa: S101  # it is, once the store is open
        return self.counts


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--begin", is_flag=True, help="Print the baseline of a count that begins now, and do nothing else.")
@click.option("--location", default=DEFAULT_LOCATION, show_default=True, help="The location that was counted.")
@click.option(
    "--baseline", "baseline_seq", type=click.IntRange(0), default=None, help="The number that --begin printed."
)
@click.option("--counted-at", default=None, help="When it was counted, such as 2026-12-01T09:30:00+03:00 [now].")
@click.option("--missing-is-none", is_flag=True, help="Set SKUs that the file does not name to 0.")
@click.option(
    "--differences", type=click.Path(dir_okay=False, path_type=Path), help="Write all differences to this CSV file."
)
@allow_similar_option
@dry_run_option
@concern_options
@reading_options
@partition_option
@store_options
def count(
    file: Path | None,
    *,
    begin: bool,
    location: str,
    baseline_seq: int | None,
    counted_at: str | None,
    missing_is_none: bool,
    differences: Path | None,
    allow_similar: bool,
    partition: str,
    dry_run: bool,
    yes: bool,
    factor: float,
    to_zero: float,
    preview_file: Path | None,
    as_json: bool,
    **overrides: object,
) -> None:
    """Set a location's stock to what was counted there.

    The first line of the file names the columns: sku and on_hand. To keep what is sold, shipped or received during the
    count, print a baseline before it begins, and pass it with the figures. For a count that is imported later than it
    was made, say when: with --counted-at, or for each row in the column counted_at.

    \b
      holdfast count --begin
      holdfast count store.csv --location store-b --baseline 48211 --differences differences.csv

    A location that is not registered is refused where others are, and so is a name that a known one is like, such as
    İZMİR for izmir. If it is meant, add --new.

    It prints the differences, the SKUs that were not counted, and the orders that are short of units. Within a day the
    same file and baseline change nothing when they are run again, where no other file was counted since. A count that
    is older than the last one of its SKU is refused.

    First it looks at what would change, and asks on a terminal. Elsewhere sudden numbers, much that falls to zero and
    new names need --yes: without it nothing is counted, and the exit code is 3. holdfast undo takes a count back.

    The exit code is 1 if any row was bad; the good rows are counted all the same.
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    if begin or file is None:
        if not begin:
            raise click.UsageError("Name the file with the counted figures, or add --begin.")
        say(run(_begin(settings, partition)))
        return
    counted_ms = _counted_ms(counted_at, baseline_seq)
    how = How(
        settings, partition, None, dry_run, yes, rules_of(factor, to_zero), preview_file, as_json, allow_similar,
        progress_console(),
    )  # fmt: skip
    baseline = -1 if baseline_seq is None else baseline_seq
    job = Job(file, None, normal(location), baseline, missing_is_none, counted_ms, how)
    job = job._replace(counts=first_read(file, _kind(job).read, settings))
    try:
        code = run(_count(job, differences))
    except StoreUnreachableError as error:
        raise failure(f"{error}\nWhat is counted stays so. Run the same command again: it continues.") from None
    sys.exit(code)


def _counted_ms(counted_at: str | None, baseline_seq: int | None) -> int:
    if counted_at is None:
        return -1
    if baseline_seq is not None:
        raise click.UsageError("Pass --counted-at or --baseline: each says as of when the figures hold.")
    try:
        return time_ms("--counted-at", counted_at)
    except BadCellError as error:
        raise click.UsageError(f"{error}.") from None


async def _begin(settings: Settings, partition: str) -> int:
    async with opened_store(settings) as store:
        return int(await command(store.client, "HGET", Keyspace(partition).meta, "seq") or 0)


def _kind(job: Job) -> FileImport[Counted]:
    return count_import(
        reason_of("count", job.path), job.location, baseline_seq=job.baseline_seq, counted_ms=job.counted_ms,
        allow_similar=job.how.names_are_meant,
    )  # fmt: skip


async def _count(job: Job, to: Path | None) -> int:
    """Look at a count, ask where that is needed, and make it; return the exit code. ``to``: for the differences."""
    how = job.how
    opened = opened_to_look(how.settings, how.partition) if how.dry_run else opened_store(how.settings, create=True)
    async with opened as store:
        location = await named(store, job.partition, lambda: check_location("--location", job.location))
        job = job._replace(location=location)
        # The file was read without knowing of the names that are let through, and of what was said of its columns.
        if await heed_columns(store, job.partition, KIND, dry_run=how.dry_run) or STORED_NAMES or job.counts is None:
            job = job._replace(counts=read_file(job.path, _kind(job).read))
        if not how.dry_run:
            await keep_columns(store, job.partition, KIND, job.file)
        for line in facts_of(job.file.sheet):
            how.console.print(line, soft_wrap=True)
        began = (await journal.bounds(store.client, Keyspace(job.partition))).last_id
        uncounted = await _uncounted(store, job)
        rows = [*job.file.rows]
        if job.missing_is_none:
            rows += [Row(-number, sku, Counted(sku, location, 0, None)) for number, sku in enumerate(uncounted, 1)]
        kind, file = _kind(job), job.file._replace(rows=rows)
        origin = Origin("count", job.path.name, location)
        target, tally = Target(store, job.partition), Tally()
        with progress_bar(len(rows), how.console, "looked at") as tally.on_progress:
            preview = await look(kind, target, file, tally, origin=origin)
        concerns = concerns_of(preview, how.rules, names_are_meant=how.names_are_meant)
        shown = Shown(kind, file, preview, concerns, how)
        code = shown.decide(tally)
        if code is not None:
            return code
        await store.register(job.partition)
        done, import_id = await apply_shown(shown, target, origin)
        differences = await _differences(store, job, began, import_id) if import_id else []
        if to is not None:
            _write(to, differences)
        found = Found(differences, uncounted, await _shortages(how.settings, store, job, differences))
        if not how.as_json:
            _print_found(found, job)
        return shown.result(done, f"; {counted(len(differences), 'difference')}")


async def _uncounted(store: OpenStore, job: Job) -> list[str]:
    named, places = {row.value.sku for row in job.file.rows}, await _places(store, job)
    return sorted(
        [
            level.sku
            async for level in store.levels(job.partition)
            if level.location in places and level.on_hand and level.sku not in named
        ]
    )


async def _places(store: OpenStore, job: Job) -> list[str]:
    """Return the names of the location that was counted: it may have been renamed."""
    return (await read_location_names(store.client, Keyspace(job.partition))).names(job.location)


async def _differences(store: OpenStore, job: Job, after: str, import_id: str) -> list[Difference]:
    """Read from the journal what this very count changed: exact, whatever was sold meanwhile."""
    found = []
    async for _, changes in journal.read(store.client, Keyspace(job.partition), after):
        for change in changes:
            if change.operation == "count" and is_of_import(change, import_id):
                found += [
                    Difference(line.sku, line.d_on_hand, left(line.available, change.allocations_at(line)))
                    for line in change.lines
                ]
    return sorted(each for each in found if each.by)


async def _shortages(
    settings: Settings, store: OpenStore, job: Job, differences: list[Difference]
) -> list[dict[str, Any]]:
    keyspace = Keyspace(job.partition)
    places = await _places(store, job)
    below = [f"{each.sku}\0{place}" for each in differences if each.available < 0 for place in places]
    short = await short_at(
        store.client,
        keyspace,
        store.retention.packed(),
        await lacking_at(store.client, keyspace, below),
        _PATIENCE_S,
        newest_first=newest_first(channels_of(settings, job.partition)),
    )
    elsewhere = await find_elsewhere(store.ledger(job.partition), short)
    return [shortages.as_json(each, elsewhere) for each in short]


def _write(path: Path, differences: list[Difference]) -> None:
    try:
        write_csv(path, ("sku", "difference", "available"), differences)
    except OSError as error:
        raise failure(
            f"The differences cannot be written to {path}: {error.strerror}. The stock is set all the same."
        ) from None


def _print_found(found: Found, job: Job) -> None:
    for each in found.differences[:SHOWN_MAX]:
        say(f"{each.sku}: {each.by:+,}, available {each.available:,}")
    if len(found.differences) > SHOWN_MAX:
        say(f"… and {len(found.differences) - SHOWN_MAX:,} more; --differences FILE writes all of them")
    if found.uncounted:
        word = "set to 0" if job.missing_is_none else "left as they are; --missing-is-none sets them to 0"
        rest = " …" if len(found.uncounted) > SHOWN_MAX else ""
        shown = ", ".join(found.uncounted[:SHOWN_MAX]) + rest
        say(f"Not counted, {word}: {counted(len(found.uncounted), 'SKU')} ({shown})")
    for sentence in shortages.sentences(found.shortages, names_sku=True):
        say(sentence)
    if not all(each["lines_complete"] for each in found.shortages):
        say("There was no time to look at every order, so others may be short: see GET /v1/shortages.")
