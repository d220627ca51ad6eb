"""Orders of channels: what their snapshots become, one after the other."""

import pytest
from msgspec.structs import replace

from server.domain.channels import ChannelSettings
from server.domain.order_steps import reservation_id
from server.service.caller import Caller
from server.store.repositories.intake import IntakeStore
from tests.support.channel_orders import CHANNEL, buckets, hear, line, told
from tests.support.operations import changed, moved, receive, relocate, stocked


async def test_given_a_paid_order_when_it_is_told_twice_then_it_is_booked_once(caller: Caller) -> None:
    await stocked(caller.ledger, A=5)

    first = await hear(caller, told("1001", 10, line("l1", 2)))
    again = await hear(caller, told("1001", 10, line("l1", 2)))
    later = await hear(caller, told("1001", 20, line("l1", 2)))

    assert (first.state, first.steps, first.inbox, first.reservations) == ("booked", ("order",), "", ("market.1001",))
    assert (again.unchanged, later.unchanged) == (True, True)
    assert await buckets(caller) == (5, 0, 2)
    made = (await caller.ledger.reservation("market.1001")).reservation
    assert made is not None
    assert (made.order_ref, made.channel, made.state) == ("1001", "market", "committed")


async def test_given_an_order_when_a_part_of_it_is_cancelled_and_shipped_then_stock_follows(caller: Caller) -> None:
    await stocked(caller.ledger, A=5, B=5)
    await hear(caller, told("1", 10, line("l1", 3), line("l2", 2, sku="B")))

    booked = await hear(caller, told("1", 20, line("l1", 3, cancelled=1, shipped=2), line("l2", 2, sku="B", shipped=1)))

    assert booked.state == "shipping"
    assert sorted(booked.steps) == ["cancel", "ship"]
    assert (await buckets(caller), await buckets(caller, "B")) == ((3, 0, 0), (4, 0, 1))


async def test_given_a_line_that_is_gone_and_one_that_is_new_then_one_is_cancelled_and_one_booked(
    caller: Caller,
) -> None:
    await stocked(caller.ledger, A=5, B=5)
    await hear(caller, told("1", 10, line("l1", 3)))

    booked = await hear(caller, told("1", 20, line("l2", 2, sku="B")))

    assert booked.reservations == ("market.1", "market.1.g1")
    assert (await buckets(caller), await buckets(caller, "B")) == ((5, 0, 0), (5, 0, 2))


async def test_given_an_order_whose_number_looks_like_a_generation_of_another_then_both_are_booked(
    caller: Caller,
) -> None:
    await stocked(caller.ledger, A=9, B=9)
    await hear(caller, told("1", 10, line("l1", 1)))
    await hear(caller, told("1", 20, line("l1", 1), line("l2", 2, sku="B")))

    booked = [await hear(caller, told(number, 10, line("l1", 1))) for number in ("1.g1", "g1")]

    assert [each.state for each in booked] == ["booked", "booked"]
    assert await buckets(caller) == (9, 0, 3)
    assert reservation_id("a.b", "c", 0) != reservation_id("a", "b.c", 0)
    assert reservation_id("a.1", "g1", 0) != reservation_id("a", "1", 1)


async def test_given_a_cancel_that_is_taken_back_when_it_comes_again_then_it_is_cancelled_twice(
    caller: Caller,
) -> None:
    await stocked(caller.ledger, A=5)
    counters = []
    for at_ms, cancelled in enumerate((0, 2, 0, 2, 0), 1):
        await hear(caller, told("1", at_ms, line("l1", 3, cancelled=cancelled)))
        counters.append(await buckets(caller))

    assert counters == [(5, 0, 3), (5, 0, 1), (5, 0, 3), (5, 0, 1), (5, 0, 3)]


async def test_given_a_shipment_that_is_corrected_then_the_units_come_back_and_are_booked_again(
    caller: Caller,
) -> None:
    await stocked(caller.ledger, A=5)
    counters, left = [], []
    for at_ms, shipped in enumerate((0, 2, 1, 3, 0), 1):
        booked = await hear(caller, told("1", at_ms, line("l1", 3, shipped=shipped)))
        counters.append(await buckets(caller))
        left.append((booked.inbox, booked.returned))

    assert counters == [(5, 0, 3), (3, 0, 1), (4, 0, 2), (2, 0, 0), (5, 0, 3)]
    assert left == [("", ())] * 5


@pytest.mark.parametrize("first", ["one", "three"])
@pytest.mark.parametrize(("done", "left"), [("cancelled", (10, 0, 2)), ("shipped", (8, 0, 2))])
async def test_given_two_lines_of_a_sku_of_which_one_was_split_when_each_changes_then_both_changes_count(
    caller: Caller, first: str, done: str, left: tuple[int, int, int]
) -> None:
    await stocked(caller.ledger, A=5)
    await moved(caller.ledger, receive("A", 5, "annex"))
    await hear(caller, told("1", 10, line("one", 1), line("three", 3)))
    await changed(caller.ledger, relocate("market.1", (2, 2, "annex")))
    pieces = {"one": 1, "three": 3}

    for at_ms, keys in ((20, {first}), (30, {"one", "three"})):
        lines = [replace(line(key, many), **{done: int(key in keys)}) for key, many in pieces.items()]
        await hear(caller, told("1", at_ms, *lines))

    assert await buckets(caller) == left


async def test_given_an_older_snapshot_that_has_a_new_line_when_it_comes_then_it_lowers_no_other(
    caller: Caller,
) -> None:
    await stocked(caller.ledger, A=5, B=5)
    await hear(caller, told("1", 20, line("l1", 4), state="unpaid", complete=False))

    booked = await hear(caller, told("1", 10, line("l1", 3), line("l2", 2, sku="B"), state="unpaid"))

    assert (booked.state, booked.steps) == ("held", ("reserve",))
    assert (await buckets(caller), await buckets(caller, "B")) == ((5, 4, 0), (5, 2, 0))


async def test_given_an_order_first_seen_as_cancelled_when_it_is_open_then_it_is_booked(caller: Caller) -> None:
    await stocked(caller.ledger, A=5)

    first = await hear(caller, told("1", 1, line("l1", 2), state="cancelled"))
    assert (first.state, first.steps, await buckets(caller)) == ("cancelled", (), (5, 0, 0))
    second = await hear(caller, told("1", 2, line("l1", 2)))

    assert (second.state, await buckets(caller)) == ("booked", (5, 0, 2))


async def test_given_an_unpaid_order_when_it_is_paid_then_its_hold_is_committed(caller: Caller) -> None:
    await stocked(caller.ledger, A=5)

    held = await hear(caller, told("1", 1, line("l1", 2), state="unpaid"))
    assert (held.state, held.steps, await buckets(caller)) == ("held", ("reserve",), (5, 2, 0))
    paid = await hear(caller, told("1", 2, line("l1", 2)))

    assert (paid.state, paid.steps, await buckets(caller)) == ("booked", ("commit",), (5, 0, 2))


async def test_given_an_unpaid_order_when_it_is_cancelled_then_its_hold_is_released(caller: Caller) -> None:
    await stocked(caller.ledger, A=5)
    await hear(caller, told("1", 1, line("l1", 2), state="unpaid"))

    await hear(caller, told("1", 2, line("l1", 2), state="cancelled"))

    assert await buckets(caller) == (5, 0, 0)


async def test_given_an_unpaid_order_of_which_a_line_is_out_then_the_rest_is_held_and_all_is_booked_when_paid(
    caller: Caller,
) -> None:
    await stocked(caller.ledger, A=5, B=1)
    lines = (line("l1", 2), line("l2", 2, sku="B"), line("l3", 1, sku="nobody knows"))

    held = await hear(caller, told("1", 1, *lines, state="unpaid"))
    assert (held.inbox, await buckets(caller), await buckets(caller, "B")) == ("not_held", (5, 2, 0), (1, 0, 0))
    paid = await hear(caller, told("1", 2, *lines))

    assert (await buckets(caller), await buckets(caller, "B")) == ((5, 0, 2), (1, 0, 2))
    assert (paid.inbox, paid.unmapped) == ("unmapped", ("l3",))
    assert [(each.line, each.pieces) for each in paid.short] == [("l2", 1)]


async def test_given_more_than_there_is_when_it_was_sold_then_it_is_booked_and_named_as_short(caller: Caller) -> None:
    await stocked(caller.ledger, A=1)

    booked = await hear(caller, told("1", 1, line("l1", 3)))

    assert (booked.state, booked.inbox, await buckets(caller)) == ("booked", "", (1, 0, 3))
    assert [(each.line, each.pieces) for each in booked.short] == [("l1", 2)]


async def test_given_what_the_channel_ships_itself_then_it_takes_no_stock(caller: Caller) -> None:
    await stocked(caller.ledger, A=5)

    own = await hear(caller, told("1", 1, line("l1", 2), fulfilled_by="channel"))
    mixed = await hear(
        caller, told("2", 1, line("l1", 2, fulfilled_by="channel"), line("l2", 1), line("l3", 9, carries_stock=False))
    )

    assert (own.state, own.reservations, own.inbox) == ("recorded", (), "")
    assert (mixed.state, await buckets(caller)) == ("booked", (5, 0, 1))


async def test_given_an_order_of_200_lines_then_all_are_booked(caller: Caller) -> None:
    await stocked(caller.ledger, A=500)

    booked = await hear(caller, told("1", 1, *(line(f"l{i}", 2) for i in range(200))))

    assert (booked.steps, await buckets(caller)) == (("order", "order"), (500, 0, 400))
    gone = await hear(caller, told("1", 2, *(line(f"l{i}", 2) for i in range(50, 200))))
    assert (gone.inbox, await buckets(caller)) == ("", (500, 0, 300))


@pytest.mark.parametrize(
    "lines",
    [(), (line("l1", 0),), (line("l1", 1), line("l1", 1)), (line("l1", 1, shipped=2),), (line("", 1),)],
)
async def test_given_an_impossible_order_then_it_goes_to_the_inbox_and_changes_nothing(
    caller: Caller, lines: tuple[object, ...]
) -> None:
    await stocked(caller.ledger, A=5)

    booked = await hear(caller, told("1", 1, *lines))  # type: ignore[arg-type]

    assert (booked.inbox, await buckets(caller)) == ("impossible", (5, 0, 0))
    assert booked.detail


# -- a channel that is called otherwise


async def takes_orders(caller: Caller, *channels: str) -> None:
    for name in channels:
        await IntakeStore(caller.partition.client, caller.partition.keyspace, name).note_intake(1)


async def test_given_a_channel_of_another_name_when_its_orders_come_again_then_none_is_booked_twice(
    caller: Caller,
) -> None:
    await stocked(caller.ledger, A=20)
    await takes_orders(caller, CHANNEL, "renamed")
    order = told("1", 5, line("l1", 2), line("l2", 1), placed_ms=4)
    await hear(caller, order)
    renamed = replace(caller, partition=replace(caller.partition, channels={"renamed": of("renamed")}))

    for again in (
        order,
        told("1", 6, line("l1", 3), placed_ms=4),
        replace(order, complete=False, lines=order.lines[:1]),
    ):
        booked = await hear(renamed, again, channel="renamed")
        assert (booked.inbox, booked.detail) == ("former_channel", "it is booked as an order of market")
        assert (booked.state, booked.reservations) == ("recorded", ())
    assert await buckets(caller) == (20, 0, 3)

    named_back = replace(caller, partition=replace(caller.partition, channels={CHANNEL: of(CHANNEL)}))
    await hear(named_back, told("1", 6, line("l1", 3), line("l2", 1), placed_ms=4))
    assert await buckets(caller) == (20, 0, 4)


@pytest.mark.parametrize(
    ("lines", "placed_ms"), [(("x1",), 4), (("l1",), 6)], ids=["other lines", "placed after the other was seen"]
)
async def test_given_another_shop_with_an_order_of_the_same_number_then_it_is_booked(
    lines: tuple[str, ...], placed_ms: int, caller: Caller
) -> None:
    await stocked(caller.ledger, A=20)
    await takes_orders(caller, CHANNEL, "other")
    await hear(caller, told("1", 5, line("l1", 2), placed_ms=4))
    other = replace(caller, partition=replace(caller.partition, channels={"other": of("other")}))

    booked = await hear(other, told("1", 9, *(line(key, 1) for key in lines), placed_ms=placed_ms), channel="other")

    assert (booked.inbox, await buckets(caller)) == ("", (20, 0, 3))


async def test_given_two_channels_that_are_configured_then_orders_of_one_number_are_two(caller: Caller) -> None:
    await stocked(caller.ledger, A=20)
    await takes_orders(caller, CHANNEL, "other")
    both = replace(
        caller, partition=replace(caller.partition, channels={name: of(name) for name in (CHANNEL, "other")})
    )

    for channel in (CHANNEL, "other"):
        assert (await hear(both, told("1", 5, line("l1", 2)), channel=channel)).inbox == ""

    assert await buckets(caller) == (20, 0, 4)


def of(name: str) -> ChannelSettings:
    return ChannelSettings(name=name, kind="plain")
