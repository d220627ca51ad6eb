"""``holdfast locations``: register warehouses and stores from a file, rename and delete them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.progress import Progress, TextColumn

from server.cli.common import (
    failure,
    opened_store,
    partition_option,
    quiet_settings,
    reason_option,
    run,
    store_options,
)
from server.cli.files.command import allow_similar_option, import_file, import_options
from server.cli.terminal import progress_console, say
from server.config.settings import Settings
from server.files.applying import Origin
from server.files.locations import locations_import
from server.service.caller import Caller, local_caller
from server.service.checks import InvalidError
from server.service.location_renames import RenamedLocation, delete_location, rename_location
from server.service.old_names import heed_stored_names
from server.service.problems import ProblemError

T = TypeVar("T")


@click.group()
def locations() -> None:
    """Register, rename and delete warehouses and stores.

    \b
      holdfast locations import locations.csv
      holdfast locations rename depo "Depot 1"
      holdfast locations delete "Depot 1"
    """  # noqa: D301  # click needs the character, not the two


@locations.command("import")
@import_options
@allow_similar_option
def import_(file: Path, *, allow_similar: bool, **options: Any) -> None:
    """Register locations from a file.

    The first line names the columns: name, and optionally kind (warehouse or store), lat and lon (degrees), priority
    (higher comes first), footfall, open (yes or no) and groups (separated by |). CSV or .xlsx.

    \b
      name,kind,lat,lon,priority,footfall,open,groups
      main,warehouse,40.9,29.3,10,,yes,warehouse
      Kadıköy,store,40.9904,29.0292,5,1200,yes,stores|istanbul

    \b
      holdfast locations import locations.csv

    A new name that a known one is like, such as KADIKÖY for Kadıköy, is a bad row. If it is meant, add --new.

    Each row replaces the description of its location: an empty cell sets the default. Locations that the file does not
    name are unchanged. Importing the same file again changes nothing. A running server uses it within a second.

    First it looks at what would change, and asks on a terminal. Elsewhere closing a location needs --yes: without it
    nothing is imported, and the exit code is 3. holdfast undo takes it back.

    The exit code is 1 if any row was bad; the good rows are imported all the same.
    """  # noqa: D301  # click needs the character, not the two
    kind = locations_import(allow_similar=allow_similar)
    import_file(kind, file, Origin("locations", file.name), names_are_meant=allow_similar, **options)


@locations.command()
@click.argument("name")
@click.argument("to")
@allow_similar_option
@reason_option
@partition_option
@store_options
def rename(name: str, to: str, *, allow_similar: bool, reason: str, partition: str, **overrides: object) -> None:
    """Give a location another name.

    Requests, rules and files that still use the old name mean the same location, from the first moment on. Its SKUs
    move one after the other while sales go on; a second call goes on after an interruption, and so does a running
    server. Reservations and the history keep the old word.

    \b
      holdfast locations rename depo "Depot 1" --reason "as the drivers call it"

    main cannot be renamed: requests that name no location mean it.
    """  # noqa: D301  # click needs the character, not the two
    renaming = _rename(quiet_settings(**overrides), partition, name, to, allow_similar=allow_similar, reason=reason)
    done = run(renaming)
    say(f"{done.location} is {done.to} now; the old name leads there. {done.moved:,} SKUs moved.")


@locations.command()
@click.argument("name")
@partition_option
@store_options
def delete(name: str, *, partition: str, **overrides: object) -> None:
    """Delete a location at which nothing lies and nothing is promised, with its old names and its rules.

    Where something is in the way, that is named, and nothing changes.

    \b
      holdfast locations delete "Depot 1"
    """  # noqa: D301  # click needs the character, not the two
    say(f"{run(_delete(quiet_settings(**overrides), partition, name))} is deleted.")


async def _rename(
    settings: Settings, partition: str, name: str, to: str, *, allow_similar: bool, reason: str
) -> RenamedLocation:
    columns = TextColumn("{task.description}", markup=False), TextColumn("{task.completed:,} SKUs", markup=False)
    shown = progress_console()
    with Progress(*columns, console=shown, disable=not shown.is_terminal, transient=True) as progress:
        task = progress.add_task("moved", total=None)

        async def ask(caller: Caller) -> RenamedLocation:
            return await rename_location(
                caller, name, to, allow_similar=allow_similar, reason=reason, within_s=None,
                report=lambda moved: progress.update(task, completed=moved),
            )  # fmt: skip

        return await _asked(settings, partition, ask)


async def _delete(settings: Settings, partition: str, name: str) -> str:
    return await _asked(settings, partition, lambda caller: delete_location(caller, name))


async def _asked(settings: Settings, partition: str, ask: Callable[[Caller], Awaitable[T]]) -> T:
    async with opened_store(settings) as store:
        await heed_stored_names(store.client, partition)
        try:
            return await ask(local_caller(store, partition))
        except ProblemError as error:
            raise failure(f"{error.problem.title}. {error.problem.detail}") from None
        except InvalidError as error:
            raise click.UsageError(f"{error.field} {error.rule}") from None
