"""What is kept of channels' orders: against kills, stale news, renames, unknown lines, audits and time."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from server.domain.answers import OrderNoted, Refused
from server.domain.booked_orders import KEPT_S, BookedOrder, order_field
from server.domain.channels import Listing
from server.domain.components import Component, known_by
from server.domain.operations.orders import Noted, NoteOrder
from server.service.caller import Caller
from server.service.renames import rename_sku
from server.store.audit.audit import audit
from server.store.maintenance.old_orders import forget_orders
from server.store.repositories.booked_orders import packed, read_order
from server.store.repositories.channels import ChannelStore
from tests.conftest import RETENTION
from tests.support.channel_orders import CHANNEL, buckets, hear, line, told
from tests.support.operations import cancel, changed, edit, fulfil, order, release, stocked


class KilledError(Exception):
    """The process ends here."""


class Mortal:
    """A ledger that ends its process at one of its steps, before it is sent or behind it."""

    def __init__(self, ledger: Any, lives: int, *, sent: bool) -> None:
        self._ledger = ledger
        self._lives = lives
        self._sent = sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def run(self, operation: Any) -> Any:
        self._lives -= 1
        if self._lives < 0 and not self._sent:
            raise KilledError
        answer = await self._ledger.run(operation)
        if self._lives < 0:
            raise KilledError
        return answer


def mortal(caller: Caller, lives: int, *, sent: bool) -> Caller:
    ledger: Any = Mortal(caller.ledger, lives, sent=sent)
    partition = replace(caller.partition, ledgers={caller.principal.actor: ledger})
    return Caller(caller.principal, partition)


async def list_pack(caller: Caller, key: str, *components: tuple[str, int]) -> None:
    listing = Listing(known_by(key), key, components=[Component(*each) for each in components])
    store = ChannelStore(caller.partition.client, caller.partition.keyspace)
    assert await store.put_listings(CHANNEL, [listing], "tester")


@pytest.mark.parametrize("sent", [False, True])
@pytest.mark.parametrize("lives", range(6))
async def test_given_a_kill_at_any_step_when_the_snapshot_comes_again_then_all_is_done_once(
    caller: Caller, lives: int, sent: bool
) -> None:
    await stocked(caller.ledger, A=20, B=20)
    await hear(caller, told("1", 1, line("l1", 4), line("l2", 4, sku="B", shipped=3), line("l3", 2)))
    after = told(
        "1", 2, line("l1", 5, cancelled=1, shipped=2), line("l2", 4, sku="B", shipped=1), line("l4", 1, sku="B")
    )

    try:
        await hear(mortal(caller, lives, sent=sent), after)
    except KilledError:
        await hear(caller, after)

    assert (await buckets(caller), await buckets(caller, "B")) == ((18, 0, 2), (19, 0, 4))
    assert (await hear(caller, after)).unchanged


async def test_given_news_in_any_order_then_older_ones_change_nothing(caller: Caller) -> None:
    await stocked(caller.ledger, A=9)
    news = [told("1", at_ms, line("l1", 3, cancelled=cancelled)) for at_ms, cancelled in enumerate((0, 2, 1), 1)]

    for order_ in (news[2], news[0], news[1], news[2]):
        await hear(caller, order_)
        assert await buckets(caller) == (9, 0, 2)

    assert (await hear(caller, news[0])).stale
    assert not (await hear(caller, news[0], fetched=True)).stale
    assert await buckets(caller) == (9, 0, 3)


async def test_given_parts_of_an_order_then_none_lowers_what_another_has_told(caller: Caller) -> None:
    await stocked(caller.ledger, A=9, B=9)
    one = told("1", 5, line("l1", 3), complete=False)
    other = told("1", 4, line("l2", 2, sku="B"), complete=False)

    for part in (one, other, one, other):
        await hear(caller, part)

    assert (await buckets(caller), await buckets(caller, "B")) == ((9, 0, 3), (9, 0, 2))


async def test_given_what_is_gone_without_certainty_then_a_second_look_decides(caller: Caller) -> None:
    await stocked(caller.ledger, A=9)
    await hear(caller, told("1", 1, line("l1", 3)))
    gone = told("1", 2, line("l1", 3, cancelled=3), gone_is_certain=False)

    first = await hear(caller, gone, second_look_s=3600.0)
    assert (await buckets(caller), first.inbox) == ((9, 0, 3), "")
    assert first.second_look_at_ms > 0
    soon = await hear(caller, gone, fetched=True, second_look_s=3600.0)
    assert (soon.second_look_at_ms, await buckets(caller)) == (first.second_look_at_ms, (9, 0, 3))
    await hear(caller, gone, fetched=True, second_look_s=0.0)

    assert await buckets(caller) == (9, 0, 0)


async def test_given_what_is_gone_without_certainty_when_it_comes_back_then_nothing_was_let_go(caller: Caller) -> None:
    await stocked(caller.ledger, A=9)
    await hear(caller, told("1", 1, line("l1", 3)))

    await hear(caller, told("1", 2, line("l1", 3, cancelled=3), gone_is_certain=False))
    back = await hear(caller, told("1", 3, line("l1", 3)))

    assert (back.reservations, await buckets(caller)) == (("market.1",), (9, 0, 3))


async def test_given_what_the_desk_has_done_when_the_channel_tells_it_then_it_is_not_done_twice(
    caller: Caller,
) -> None:
    await stocked(caller.ledger, A=9)
    await hear(caller, told("1", 1, line("l1", 4)))
    await changed(caller.ledger, fulfil("market.1", (1, 1)))
    await changed(caller.ledger, cancel("market.1", (1, 1)))

    ahead = await hear(caller, told("1", 2, line("l1", 4)), whole=True)
    assert (ahead.lines[0].shipped, ahead.lines[0].cancelled, ahead.lines[0].booked) == (1, 1, 2)
    booked = await hear(caller, told("1", 3, line("l1", 4, cancelled=1, shipped=1)))

    assert (booked.steps, await buckets(caller)) == ((), (8, 0, 2))


async def test_given_a_shipped_line_when_the_channel_cancels_it_then_the_inbox_has_it(caller: Caller) -> None:
    await stocked(caller.ledger, A=9)
    await hear(caller, told("1", 1, line("l1", 1)))
    await changed(caller.ledger, fulfil("market.1"))

    booked = await hear(caller, told("1", 2, line("l1", 1, cancelled=1)))

    assert (booked.inbox, await buckets(caller)) == ("cancelled_after_shipping", (8, 0, 0))


async def test_given_pieces_that_came_back_then_nothing_is_restocked_by_itself(caller: Caller) -> None:
    await stocked(caller.ledger, A=9)
    await hear(caller, told("1", 1, line("l1", 2, shipped=2)))

    booked = await hear(caller, told("1", 2, line("l1", 2, shipped=2, returned=1)))

    assert [(each.line, each.pieces) for each in booked.returned] == [("l1", 1)]
    assert await buckets(caller) == (7, 0, 0)


async def test_given_packs_and_bundles_then_their_components_follow(caller: Caller) -> None:
    await stocked(caller.ledger, A=20, B=20)
    await list_pack(caller, "six", ("A", 6))
    await list_pack(caller, "set", ("A", 1), ("B", 2))
    lines = {"l1": ("six", 2), "l2": ("set", 3)}

    def snapshot(at_ms: int, **figures: dict[str, int]) -> Any:
        return told(
            "1", at_ms,
            *(line(key, n, sku="", listing=listing, **figures.get(key, {})) for key, (listing, n) in lines.items()),
        )  # fmt: skip

    await hear(caller, snapshot(1))
    assert (await buckets(caller), await buckets(caller, "B")) == ((20, 0, 15), (20, 0, 6))
    await hear(caller, snapshot(2, l1={"cancelled": 1}, l2={"shipped": 1}))
    assert (await buckets(caller), await buckets(caller, "B")) == ((19, 0, 8), (18, 0, 4))
    await hear(caller, snapshot(3, l1={"cancelled": 0}, l2={"shipped": 0}))
    assert (await buckets(caller), await buckets(caller, "B")) == ((20, 0, 15), (20, 0, 6))


async def test_given_a_listing_that_nobody_knows_when_it_is_listed_then_the_next_look_maps_it(caller: Caller) -> None:
    await stocked(caller.ledger, A=20, B=20)
    first = told(
        "1", 1, line("l1", 2, sku="", listing="tee"), line("l2", 1, sku="", listing="six"), line("l3", 1, sku="B")
    )

    unknown = await hear(caller, first)
    assert (unknown.inbox, unknown.unmapped) == ("unmapped", ("l1", "l2"))
    assert (await buckets(caller), await buckets(caller, "B")) == ((20, 0, 0), (20, 0, 1))
    store = ChannelStore(caller.partition.client, caller.partition.keyspace)
    await store.put_listings(CHANNEL, [Listing("A", "tee")], "tester")
    await list_pack(caller, "six", ("A", 6))
    mapped = await hear(caller, first)

    assert (mapped.inbox, await buckets(caller), await buckets(caller, "B")) == ("", (20, 0, 8), (20, 0, 1))


async def test_given_keys_that_were_swapped_when_a_line_is_raised_then_its_pieces_are_what_it_was_sold_as(
    caller: Caller,
) -> None:
    await stocked(caller.ledger, A=20, B=20)
    store = ChannelStore(caller.partition.client, caller.partition.keyspace)
    await store.put_listings(CHANNEL, [Listing("A", "1"), Listing("B", "2")], "tester")
    lines = [line("l1", 2, sku="", listing="1"), line("l2", 1, sku="", listing="2")]
    await hear(caller, told("1", 1, *lines))
    await store.put_listings(CHANNEL, [Listing("A", "2"), Listing("B", "1")], "tester")

    raised = [replace(lines[0], ordered=5), lines[1], line("l3", 3, sku="", listing="1")]
    await hear(caller, told("1", 2, *raised))

    assert (await buckets(caller), await buckets(caller, "B")) == ((20, 0, 5), (20, 0, 4))
    await hear(caller, told("1", 3, replace(raised[0], cancelled=4, shipped=1), *raised[1:]))
    assert (await buckets(caller), await buckets(caller, "B")) == ((19, 0, 0), (20, 0, 4))


async def test_given_a_pack_whose_key_means_another_when_it_is_raised_then_it_is_the_same_pack(caller: Caller) -> None:
    await stocked(caller.ledger, A=60, B=60)
    await list_pack(caller, "six", ("A", 6))
    before = line("l1", 1, sku="", listing="six")
    await hear(caller, told("1", 1, before))
    await list_pack(caller, "six", ("A", 4), ("B", 2))

    await hear(caller, told("1", 2, replace(before, ordered=3)))

    assert (await buckets(caller), await buckets(caller, "B")) == ((60, 0, 18), (60, 0, 0))


async def test_given_a_listing_that_is_gone_when_a_line_is_raised_then_it_is_known_all_the_same(caller: Caller) -> None:
    await stocked(caller.ledger, A=20)
    store = ChannelStore(caller.partition.client, caller.partition.keyspace)
    await store.put_listings(CHANNEL, [Listing("A", "1")], "tester")
    before = line("l1", 2, sku="", listing="1")
    await hear(caller, told("1", 1, before))
    await store.delete_listing(CHANNEL, "A", "tester")

    raised = await hear(caller, told("1", 2, replace(before, ordered=5)))

    assert (raised.inbox, await buckets(caller)) == ("", (20, 0, 5))


async def test_given_a_sku_that_was_renamed_then_its_order_goes_on(caller: Caller) -> None:
    await stocked(caller.ledger, A=9)
    await hear(caller, told("1", 1, line("l1", 4)))

    await rename_sku(caller, "A", "Z")
    booked = await hear(caller, told("1", 2, line("l1", 5, cancelled=1, shipped=2)))

    assert (booked.inbox, await buckets(caller, "Z")) == ("", (7, 0, 2))


async def test_given_a_record_that_others_have_written_since_then_a_step_changes_nothing(caller: Caller) -> None:
    await stocked(caller.ledger, A=9)
    record = BookedOrder(1, "open", [], 0)
    noted = Noted(order_field(CHANNEL, "1"), 0, packed(record), [], 0, NoteOrder("", "tester"))

    first = await caller.ledger.run(noted)
    step = replace(noted, operation=order("market.1", ("A", 1), channel=CHANNEL))
    second = await caller.ledger.run(step)
    unlike = replace(step, version=1, seen=[("market.1", "0:0")])
    third = await caller.ledger.run(unlike)

    assert isinstance(first, OrderNoted)
    for answer in (second, third):
        assert isinstance(answer, Refused)
        assert answer.outcome == "order_moved"
    assert await buckets(caller) == (9, 0, 0)


async def test_given_a_step_that_is_refused_then_its_record_is_not_written(caller: Caller) -> None:
    await stocked(caller.ledger, A=1)
    record = BookedOrder(1, "open", ["r"], 0)
    operation = order("r", ("A", 2), channel=CHANNEL)

    answer = await caller.ledger.run(Noted(order_field(CHANNEL, "1"), 0, packed(record), [], 0, operation))

    assert isinstance(answer, Refused)
    partition = caller.partition
    assert (await read_order(partition.client, partition.keyspace, CHANNEL, "1")).record is None


async def kept(caller: Caller, number: str) -> BookedOrder:
    partition = caller.partition
    record = (await read_order(partition.client, partition.keyspace, CHANNEL, number)).record
    assert record is not None
    return record


async def keep(caller: Caller, number: str, record: BookedOrder) -> None:
    partition = caller.partition
    await partition.client.hset(partition.keyspace.orders, order_field(CHANNEL, number), packed(record))


async def test_given_a_record_that_differs_from_its_reservations_then_the_audit_finds_it(caller: Caller) -> None:
    await stocked(caller.ledger, A=9)
    await hear(caller, told("1", 1, line("l1", 4)))
    partition = caller.partition
    assert not (await audit(partition.client, partition.keyspace)).drift
    record = await kept(caller, "1")
    part = record.lines[0].parts[0]

    for wrong in (replace(part, pieces=5), replace(part, reservation=7), replace(part, lines=[9])):
        await keep(caller, "1", replace(record, lines=[replace(record.lines[0], parts=[wrong])]))
        report = await audit(partition.client, partition.keyspace)
        assert [drift.what for drift in report.drift] == ["order"]
    await partition.client.hset(partition.keyspace.orders, order_field(CHANNEL, "1"), b"nothing")
    assert [drift.what for drift in (await audit(partition.client, partition.keyspace)).drift] == ["unreadable"]


async def test_given_records_of_long_ago_then_they_are_forgotten_and_others_stay(caller: Caller) -> None:
    await stocked(caller.ledger, A=9)
    numbers = [str(number) for number in range(500)]
    await hear(caller, told("0", 1, line("l1", 1)))
    record = await kept(caller, "0")
    old_ms = record.touched_ms - 1000 * KEPT_S - 5_000
    posted_ms = record.touched_ms - 1000 * RETENTION.fulfilled_s - 5_000
    for number in numbers[1:]:
        state, touched_ms = [("open", old_ms), ("posted", posted_ms), ("open", posted_ms)][int(number) % 3]
        await keep(caller, number, msgspec.structs.replace(record, state=state, touched_ms=touched_ms))

    await forget_orders(caller.partition.client, RETENTION, caller.partition.keyspace)

    left = await caller.partition.client.hkeys(caller.partition.keyspace.orders)
    assert set(left) == {
        order_field(CHANNEL, number).encode() for number in numbers if int(number) % 3 == 2 or number == "0"
    }


async def test_given_a_reservation_that_is_forgotten_when_its_cancel_is_taken_back_then_it_is_booked(
    caller: Caller,
) -> None:
    await stocked(caller.ledger, A=9)
    await hear(caller, told("1", 1, line("l1", 3, cancelled=3), state="unpaid"))
    await hear(caller, told("1", 2, line("l1", 3)))
    await hear(caller, told("1", 3, line("l1", 3, cancelled=3)))
    partition = caller.partition
    await partition.client.hdel(partition.keyspace.ended, "market.1")

    booked = await hear(caller, told("1", 4, line("l1", 3)))

    assert (booked.inbox, await buckets(caller)) == ("", (9, 0, 3))


async def test_given_an_edit_or_a_release_at_the_desk_then_the_channels_cancel_counts_it(caller: Caller) -> None:
    await stocked(caller.ledger, A=9)
    await hear(caller, told("1", 1, line("l1", 4)))
    await changed(caller.ledger, edit("market.1", (1, 3)))
    await hear(caller, told("2", 1, line("l1", 2), state="unpaid"))
    await changed(caller.ledger, release("market.2", (1, 1)))

    await hear(caller, told("1", 2, line("l1", 4, cancelled=1)))
    await hear(caller, told("2", 2, line("l1", 2, cancelled=1)))

    assert await buckets(caller) == (9, 0, 4)
