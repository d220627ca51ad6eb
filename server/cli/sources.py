"""``holdfast sources``: how the ERPs stand that own the stock, what waits for a person, and what is decided."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import click
import msgspec
from rich.table import Table
from rich.text import Text

from server.cli.common import (
    failure,
    heed_names,
    json_option,
    opened_store,
    partition_option,
    quiet_settings,
    run,
    store_options,
)
from server.cli.terminal import console, print_json, say
from server.cli.times import time_text
from server.config.settings import Settings
from server.domain.sources import WHOLE_LIST, SourceStatus
from server.files.wording import counted
from server.schemas.sources import DecisionBody, PlaceBody
from server.service import sources as service
from server.service.caller import Caller, local_caller
from server.service.checks import InvalidError
from server.service.problems import ProblemError
from server.service.sources import Standing, Waiting

FINE: Final = 0
TROUBLE: Final = 1
UNDECIDED: Final = 2
SHOWN_MAX: Final = 200
_MISSING: Final = "No server publishes now: it is done once one does."


@click.group()
def sources() -> None:
    """Show the ERPs that own the stock, and decide about numbers that are not believed.

    Add a source in the configuration file; see docs/sources.md.

    \b
      holdfast sources status
      holdfast sources waiting my-erp
      holdfast sources confirm my-erp --place TS-1001-SİYAH-M main
    """  # noqa: D301  # click needs the character, not the two


@sources.command()
@partition_option
@json_option
@store_options
def status(*, partition: str, as_json: bool, **overrides: object) -> None:
    """Show as of when each source's numbers are known, and what waits.

    \b
      holdfast sources status
      holdfast sources status --json     for a monitor

    The exit code is 0 if every source works and nothing waits for a person, 1 if not, and 2 if that is not known: no
    publisher runs, or the store did not answer.
    """  # noqa: D301  # click needs the character, not the two
    found = run(_standing(quiet_settings(**overrides), partition), failure_code=UNDECIDED)
    if as_json:
        print_json({name: msgspec.to_builtins(each) for name, each in sorted(found.statuses.items())})
    elif found.statuses:
        console().print(_table(found))
        for name, each in sorted(found.statuses.items()):
            if each.reason:
                say(f"{name}: {each.reason}")
            if each.is_late:
                say(f"{name}: its numbers are late, and are taken for what its rules say.")
    else:
        say("No source was ever read. Add one in the configuration file; see docs/sources.md.")
    sys.exit(_exit_code(found))


async def _standing(settings: Settings, partition: str) -> Standing:
    async with _opened(settings, partition) as caller:
        return await service.standing(caller)


def _table(found: Standing) -> Table:
    table = Table("source", "circuit", "known as of")
    for name in ("places", "waiting", "untold", "refused"):
        table.add_column(name, justify="right")
    for name, each in sorted(found.statuses.items()):
        numbers = (each.places, each.waiting, each.untold, each.refused)
        circuit = each.circuit if each.is_current(found.now_ms) else "no publisher"
        cells = (name, circuit, time_text(each.known_ms or None) or "never", *(f"{number:,}" for number in numbers))
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _exit_code(found: Standing) -> int:
    if not all(each.is_current(found.now_ms) for each in found.statuses.values()):
        return UNDECIDED
    return TROUBLE if any(map(_is_trouble, found.statuses.values())) else FINE


def _is_trouble(status: SourceStatus) -> bool:
    return bool(status.circuit != "closed" or status.waiting or status.refused or status.reason or status.is_late)


@sources.command()
@click.argument("source")
@partition_option
@json_option
@store_options
def waiting(source: str, *, partition: str, as_json: bool, **overrides: object) -> None:
    """Show the numbers that are not believed, and orders that the source does not take.

    \b
      holdfast sources waiting my-erp
    """  # noqa: D301  # click needs the character, not the two
    found = run(_waiting(quiet_settings(**overrides), partition, source))
    if as_json:
        print_json(_as_json(found))
        return
    if found.numbers:
        console().print(_numbers(found))
    for key, order in found.orders:
        say(f"Order {order.number or key} of {order.channel} is not taken: {order.reason}")
    if not found.numbers and not found.orders:
        say("Nothing waits.")
    elif not found.complete:
        say(f"These are the longest waiting {SHOWN_MAX:,}.")


async def _waiting(settings: Settings, partition: str, source: str) -> Waiting:
    async with _opened(settings, partition) as caller:
        return await service.waiting(caller, source, SHOWN_MAX)


def _as_json(found: Waiting) -> dict[str, Any]:
    numbers = [
        {"sku": sku or None, "location": location or None, **msgspec.structs.asdict(each)}
        for (sku, location), each in found.numbers
    ]
    orders = [
        {"reservation_id": key, "channel": order.channel, "order": order.number, "reason": order.reason}
        for key, order in found.orders
    ]
    return {"numbers": numbers, "orders": orders, "complete": found.complete}


def _numbers(found: Waiting) -> Table:
    table = Table("SKU", "location", "why")
    table.add_column("before", justify="right")
    table.add_column("says", justify="right")
    table.add_column("since")
    table.add_column("decision")
    for place, each in found.numbers:
        names = ("(the whole list)", "") if place == WHOLE_LIST else place
        cells = (*names, each.why, f"{each.before:,}", f"{each.after:,}", time_text(each.since_ms) or "", each.decision)
        table.add_row(*(Text(cell) for cell in cells))
    return table


_places: Final = click.option(
    "--place", "places", type=(str, str), multiple=True, metavar="SKU LOCATION", help="Only this number. Repeatable."
)


@sources.command()
@click.argument("source")
@_places
@partition_option
@store_options
def confirm(source: str, *, places: Sequence[tuple[str, str]], partition: str, **overrides: object) -> None:
    """Have numbers counted that wait, as the source says them.

    \b
      holdfast sources confirm my-erp --place TS-1001-SİYAH-M main
      holdfast sources confirm my-erp     all that wait now
    """  # noqa: D301  # click needs the character, not the two
    body = _decision("confirmed", places)
    _asked(overrides, partition, lambda caller: service.decide(caller, source, body), "is counted")


@sources.command()
@click.argument("source")
@_places
@partition_option
@store_options
def refuse(source: str, *, places: Sequence[tuple[str, str]], partition: str, **overrides: object) -> None:
    """Leave the stock as it is, as long as the source says the same numbers.

    \b
      holdfast sources refuse my-erp --place TS-1001-SİYAH-M main
    """  # noqa: D301  # click needs the character, not the two
    body = _decision("refused", places)
    _asked(overrides, partition, lambda caller: service.decide(caller, source, body), "is refused")


@sources.command()
@click.argument("source")
@partition_option
@store_options
def pull(source: str, *, partition: str, **overrides: object) -> None:
    """Have a source read whole now, and told again of orders that it did not take.

    \b
      holdfast sources pull my-erp
    """  # noqa: D301  # click needs the character, not the two
    _asked(overrides, partition, lambda caller: service.pull_now(caller, source), "")


def _decision(decision: Any, places: Sequence[tuple[str, str]]) -> DecisionBody:
    named = [PlaceBody(sku, location) for sku, location in places]
    return DecisionBody(decision, named or msgspec.UNSET)


_Work = Callable[[Caller], Awaitable[tuple[str, int, bool]]]


def _asked(overrides: dict[str, Any], partition: str, work: _Work, what: str) -> None:
    name, numbers, missing = run(_do(quiet_settings(**overrides), partition, work))
    say(f"{counted(numbers, 'number')} of {name} {what}." if what else f"{name} is read now.")
    if missing:
        say(_MISSING, err=True)


async def _do(settings: Settings, partition: str, work: _Work) -> tuple[str, int, bool]:
    async with _opened(settings, partition) as caller:
        return await work(caller)


@asynccontextmanager
async def _opened(settings: Settings, partition: str) -> AsyncIterator[Caller]:
    async with opened_store(settings) as store:
        await heed_names(store, partition)
        try:
            yield local_caller(store, partition)
        except ProblemError as error:
            raise failure(f"{error.problem.title}. {error.problem.detail}") from None
        except InvalidError as error:
            raise click.UsageError(f"{error.field} {error.rule}") from None
