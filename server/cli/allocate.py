"""``holdfast allocate``: set aside units for a channel, or cap what it may sell."""

from collections.abc import Callable

import click

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
from server.service.checks import InvalidError, check_channel, check_location, check_reference, check_sku
from server.service.known_channels import check_not_mistyped
from server.store.command_session import OpenStore
from server.store.ledger.ledger import Ledger
from server.store.repositories.allocations import allocate as run_allocate
from server.store.repositories.channels import ChannelStore


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

    \b
      holdfast allocate TS-1001 trendyol 40
      holdfast allocate TS-1001 outlet 5 --cap --location mağaza-1
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
        ledger, operation = store.ledger(partition), await named(store, partition, make)
        if operation.units and not is_new:
            await _check_channel(store, ledger, operation)
        answer = await run_allocate(store.client, ledger, store.retention.packed(), operation)
    if isinstance(answer, Refused):
        most = f"; it can have {answer.lines[0].available:,}" if answer.outcome == "exceeds_available" else ""
        raise failure(f"{OUTCOMES[answer.outcome].title}{most}. Nothing changed.")
    return answer.level


async def _check_channel(store: OpenStore, ledger: Ledger, operation: Allocate) -> None:
    known = await ChannelStore(store.client, ledger.keyspace).published_channels()
    where = operation.sku, operation.location
    try:
        await check_not_mistyped(ledger, where, "CHANNEL", operation.channel, known)
    except InvalidError as error:
        rule = error.rule.replace("send `new` true", "add --new")
        raise failure(f"{error.field} {rule}. Nothing changed.") from None
