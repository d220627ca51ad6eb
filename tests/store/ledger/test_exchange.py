"""Exchange: a return and a new reservation in one script: both happen, or neither."""

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.changes import Change
from server.domain.exchange import Exchanged, ExchangeRefused
from server.domain.operations.reservations import Order, Reserve, Return
from server.domain.reservation import Changed
from server.domain.sourcing import Sourced
from server.store.audit.audit import audit
from server.store.journal.journal import read
from server.store.ledger.ledger import Ledger
from tests.conftest import close_locations, wait_past
from tests.support import operations as ops


async def shipped(ledger: Ledger, reservation_id: str = "old", units: int = 2) -> None:
    """Ship an order of A from main."""
    await ops.changed(ledger, ops.order(reservation_id, ("A", units)))
    await ops.changed(ledger, ops.fulfil(reservation_id))


async def entries(client: Redis, ledger: Ledger) -> list[list[Change]]:
    return [changes async for _, changes in read(client, ledger.keyspace)]


async def everything(client: Redis, ledger: Ledger) -> list[object]:
    """Read all that the store keeps of the partition."""
    keys = ledger.keyspace.all
    return [await client.dump(key) for key in keys]


async def test_given_a_damaged_unit_when_exchanged_for_the_same_sku_then_both_halves_happen_in_one_journal_entry(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=5)
    await shipped(ledger)
    before = len(await entries(client, ledger))

    answer = await ops.exchanged(
        ledger, ops.exchange(ops.take_back("old", (1, 1, "damaged", "")), ops.order("new", ("A", 1)))
    )

    assert (answer.returned.reservation.lines[0].returned, answer.promised.reservation.state) == (1, "committed")
    assert (await ops.level(ledger, "A")).damaged == 1
    assert [(each.location, each.available) for each in answer.returned.availability] == [("main", 2)]
    new = (await entries(client, ledger))[before:]
    assert [[change.operation for change in entry] for entry in new] == [["return", "order"]]
    assert [dict(change.notes) for change in new[0]] == [{"exchanged_for": "new"}, {"exchange_of": "old"}]
    assert [dict(each.reservation.notes) for each in (answer.returned, answer.promised)] == [
        {"exchanged_for": "new"},
        {"exchange_of": "old"},
    ]


async def test_given_nothing_else_on_the_shelf_when_exchanged_then_what_comes_back_serves_the_new_reservation(
    ledger: Ledger,
) -> None:
    await ops.stocked(ledger, A=2)
    await shipped(ledger)

    answer = await ops.exchanged(ledger, ops.exchange(ops.take_back("old", (1, 2)), ops.reserve("new", ("A", 2))))

    assert answer.promised.reservation.lines[0].held == 2
    assert [each.available for each in answer.returned.availability] == [0]


async def test_given_damaged_units_and_an_empty_shelf_when_exchanged_then_neither_half_happens(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=2)
    await shipped(ledger)
    before = await everything(client, ledger)

    answer = await ledger.run(
        ops.exchange(ops.take_back("old", (1, 1, "damaged", "elsewhere"), key="k"), ops.reserve("new", ("A", 1)))
    )

    short = Refused("out_of_stock", "", [LineRefusal(1, "A", "main", 1, 0)])
    assert answer == ExchangeRefused("promise", short)
    assert await everything(client, ledger) == before


@pytest.mark.parametrize(
    ("returned", "new", "refusal"),
    [
        (ops.take_back("old", (1, 3)), ops.reserve("new", ("A", 1)), "return: exceeds_remaining"),
        (ops.take_back("old", (2, 1)), ops.reserve("new", ("A", 1)), "return: exceeds_remaining"),
        (ops.take_back("nobody", (1, 1)), ops.reserve("new", ("A", 1)), "return: unknown_reservation"),
        (ops.take_back("held", (1, 1)), ops.reserve("new", ("A", 1)), "return: not_fulfilled"),
        (ops.take_back("old", (1, 1)), ops.reserve("new", ("A", 9)), "promise: out_of_stock"),
        (ops.take_back("old", (1, 1)), ops.order("new", ("B", 1)), "promise: unknown_sku"),
        (ops.take_back("old", (1, 1)), ops.order("held", ("A", 1)), "promise: id_reused"),
        (ops.take_back("old", (1, 1)), ops.order("old", ("A", 1)), "promise: id_reused"),
        (
            ops.take_back("old", (1, 1)),
            ops.order("new", ("A", 1, "shut")),
            "promise: location_closed",
        ),
        (
            ops.meant(ops.take_back("old", (1, 1), (1, 1, "damaged", "shop"))),
            ops.sourced(ops.order("new", ("A", 9, "")), ["main"]),
            "promise: out_of_stock",
        ),
    ],
)
async def test_given_a_half_that_cannot_be_when_exchanged_then_it_is_named_and_nothing_changes(
    ledger: Ledger, client: Redis, returned: Return, new: Reserve | Order | Sourced, refusal: str
) -> None:
    await ops.stocked(ledger, A=5)
    await shipped(ledger)
    await ops.changed(ledger, ops.reserve("held", ("A", 1)))
    await close_locations(client, ledger, "shut")
    before = await everything(client, ledger)

    half, outcome = await ops.half_refused(ledger, ops.exchange(returned, new))

    assert f"{half}: {outcome}" == refusal

    assert await everything(client, ledger) == before
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_a_key_when_sent_again_then_both_halves_are_answered_as_the_first_time(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=5)
    await shipped(ledger)
    operation = ops.exchange(ops.take_back("old", (1, 1), key="k"), ops.reserve("new", ("A", 1)))
    first = await ops.exchanged(ledger, operation)
    await ops.changed(ledger, ops.release("new"))

    again = await ops.exchanged(ledger, operation)
    other = await ledger.run(ops.exchange(ops.take_back("old", (1, 1), key="k"), ops.reserve("x", ("A", 1))))

    assert again == msgspec.structs.replace(first, replayed=True)
    assert other == Refused("id_reused", "", [])
    assert await ops.available(ledger, "A") == 4


async def test_given_a_planned_reservation_when_exchanged_then_a_location_is_chosen_for_it(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=2)
    await shipped(ledger)
    await ops.moved(ledger, ops.receive("A", 1, "depo"))
    request = ops.sourced(ops.order("new", ("A", 3, "")), ["depo", "main"], 1, split_lines=True)

    answer = await ops.exchanged(ledger, ops.exchange(ops.take_back("old", (1, 2)), request))

    lines = answer.promised.reservation.lines
    assert [(line.location, line.committed) for line in lines] == [("main", 2), ("depo", 1)]
    assert dict(answer.promised.reservation.notes) == {"exchange_of": "old"}


async def test_given_refused_and_accepted_exchanges_in_one_call_when_run_then_each_stands_alone(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=3, B=1)
    await shipped(ledger, "old", 3)

    answers = await asyncio.gather(
        ledger.run(ops.exchange(ops.take_back("old", (1, 1), reason="no"), ops.reserve("n1", ("B", 2)))),
        ledger.run(ops.exchange(ops.take_back("old", (1, 1), reason="yes"), ops.reserve("n2", ("B", 1)))),
        ledger.run(ops.exchange(ops.take_back("old", (1, 1, "damaged", "x")), ops.reserve("n3", ("B", 1)))),
        ledger.run(ops.reserve("n4", ("A", 1))),
    )

    assert [type(each) for each in answers] == [ExchangeRefused, Exchanged, ExchangeRefused, Changed]
    old = (await ledger.reservation("old")).reservation
    assert old is not None
    assert (old.lines[0].returned, dict(old.notes)) == (1, {"return_reason": "yes", "exchanged_for": "n2"})
    assert [each.location for each in (await ledger.stock("A")).levels] == ["main"]
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_units_of_an_overdue_hold_when_exchanged_then_the_reservation_can_have_them(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=1, B=1)
    await shipped(ledger, "old", 1)
    expired = await ops.changed(ledger, ops.reserve("basket", ("B", 1), ttl_ms=ops.SHORT_MS))
    await wait_past(client, expired.reservation.deadline_ms)

    answer = await ops.exchanged(ledger, ops.exchange(ops.take_back("old", (1, 1)), ops.order("new", ("B", 1))))

    assert answer.promised.reservation.lines[0].committed == 1
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_many_exchanges_at_once_when_units_are_few_then_returns_and_reservations_go_together(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=20, B=7)
    for number in range(20):
        await shipped(ledger, f"old{number}", 1)

    answers = await asyncio.gather(
        *(ledger.run(ops.exchange(ops.take_back(f"old{n}", (1, 1)), ops.order(f"new{n}", ("B", 1)))) for n in range(20))
    )

    assert sum(isinstance(each, Exchanged) for each in answers) == 7
    assert [await ops.available(ledger, sku) for sku in "AB"] == [7, 0]
    assert (await audit(client, ledger.keyspace)).drift == []


async def waiting_for_a(ledger: Ledger) -> None:
    """Let somebody wait for a unit of A, of which none is there."""
    await ops.moved(ledger, ops.backorder("A", 5))
    await ops.changed(ledger, ops.order("waiting", ("A", 1), backorder=True))


async def owed(ledger: Ledger, reservation_id: str) -> int:
    found = await ledger.reservation(reservation_id)
    assert found.reservation
    return sum(line.backordered for line in found.reservation.lines)


async def test_given_a_waiting_order_when_units_come_back_in_an_exchange_then_it_gets_them_and_the_customer_does_not(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=1, B=1)
    await shipped(ledger, units=1)
    await waiting_for_a(ledger)

    refused = await ledger.run(ops.exchange(ops.take_back("old", (1, 1)), ops.reserve("new", ("A", 1))))
    assert isinstance(refused, ExchangeRefused)
    assert await owed(ledger, "waiting") == 1

    await ops.exchanged(ledger, ops.exchange(ops.take_back("old", (1, 1)), ops.reserve("new", ("B", 1))))
    assert await owed(ledger, "waiting") == 0
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_an_exchange_for_what_is_not_there_yet_then_the_new_reservation_waits_and_names_the_old_one(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=1, B=0)
    await shipped(ledger, units=1)
    await ops.moved(ledger, ops.backorder("B", 5))

    answer = await ops.exchanged(
        ledger, ops.exchange(ops.take_back("old", (1, 1)), ops.order("new", ("B", 1), backorder=True))
    )

    assert answer.promised.reservation.state == "backordered"
    assert dict(answer.promised.reservation.notes) == {"exchange_of": "old"}
    assert (await audit(client, ledger.keyspace)).drift == []
