"""Why something was done: the journal has it where somebody said it. The hottest operations carry no field for it."""

from collections.abc import Awaitable, Callable

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.changes import Change
from server.domain.operations.reservations import Commit, LineQuantity, Release, ReleaseBecause
from server.store.journal.journal import read
from server.store.ledger.codec import pack
from server.store.ledger.ledger import Ledger
from tests.conftest import wait_past
from tests.support.operations import (
    SHORT_MS,
    AnOperation,
    allocate,
    backorder,
    changed,
    fulfil,
    meant,
    order,
    receive,
    refused,
    release,
    relocate,
    reserve,
    stocked,
)

Journal = Callable[[], Awaitable[list[Change]]]


@pytest.fixture
def journal(ledger: Ledger, client: Redis) -> Journal:
    async def changes() -> list[Change]:
        return [change async for _, found in read(client, ledger.keyspace) for change in found]

    return changes


async def ready(ledger: Ledger) -> None:
    """A hold and an order of five units each, and as many elsewhere."""
    await stocked(ledger, A=20)
    await changed(ledger, reserve("hold", ("A", 5)))
    await changed(ledger, order("order", ("A", 5)))


def why(change: Change) -> str | None:
    return dict(change.notes).get("reason")


DONE: list[tuple[str, Callable[[str], AnOperation]]] = [
    ("release", lambda why: release("hold", reason=why)),
    ("release", lambda why: release("hold", (1, 2), reason=why)),
    ("release", lambda why: release("early", reason=why, remember=True)),
    ("fulfil", lambda why: fulfil("order", reason=why)),
    ("fulfil", lambda why: fulfil("order", (1, 2), tracking="TR-1", reason=why)),
]


@pytest.mark.parametrize(("name", "make"), DONE)
@pytest.mark.parametrize("reason", ["", "the buyer called; ş€"])
async def test_given_a_reason_when_something_is_done_then_the_journal_has_it_and_nothing_else_differs(
    ledger: Ledger, journal: Journal, name: str, make: Callable[[str], AnOperation], reason: str
) -> None:
    await ready(ledger)

    await changed(ledger, make(reason))

    change = (await journal())[-1]
    assert (change.operation, why(change)) == (name, reason or None)
    assert change.actor == "tester"


async def test_given_a_reason_when_units_move_to_another_location_then_the_journal_has_it(
    ledger: Ledger, journal: Journal
) -> None:
    await ready(ledger)
    await ledger.run(meant(receive("A", 5, "depo")))

    await changed(ledger, relocate("order", (1, 2, "depo"), reason="broken there"))

    assert [(each.operation, why(each)) for each in (await journal())[-1:]] == [("relocate", "broken there")]


async def test_given_lines_that_wait_when_units_are_released_for_a_reason_then_the_release_alone_has_it(
    ledger: Ledger, journal: Journal
) -> None:
    await stocked(ledger, A=3)
    await ledger.run(backorder("A", 9))
    await changed(ledger, reserve("hold", ("A", 3)))
    await changed(ledger, msgspec.structs.replace(order("waits", ("A", 2)), backorder=True))

    await changed(ledger, release("hold", reason="no payment"))

    assert [(each.operation, why(each)) for each in (await journal())[-2:]] == [
        ("release", "no payment"),
        ("backorder_fill", None),
    ]


async def test_given_allocations_when_units_are_released_for_a_reason_then_the_journal_has_both(
    ledger: Ledger, journal: Journal
) -> None:
    await stocked(ledger, A=9)
    await ledger.run(allocate("A", "shop", 4))
    await changed(ledger, reserve("hold", ("A", 3)))

    await changed(ledger, release("hold", reason="no payment"))

    change = (await journal())[-1]
    assert why(change) == "no payment"
    assert change.allocations_at(change.lines[0])


async def test_given_a_hold_that_has_expired_when_released_for_a_reason_then_the_end_of_the_hold_has_none(
    ledger: Ledger, client: Redis, journal: Journal
) -> None:
    await stocked(ledger, A=9)
    held = await changed(ledger, reserve("hold", ("A", 3), ttl_ms=SHORT_MS))
    await wait_past(client, held.reservation.deadline_ms)

    assert (await refused(ledger, release("hold", reason="no payment"))).outcome == "expired"

    assert [(each.operation, why(each)) for each in (await journal())[-1:]] == [("expire", None)]


async def test_given_a_release_with_a_reason_when_it_is_sent_again_then_it_has_one_effect(
    ledger: Ledger, journal: Journal
) -> None:
    await ready(ledger)
    again = release("hold", (1, 2), reason="no payment", key="k")

    first, second = await changed(ledger, again), await changed(ledger, again)

    assert (first.replayed, second.replayed) == (False, True)
    assert [each.operation for each in await journal()].count("release") == 1


def test_a_release_and_a_commit_carry_no_field_for_a_reason() -> None:
    told = "f" * 16, "key", "r1", "k", [LineQuantity(1, 2)]
    wire = ["f" * 16, "key", "r1", "k", [[1, 2]]]

    assert pack(Release(*told, remember=True)) == msgspec.msgpack.encode(["release", *wire, True])[1:]
    assert pack(Commit(*told, order_ref="o")) == msgspec.msgpack.encode(["commit", *wire, False, "o"])[1:]
    assert pack(ReleaseBecause(*told, reason="x")) == msgspec.msgpack.encode(["release_because", *wire, False, "x"])[1:]
