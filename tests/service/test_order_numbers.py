"""One order, one booking: intake and a connector that posts the same orders, whoever comes first."""

from typing import Any

import pytest
from msgspec.structs import replace

from server.domain.answers import Refused, ReservationAnswer
from server.domain.channels import ChannelSettings
from server.domain.reservation import Changed
from server.schemas.reservations import CommitBody, OrderBody, ReserveBody
from server.service import binding
from server.service.caller import Caller
from server.service.order_lines import meanings
from server.service.problems import refusal
from server.service.renames import rename_sku
from server.service.reservations import commit_operation, make, order_operation, reserve_operation
from server.store.ledger.slices import stock as read_stock
from server.store.repositories.booked_orders import read_order
from tests.support.channel_orders import CHANNEL, buckets, hear, line, told
from tests.support.lines import line_body
from tests.support.many_places import names_of, stock_everywhere
from tests.support.operations import stocked


@pytest.fixture
def connector(caller: Caller) -> Caller:
    """Ask as a connector does, where the channel is configured."""
    settings = ChannelSettings(name=CHANNEL, kind="webhook")
    return Caller(caller.principal, replace(caller.partition, channels={CHANNEL: settings}), "")


async def post(connector: Caller, reservation_id: str, number: str, quantity: int, sku: str = "A") -> ReservationAnswer:
    body = OrderBody(
        channel=CHANNEL, lines=[line_body(sku, quantity)], reservation_id=reservation_id, order_ref=number,
        on_shortage="accept",
    )  # fmt: skip
    return await make(connector, body, order_operation(connector, body))


async def hold(connector: Caller, reservation_id: str, number: str | None, quantity: int) -> ReservationAnswer:
    body = ReserveBody(
        channel=CHANNEL, lines=[line_body("A", quantity)], reservation_id=reservation_id, order_ref=number
    )
    return await make(connector, body, reserve_operation(connector, body))


async def commit(connector: Caller, reservation_id: str, number: str | None) -> ReservationAnswer:
    body = CommitBody(order_ref=number)
    return await binding.carry_out(connector, body, commit_operation(connector, reservation_id, body))


def known(answer: ReservationAnswer) -> tuple[int, str, str]:
    assert isinstance(answer, Refused)
    problem = refusal(answer, "other")
    return problem.status, problem.outcome, problem.reservation_id


async def test_given_a_posted_order_whose_sku_is_renamed_while_it_comes_in_then_it_is_adopted(
    caller: Caller, connector: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stocked(caller.ledger, A=9)
    await post(connector, "mine-7", "7", 2)

    async def renamed_behind(*arguments: Any) -> Any:
        meant = await meanings(*arguments)
        await rename_sku(caller, "A", "B")
        return meant

    monkeypatch.setattr("server.service.orders.meanings", renamed_behind)
    booked = await hear(caller, told("7", 10, line("l1", 2)))

    assert (booked.state, booked.reservations) == ("booked", ("mine-7",))
    assert await buckets(caller, "B") == (9, 0, 2)


async def test_given_an_order_that_a_connector_has_posted_when_it_comes_in_then_it_is_adopted(
    caller: Caller, connector: Caller
) -> None:
    await stocked(caller.ledger, A=9)
    await post(connector, "mine-7", "7", 2)

    booked = await hear(caller, told("7", 1, line("l1", 2)))

    assert (booked.steps, booked.reservations, booked.inbox) == ((), ("mine-7",), "")
    assert await buckets(caller) == (9, 0, 2)


async def test_given_less_was_posted_than_was_sold_then_the_difference_is_booked(
    caller: Caller, connector: Caller
) -> None:
    await stocked(caller.ledger, A=9, B=9)
    await post(connector, "mine-7", "7", 2)

    booked = await hear(caller, told("7", 1, line("l1", 3, cancelled=1), line("l2", 4, sku="B")))

    assert (booked.reservations, booked.inbox) == (("mine-7", "market.7"), "")
    assert (await buckets(caller), await buckets(caller, "B")) == ((9, 0, 2), (9, 0, 4))


async def test_given_something_else_was_posted_than_was_sold_then_the_inbox_has_it(
    caller: Caller, connector: Caller
) -> None:
    await stocked(caller.ledger, A=9, B=9)
    await post(connector, "mine-7", "7", 2, sku="B")

    booked = await hear(caller, told("7", 1, line("l1", 2)))

    assert (booked.inbox, await buckets(caller), await buckets(caller, "B")) == (
        "adopted_differs",
        (9, 0, 2),
        (9, 0, 2),
    )


async def test_given_an_order_that_came_in_when_a_connector_posts_it_then_it_is_told_the_reservation(
    caller: Caller, connector: Caller
) -> None:
    await stocked(caller.ledger, A=9)
    await hear(caller, told("7", 1, line("l1", 2)))
    await hold(connector, "basket", None, 1)

    answers = [await post(connector, "mine", "7", 2), await hold(connector, "other", "7", 2)]
    answers.append(await commit(connector, "basket", "7"))

    assert [known(answer) for answer in answers] == [(409, "order_known", "market.7")] * 3
    assert await buckets(caller) == (9, 1, 2)


async def test_given_a_posted_order_when_it_is_posted_again_then_it_is_a_replay_before_and_after_it_came_in(
    caller: Caller, connector: Caller
) -> None:
    await stocked(caller.ledger, A=9)
    first = await post(connector, "mine", "7", 2)
    before = await post(connector, "mine", "7", 2)
    await hear(caller, told("7", 1, line("l1", 2)))
    after = await post(connector, "mine", "7", 2)

    for answer in (first, before, after):
        assert isinstance(answer, Changed)
    assert before == after
    assert known(await post(connector, "another", "7", 2)) == (409, "order_known", "mine")


async def test_given_a_channel_without_intake_then_several_reservations_may_have_one_number(
    caller: Caller, connector: Caller
) -> None:
    await stocked(caller.ledger, A=9)
    await post(connector, "one", "7", 2)
    await hold(connector, "two", None, 1)
    await commit(connector, "two", "7")
    await hold(connector, "three", "7", 1)
    await commit(connector, "three", "7")

    found = await read_order(caller.partition.client, caller.partition.keyspace, CHANNEL, "7")

    assert found.record is not None
    assert (found.record.state, found.record.reservations) == ("posted", ["one", "two", "three"])
    booked = await hear(caller, told("7", 1, line("l1", 4)))
    assert (booked.steps, await buckets(caller)) == ((), (9, 0, 4))


async def test_given_a_hold_of_a_connector_when_the_order_is_paid_then_its_units_are_committed_once(
    caller: Caller, connector: Caller
) -> None:
    await stocked(caller.ledger, A=9)
    await hold(connector, "basket", "7", 2)

    unpaid = await hear(caller, told("7", 1, line("l1", 2), state="unpaid"))
    assert (unpaid.reservations, await buckets(caller)) == (("basket",), (9, 2, 0))
    paid = await hear(caller, told("7", 2, line("l1", 2)))
    again = await commit(connector, "basket", "7")

    assert (paid.steps, await buckets(caller)) == (("commit",), (9, 0, 2))
    assert isinstance(again, Refused)
    assert again.outcome == "already_committed"


async def test_given_what_the_channel_ships_itself_when_a_connector_posts_it_then_it_is_refused(
    caller: Caller, connector: Caller
) -> None:
    await stocked(caller.ledger, A=9)
    await hear(caller, told("7", 1, line("l1", 2), fulfilled_by="channel"))

    assert known(await post(connector, "mine", "7", 2))[1] == "order_known"
    assert await buckets(caller) == (9, 0, 0)


async def test_given_an_order_of_another_channel_or_without_a_number_then_nothing_is_kept_of_it(
    caller: Caller, connector: Caller
) -> None:
    await stocked(caller.ledger, A=9)
    body = OrderBody(channel="elsewhere", lines=[line_body("A", 1)], reservation_id="r", order_ref="7")
    await make(connector, body, order_operation(connector, body))
    await hold(connector, "basket", None, 1)
    await commit(connector, "basket", None)

    assert not await caller.partition.client.exists(caller.partition.keyspace.orders)


async def test_given_a_sku_in_a_chain_of_stores_then_intake_and_connectors_find_its_units(
    caller: Caller, connector: Caller
) -> None:
    await stock_everywhere(caller.partition.client, caller.partition.keyspace, ["A"], names_of(5_000))
    before = sum(level.on_hand for level in (await read_stock(caller.ledger, "A", places_max=20_000)).levels)

    booked = await hear(caller, told("7", 1, line("l1", 2)))
    posted = await post(connector, "mine", "8", 1)

    assert isinstance(posted, Changed)
    assert (booked.inbox, booked.short) == ("", ())
    levels = (await read_stock(caller.ledger, "A", places_max=20_000)).levels
    assert (sum(each.on_hand for each in levels), sum(each.committed for each in levels)) == (before, 3)
