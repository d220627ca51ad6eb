"""``holdfast rules``: rules of reordering and of safety stock, and the categories of SKUs."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
from rich.table import Table
from rich.text import Text

from server.cli.common import (
    failure,
    json_option,
    named,
    opened_store,
    partition_option,
    quiet_settings,
    run,
    store_options,
)
from server.cli.files.command import import_file, import_options
from server.cli.terminal import console, print_json, say
from server.config.settings import Settings
from server.domain.limits import DEFAULT_PARTITION, QUANTITY_MAX
from server.domain.principal import LOCAL
from server.domain.replenishment import ANY, Rule
from server.domain.safety_stock import SafetyRule
from server.domain.similar_names import did_you_mean
from server.files.applying import Origin
from server.files.categories import CATEGORIES
from server.service.caller import local_caller
from server.service.checks import InvalidError, check_category, check_location, check_sku
from server.service.known_locations import check_known
from server.service.rules import unknown_skus
from server.store.command_session import OpenStore
from server.store.keys import Keyspace
from server.store.repositories.locations import registered_names
from server.store.repositories.replenishment import ReplenishmentStore
from server.store.repositories.safety_stock import SafetyStore

_UNITS: Final = click.IntRange(0, QUANTITY_MAX)
_DAYS: Final = click.FloatRange(0, 366)
_ALL: Final = "all"

Asked = tuple[str | None, str | None]
"""The names of a rule as they were given, None where it is for all."""

_remove_option: Final = click.option("--remove", is_flag=True, help="Remove the rule.")
_location_option: Final = click.option("--location", default=None, help="For this location only [all].")


@click.group()
def rules() -> None:
    """Set when to reorder and how much safety stock to keep.

    \b
      holdfast rules safety --percent 10                       a tenth of on_hand everywhere
      holdfast rules safety --location store-b --units 2       but two of each SKU in this store
      holdfast rules categories categories.csv                 set the category of SKUs
      holdfast rules safety --category shoes --units 0         and keep no shoes back
      holdfast rules replenishment --reorder-point 5 --target 20 --lead-time-days 3

    Without a figure, `safety` and `replenishment` list the rules. A running server uses them within seconds.
    """  # noqa: D301  # click needs the character, not the two


@rules.command()
@click.option("--category", default=None, help="For SKUs of this category only [all].")
@_location_option
@click.option("--units", type=_UNITS, default=None, help="Units to keep back.")
@click.option(
    "--percent", type=click.IntRange(0, 100), default=None, help="Percent of on_hand to keep back, rounded up."
)
@_remove_option
@json_option
@partition_option
@store_options
def safety(
    category: str | None,
    location: str | None,
    units: int | None,
    percent: int | None,
    *,
    remove: bool,
    as_json: bool,
    partition: str,
    **overrides: object,
) -> None:
    """Set or list the rules of safety stock.

    Safety stock is kept back from sale. Without a figure, the command lists the rules.

    If --units and --percent are both given, the greater one counts. If several rules fit a SKU at a location, the most
    specific one applies: category and location, else category, else location, else all.

    \b
      holdfast rules safety
      holdfast rules safety --category shoes --location store-b --units 2
      holdfast rules safety --category shoes --location store-b --remove

    Setting a rule prints the command that undoes it. A rule never takes units from a reservation: it keeps back
    available units only, and yields where units go missing. A safety stock that was set by hand (holdfast import, a
    count) stays until it is set to 0.
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    if remove or units is not None or percent is not None:
        rule = None if remove else SafetyRule(units=units or 0, percent=percent or 0)
        before = run(_set_safety(settings, partition, (category, location), rule))
        if before != rule:
            say(f"To undo it: {_safety_command(partition, (category, location), before)}", err=True)
        return
    if category is not None or location is not None:
        raise click.UsageError(
            "Add --units, --percent or --remove. To list all rules, leave out --category and --location."
        )
    found = run(_safety(settings, partition))
    _print_rules(found, ("category", "location", "units", "percent"), as_json=as_json)


@rules.command()
@click.option("--sku", default=None, help="For this SKU only [all].")
@_location_option
@click.option("--reorder-point", type=_UNITS, default=None, help="Order when no more than this is available.")
@click.option("--target", type=_UNITS, default=None, help="Order up to this quantity.")
@click.option("--lead-time-days", type=_DAYS, default=None, help="How long a delivery takes.")
@click.option("--cover-days", type=_DAYS, default=None, help="How many days of sales an order should cover.")
@_remove_option
@json_option
@partition_option
@store_options
def replenishment(
    sku: str | None,
    location: str | None,
    *,
    remove: bool,
    as_json: bool,
    partition: str,
    reorder_point: int | None,
    target: int | None,
    lead_time_days: float | None,
    cover_days: float | None,
    **overrides: object,
) -> None:
    """Set or list the rules of reordering.

    Without a figure, the command lists the rules.

    Where sales over the given days need more than the given units, the sales count. Stock at or below --reorder-point
    also raises stock.low. If several rules fit, the most specific applies: SKU and location, else SKU, else location,
    else all.

    \b
      holdfast rules replenishment
      holdfast rules replenishment --reorder-point 5 --target 20
      holdfast rules replenishment --sku TS-1001-SİYAH-M --lead-time-days 3 --cover-days 14

    A rule is replaced as a whole: a figure that you leave out becomes 0. GET /v1/replenishment returns what to order.
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    given = {
        name: figure
        for name, figure in (
            ("reorder_point", reorder_point),
            ("target", target),
            ("lead_time_days", lead_time_days),
            ("cover_days", cover_days),
        )
        if figure is not None
    }
    if remove or given:
        figures: dict[str, Any] = given
        run(_set_replenishment(settings, partition, (sku, location), None if remove else Rule(**figures)))
        return
    if sku is not None or location is not None:
        raise click.UsageError(
            "Add a figure, such as --reorder-point, or --remove. To list all rules, leave out --sku and --location."
        )
    found = run(_replenishment(settings, partition))
    names = ("sku", "location", "reorder_point", "target", "lead_time_days", "cover_days")
    _print_rules(found, names, as_json=as_json)


@rules.command()
@import_options
def categories(file: Path, **options: Any) -> None:
    """Set the category of SKUs from a file.

    Rules of safety stock can name a category. The first line names the columns: sku and category. An empty category
    removes the SKU from its category. Other columns are ignored, unless one looks as if it mattered (--ignore-columns).
    CSV or .xlsx.

    \b
      sku,category
      TS-1001-SİYAH-M,shirts

    \b
      holdfast rules categories categories.csv

    SKUs that the file does not name are unchanged. On a terminal it shows what would change, and asks. Elsewhere SKUs
    without stock need --yes, else the exit code is 3. It is 1 if any row was bad. holdfast undo takes it back.
    """  # noqa: D301  # click needs the character, not the two
    import_file(CATEGORIES, file, Origin("categories", file.name), **options)


def _location(location: str | None) -> str:
    return ANY if location is None else check_location("--location", location)


def _print_rules(found: Mapping[tuple[str, str], Any], names: tuple[str, ...], *, as_json: bool) -> None:
    rows = [(*where, *(getattr(rule, name) for name in names[2:])) for where, rule in sorted(found.items())]
    if as_json:
        print_json(
            [{name: None if cell == ANY else cell for name, cell in zip(names, row, strict=True)} for row in rows]
        )
    elif not rows:
        say("There are no rules yet. Add one; --help has examples.")
    else:
        table = Table(box=None, pad_edge=False)
        for at, name in enumerate(names):
            table.add_column(name, justify="left" if at < 2 else "right")  # noqa: PLR2004  # two names, then figures
        for row in rows:
            table.add_row(*(Text(str(cell) if cell != ANY else _ALL) for cell in row))
        console().print(table)


async def _safety(settings: Settings, partition: str) -> Mapping[tuple[str, str], SafetyRule]:
    async with opened_store(settings) as store:
        return await SafetyStore(store.client, Keyspace(partition)).rules()


def _safety_command(partition: str, asked: Asked, rule: SafetyRule | None) -> str:
    """Write the command that sets a rule, or removes it."""
    category, location = asked
    words = ["holdfast", "rules", "safety"]
    words += [] if category is None else ["--category", category]
    words += [] if location is None else ["--location", location]
    words += [] if partition == DEFAULT_PARTITION else ["--partition", partition]
    if rule is None:
        return shlex.join([*words, "--remove"])
    words += ["--units", str(rule.units)] if rule.units or not rule.percent else []
    return shlex.join([*words, *(["--percent", str(rule.percent)] if rule.percent else [])])


async def _set_safety(settings: Settings, partition: str, asked: Asked, rule: SafetyRule | None) -> SafetyRule | None:
    """Set a rule; return what was there before."""
    category, location = asked
    async with opened_store(settings, create=True) as store:
        await store.register(partition)
        where = await named(
            store, partition, lambda: (check_category("--category", category or None), _location(location))
        )
        await _check_location(store, partition, where, rule)
        safety_store = SafetyStore(store.client, Keyspace(partition))
        before = (await safety_store.rules()).get(where)
        await safety_store.set_rules({where: rule}, LOCAL.actor)
        if rule is not None and where[0] != ANY:
            await _note_category(safety_store, where[0])
        return before


async def _replenishment(settings: Settings, partition: str) -> Mapping[tuple[str, str], Rule]:
    async with opened_store(settings) as store:
        return await ReplenishmentStore(store.client, Keyspace(partition)).rules()


async def _set_replenishment(settings: Settings, partition: str, asked: Asked, rule: Rule | None) -> None:
    sku, location = asked
    async with opened_store(settings, create=True) as store:
        await store.register(partition)
        where = await named(
            store, partition, lambda: (ANY if sku is None else check_sku("--sku", sku), _location(location))
        )
        await _check_location(store, partition, where, rule)
        await ReplenishmentStore(store.client, Keyspace(partition)).set_rules({where: rule}, LOCAL.actor)
        if rule is not None and sku is not None and await unknown_skus(local_caller(store, partition), [where]):
            say(f"{where[0]} is not known yet: the rule applies once it has stock. --remove takes it away.", err=True)


async def _note_category(store: SafetyStore, category: str) -> None:
    """Say where no SKU is of a category: its rule is kept, for SKUs to come."""
    known: set[str] = set()
    async for names in store.category_names():
        known |= names
        if category in known:
            return
    question = did_you_mean(category, known) or "."
    say(f"No SKU is of the category {category}{question} The rule is kept; --remove takes it away.", err=True)


async def _check_location(store: OpenStore, partition: str, where: tuple[str, str], rule: object) -> None:
    """Refuse a rule for a location that is not there; one may be removed."""
    if rule is None or where[1] == ANY:
        return
    keyspace = Keyspace(partition)
    try:
        registered = await registered_names(store.client, keyspace)
        await check_known(store.client, keyspace, registered, {"--location": where[1]})
    except InvalidError as error:
        raise failure(f"{error.field} {error.rule}") from None
