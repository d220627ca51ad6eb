"""A supplier's feed is a location with an age: on sale behind our own, and never silently zero."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final

import msgspec
import pytest

from adapters.feed import SOURCE, Options
from server.channels.sources.desk import ServiceSourceDesk
from server.channels.sources.sources import SourcePlan
from server.domain.sources import PULL_NOW, Decided, SourceRules, SourceSettings, SourceStatus
from server.store.repositories.sources import SourceStore, source_statuses
from tests.channels.engine import LOOPBACK, plan, publishing
from tests.channels.feed_server import FeedServer
from tests.channels.plain import PlainChannel
from tests.conftest import wait_until
from tests.rigs.order_histories.run import caller_on
from tests.support import operations as ops
from tests.support.stores import StoreProcess

NAME: Final = "supplier"
PLACE: Final = "supplier-a"
EVERY_S: Final = 0.05
SKUS: Final = tuple(f"S{number:02}" for number in range(20))
UNITS: Final = {sku: 10 + number for number, sku in enumerate(SKUS)}


def feed(units: dict[str, Any]) -> bytes:
    return json.dumps([{"code": sku, "stock": number} for sku, number in units.items()]).encode()


class World:
    """One partition with a feed and a shop."""

    def __init__(self, stack: AsyncExitStack, store: StoreProcess, partition: str, caller: Any) -> None:
        self._stack, self._store, self.partition, self.caller = stack, store, partition, caller
        self.ledger = caller.ledger
        self.server = FeedServer(body=feed(UNITS))
        self.shop = PlainChannel()
        self.kept = SourceStore(caller.partition.client, caller.partition.keyspace, NAME)

    async def open(self) -> None:
        for each in (self.server, self.shop):
            await self._stack.enter_async_context(each)
        for sku in SKUS:
            await ops.moved(self.ledger, ops.receive(sku, 2))

    async def run(self, *, finish: bool = True, place: str = PLACE, **rules: Any) -> Callable[[], Awaitable[None]]:
        """Run the publisher; return what ends it."""
        options = {
            "location": place, "format": "json", "sku": "code", "quantity": "stock",
            "url": f"{self.server.url}/feed",
        }  # fmt: skip
        settings = SourceSettings(
            name=NAME,
            kind="feed",
            partition=self.partition,
            rules=msgspec.convert({"pull_every_s": EVERY_S, **rules}, SourceRules),
            options=options,
            allow_private=LOOPBACK,
        )
        typed = msgspec.convert(options, Options)
        sources = [SourcePlan(settings, lambda: SOURCE.build(typed, {}))]
        desk = ServiceSourceDesk(self.partition, self.caller.partition)
        own = await self._stack.enter_async_context(AsyncExitStack())
        await own.enter_async_context(
            publishing(
                self._store,
                self.partition,
                [plan("shop", self.shop)],
                sources=sources,
                source_desk=desk,
                finish=finish,
            )
        )
        return own.aclose

    async def there(self) -> dict[str, int]:
        """Return what is on hand at the supplier, of SKUs that are known there."""
        found = {}
        for sku in SKUS:
            levels = (await self.ledger.stock(sku, PLACE)).levels
            if levels:
                found[sku] = levels[0].on_hand
        return found

    async def becomes(self, units: dict[str, int]) -> None:
        async def is_so() -> bool:
            return await self.there() == units

        await wait_until(is_so, f"{units} are counted")

    async def status(self) -> SourceStatus:
        parts = self.caller.partition
        found = await source_statuses(parts.client, parts.keyspace)
        return found.get(NAME, SourceStatus(publisher="", written_ms=0))

    async def told(self, is_meant: Callable[[SourceStatus], bool], what: str) -> None:
        async def is_so() -> bool:
            return is_meant(await self.status())

        await wait_until(is_so, what)

    async def read_again(self, times: int = 2) -> None:
        wanted = len(self.server.received) + times
        await wait_until(lambda: len(self.server.received) >= wanted, "it is read again")

    async def comes_back(self, body: bytes | None = None) -> None:
        """Have the supplier answer again, and a person ask for it, so that no pause is waited for."""
        self.server.always = None
        self.server.body = self.server.body if body is None else body
        await self.kept.decide({PULL_NOW: Decided("confirmed", 0, "desk")})

    async def decide(self, decision: Any) -> None:
        there = {place: each async for place, each in self.kept.waiting()}
        await self.kept.decide({place: Decided(decision, each.after, "desk") for place, each in there.items()})


@pytest.fixture(params=[False, True], ids=["sent-anew", "with-tags"])
async def world(
    request: pytest.FixtureRequest,
    store: StoreProcess,
    partition: str,
    client: Any,  # noqa: ARG001
) -> AsyncIterator[World]:
    """Give a world whose supplier sends his list each time, and one whose supplier says that it is the same still."""
    # The publisher ends first: it counts through the caller, and would wait for a batcher that is closed.
    async with caller_on(store, partition) as caller, AsyncExitStack() as stack:
        made = World(stack, store, partition, caller)
        made.server.tags = request.param
        await made.open()
        yield made


with_tags = pytest.mark.parametrize("world", [True], indirect=True, ids=["with-tags"])


# -- numbers come in


async def test_what_the_supplier_has_is_on_sale_with_our_own_and_ours_goes_first(world: World) -> None:
    await world.run()

    await world.becomes(UNITS)
    await wait_until(lambda: world.shop.shown.get("S03") == UNITS["S03"] + 2, "the shop shows both")
    await ops.changed(world.ledger, ops.order("o1", ("S03", 2, "")))
    await ops.changed(world.ledger, ops.order("o2", ("S03", 3, "")))
    levels = {each.location: each.committed for each in (await world.ledger.stock("S03")).levels}
    assert levels == {"main": 2, PLACE: 3}
    await wait_until(lambda: world.shop.shown.get("S03") == UNITS["S03"] - 3, "the shop shows what is left")


async def test_nobody_else_writes_there(world: World) -> None:
    await world.run()
    await world.becomes(UNITS)

    sent = ops.ship("t1", "main", PLACE, ("S03", 1))
    for operation in (ops.count("S03", 1, PLACE), ops.receive("S03", 1, PLACE), sent):
        assert (await ops.refused(world.ledger, operation)).outcome == "location_mirrored"


async def test_skus_that_nobody_knows_here_are_left_out(world: World) -> None:
    world.server.body = feed({**UNITS, **{f"X{number}": 5 for number in range(500)}})

    await world.run()

    await world.becomes(UNITS)
    assert (await world.ledger.stock("X1")).levels == []
    assert (await world.status()).waiting == 0


async def test_what_is_sold_from_there_is_not_counted_again_while_the_feed_says_the_same(world: World) -> None:
    await world.run()
    await world.becomes(UNITS)
    await ops.changed(world.ledger, ops.order("o1", ("S03", 3, PLACE)))
    await world.read_again()
    assert (await ops.level(world.ledger, "S03", PLACE)).available == UNITS["S03"] - 3

    await ops.changed(world.ledger, ops.fulfil("o1"))
    await world.read_again()
    assert (await ops.level(world.ledger, "S03", PLACE)).available == UNITS["S03"] - 3

    world.server.body = feed({**UNITS, "S03": UNITS["S03"] - 3})
    await world.read_again()
    assert (await ops.level(world.ledger, "S03", PLACE)).available == UNITS["S03"] - 3
    world.server.body = feed({**UNITS, "S03": UNITS["S03"] - 5})
    await world.becomes({**UNITS, "S03": UNITS["S03"] - 5})


async def test_a_location_of_our_own_is_left_alone_and_the_reason_is_told(world: World) -> None:
    await ops.moved(world.ledger, ops.receive("S03", 7, PLACE))

    await world.run()

    await world.told(lambda status: "a location of your own" in status.reason, "the reason is told")
    assert await world.there() == {"S03": 7}


async def test_a_feed_that_moves_closes_the_location_that_it_leaves(world: World) -> None:
    end = await world.run()
    await world.becomes(UNITS)
    await end()

    await world.run(place="supplier-b")

    async def is_closed() -> bool:
        known = (await world.caller.partition.locations.store.directory()).locations
        return "supplier-b" in known and known["supplier-b"].open and not known[PLACE].open

    await wait_until(is_closed, "the one is closed, the other open")
    assert await world.there() == UNITS


async def test_its_location_is_in_the_groups_that_the_configuration_names(world: World) -> None:
    end = await world.run(groups=["online", "far"])
    await world.becomes(UNITS)

    async def members(group: str) -> list[str]:
        return sorted((await world.caller.partition.locations.store.directory()).members(group))

    assert (await members("online"), await members("far")) == ([PLACE], [PLACE])
    await end()
    await world.run(groups=["online"])

    async def has_left() -> bool:
        return await members("far") == []

    await wait_until(has_left, "it has left the other one")
    assert await members("online") == [PLACE]


# -- the same list again


@with_tags
async def test_a_list_that_is_the_same_still_is_not_sent_again_and_its_age_begins_anew(world: World) -> None:
    world.server.body = feed({**UNITS, "S19": "many"})
    before = {sku: units for sku, units in UNITS.items() if sku != "S19"}
    await world.run(late={"after_s": 60, "then": "zero"})
    await world.becomes(before)
    known_ms = (await world.status()).known_ms

    await world.told(lambda status: status.known_ms > known_ms + 1_000, "its numbers are known as of later")

    assert world.server.downloads == 1
    assert world.server.unchanged > 1
    status = await world.status()
    assert (status.is_late, status.reason, status.unreadable) == (False, "", ["S19"])
    assert await world.there() == before


@with_tags
async def test_a_list_that_waited_as_a_whole_and_is_as_it_was_before_waits_no_more(world: World) -> None:
    await world.run()
    await world.becomes(UNITS)
    world.server.body = SPOILT["half of its rows"]
    await world.told(lambda status: status.waiting == 1, "it waits")

    world.server.body = feed(UNITS)

    await world.told(lambda status: not status.waiting and not status.reason, "it waits no more")


@with_tags
async def test_a_server_that_does_not_know_that_its_list_has_changed_is_read_even_so(world: World) -> None:
    world.server.is_stuck = True
    await world.run(whole_every_s=0.5)
    await world.becomes(UNITS)

    world.server.body = feed({**UNITS, "S03": 12})

    await world.becomes({**UNITS, "S03": 12})
    assert world.server.unchanged > 0


# -- what is wrong with it


def hundredfold() -> bytes:
    return feed({sku: 100 * units for sku, units in UNITS.items()})


SPOILT: Final[dict[str, bytes]] = {
    "nothing at all": b"",
    "an empty list": b"[]",
    "cut in half": feed(UNITS)[: len(feed(UNITS)) // 2],
    "half of its rows": feed(dict(list(UNITS.items())[:10])),
    "a hundredfold": hundredfold(),
    "all of it nothing": feed(dict.fromkeys(UNITS, 0)),
    "another shop's": feed({f"OTHER-{number}": 5 for number in range(20)}),
    "a page": b"<html><body>Bad gateway</body></html>",
}


@pytest.mark.parametrize("spoilt", SPOILT)
async def test_a_feed_that_is_spoilt_changes_no_number_and_is_told(world: World, spoilt: str) -> None:
    await world.run()
    await world.becomes(UNITS)

    world.server.body = SPOILT[spoilt]
    await world.read_again()

    await world.told(lambda status: bool(status.reason) or status.waiting > 0, "it is told")
    assert await world.there() == UNITS
    await world.comes_back(feed({**UNITS, "S03": 14}))
    await world.becomes({**UNITS, "S03": 14})
    await world.told(lambda status: not status.reason and not status.waiting, "it is well again")


async def test_a_hundredfold_that_a_person_has_confirmed_is_taken(world: World) -> None:
    await world.run()
    await world.becomes(UNITS)
    world.server.body = hundredfold()
    await world.told(lambda status: status.waiting > 0, "it waits")

    await world.decide("confirmed")

    await world.becomes({sku: 100 * units for sku, units in UNITS.items()})


# -- late


async def test_a_late_feed_is_kept_by_default_and_is_told(world: World) -> None:
    await world.run(late={"after_s": 0.5})
    await world.becomes(UNITS)

    world.server.always = "failing"

    await world.told(lambda status: status.is_late, "it is late")
    assert await world.there() == UNITS


async def test_a_late_feed_is_taken_off_sale_where_that_is_the_rule_and_comes_back(world: World) -> None:
    await world.run(late={"after_s": 0.5, "then": "zero"})
    await world.becomes(UNITS)

    world.server.always = "failing"

    await world.becomes(dict.fromkeys(UNITS, 0))
    await wait_until(lambda: world.shop.shown.get("S03") == 2, "the shop shows ours alone")
    await world.told(lambda status: status.is_late, "it is told")
    await world.comes_back()
    await world.becomes(UNITS)
    await world.told(lambda status: not status.is_late and not status.reason, "it is well again")


async def test_a_late_feed_decays_where_that_is_the_rule(world: World) -> None:
    await world.run(late={"after_s": 1, "then": "decay", "half_life_s": 2})
    await world.becomes(UNITS)

    world.server.always = "failing"

    async def has_become_less() -> bool:
        return 0 < (await world.there())["S19"] < UNITS["S19"]

    await wait_until(has_become_less, "it has become less")
    await world.becomes(dict.fromkeys(UNITS, 0))
    await world.comes_back()
    await world.becomes(UNITS)


async def test_a_late_number_is_never_raised_over_what_is_left_here(world: World) -> None:
    await world.run(late={"after_s": 1.0, "then": "decay", "half_life_s": 4})
    await world.becomes(UNITS)
    await ops.changed(world.ledger, ops.order("o1", ("S03", UNITS["S03"] - 1, PLACE)))
    await ops.changed(world.ledger, ops.fulfil("o1"))

    world.server.always = "failing"

    seen: set[int] = set()

    async def is_gone() -> bool:
        seen.add((await ops.level(world.ledger, "S03", PLACE)).on_hand)
        return (await world.there())["S19"] < UNITS["S19"] // 2

    await wait_until(is_gone, "half of it is gone")
    assert max(seen) == 1


async def test_what_waits_for_a_person_when_a_late_feed_comes_back_stays_off_sale(world: World) -> None:
    await world.run(late={"after_s": 0.5, "then": "zero"})
    await world.becomes(UNITS)
    world.server.always = "failing"
    await world.becomes(dict.fromkeys(UNITS, 0))

    await world.comes_back(feed({**UNITS, "S03": 1_000}))
    await world.becomes({**UNITS, "S03": 0})
    await world.comes_back(feed(UNITS))

    await world.becomes(UNITS)


async def test_what_was_late_before_a_crash_is_on_sale_after_it_with_the_first_answer(world: World) -> None:
    end = await world.run(finish=False, late={"after_s": 0.5, "then": "zero"})
    await world.becomes(UNITS)
    world.server.always = "failing"
    await world.becomes(dict.fromkeys(UNITS, 0))
    await end()
    world.server.always = None

    await world.run()  # and the rule is gone, so nothing is late any more

    await world.becomes(UNITS)


async def test_a_spoilt_feed_is_late_too(world: World) -> None:
    await world.run(late={"after_s": 0.5, "then": "zero"})
    await world.becomes(UNITS)

    world.server.body = b"[]"

    await world.becomes(dict.fromkeys(UNITS, 0))


async def test_what_was_late_before_a_crash_is_late_after_it(world: World) -> None:
    end = await world.run(finish=False, late={"after_s": 0.5, "then": "zero"})
    await world.becomes(UNITS)
    world.server.always = "failing"
    await world.becomes(dict.fromkeys(UNITS, 0))
    await end()

    await world.run(late={"after_s": 0.5, "then": "zero"})
    await world.told(lambda status: status.is_late, "it is late")
    assert await world.there() == dict.fromkeys(UNITS, 0)

    await world.comes_back()

    await world.becomes(UNITS)
