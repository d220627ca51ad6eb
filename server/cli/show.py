"""``holdfast show``: the stock of a SKU, and every change that led to it."""

from collections.abc import Iterator
from typing import Any, Final

import click
import msgspec
from rich.table import Table

from server.cli import shortages
from server.cli.common import (
    channels_of,
    failure,
    json_option,
    named,
    opened_store,
    partition_option,
    quiet_settings,
    run,
    store_options,
)
from server.cli.on_channels import channels_table, read_channels
from server.cli.sku_history import read_story, story_as_json, story_lines, story_table
from server.cli.terminal import console, print_json
from server.cli.times import shown_time
from server.config.settings import Settings
from server.domain.expected_receipt import ExpectedReceipt
from server.domain.shortages import newest_first
from server.domain.stock import StockLevel
from server.files.wording import counted
from server.service.checks import check_sku
from server.service.shortages import find_elsewhere
from server.store.keys import Keyspace
from server.store.ledger import slices
from server.store.repositories import reservations, transfers
from server.store.repositories.aliases import read_aliases
from server.store.repositories.backorders import Waiter, find_waiters
from server.store.repositories.expected_receipts import read_outlook
from server.store.repositories.locations import LocationStore
from server.store.repositories.shortages import short_at

HOLDERS_MAX: Final = 500
PATIENCE_S: Final = 30.0
"""How long to look for orders that are short: a person waits, and the answer should be complete."""
LEVELS_SHOWN: Final = 200
"""What a person can read; as JSON come all."""
BUCKETS: Final = ("on_hand", "held", "committed", "damaged", "quality_control", "safety")


@click.command()
@click.argument("sku", required=False)
@click.option("--history", is_flag=True, help="Add every change that is known, oldest first: who, what, why.")
@click.option("--channels", is_flag=True, help="Add what each configured channel shows, should show, and why.")
@partition_option
@json_option
@store_options
def show(sku: str | None, history: bool, channels: bool, partition: str, as_json: bool, **overrides: object) -> None:
    """Explain the stock of a SKU.

    It shows the buckets at each location, and the reservations that hold units, with their deadlines. Without a SKU,
    show the totals of the partition.

    \b
      holdfast show TS-1001-SİYAH-M
      holdfast show "ÇANTA-SİYAH/38" --history
      holdfast show TS-1001-SİYAH-M --channels
      holdfast show --json
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    if sku is None:
        if history or channels:
            raise click.UsageError(f"Add the SKU whose {'history' if history else 'channels'} to show.")
        totals = run(_totals(settings, partition))
        print_json(totals) if as_json else _print_totals(totals)
        return
    explained = run(_explain(settings, partition, sku, with_history=history, with_channels=channels))
    if not explained["levels"]:
        raise failure(
            f"{sku!r} has no stock record in partition {partition}. Check the name, or import or receive the SKU first."
        )
    print_json(explained) if as_json else _print(explained, with_history=history)


async def _totals(settings: Settings, partition: str) -> dict[str, Any]:
    async with opened_store(settings) as store:
        totals = dict.fromkeys((*BUCKETS, "available", "shortage"), 0)
        skus, places = set(), 0
        closed = (await LocationStore(store.client, Keyspace(partition), store.retention.packed()).directory()).closed
        async for level in store.levels(partition):
            places += 1
            skus.add(level.sku)
            for bucket in BUCKETS:
                totals[bucket] += getattr(level, bucket)
            totals["available"] += 0 if level.location in closed else max(0, level.available)
            totals["shortage"] += level.lacks
        return {"partition": partition, "skus": len(skus), "places": places, **totals}


async def _explain(
    settings: Settings, partition: str, asked: str, *, with_history: bool, with_channels: bool
) -> dict[str, Any]:
    async with opened_store(settings) as store:
        sku = await named(store, partition, lambda: check_sku("SKU", asked))
        aliases = await read_aliases(store.client, Keyspace(partition))
        sku = aliases.sku(sku)
        found = await slices.stock(store.ledger(partition), sku)
        holders, truncated = await reservations.holders(
            store.client, Keyspace(partition), store.retention.packed(), sku, HOLDERS_MAX
        )
        moving = await transfers.in_transit(store.client, Keyspace(partition), store.retention.packed(), sku)
        outlook = await read_outlook(store.client, Keyspace(partition), store.retention.packed(), sku)
        waiting = await find_waiters(store.client, Keyspace(partition), sku=sku, limit=HOLDERS_MAX, aliases=aliases)
        short = {f"{sku}\0{each.location}".encode(): each.lacks for each in found.levels if each.lacks}
        lacking = await short_at(
            store.client,
            Keyspace(partition),
            store.retention.packed(),
            short,
            PATIENCE_S,
            newest_first=newest_first(channels_of(settings, partition)),
        )
        elsewhere = await find_elsewhere(store.ledger(partition), lacking)
        story = await read_story(settings, store, partition, aliases.names(sku)) if with_history else None
        shown = await read_channels(store, settings, partition, sku) if with_channels and found.levels else []
    return {
        "sku": sku,
        "partition": partition,
        "available": found.available,
        "levels": [_level(level, closed=level.location in found.closed) for level in found.levels],
        "holders": [_holder(holder) for holder in sorted(holders, key=lambda each: each.expires_at_ms)],
        "holders_complete": not truncated,
        "backorders": [_waiter(waiter) for waiter in waiting.waiters],
        "backorders_complete": not waiting.next,
        "shortages": [shortages.as_json(each, elsewhere) for each in lacking],
        "in_transit": [_in_transit(each) for each in moving],
        "expected": [_expected(*each) for each in outlook.supply],
        "as_of": shown_time(found.as_of_ms),
        **({"channels": shown} if with_channels else {}),
        **({} if story is None else story_as_json(story)),
    }


def _level(level: StockLevel, *, closed: bool) -> dict[str, Any]:
    buckets = {bucket: getattr(level, bucket) for bucket in BUCKETS}
    found = {"location": level.location, "available": 0 if closed else level.available, **buckets, "seq": level.seq}
    if closed:
        found["closed"] = True
    if level.allocated:
        found["set_aside"] = level.set_aside
        found["allocations"] = [
            {**msgspec.structs.asdict(each), "available": level.left(each.channel)} for each in level.allocated
        ]
    return found | ({"backorder": msgspec.structs.asdict(level.backorder)} if level.backorder else {})


def _waiter(waiter: Waiter) -> dict[str, Any]:
    member, line = waiter.member, waiter.reservation.lines[waiter.member.line - 1]
    return {
        "reservation_id": member.reservation_id,
        "line": member.line,
        "location": member.location,
        "vip": member.is_vip,
        "backordered": line.backordered,
        "promise_on": line.promise_on,
    }


def _holder(holder: reservations.Holder) -> dict[str, Any]:
    return {
        "reservation_id": holder.reservation_id,
        "channel": holder.channel,
        "line": holder.line,
        "location": holder.location,
        "state": holder.state,
        "held": holder.held,
        "committed": holder.committed,
        "expires_at": shown_time(holder.expires_at_ms) if holder.expires_at_ms else None,
    }


def _in_transit(moving: transfers.InTransit) -> dict[str, Any]:
    return {
        "transfer_id": moving.transfer_id,
        "from": moving.source,
        "to": moving.destination,
        "quantity": moving.quantity,
        "shipped_at": shown_time(moving.shipped_ms),
    }


def _expected(supply_id: str, supply: ExpectedReceipt) -> dict[str, Any]:
    return {
        "supply_id": supply_id,
        "location": supply.location,
        "expected": supply.expected,
        "expected_on": supply.expected_on.isoformat(),
        "reference": supply.reference,
    }


# -- tables for people


def _print_totals(totals: dict[str, Any]) -> None:
    table = Table(
        "",
        "units",
        title=f"{counted(totals['skus'], 'SKU')}, {counted(totals['places'], 'stock record')}",
        title_justify="left",
    )
    table.columns[1].justify = "right"
    for name in (*BUCKETS, "available", "shortage"):
        table.add_row(name, f"{totals[name]:,}")
    console().print(table)


def _print(explained: dict[str, Any], *, with_history: bool) -> None:
    out = console()
    _print_levels(explained)
    if explained["holders"]:
        out.print(_holders_table(explained))
    if not explained["holders_complete"]:
        out.print("There are more holders than these; GET /v1/reservations?sku= lists all.")
    for line in (*_waiting_lines(explained), *shortages.sentences(explained["shortages"])):
        out.print(line, soft_wrap=True)
    for each in explained["in_transit"]:
        line = f"{each['quantity']:,} in transit from {each['from']} to {each['to']} since {each['shipped_at']}"
        out.print(f"{line} (transfer {each['transfer_id']})", soft_wrap=True)
    for each in explained["expected"]:
        line = f"{each['expected']:,} expected at {each['location']} on {each['expected_on']}"
        out.print(f"{line} (expected receipt {each['supply_id']})", soft_wrap=True)
    if "channels" in explained:
        out.print(channels_table(explained["channels"]) if explained["channels"] else "No channel is configured.")
    if with_history:
        out.print(story_table(explained["history"]))
        for line in story_lines(explained):
            out.print(line, soft_wrap=True)


def _print_levels(explained: dict[str, Any]) -> None:
    out = console()
    table = Table("location", title=explained["sku"], title_justify="left")
    for bucket in (*BUCKETS, "available"):
        table.add_column(bucket, justify="right")
    levels, more = explained["levels"][:LEVELS_SHOWN], len(explained["levels"]) - LEVELS_SHOWN
    for level in levels:
        table.add_row(level["location"], *(f"{level[name]:,}" for name in (*BUCKETS, "available")))
    out.print(table)
    if more > 0:
        out.print(
            f"The SKU is at {counted(more, 'more location')}; --json lists all, {explained['available']:,} available."
        )
    for level in levels:
        out.print(f"{level['location']}: {_because(level)}", soft_wrap=True)
    for level in levels:
        for each in level.get("allocations", ()):
            out.print(f"{level['location']}: {_allocation(each)}", soft_wrap=True)


def _waiting_lines(explained: dict[str, Any]) -> Iterator[str]:
    for each in explained["backorders"]:
        when = f", promised for {each['promise_on']}" if each["promise_on"] else ""
        line = f"{each['reservation_id']} waits for {each['backordered']:,} at {each['location']}{when}"
        yield line + (" (vip)" if each["vip"] else "")
    if not explained["backorders_complete"]:
        yield "There are more backorders than these; GET /v1/backorders?sku= lists all."


def _because(level: dict[str, Any]) -> str:
    taken = "".join(f" − {level[name]:,} {name}" for name in BUCKETS[1:] if level[name])
    if level.get("closed"):
        return f"available 0: the location is closed; {level['on_hand']:,} on_hand"
    aside = f" − {level['set_aside']:,} set_aside" if level.get("set_aside") else ""
    return f"available {level['available']:,} = {level['on_hand']:,} on_hand{taken}{aside}"


def _allocation(each: dict[str, Any]) -> str:
    what = f"{each['units']:,} of its own" if each["kind"] == "own" else f"a cap of {each['units']:,}"
    return f"{each['channel']} has {what}, {each['used']:,} of them used; available to it: {each['available']:,}"


def _holders_table(explained: dict[str, Any]) -> Table:
    table = Table("reservation", "channel", "location", "state", title="Reservations", title_justify="left")
    for name in ("held", "committed", "until"):
        table.add_column(name, justify="right")
    for each in explained["holders"]:
        row = (each["reservation_id"], each["channel"], each["location"], each["state"])
        table.add_row(*row, str(each["held"] or ""), str(each["committed"] or ""), each["expires_at"] or "")
    return table
