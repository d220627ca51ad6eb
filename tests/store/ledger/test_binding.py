"""Late binding: held at real locations, bound where the address says when it is committed or shipped."""

import asyncio
import random
from typing import Final

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.operations.reservations import Commit, Fulfil
from server.domain.reservation import Changed, OpenLines, Reservation
from server.domain.sourcing import Candidate
from server.store.audit.audit import audit
from server.store.journal.journal import read
from server.store.ledger.ledger import Ledger
from tests.conftest import close_locations, wait_past
from tests.support import operations as ops

SEED: Final = random.randrange(1 << 32)


async def stocked(ledger: Ledger, **places: dict[str, int]) -> None:
    for name, units in places.items():
        for sku, quantity in units.items():
            await ops.moved(ledger, ops.count(sku, quantity, name))


async def held(ledger: Ledger, *lines: ops.ALine, ttl_ms: int = ops.HOUR_MS) -> Changed:
    request = ops.reserve("r", *lines, ttl_ms=ttl_ms)
    return await ops.changed(ledger, ops.sourced(request, "abc", 1, open_group="stores"))


def where(record: Reservation) -> list[tuple[str, str, int, int]]:
    """Return where units are reserved: SKU, location, held, committed."""
    return [(x.sku, x.location, x.held, x.committed) for x in record.lines if x.held + x.committed]


async def now(ledger: Ledger, reservation_id: str = "r") -> Reservation:
    record = (await ledger.reservation(reservation_id)).reservation
    assert record is not None
    return record


async def left(ledger: Ledger, sku: str = "A") -> dict[str, int]:
    return {each.location: each.available for each in (await ledger.stock(sku)).levels}


async def test_given_a_hold_at_a_group_when_made_then_it_lies_at_a_real_location_and_is_open(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 2}, b={"A": 2})

    answer = await held(ledger, ("A", 1, ""), ("A", 1, "b"))

    assert where(answer.reservation) == [("A", "a", 1, 0), ("A", "b", 1, 0)]
    assert answer.reservation.open == OpenLines("stores", [1])
    assert await now(ledger) == answer.reservation


async def test_given_an_open_hold_when_committed_with_an_address_then_it_is_bound_there(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, a={"A": 2}, b={"A": 2})
    await held(ledger, ("A", 2, ""))

    answer = await ops.changed(ledger, ops.bound(ops.commit("r"), "b", "a"))

    assert where(answer.reservation) == [("A", "b", 0, 2)]
    assert answer.reservation.open == OpenLines("stores", [1], bound=True)
    assert {each.location: each.available for each in answer.availability} == {"a": 2, "b": 0}
    *_, last = [changes async for _, changes in read(client, ledger.keyspace)]
    assert [(change.operation, dict(change.notes)) for change in last] == [
        ("commit", {}),
        ("relocate", {"bound_by": "commit"}),
    ]


async def test_given_nothing_better_when_committed_then_it_stays_and_is_bound(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 2}, b={"A": 1})
    await held(ledger, ("A", 2, ""))

    answer = await ops.changed(ledger, ops.bound(ops.commit("r"), "b"))

    assert where(answer.reservation) == [("A", "a", 0, 2)]
    assert answer.reservation.open == OpenLines("stores", [1], bound=True)


async def test_given_its_own_location_as_the_best_when_committed_then_its_own_units_count_as_there(
    ledger: Ledger,
) -> None:
    await stocked(ledger, a={"A": 2}, b={"A": 2})
    await held(ledger, ("A", 2, ""))

    answer = await ops.changed(ledger, ops.bound(ops.commit("r"), "a", "b"))

    assert where(answer.reservation) == [("A", "a", 0, 2)]


async def test_given_no_address_when_committed_then_it_stays_open_and_a_fulfil_can_still_bind_it(
    ledger: Ledger,
) -> None:
    await stocked(ledger, a={"A": 2}, b={"A": 2})
    await held(ledger, ("A", 2, ""))
    committed = await ops.changed(ledger, ops.commit("r"))
    assert committed.reservation.open == OpenLines("stores", [1])

    shipped = await ops.changed(ledger, ops.bound(ops.fulfil("r"), location="b"))

    assert [(each.location, each.fulfilled) for each in shipped.reservation.lines] == [("a", 0), ("b", 2)]
    assert [(await ops.level(ledger, "A", name)).on_hand for name in "ab"] == [2, 0]


async def test_given_a_part_when_shipped_from_elsewhere_then_the_rest_stays_open(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 3, "B": 1}, b={"A": 1}, c={"A": 5})
    await held(ledger, ("A", 3, ""), ("B", 1, ""))
    await ops.changed(ledger, ops.commit("r"))

    first = await ops.changed(ledger, ops.bound(ops.fulfil("r", (1, 1)), "b", "a"))
    second = await ops.changed(ledger, ops.bound(ops.fulfil("r", (1, 2)), location="c"))

    assert where(first.reservation) == [("A", "a", 0, 2), ("B", "a", 0, 1)]
    assert first.reservation.open == OpenLines("stores", [1, 2])
    shipped = [(each.location, each.fulfilled) for each in second.reservation.lines if each.fulfilled]
    assert shipped == [("b", 1), ("c", 2)]


async def test_given_a_remainder_that_is_released_when_bound_then_only_what_is_ordered_moves(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 3}, b={"A": 2})
    await held(ledger, ("A", 3, ""))

    answer = await ops.changed(ledger, ops.bound(ops.commit("r", (1, 2)), "b"))

    assert where(answer.reservation) == [("A", "b", 0, 2)]
    assert await left(ledger) == {"a": 3, "b": 0}


async def test_given_a_remainder_that_is_kept_when_bound_then_it_moves_along(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 3}, b={"A": 3})
    await held(ledger, ("A", 3, ""))

    answer = await ops.changed(ledger, ops.bound(ops.commit("r", (1, 2), keep=True), "b"))

    assert where(answer.reservation) == [("A", "b", 1, 2)]
    assert answer.reservation.state == "held"


async def test_given_several_locations_when_bound_then_lines_may_be_split_if_that_is_allowed(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 3}, b={"A": 2}, c={"A": 1})
    await held(ledger, ("A", 3, ""))

    answer = await ops.changed(ledger, ops.bound(ops.commit("r"), "b", "c", splits_max=1, split_lines=True))

    assert where(answer.reservation) == [("A", "b", 0, 2), ("A", "c", 0, 1)]
    assert await left(ledger) == {"a": 3, "b": 0, "c": 0}


async def test_given_some_units_there_already_when_split_anew_then_only_the_others_move(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, a={"A": 2}, b={"A": 2})
    request = ops.sourced(ops.reserve("r", ("A", 3, "")), "ab", 1, split_lines=True, open_group="")
    assert where((await ops.changed(ledger, request)).reservation) == [("A", "a", 2, 0), ("A", "b", 1, 0)]

    answer = await ops.changed(
        ledger, ops.bound(ops.commit("r"), Candidate("b", 0), Candidate("a", 1), splits_max=1, split_lines=True)
    )

    assert where(answer.reservation) == [("A", "a", 0, 1), ("A", "b", 0, 1), ("A", "b", 0, 1)]
    assert (await audit(client, ledger.keyspace)).drift == []


@pytest.mark.parametrize(
    ("outcome", "refused_line"),
    [
        ("out_of_stock", LineRefusal(1, "A", "b", 2, 1)),
        ("location_closed", LineRefusal(1, "A", "b", 2, 0)),
        ("unknown_sku", LineRefusal(1, "A", "nowhere", 2, 0)),
    ],
)
@pytest.mark.parametrize("operation", [ops.commit("r"), ops.fulfil("o")])
async def test_given_a_named_location_that_cannot_be_when_bound_then_it_is_refused_and_nothing_changes(
    ledger: Ledger, client: Redis, operation: Commit | Fulfil, outcome: str, refused_line: LineRefusal
) -> None:
    await stocked(ledger, a={"A": 4}, b={"A": 1})
    await held(ledger, ("A", 2, ""))
    await ops.changed(ledger, ops.sourced(ops.order("o", ("A", 2, "")), "a", open_group=""))
    before = await now(ledger, operation.reservation_id), await left(ledger)
    await close_locations(client, ledger, *["b"] * (outcome == "location_closed"))

    refused = await ops.refused(ledger, ops.bound(operation, location=refused_line.location))

    assert refused == Refused(outcome, before[0].state, [refused_line])
    assert (await now(ledger, operation.reservation_id), await left(ledger)) == before


async def test_given_lines_that_are_not_open_when_a_location_is_named_then_it_is_refused_unless_they_lie_there(
    ledger: Ledger,
) -> None:
    await stocked(ledger, a={"A": 2}, b={"A": 2})
    await ops.changed(ledger, ops.reserve("r", ("A", 2, "a")))

    refused = await ops.refused(ledger, ops.bound(ops.commit("r"), location="b"))
    planned = await ops.changed(ledger, ops.bound(ops.commit("r"), "b"))
    shipped = await ops.changed(ledger, ops.bound(ops.fulfil("r"), location="a"))

    assert refused == Refused("not_open", "held", [LineRefusal(1, "A", "a", 2, 0)])
    assert where(planned.reservation) == [("A", "a", 0, 2)]
    assert shipped.reservation.state == "fulfilled"


async def test_given_a_commit_that_is_refused_when_it_names_an_address_then_nothing_moves(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 2}, b={"A": 2})
    before = (await held(ledger, ("A", 2, ""))).reservation

    too_many = await ops.refused(ledger, ops.bound(ops.commit("r", (1, 3)), "b"))
    not_yet = await ops.refused(ledger, ops.bound(ops.fulfil("r"), "b"))
    missing = await ops.refused(ledger, ops.bound(ops.commit("nobody"), "b"))

    assert [each.outcome for each in (too_many, not_yet, missing)] == [
        "exceeds_remaining", "not_committed", "unknown_reservation",
    ]  # fmt: skip
    assert await now(ledger) == before


async def test_given_a_key_when_sent_again_then_the_answer_is_the_first_one(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 2}, b={"A": 2})
    made = await held(ledger, ("A", 2, ""))
    operation = ops.bound(ops.commit("r", key="k"), "b")
    first = await ops.changed(ledger, operation)
    await ops.changed(ledger, ops.cancel("r"))

    assert await ops.changed(ledger, operation) == msgspec.structs.replace(first, replayed=True)
    assert (await ops.refused(ledger, ops.bound(ops.commit("r", key="k"), "a"))).outcome == "id_reused"
    # The hold itself, too, is answered as it was made: open.
    again = ops.sourced(ops.reserve("r", ("A", 2, "")), "c", 1, open_group="stores")
    assert await ops.changed(ledger, again) == msgspec.structs.replace(made, replayed=True)


async def test_given_a_hold_that_expired_when_committed_late_with_an_address_then_it_is_taken_anew_and_bound(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, a={"A": 2}, b={"A": 2})
    made = await held(ledger, ("A", 2, ""), ttl_ms=ops.SHORT_MS)
    await wait_past(client, made.reservation.deadline_ms)

    answer = await ops.changed(ledger, ops.bound(ops.commit("r"), "b"))

    assert where(answer.reservation) == [("A", "b", 0, 2)]
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_a_hold_and_its_bound_commit_in_one_call_when_run_then_it_is_bound_all_the_same(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, a={"A": 2}, b={"A": 2})

    made, bound = await asyncio.gather(
        ledger.run(ops.sourced(ops.reserve("r", ("A", 2, "")), "ab", open_group="")),
        ledger.run(ops.bound(ops.commit("r"), "b")),
    )

    assert isinstance(made, Changed)
    assert isinstance(bound, Changed)
    assert where(bound.reservation) == [("A", "b", 0, 2)]
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_late_bound_and_named_holds_when_they_race_for_the_last_units_then_nothing_is_oversold(
    ledger: Ledger, client: Redis
) -> None:
    choice, names = random.Random(SEED), "abcd"
    await stocked(ledger, **{name: {"A": 30} for name in names})

    async def late(number: int) -> int:
        group = choice.sample(names, 3)
        request = ops.reserve(f"late{number}", ("A", choice.randint(1, 3), ""))
        if not isinstance(await ledger.run(ops.sourced(request, group, 1, open_group="")), Changed):
            return 0
        # What was held at the group can always be committed, and shipped, wherever it is to come from.
        address = choice.sample(names, 2)
        committed = await ops.changed(ledger, ops.bound(ops.commit(f"late{number}"), *address, splits_max=1))
        shipped = await ops.changed(ledger, ops.bound(ops.fulfil(f"late{number}"), *address))
        units = sum(each.fulfilled for each in shipped.reservation.lines)
        assert units == sum(each.committed for each in committed.reservation.lines) == request.lines[0].quantity
        return units

    async def named(number: int) -> int:
        units = choice.randint(1, 3)
        answer = await ledger.run(ops.order(f"named{number}", ("A", units, choice.choice(names))))
        return units if isinstance(answer, Changed) else 0

    sold = await asyncio.gather(*(how(number) for number in range(60) for how in (late, named)))

    levels = (await ledger.stock("A")).levels
    assert min(each.available for each in levels) >= 0, SEED
    assert sum(sold) == 120 - sum(each.available for each in levels)
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_an_order_that_is_bound_and_shipped_in_the_call_that_makes_it_when_read_then_it_has_ended(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, a={"A": 2}, b={"A": 2})

    made, moved, shipped, held_too, bound = await asyncio.gather(
        ledger.run(ops.sourced(ops.order("o", ("A", 1, "")), "ab", open_group="")),
        ledger.run(ops.relocate("o", (1, 0, "b"))),
        ledger.run(ops.bound(ops.fulfil("o"), "a")),
        ledger.run(ops.reserve("r", ("A", 1, "a"))),
        ledger.run(ops.bound(ops.commit("r"), "b")),
    )

    assert all(isinstance(each, Changed) for each in (made, moved, shipped, held_too, bound))
    assert ((await now(ledger, "o")).state, (await now(ledger, "r")).deadline_ms) == ("fulfilled", 0)
    assert await client.zcard(ledger.keyspace.deadlines) == 0
    assert (await audit(client, ledger.keyspace)).drift == []
