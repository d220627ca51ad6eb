"""Looking through reservations on real stores: nothing is lost while it moves, and bad cursors stay outside."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from server.domain.reservation import Reservation
from server.store.connection.commands import run_function
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from server.store.repositories import reservations
from server.store.repositories.reservations import Holder, holders, list_reservations
from tests.conftest import wait_past
from tests.support.operations import cancel, changed, commit, fulfil, order, release, reserve, stocked

MANY = 600
"""Past what the stores keep in one small piece, so that a page does not show all at once."""


class Explorer:
    def __init__(self, client: Redis, ledger: Ledger, limits: bytes) -> None:
        self.client = client
        self.ledger = ledger
        self.limits = limits

    async def page(self, **query: Any) -> reservations.Page:
        return await list_reservations(self.client, self.ledger.keyspace, self.limits, **query)

    async def all(self, **query: Any) -> list[tuple[str, Reservation]]:
        found, after = [], ""
        while True:
            page = await self.page(after=after, **query)
            found += page.reservations
            after = page.next
            if not after:
                return found

    async def ids(self, **query: Any) -> set[str]:
        return {name for name, _ in await self.all(**query)}

    async def sweep(self) -> None:
        await run_function(self.client, library().function("expire_holds"), self.ledger.keyspace, self.limits)


@pytest.fixture
def explorer(client: Redis, ledger: Ledger, limits_with: Callable[..., bytes]) -> Explorer:
    return Explorer(client, ledger, limits_with())


async def _one_of_each(ledger: Ledger) -> None:
    await stocked(ledger, cap=50, mug=50)
    await changed(ledger, reserve("held", ("cap", 1)))
    await changed(ledger, order("committed", ("mug", 1), channel="market"))
    for name, end in (("released", release), ("fulfilled", fulfil), ("cancelled", cancel)):
        await changed(ledger, reserve(name, ("cap", 1)) if name == "released" else order(name, ("cap", 1)))
        await changed(ledger, end(name))


async def _expired(ledger: Ledger, client: Redis, *ids: str) -> None:
    for name in ids:
        hold = await changed(ledger, reserve(name, ("cap", 1), ttl_ms=1))
        await wait_past(client, hold.reservation.deadline_ms)


@pytest.mark.parametrize("state", ["held", "committed", "released", "fulfilled", "cancelled"])
async def test_given_one_of_each_state_when_one_is_asked_for_then_it_alone_comes(
    explorer: Explorer, ledger: Ledger, state: str
) -> None:
    await _one_of_each(ledger)
    assert await explorer.ids(state=state) == {state}


async def test_given_reservations_when_nothing_is_asked_for_then_live_and_ended_come(
    explorer: Explorer, ledger: Ledger
) -> None:
    await _one_of_each(ledger)
    assert await explorer.ids() == {"held", "committed", "released", "fulfilled", "cancelled"}


async def test_given_a_channel_and_a_sku_when_asked_for_then_only_those_match(
    explorer: Explorer, ledger: Ledger
) -> None:
    await _one_of_each(ledger)
    assert await explorer.ids(channel="market") == {"committed"}
    assert await explorer.ids(sku="mug") == {"committed"}
    assert await explorer.ids(sku="mug", channel="shop") == set()


async def test_given_an_overdue_hold_when_not_swept_yet_then_it_is_shown_as_expired(
    explorer: Explorer, ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=5)
    await _expired(ledger, client, "late")

    shown = dict(await explorer.all())["late"]

    assert (shown.state, shown.deadline_ms) == ("expired", 0)
    assert (shown.lines[0].held, shown.lines[0].expired) == (0, 1)
    assert await explorer.ids(state="held") == set()
    assert await explorer.ids(state="expired") == {"late"}
    await explorer.sweep()
    assert await explorer.ids(state="expired") == {"late"}


async def test_given_an_overdue_remainder_when_not_swept_yet_then_what_was_ordered_is_shown(
    explorer: Explorer, ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=5)
    hold = await changed(ledger, reserve("r1", ("cap", 3), ttl_ms=50))
    await changed(ledger, commit("r1", (1, 1), keep=True))
    await wait_past(client, hold.reservation.deadline_ms)
    assert await explorer.ids(state="committed") == {"r1"}
    assert await explorer.ids(state="expired") == set()


async def test_given_more_overdue_holds_than_a_page_when_paged_then_all_come(
    explorer: Explorer, ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=50)
    names = [f"late{number}" for number in range(20)]
    await asyncio.gather(*(changed(ledger, reserve(name, ("cap", 1), ttl_ms=1)) for name in names))
    await _expired(ledger, client, "last")
    assert await explorer.ids(state="expired", limit=3) == {*names, "last"}


async def test_given_many_when_paged_then_pages_are_small_and_nothing_is_missing(
    explorer: Explorer, ledger: Ledger
) -> None:
    await stocked(ledger, cap=MANY)
    names = {f"r{number}" for number in range(MANY)}
    await asyncio.gather(*(changed(ledger, reserve(name, ("cap", 1))) for name in names))
    first = await explorer.page(limit=50)
    assert 50 <= len(first.reservations) < 100
    assert await explorer.ids(limit=50) == names


async def test_given_constant_change_when_paged_then_who_was_there_all_the_time_is_never_lost(
    explorer: Explorer, ledger: Ledger
) -> None:
    # Given: reservations half of which end while the paging goes on, among others that come and go.
    await stocked(ledger, cap=10 * MANY)
    names = [f"r{number}" for number in range(MANY)]
    await asyncio.gather(*(changed(ledger, reserve(name, ("cap", 1))) for name in names))

    rounds = 0

    async def churn() -> None:
        for number, name in enumerate(names[::2]):
            await changed(ledger, release(name))
            await changed(ledger, order(f"new{number}", ("cap", 1)))
        more = 0
        while rounds < 2:  # a fast machine has changed all of them before the second paging begins
            await changed(ledger, reserve(f"more{more}", ("cap", 1)))
            await changed(ledger, release(f"more{more}"))  # a slow one must not run out of units meanwhile
            more += 1

    # When
    churning = asyncio.create_task(churn())
    found: set[str] = set()
    while not churning.done():
        found = await explorer.ids(limit=40)
        rounds += 1
        # Then
        assert set(names) <= found
    await churning
    assert rounds > 1


async def test_given_a_late_commit_behind_the_page_when_paged_on_then_it_is_not_lost(
    explorer: Explorer, ledger: Ledger, client: Redis
) -> None:
    # Given: an ended hold that comes back to life after the live ones were looked through, before the ended are.
    await stocked(ledger, cap=5)
    await _expired(ledger, client, "back")
    await explorer.sweep()
    await changed(ledger, reserve("other", ("cap", 1)))
    first = await explorer.page(limit=1)
    assert [name for name, _ in first.reservations] == ["other"]
    await changed(ledger, commit("back"))

    # When
    found, after = [], first.next
    while after:
        page = await explorer.page(after=after, limit=1)
        found += [name for name, _ in page.reservations]
        after = page.next

    # Then
    assert "back" in found


async def test_given_a_search_that_takes_long_when_asked_then_it_hands_over_with_a_place_to_go_on(
    explorer: Explorer, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stocked(ledger, cap=MANY)
    await asyncio.gather(*(changed(ledger, reserve(f"r{number}", ("cap", 1))) for number in range(MANY)))
    monkeypatch.setattr(reservations, "WORK_MAX_S", 0.0)
    page = await explorer.page(channel="nobody", limit=10)
    assert page.reservations == []
    assert page.next
    assert await explorer.ids(channel="nobody", limit=10) == set()


async def test_given_any_page_when_it_says_where_to_go_on_then_that_is_short(
    explorer: Explorer, ledger: Ledger
) -> None:
    await _one_of_each(ledger)
    assert len((await explorer.page(limit=1)).next) <= 64


@pytest.mark.parametrize(
    "after",
    [
        "x", "live", "live:", "live:1", "live:-1@0-0", "live:x@0-0", "live:1-2@0-0", f"live:{2**64}@0-0",
        "live:1@0", "live:1@9-", "gone:1@0-0", "ended:1@99999999999999999999-0", "revived:5@0-0", "lapsed:1@0-0",
        "live:1@0-0\n", "live:１@0-0", "live:1 COUNT 9@0-0",
    ],
)  # fmt: skip
async def test_given_a_bad_cursor_when_asked_then_it_is_refused_before_the_store_sees_it(
    explorer: Explorer, after: str
) -> None:
    with pytest.raises(ValueError, match=r"must be what a page gave as next|belongs to a listing of another state"):
        await explorer.page(after=after)


@pytest.mark.parametrize(
    ("state", "after"),
    [
        ("", f"live:{2**64 - 1}@0-0"), ("", "ended:7@5-5"), ("", f"revived:{2**64 - 1}-{2**64 - 1}@0-0"),
        ("expired", f"lapsed:{2**64 - 1}@0-0"),
    ],
)  # fmt: skip
async def test_given_a_made_up_cursor_of_the_right_shape_when_asked_then_the_store_takes_it(
    explorer: Explorer, ledger: Ledger, state: str, after: str
) -> None:
    await _one_of_each(ledger)
    assert (await explorer.page(state=state, after=after)).reservations is not None


async def test_given_an_unknown_state_when_asked_then_it_is_refused(explorer: Explorer) -> None:
    with pytest.raises(ValueError, match="state"):
        await explorer.page(state="sold")


async def test_given_a_sku_when_asked_who_holds_it_then_each_line_is_named(
    explorer: Explorer, ledger: Ledger, client: Redis
) -> None:
    # Given
    await stocked(ledger, cap=20, mug=20)
    hold = await changed(ledger, reserve("r1", ("mug", 1), ("cap", 2), channel="shop"))
    await changed(ledger, order("o1", ("cap", 3), channel="market"))
    await changed(ledger, order("o2", ("cap", 1)))
    await changed(ledger, fulfil("o2"))
    await _expired(ledger, client, "late")

    # When
    found, truncated = await holders(client, ledger.keyspace, explorer.limits, "cap", 10)

    # Then
    assert sorted(found, key=lambda holder: holder.reservation_id) == [
        Holder("o1", "market", 1, "main", 0, 3, 0, "committed"),
        Holder("r1", "shop", 2, "main", 2, 0, hold.reservation.deadline_ms, "held"),
    ]
    assert not truncated


async def test_given_more_holders_than_asked_for_when_asked_then_it_says_that_there_are_more(
    explorer: Explorer, ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=20)
    for number in range(4):
        await changed(ledger, reserve(f"r{number}", ("cap", 1)))
    found, truncated = await holders(client, ledger.keyspace, explorer.limits, "cap", 3)
    assert (len(found), truncated) == (3, True)
