"""Lines that count in no bucket: of SKUs that nobody knows, until they are mapped, and of SKUs that have no stock."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.daily_figures import Figures
from server.domain.reservation import Changed
from server.store.audit.audit import audit
from server.store.journal.journal import read
from server.store.ledger.ledger import Ledger
from server.store.repositories.skus import SkuStore
from tests.conftest import RETENTION, wait_past
from tests.support import operations as ops

GIFT = "GIFT-WRAP"


async def untrack(client: Redis, ledger: Ledger, sku: str = GIFT) -> None:
    store = SkuStore(client, ledger.keyspace, RETENTION.packed())
    assert await store.track(sku, "tester", tracked=False)


def lines(answer: Changed) -> list[tuple[str, str, int, int, int, str]]:
    """Show of each line: SKU, location, quantity, committed, backordered, mode."""
    return [
        (line.sku, line.location, line.quantity, line.committed, line.backordered, line.mode)
        for line in answer.reservation.lines
    ]


async def unmapped_lines(client: Redis, ledger: Ledger) -> int:
    return int(await client.hget(ledger.keyspace.meta, "unmapped") or 0)


@pytest.fixture(autouse=True)
async def agrees(client: Redis, ledger: Ledger) -> AsyncIterator[None]:
    """After each test, buckets, reservations and journal agree."""
    yield
    report = await audit(client, ledger.keyspace)
    assert report.drift == []
    assert report.journal_complete


# -- unknown SKUs


async def test_given_an_order_with_a_line_that_nobody_knows_when_accepted_then_the_known_line_is_booked(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, S=5)

    order = ops.order("o", ("S", 1), (GIFT, 1), accept_shortage=True)
    made = await ops.changed(ledger, order)
    again = await ops.changed(ledger, order)

    assert lines(made) == [("S", "main", 1, 1, 0, ""), (GIFT, "", 1, 0, 1, "unmapped")]
    assert made.reservation.state == "committed"
    assert await ops.available(ledger, "S") == 4
    assert (await ledger.stock(GIFT)).levels == []
    assert again == msgspec.structs.replace(made, replayed=True)
    assert await unmapped_lines(client, ledger) == 1


async def test_given_several_lines_that_nobody_knows_when_accepted_then_each_keeps_its_text_and_quantity(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, S=2)

    made = await ops.changed(
        ledger, ops.order("o", ("Kırmızı Kazak / XL", 2, "izmir"), ("S", 3), ("?", 7), accept_shortage=True)
    )

    assert lines(made) == [
        ("Kırmızı Kazak / XL", "", 2, 0, 2, "unmapped"),
        ("S", "main", 3, 3, 0, ""),
        ("?", "", 7, 0, 7, "unmapped"),
    ]
    assert await ops.available(ledger, "S") == -1
    assert await unmapped_lines(client, ledger) == 2


async def test_given_an_order_of_unknown_lines_only_when_accepted_then_it_is_recorded(
    client: Redis, ledger: Ledger
) -> None:
    order = ops.order("o", (GIFT, 3), accept_shortage=True)
    made = await ops.changed(ledger, order)
    again = await ops.changed(ledger, order)

    found = (await ledger.reservation("o")).reservation
    assert lines(made) == [(GIFT, "", 3, 0, 3, "unmapped")]
    assert made.reservation.state == "backordered"
    assert found == made.reservation
    assert again == msgspec.structs.replace(made, replayed=True)
    assert await client.hlen(ledger.keyspace.skus) == 0


async def test_given_a_sku_that_is_known_elsewhere_when_ordered_at_a_named_location_then_it_is_no_unknown_line(
    ledger: Ledger,
) -> None:
    await ops.moved(ledger, ops.receive("S", 5, "izmir"))

    refused = await ops.refused(ledger, ops.order("o", ("S", 1, "ankara")))
    sold = await ops.changed(ledger, ops.order("o", ("S", 1, "ankara"), accept_shortage=True))

    assert refused == Refused("unknown_sku", "", [LineRefusal(1, "S", "ankara", 1, 0)])
    assert lines(sold) == [("S", "izmir", 1, 1, 0, "")]


async def test_given_an_unknown_line_when_not_sold_yet_then_the_order_is_refused_as_before(ledger: Ledger) -> None:
    await ops.stocked(ledger, S=5)

    for operation in (
        ops.order("a", ("S", 1), (GIFT, 1)),
        ops.reserve("b", ("S", 1), (GIFT, 1)),
        ops.order("c", ("S", 1), (GIFT, 1), partial=True),
    ):
        assert await ops.refused(ledger, operation) == Refused("unknown_sku", "", [LineRefusal(2, GIFT, "main", 1, 0)])
    assert await ops.available(ledger, "S") == 5


async def test_given_an_unknown_line_when_the_order_is_shipped_then_it_stays_and_is_named_with_the_way_out(
    ledger: Ledger,
) -> None:
    await ops.stocked(ledger, S=5)
    await ops.changed(ledger, ops.order("o", ("S", 1), (GIFT, 1), accept_shortage=True))

    named = await ops.refused(ledger, ops.fulfil("o", (2, 1)))
    shipped = await ops.changed(ledger, ops.fulfil("o"))
    rest = await ops.refused(ledger, ops.fulfil("o"))
    returned = await ops.refused(ledger, ops.take_back("o", (2, 1)))
    moved = await ops.refused(ledger, ops.relocate("o", (2, 0, "izmir")))

    assert named == Refused("line_unmapped", "committed", [LineRefusal(2, GIFT, "", 1, 0)])
    assert lines(shipped) == [("S", "main", 1, 0, 0, ""), (GIFT, "", 1, 0, 1, "unmapped")]
    assert shipped.reservation.state == "backordered"
    assert rest == Refused("line_unmapped", "backordered", [LineRefusal(2, GIFT, "", 1, 0)])
    assert (returned.outcome, moved.outcome) == ("line_unmapped", "not_held")


async def test_given_an_unknown_line_when_cancelled_in_parts_then_the_count_of_unmapped_lines_ends_with_it(
    client: Redis, ledger: Ledger
) -> None:
    await ops.changed(ledger, ops.order("o", (GIFT, 3), accept_shortage=True))

    part = await ops.changed(ledger, ops.cancel("o", (1, 1)))
    assert (lines(part), await unmapped_lines(client, ledger)) == ([(GIFT, "", 3, 0, 2, "unmapped")], 1)
    whole = await ops.changed(ledger, ops.cancel("o"))
    late = await ops.refused(ledger, ops.map_lines("o", (1, "S")))

    assert whole.reservation.state == "cancelled"
    assert whole.reservation.lines[0].released == 3
    assert await unmapped_lines(client, ledger) == 0
    assert late == Refused("exceeds_remaining", "cancelled", [LineRefusal(1, GIFT, "", 3, 0)])


# -- mapping


async def test_given_an_unknown_line_when_mapped_then_its_units_are_committed_in_the_same_line(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, S=5, T=5)
    order = ops.order("o", ("S", 1), (GIFT, 2), accept_shortage=True)
    made = await ops.changed(ledger, order)

    mapped = await ops.changed(ledger, ops.map_lines("o", (2, "T")))

    assert lines(mapped) == [("S", "main", 1, 1, 0, ""), ("T", "main", 2, 2, 0, "")]
    assert mapped.reservation.lines[1].text == GIFT
    assert [(each.sku, each.available) for each in mapped.availability] == [("T", 3)]
    assert await unmapped_lines(client, ledger) == 0
    assert await ops.changed(ledger, order) == msgspec.structs.replace(made, replayed=True)
    shipped = await ops.changed(ledger, ops.fulfil("o"))
    assert shipped.reservation.state == "fulfilled"
    assert (await ops.level(ledger, "T")).on_hand == 3


async def test_given_units_cancelled_meanwhile_when_mapped_then_only_the_rest_is_committed(ledger: Ledger) -> None:
    await ops.stocked(ledger, T=1)
    await ops.changed(ledger, ops.order("o", (GIFT, 5), accept_shortage=True))
    await ops.changed(ledger, ops.cancel("o", (1, 2)))

    mapped = await ops.changed(ledger, ops.map_lines("o", (1, "T")))

    assert lines(mapped) == [("T", "main", 5, 3, 0, "")]
    assert mapped.reservation.lines[0].released == 2
    assert await ops.available(ledger, "T") == -2  # sold already: a shortage that is seen


async def test_given_a_mapping_that_is_done_when_repeated_then_nothing_changes_and_another_sku_is_refused(
    ledger: Ledger,
) -> None:
    await ops.stocked(ledger, S=5, T=5)
    await ops.changed(ledger, ops.order("o", ("S", 1), (GIFT, 2), accept_shortage=True))
    await ops.changed(ledger, ops.map_lines("o", (2, "T")))

    again = await ops.changed(ledger, ops.map_lines("o", (2, "T")))
    other = await ops.refused(ledger, ops.map_lines("o", (2, "S")))
    never = await ops.refused(ledger, ops.map_lines("o", (1, "T"), (2, "T")))

    assert (lines(again)[1], again.availability) == (("T", "main", 2, 2, 0, ""), [])
    assert other == Refused("line_mapped", "committed", [LineRefusal(2, "T", "main", 2, 0)])
    assert never == Refused("line_mapped", "committed", [LineRefusal(1, "S", "main", 1, 0)])
    assert await ops.available(ledger, "T") == 3


async def test_given_a_key_when_a_mapping_is_repeated_then_it_is_a_replay(ledger: Ledger) -> None:
    await ops.stocked(ledger, T=5)
    await ops.changed(ledger, ops.order("o", (GIFT, 2), accept_shortage=True))

    first = await ops.changed(ledger, ops.map_lines("o", (1, "T"), key="k"))
    await ops.changed(ledger, ops.fulfil("o"))
    again = await ops.changed(ledger, ops.map_lines("o", (1, "T"), key="k"))

    assert again == msgspec.structs.replace(first, replayed=True)


async def test_given_one_line_that_cannot_be_mapped_when_several_are_then_none_is(ledger: Ledger) -> None:
    await ops.stocked(ledger, T=5)
    await ops.changed(ledger, ops.order("o", ("a", 1), ("b", 1), accept_shortage=True))

    unknown = await ops.refused(ledger, ops.map_lines("o", (1, "T"), (2, "X")))
    elsewhere = await ops.refused(ledger, ops.map_lines("o", (1, "T", "izmir")))
    beyond = await ops.refused(ledger, ops.map_lines("o", (1, "T"), (3, "T")))
    nobody = await ops.refused(ledger, ops.map_lines("nobody", (1, "T")))

    assert unknown == Refused("unknown_sku", "backordered", [LineRefusal(2, "X", "", 1, 0)])
    assert elsewhere == Refused("unknown_sku", "backordered", [LineRefusal(1, "T", "izmir", 1, 0)])
    assert beyond == Refused("exceeds_remaining", "backordered", [ops.no_such_line(3, 2, 1, "T")])
    assert nobody.outcome == "unknown_reservation"
    assert await ops.available(ledger, "T") == 5


async def test_given_a_named_location_when_mapped_then_the_units_are_taken_there(ledger: Ledger) -> None:
    await ops.stocked(ledger, T=5)
    await ops.moved(ledger, ops.receive("T", 1, "izmir"))
    await ops.changed(ledger, ops.order("o", ("a", 2), accept_shortage=True))

    mapped = await ops.changed(ledger, ops.map_lines("o", (1, "T", "izmir")))

    assert lines(mapped) == [("T", "izmir", 2, 2, 0, "")]
    assert (await ops.available(ledger, "T"), await ops.available(ledger, "T", "izmir")) == (5, -1)


async def test_given_a_sku_at_another_location_only_when_mapped_then_it_is_taken_from_there(ledger: Ledger) -> None:
    await ops.moved(ledger, ops.receive("T", 4, "izmir"))
    await ops.changed(ledger, ops.order("o", ("a", 2), accept_shortage=True))

    mapped = await ops.changed(ledger, ops.map_lines("o", (1, "T")))

    assert lines(mapped) == [("T", "izmir", 2, 2, 0, "")]


async def test_given_a_mapping_when_the_journal_is_read_then_it_has_the_commitment(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, T=5)
    await ops.changed(ledger, ops.order("o", ("a", 2), accept_shortage=True))
    await ops.changed(ledger, ops.map_lines("o", (1, "T")))

    changes = [change async for _, entry in read(client, ledger.keyspace, "0-0") for change in entry]

    assert [(each.operation, len(each.lines)) for each in changes] == [("receive", 1), ("order", 0), ("map_lines", 1)]
    line = changes[-1].lines[0]
    assert (line.line, line.sku, line.location, line.d_committed, line.available) == (1, "T", "main", 2, 3)
    assert changes[-1].notes == [("line 1", "a")]


async def test_given_everything_in_one_batch_when_it_runs_then_the_mapping_sees_the_order(ledger: Ledger) -> None:
    answers = await asyncio.gather(
        *(
            ops.changed(ledger, operation)
            for operation in (
                ops.order("o", (GIFT, 1), ("X", 2), accept_shortage=True),
                ops.order("p", (GIFT, 1), accept_shortage=True),
            )
        )
    )
    await ops.stocked(ledger, X=5)
    mapped = await ops.changed(ledger, ops.map_lines("o", (2, "X")))

    assert [lines(each)[0] for each in answers] == [(GIFT, "", 1, 0, 1, "unmapped")] * 2
    assert lines(mapped) == [(GIFT, "", 1, 0, 1, "unmapped"), ("X", "main", 2, 2, 0, "")]


# -- untracked SKUs


async def test_given_an_untracked_sku_when_ordered_then_it_is_committed_and_shipped_without_stock(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, S=5)
    await untrack(client, ledger)

    order = ops.order("o", ("S", 1), (GIFT, 1))
    made = await ops.changed(ledger, order)
    again = await ops.changed(ledger, order)
    shipped = await ops.changed(ledger, ops.fulfil("o"))
    returned = await ops.changed(ledger, ops.take_back("o", (2, 1, "damaged", "iade")))

    assert lines(made) == [("S", "main", 1, 1, 0, ""), (GIFT, "", 1, 1, 0, "untracked")]
    assert again == msgspec.structs.replace(made, replayed=True)
    assert shipped.reservation.state == "fulfilled"
    assert [(each.sku, each.available) for each in shipped.availability] == [("S", 4)]
    assert (returned.reservation.lines[1].returned, returned.availability) == (1, [])
    assert (await ledger.stock(GIFT)).levels == []


async def test_given_an_untracked_sku_when_held_then_it_is_committed_released_and_expires_like_others(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, S=5)
    await untrack(client, ledger)

    await ops.changed(ledger, ops.reserve("a", (GIFT, 3, "izmir"), ("S", 1)))
    committed = await ops.changed(ledger, ops.commit("a", (1, 2)))
    await ops.changed(ledger, ops.reserve("b", (GIFT, 3)))
    released = await ops.changed(ledger, ops.release("b"))
    hold = await ops.changed(ledger, ops.reserve("c", (GIFT, 3), ttl_ms=ops.SHORT_MS))
    await wait_past(client, hold.reservation.deadline_ms)
    late = await ops.changed(ledger, ops.commit("c"))
    cancelled = await ops.changed(ledger, ops.cancel("c"))

    assert [(line.committed, line.released) for line in committed.reservation.lines] == [(2, 1), (0, 1)]
    assert released.reservation.state == "released"
    assert lines(late) == [(GIFT, "", 3, 3, 0, "untracked")]
    assert cancelled.reservation.state == "cancelled"
    assert await ops.available(ledger, "S") == 5


async def test_given_an_untracked_sku_when_more_is_short_then_only_stock_is_refused(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, S=1)
    await untrack(client, ledger)

    refused = await ops.refused(ledger, ops.order("a", ("S", 2), (GIFT, 9)))
    partial = await ops.changed(ledger, ops.reserve("b", ("S", 2), (GIFT, 9), partial=True))
    nothing = await ops.changed(ledger, ops.reserve("c", ("S", 2), (GIFT, 9), partial=True))

    assert refused == Refused("out_of_stock", "", [LineRefusal(1, "S", "main", 2, 1)])
    assert [(line.held, line.requested) for line in partial.reservation.lines] == [(1, 2), (9, 9)]
    assert [(line.held, line.requested) for line in nothing.reservation.lines] == [(0, 2), (9, 9)]


async def test_given_an_untracked_sku_when_units_are_received_then_it_is_tracked_and_its_orders_go_on(
    client: Redis, ledger: Ledger
) -> None:
    await untrack(client, ledger)
    await ops.changed(ledger, ops.order("a", (GIFT, 1)))

    await ops.stocked(ledger, **{GIFT: 1})
    await ops.changed(ledger, ops.order("b", (GIFT, 1)))
    refused = await ops.refused(ledger, ops.order("c", (GIFT, 1)))
    shipped = await ops.changed(ledger, ops.fulfil("a"))

    assert refused.outcome == "out_of_stock"
    assert lines(shipped) == [(GIFT, "", 1, 0, 0, "untracked")]
    assert not await SkuStore(client, ledger.keyspace, RETENTION.packed()).track(GIFT, "tester", tracked=False)


async def test_given_an_untracked_sku_when_an_unknown_line_is_mapped_to_it_then_it_needs_no_stock(
    client: Redis, ledger: Ledger
) -> None:
    await untrack(client, ledger)
    order = ops.order("o", ("Hediye paketi", 2), accept_shortage=True)
    made = await ops.changed(ledger, order)

    mapped = await ops.changed(ledger, ops.map_lines("o", (1, GIFT)))

    assert lines(mapped) == [(GIFT, "", 2, 2, 0, "untracked")]
    assert await ops.changed(ledger, order) == msgspec.structs.replace(made, replayed=True)
    assert (await ops.changed(ledger, ops.fulfil("o"))).reservation.state == "fulfilled"
    assert await unmapped_lines(client, ledger) == 0


async def test_given_shipped_units_when_exchanged_for_what_nobody_knows_then_both_are_recorded(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, S=5)
    await untrack(client, ledger)
    await ops.changed(ledger, ops.order("o", ("S", 1), (GIFT, 1)))
    await ops.changed(ledger, ops.fulfil("o"))

    swap = ops.exchange(
        ops.take_back("o", (1, 1), (2, 1), key="k"),
        ops.order("new", ("S", 1), (GIFT, 1), ("X", 1), accept_shortage=True),
    )
    done = await ops.exchanged(ledger, swap)

    assert lines(done.promised) == [
        ("S", "main", 1, 1, 0, ""),
        (GIFT, "", 1, 1, 0, "untracked"),
        ("X", "", 1, 0, 1, "unmapped"),
    ]
    assert await unmapped_lines(client, ledger) == 1
    refused = ops.exchange(ops.take_back("new", (2, 1)), ops.order("other", ("Y", 1)))
    assert await ops.half_refused(ledger, refused) == ("return", "not_fulfilled")


async def test_given_a_sku_without_the_mark_when_tracked_then_nothing_is_made_known(
    client: Redis, ledger: Ledger
) -> None:
    store = SkuStore(client, ledger.keyspace, RETENTION.packed())

    assert await store.track(GIFT, "tester", tracked=True)
    assert await client.hlen(ledger.keyspace.skus) == 0
    await untrack(client, ledger)
    assert await store.is_untracked(GIFT)
    assert await store.track(GIFT, "tester", tracked=True)
    assert not await store.is_untracked(GIFT)
    assert await client.hlen(ledger.keyspace.skus) == 0
    assert (await ops.refused(ledger, ops.order("o", (GIFT, 1)))).outcome == "unknown_sku"


# -- planned orders


async def test_given_a_planned_order_with_lines_that_nobody_knows_when_accepted_then_the_others_are_planned(
    client: Redis, ledger: Ledger
) -> None:
    await ops.moved(ledger, ops.receive("S", 5, "izmir"))
    await untrack(client, ledger)

    order = ops.order("o", (GIFT, 1, ""), ("S", 2, ""), ("?", 3, ""), accept_shortage=True)
    made = await ops.changed(ledger, ops.sourced(order, ["ankara", "izmir"], open_group=""))
    again = await ops.changed(ledger, ops.sourced(order, ["ankara", "izmir"], open_group=""))

    assert lines(made) == [
        (GIFT, "", 1, 1, 0, "untracked"),
        ("S", "izmir", 2, 2, 0, ""),
        ("?", "", 3, 0, 3, "unmapped"),
    ]
    assert made.reservation.open is not None
    assert made.reservation.open.lines == [2]
    assert again == msgspec.structs.replace(made, replayed=True)


async def test_given_a_planned_hold_with_an_untracked_sku_when_made_then_only_an_unknown_one_is_refused(
    client: Redis, ledger: Ledger
) -> None:
    await ops.moved(ledger, ops.receive("S", 5, "izmir"))
    await untrack(client, ledger)

    held = await ops.changed(ledger, ops.sourced(ops.reserve("a", (GIFT, 1, ""), ("S", 2, "")), ["izmir"]))
    only = await ops.changed(ledger, ops.sourced(ops.reserve("b", (GIFT, 4, "")), ["izmir"]))
    refused = await ops.refused(ledger, ops.sourced(ops.reserve("c", (GIFT, 1, ""), ("?", 2, "")), ["izmir"]))

    assert [(line.sku, line.location, line.held) for line in held.reservation.lines] == [
        (GIFT, "", 1),
        ("S", "izmir", 2),
    ]
    assert [(line.sku, line.held) for line in only.reservation.lines] == [(GIFT, 4)]
    assert refused == Refused("unknown_sku", "", [LineRefusal(2, "?", "", 2, 0)])


# -- lines without a location


async def test_given_lines_without_a_location_when_one_is_unknown_then_the_others_take_what_is_there_everywhere(
    ledger: Ledger,
) -> None:
    await ops.stocked(ledger, S=3)
    await ops.moved(ledger, ops.receive("S", 3, "izmir"))

    made = await ops.changed(ledger, ops.order("o", ("S", 7, ""), (GIFT, 1, ""), accept_shortage=True))

    assert lines(made) == [("S", "main", 4, 4, 0, ""), (GIFT, "", 1, 0, 1, "unmapped"), ("S", "izmir", 3, 3, 0, "")]
    refused = await ops.refused(ledger, ops.order("p", (GIFT, 1, ""), ("S", 1, "")))
    assert refused == Refused("unknown_sku", "", [LineRefusal(1, GIFT, "main", 1, 0)])


async def test_given_units_at_several_locations_when_a_line_is_mapped_then_further_ones_get_lines_at_the_end(
    ledger: Ledger,
) -> None:
    await ops.stocked(ledger, T=3)
    await ops.moved(ledger, ops.receive("T", 2, "izmir"))
    order = ops.order("o", ("a", 6, ""), accept_shortage=True)
    made = await ops.changed(ledger, order)

    mapped = await ops.changed(ledger, ops.map_lines("o", (1, "T")))

    assert lines(mapped) == [("T", "main", 6, 4, 0, ""), ("T", "izmir", 2, 2, 0, "")]
    assert mapped.reservation.lines[0].released == 2
    assert [(each.location, each.available) for each in mapped.availability] == [("main", -1), ("izmir", 0)]
    assert await ops.changed(ledger, order) == msgspec.structs.replace(made, replayed=True)
    assert (await ops.changed(ledger, ops.fulfil("o"))).reservation.state == "fulfilled"


async def test_given_an_untracked_sku_when_a_plan_is_explained_then_it_is_that_of_the_others(
    client: Redis, ledger: Ledger
) -> None:
    await ops.moved(ledger, ops.receive("S", 5, "izmir"))
    await untrack(client, ledger)

    choice = await ledger.explain(ops.sourced(ops.reserve("a", (GIFT, 1, ""), ("S", 2, "")), ["izmir"]))

    assert [(part.line, part.location, part.units) for part in choice.parts] == [(2, "izmir", 2)]


async def test_given_a_mapped_line_when_sales_are_reported_then_it_was_ordered_when_it_was_mapped(
    ledger: Ledger, client: Redis
) -> None:
    await ledger.run(ops.count("Q", 9))
    await ledger.run(ops.order("o", ("P?", 5), accept_shortage=True))
    await ledger.run(ops.map_lines("o", (1, "Q")))

    changes = [change async for _, entry in read(client, ledger.keyspace) for change in entry]
    figures = Figures()
    for change in changes:
        for line in change.lines:
            figures.take(change.operation, line.d_on_hand, line.d_committed + line.d_owed)

    assert (figures.ordered, figures.net) == (5, 5)
