"""``holdfast undo``: take the last import back, by counter-movements, as far as nothing since contradicts."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
from rich.table import Table
from rich.text import Text

from server.cli.common import (
    failure,
    heed_names,
    json_option,
    opened_store,
    partition_option,
    quiet_settings,
    reason_option,
    run,
    store_options,
)
from server.cli.files.command import progress_bar
from server.cli.files.dry_run import CHANGED_NOTHING, dry_run_option
from server.cli.terminal import agreed, console, is_interactive, print_json, progress_console, say
from server.config.settings import Settings
from server.files.file_import import ImportStoppedError, Tally, Target
from server.files.harmless_cells import write_csv
from server.files.name_warnings import screenful
from server.files.send_rows import StoreUnreachableError
from server.files.undo import STOCK_KINDS, Undone, choose, undo_stock
from server.files.undo_lists import undo_list
from server.files.wording import counted
from server.store.repositories.imports import ImportRecord, ImportStore

NOT_ALL: Final = 1
"""The exit code where some of an import was not taken back."""
_NOT_AGREED: Final = 3
_STATES: Final = {
    "running": "interrupted, or runs",
    "done": "done",
    "undoing": "taken back in part",
    "undone": "taken back",
}


@click.command()
@click.argument("import_id", metavar="[IMPORT]", required=False)
@click.option("--list", "lists", is_flag=True, help="List the imports that are remembered, and do nothing else.")
@click.option("--short", is_flag=True, help="Take units even from under orders, which are short then, and shown so.")
@click.option("--interrupted", is_flag=True, help="Take back what an import has done that was interrupted.")
@reason_option
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write all of it to this CSV file.")
@dry_run_option
@json_option
@partition_option
@store_options
def undo(
    import_id: str | None,
    *,
    lists: bool,
    short: bool,
    interrupted: bool,
    reason: str,
    yes: bool,
    report: Path | None,
    dry_run: bool,
    as_json: bool,
    partition: str,
    **overrides: object,
) -> None:
    """Take the last import back, or the one that is named.

    \b
      holdfast undo
      holdfast undo --list
      holdfast undo 5f0c21ab --dry-run
      holdfast undo --reason "the file of last week"

    It takes back what import, count, move, barcodes, categories, locations and listings have set. Stock is taken back
    by counter-movements: what was sold, shipped or received since stays counted. On a terminal it shows what it would
    do, and asks.

    Not taken back is what contradicts it: a place that was counted since, an entry that was changed since, and units
    that are reserved, sold or gone. Each is said, with the reason. With --short, units are also taken from under
    orders, which are short of them then. New SKUs and locations stay known.

    What was taken back stays so when it is run again, and after an interruption that goes on. To import the same file
    again afterwards, add --again to it.

    Imports of stock can be taken back as long as the journal has them (HOLDFAST_JOURNAL_RETENTION_S, a day), lists for
    7 days; the last 50 imports are remembered. The exit code is 1 if some of it was not taken back.
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    try:
        if lists:
            _print_list(run(_list(settings, partition)), as_json=as_json)
            return
        sys.exit(
            run(
                _undo(settings, partition, _Asked(import_id, short, interrupted, yes, dry_run, report, as_json, reason))
            )
        )
    except ImportStoppedError as error:
        raise failure(str(error)) from None
    except StoreUnreachableError as error:
        raise failure(f"{error}\nWhat is taken back stays so. Run the same command again: it goes on.") from None


class _Asked(NamedTuple):
    """What the command was asked for; see its options."""

    import_id: str | None
    short: bool
    interrupted: bool
    yes: bool
    dry_run: bool
    report: Path | None
    as_json: bool
    reason: str


async def _list(settings: Settings, partition: str) -> list[ImportRecord]:
    async with opened_store(settings) as store:
        return await ImportStore(store.client, Target(store, partition).keyspace).all()


def _print_list(records: list[ImportRecord], *, as_json: bool) -> None:
    rows = [
        {
            "import": each.id,
            "at": datetime.fromtimestamp(each.at_ms / 1000, UTC).isoformat(timespec="seconds"),
            "kind": f"{each.kind} {each.where}".strip(),
            "file": each.file,
            "actor": each.actor,
            "rows": each.set,
            "state": _STATES[each.state],
        }
        for each in records
    ]
    if as_json:
        print_json(rows)
    elif not rows:
        say("No import is remembered.")
    else:
        table = Table(box=None, pad_edge=False)
        for name in rows[0]:
            table.add_column(name, justify="right" if name == "rows" else "left")
        for row in rows:
            table.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in row.values()))
        console().print(table)


async def _undo(settings: Settings, partition: str, asked: _Asked) -> int:
    """Look, ask where somebody is there, and take back; return the exit code."""
    async with opened_store(settings) as store:
        await heed_names(store, partition)
        target = Target(store, partition)
        records = await ImportStore(store.client, target.keyspace).all()
        record = choose(records, asked.import_id, interrupted=asked.interrupted)
        if record.state == "undone":
            say(f"The import of {record.file} ({record.id}) is taken back already.")
            return 0
        is_asked = not asked.yes and not asked.dry_run and is_interactive()
        if asked.dry_run or is_asked:
            _print(await _taken_back(target, record, asked, only_look=True), record, asked, only_look=True)
            if asked.dry_run:
                say(CHANGED_NOTHING, err=asked.as_json)
                return 0
            if not agreed("Take it back?"):
                say("Nothing was changed.")
                return _NOT_AGREED
        done = await _taken_back(target, record, asked, only_look=False)
        _print(done, record, asked, only_look=False)
        return 0 if done.is_whole else NOT_ALL


async def _taken_back(target: Target, record: ImportRecord, asked: _Asked, *, only_look: bool) -> Undone:
    if record.kind not in STOCK_KINDS:
        return await undo_list(target, record, only_look=only_look, why=asked.reason)
    tally = Tally()
    with progress_bar(record.set, progress_console(), "taken back") as tally.on_progress:
        return await undo_stock(target, record, tally, may_be_short=asked.short, only_look=only_look, why=asked.reason)


def _print(done: Undone, record: ImportRecord, asked: _Asked, *, only_look: bool) -> None:
    if asked.report is not None:
        _write(asked.report, done)
    if asked.as_json:
        print_json(_as_json(done, record, applied=not only_look))
        return
    console = progress_console()
    for line in screenful([f"{what}: {why}" for what, why in done.refused.items()], "refusal"):
        console.print(line, soft_wrap=True)
    for line in screenful(done.taken, "change"):
        say(line)
    word = "would be taken back" if only_look else "taken back"
    parts = [f"{len(done.taken):,} {word}", f"{len(done.refused):,} not"]
    if done.before:
        parts.insert(1, f"{done.before:,} before")
    what = counted(len(done.taken) + len(done.refused) + done.before, "change")
    say(f"{record.kind} {record.file} ({record.id}), {what}: {', '.join(parts)}", *done.stays)


def _as_json(done: Undone, record: ImportRecord, *, applied: bool) -> dict[str, Any]:
    return {
        "import": record.id,
        "kind": record.kind,
        "file": record.file,
        "applied": applied,
        "taken_back": done.taken,
        "before": done.before,
        "refused": [{"what": what, "reason": why} for what, why in done.refused.items()],
        "stays": done.stays,
    }


def _write(path: Path, done: Undone) -> None:
    rows = [("refused", f"{what}: {why}") for what, why in done.refused.items()]
    rows += [("taken back", each) for each in done.taken]
    try:
        write_csv(path, ("result", "change"), rows)
    except OSError as error:
        raise failure(f"The report cannot be written to {path}: {error.strerror}. Choose another path.") from None
