"""``holdfast allocate``: set aside units for a channel, or cap what it may sell."""

from collections.abc import Callable

import click

from server.cli.channel_names import caller_of
from server.cli.common import failure, named, opened_store, partition_option, quiet_settings, run, store_options
from server.cli.terminal import say
from server.config.settings import Settings
from server.domain import limits
from server.domain.allocations import AllocationKind
from server.domain.answers import Refused
from server.domain.operations.allocations import Allocate
from server.domain.outcomes import OUTCOMES
from server.domain.principal import LOCAL
from server.domain.stock import StockLevel
from server.service.allocations import allocate as run_allocate
from server.service.allocations import check_taker
from server.service.checks import InvalidError, check_channel, check_location, check_reference, check_sku
from server.service.problems import ProblemError


@click.command()
@click.argument("sku")
@click.argument("channel")
@click.argument("units", type=click.IntRange(0, limits.QUANTITY_MAX))
@click.option("--location", default=limits.DEFAULT_LOCATION, show_default=True, help="The location of the units.")
@click.option(
    "--cap", is_flag=True, help="Cap what the channel may take from the common pool, instead of setting units aside."
)
@click.option("--reason", help="A reason, kept in the journal.")
@click.option("--new", "is_new", is_flag=True, help="Also for a channel that is not known and named much like one.")
@partition_option
@store_options
def allocate(
    sku: str,
    channel: str,
    units: int,
    *,
    location: str,
    cap: bool,
    reason: str | None,
    is_new: bool,
    partition: str,
    **overrides: object,
) -> None:
    """Set aside units for one channel, or cap what it may sell.

    Only that channel can sell units that are set aside. UNITS is the new total; it includes what the channel has
    reserved or sold there and not yet shipped. 0 removes the allocation. With --cap, 0 lets the channel sell nothing.
    A channel that HOLDFAST_OTHER_CHANNELS refuses gets no new allocation.

    \b
      holdfast allocate TS-1001-SİYAH-M trendyol 40
      holdfast allocate TS-1001-SİYAH-M outlet 5 --cap --location mağaza-1
    """  # noqa: D301  # click needs the character, not the two
    kind: AllocationKind = "cap" if cap else "own"

    def operation() -> Allocate:
        return Allocate(
            "", LOCAL.actor, "", check_sku("SKU", sku), check_location("--location", location),
            check_channel("CHANNEL", channel), kind, units, check_reference("--reason", reason),
        )  # fmt: skip

    level = run(_allocate(quiet_settings(**overrides), partition, operation, is_new=is_new))
    for each in level.allocated:
        what = f"{each.units:,} of its own" if each.kind == "own" else f"a cap of {each.units:,}"
        say(f"{each.channel}: {what}, {each.used:,} used, available to it {level.left(each.channel):,}")
    say(f"available to everybody: {level.available:,}")


async def _allocate(settings: Settings, partition: str, make: Callable[[], Allocate], *, is_new: bool) -> StockLevel:
    async with opened_store(settings) as store:
        operation = await named(store, partition, make)
        caller = await caller_of(store, settings, partition)
        try:
            await check_taker(caller, operation, is_new=is_new)
        except InvalidError as error:
            rule = error.rule.replace("send `new` true", "add --new")
            raise failure(f"CHANNEL {rule}. Nothing changed.") from None
        except ProblemError as error:
            raise failure(error.problem.detail) from None
        answer = await run_allocate(caller, operation)
    if isinstance(answer, Refused):
        most = f"; it can have {answer.lines[0].available:,}" if answer.outcome == "exceeds_available" else ""
        raise failure(f"{OUTCOMES[answer.outcome].title}{most}. Nothing changed.")
    return answer.level
