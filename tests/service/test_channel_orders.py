"""Orders of channels: what their snapshots become, one after the other."""

import pytest

from server.domain.order_steps import reservation_id
from server.service.caller import Caller
from tests.support.channel_orders import buckets, hear, line, told
from tests.support.operations import stocked


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
