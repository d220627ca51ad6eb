"""Availability for callers who allow an age: each answer is a state of the store that was so within that time.

One who changes stock at random asks the store for everything after each change, so all states are known, and when each
was so. Meanwhile others ask with an age, and each of their answers must be one of these states.
"""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

import pytest

from server.store.copies.copied_sku import CopiedSku
from server.telemetry.metrics_page import PAGE_LIFE_S
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened
from tests.support.scraping import figure

pytest_plugins = ("tests.support.http_fixtures",)

AGES_MS: Final = (100, 250, 1_000)
SKUS: Final = ("A", "B", "C", "D")
PLACES: Final = ("main", "store", "depot")
QUERIES: Final = (
    "", "channel=shop", "channel=kiosk", "location=store", "group=g", "locations=false", "channel=shop&location=main",
)  # fmt: skip
KEYS: Final = {"skus": list(SKUS), "channel": "shop"}
SHOP: Final = """
[channels.shop]
kind = "webhook"
options = { url = "http://127.0.0.1:9/" }
credentials = { secret = { env = "MADE_UP" } }
"""
"""Nothing is sent there: the server publishes nothing, and nothing changes stock but this test."""
READERS: Final = 6
CLOCK_MS: Final = 2.0
"""By so much the clock of the store may differ from ours when both are rounded."""

State = dict[str, Any]
"""What the store answers to each question."""


class Valid(NamedTuple):
    """A state, and when it was so at the most; ``until_s`` is known with the next change."""

    state: State
    from_s: float
    until_s: float


class Books:
    """All states that the store was in. ``hazy``: when it was in others, too, that nobody has seen."""

    def __init__(self) -> None:
        self.states: list[Valid] = []
        self.hazy: list[tuple[float, float]] = []

    def changed(self, state: State, sent_s: float, answered_s: float, *, is_hazy: bool) -> None:
        if self.states:
            self.states[-1] = self.states[-1]._replace(until_s=answered_s)
        self.states.append(Valid(state, sent_s, float("inf")))
        if is_hazy:
            self.hazy.append((sent_s, answered_s))

    def fault(self, question: str, answer: Any, from_s: float, until_s: float) -> str:
        """Say what is wrong with an answer that was given between two moments; empty: nothing."""
        if any(begin <= until_s and end >= from_s for begin, end in self.hazy):
            return ""
        then = [each.state.get(question) for each in self.states if each.from_s <= until_s and each.until_s >= from_s]
        return "" if answer in then else f"{question}: {answer} is none of {then}"


def plain(answer: Any) -> Any:
    """Leave out what differs from answer to answer."""
    return {name: value for name, value in answer.items() if name != "as_of"} if answer is not None else None


async def ask(api: Api, path: str, query: str, age_ms: int) -> Any:
    words = "&".join(filter(None, (query, f"max_age_ms={age_ms}" if age_ms else "")))
    answer = await api.get(f"{path}?{words}" if words else path)
    return answer.ok() if answer.status == 200 else {"outcome": answer.problem(404, "unknown_sku")["outcome"]}


async def everything(api: Api, names: list[str]) -> State:
    """Ask the store for all of it."""
    asked = [(name, query) for name in names for query in QUERIES]
    answers = await asyncio.gather(*(ask(api, f"/v1/availability/{name}", query, 0) for name, query in asked))
    state = {f"{name}?{query}": plain(answer) for (name, query), answer in zip(asked, answers, strict=True)}
    [key] = (await api.post("/v1/availability/query", {"keys": ["pack"], "channel": "shop"})).ok()["keys"]
    return state | {"key": plain(key)}


class Seller:
    """Changes stock at random, one change at a time."""

    def __init__(self, api: Api, seed: int) -> None:
        self.names = [*SKUS]
        self._api = api
        self._random = random.Random(seed)
        self._held: list[str] = []
        self._number = 0

    async def change(self) -> bool:
        """Make a change; return whether it is one of several steps, of which nobody sees each."""
        kinds = [self._count, self._reserve, self._reserve, self._end, self._move, self._allocate, self._close]
        if self._random.random() < 0.02:
            await self._rename()
            return True
        await self._random.choice(kinds)()
        return False

    async def _count(self) -> None:
        await self._api.count(self._random.choice(SKUS), self._random.randrange(30), self._random.choice(PLACES))

    async def _reserve(self) -> None:
        self._number += 1
        lines = [
            {"sku": sku, "quantity": self._random.randint(1, 4), "location": self._random.choice(PLACES)}
            for sku in self._random.sample(SKUS, self._random.randint(1, 3))
        ]
        body = {"reservation_id": f"r{self._number}", "channel": self._random.choice(("shop", "web")), "lines": lines}
        if (await self._api.post("/v1/reservations", body)).status == 201:
            self._held.append(f"r{self._number}")

    async def _end(self) -> None:
        if self._held:
            name = self._held.pop(self._random.randrange(len(self._held)))
            await self._api.post(f"/v1/reservations/{name}/{self._random.choice(('release', 'commit'))}", {})

    async def _move(self) -> None:
        source, target = self._random.sample(PLACES, 2)
        movement = {"kind": "adjust", "sku": "A", "location": source, "bucket": "damaged", "delta": 1, "reason": "r"}
        if self._random.random() < 0.5:
            movement = {"kind": "receive", "sku": "B", "location": target, "quantity": 2}
        await self._api.post("/v1/stock/movements", {"movements": [movement]})

    async def _allocate(self) -> None:
        sku, channel = self._random.choice(SKUS), self._random.choice(("shop", "kiosk"))
        path = f"/v1/stock/{sku}/main/allocations/{channel}"
        if self._random.random() < 0.3:
            await self._api.send("DELETE", path)
        else:
            kind = self._random.choice(("own", "cap"))
            await self._api.put(path, {"units": self._random.randrange(8), "kind": kind, "new": True})

    async def _close(self) -> None:
        if self._random.random() < 0.3:
            body = {"open": self._random.random() < 0.5, "groups": ["g"]}
            (await self._api.put("/v1/locations/store", body)).ok()

    async def _rename(self) -> None:
        self._number += 1
        to = f"D-renamed-{self._number:04d}"
        body = {"to": to, "allow_similar": True}
        (await self._api.post(f"/v1/skus/{self.names[-1]}/rename", body)).ok()
        self.names.append(to)


class Reader:
    """Asks with an age until told to stop, and keeps what is wrong for the end, when all states are known."""

    def __init__(self, api: Api, seller: Seller, seed: int) -> None:
        self.answers: list[tuple[str, Any, float, float]] = []
        self.faults: list[str] = []
        self._api = api
        self._seller = seller
        self._random = random.Random(seed)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._ask_one() if self._random.random() < 0.8 else await self._ask_many()

    async def _ask_one(self) -> None:
        name, query, age = self._random.choice(self._seller.names), self._random.choice(QUERIES), self._age()
        asked_s = time.time()
        answer = await ask(self._api, f"/v1/availability/{name}", query, age)
        self._note(f"{name}?{query}", answer, asked_s - age / 1000)

    async def _ask_many(self) -> None:
        age = self._age()
        asked_s = time.time()
        body = {"skus": list(SKUS), "channel": "shop", "keys": ["pack"], "max_age_ms": age}
        answer = (await self._api.post("/v1/availability/query", body)).ok()
        for each in answer["availability"]:
            self._note(f"{each['sku']}?channel=shop", each, asked_s - age / 1000)
        for each in answer["keys"]:
            self._note("key", each, asked_s - age / 1000)

    def _age(self) -> int:
        return self._random.choice(AGES_MS)

    def _note(self, question: str, answer: Any, from_s: float) -> None:
        now_s = time.time()
        as_of = answer.get("as_of")
        if as_of is not None:
            moment_s = datetime.fromisoformat(as_of).timestamp()
            if not from_s - CLOCK_MS / 1000 <= moment_s <= now_s + CLOCK_MS / 1000:
                self.faults.append(f"{question}: as of {moment_s}, asked for {from_s} to {now_s}")
        self.answers.append((question, plain(answer), from_s, now_s))


async def copied(server: Server) -> float:
    """How many SKUs the server has answered from memory."""
    await asyncio.sleep(PAGE_LIFE_S)  # an earlier page is not shown again
    async with opened(server) as api:
        page = (await api.get("/metrics")).ok()
    found = re.search(r'^holdfast_availability_aged_skus_total{source="memory"} ([\d.e+]+)$', page, re.MULTILINE)
    return float(found[1]) if found is not None else 0.0


@pytest.fixture
async def prepared(start_server: Callable[..., Server]) -> AsyncIterator[tuple[Server, Api]]:
    server = start_server(toml=SHOP, role="api")
    async with opened(server) as api:
        (await api.put("/v1/locations/store", {"groups": ["g"]})).ok()
        for sku in SKUS:
            for place in PLACES:
                await api.count(sku, 20, place)
        listing = {"key": "pack", "components": [{"sku": "A", "quantity": 3}]}
        (await api.put("/v1/channels/shop/listings", {"listings": [listing]})).ok()
        yield server, api


@pytest.mark.parametrize(
    ("changes", "answers", "seed"),
    [(100, 200, 1), *(pytest.param(1_500, 20_000, seed, marks=pytest.mark.soak) for seed in range(2, 6))],
)
async def test_given_random_changes_when_asked_with_an_age_then_each_answer_was_so_within_it(
    prepared: tuple[Server, Api], changes: int, answers: int, seed: int
) -> None:
    server, api = prepared
    seller, books, stop, made = Seller(api, seed), Books(), asyncio.Event(), 0
    books.changed(await everything(api, seller.names), 0.0, time.time(), is_hazy=False)
    readers = [Reader(api, seller, 1_000 * seed + number) for number in range(READERS)]
    async with asyncio.TaskGroup() as group:
        for reader in readers:
            group.create_task(reader.run(stop))
        while made < changes or sum(len(each.answers) for each in readers) < answers:
            sent_s = time.time()
            is_hazy = await seller.change()
            answered_s = time.time()
            state = await everything(api, seller.names)
            books.changed(state, sent_s, time.time() if is_hazy else answered_s, is_hazy=is_hazy)
            made += 1
        stop.set()

    faults = [
        fault
        for reader in readers
        for fault in (*reader.faults, *(books.fault(*each) for each in reader.answers))
        if fault
    ]
    assert faults == []
    assert await copied(server) > answers / 4, "most came from memory"


async def test_given_the_express_lane_when_asked_with_an_age_then_it_answers(
    prepared: tuple[Server, Api],
) -> None:
    mine, api = prepared
    if mine._environment.get("HOLDFAST_EXPRESS_LANE") == "false":
        pytest.skip("there is no express lane")
    before = await figure(mine, "holdfast_http_express_requests_total")
    for _ in range(5):
        await ask(api, "/v1/availability/A", "", 60_000)
        (await api.post("/v1/availability/query", {"skus": ["A"], "max_age_ms": 60_000})).ok()
    assert await figure(mine, "holdfast_http_express_requests_total") - before >= 9


async def test_given_a_store_that_hangs_when_asked_with_an_age_then_memory_answers_as_long_as_it_may(
    prepared: tuple[Server, Api],
) -> None:
    server, api = prepared

    async def is_copied() -> bool:
        before = await copied(server)
        await ask(api, "/v1/availability/A", "", 60_000)
        return await copied(server) > before

    await wait_until(is_copied, "memory answers", every_s=0.1)
    with server.frozen_store():
        assert (await ask(api, "/v1/availability/A", "", 60_000))["available"] == 60
    assert (await ask(api, "/v1/availability/A", "", 0))["available"] == 60


async def test_given_no_room_for_copies_when_asked_with_an_age_then_the_store_answers(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(copied_places_max=0)
    async with opened(server) as api:
        await api.count("A", 5)
        for _ in range(5):
            assert (await ask(api, "/v1/availability/A", "", 60_000))["available"] == 5
    assert await copied(server) == 0


@pytest.mark.parametrize("age", ["-1", "60001", "soon", "1.5"])
async def test_given_an_age_that_is_none_when_asked_then_it_is_refused(api: Api, age: str) -> None:
    problem = (await api.get(f"/v1/availability/A?max_age_ms={age}")).problem(400, "invalid")
    assert problem["errors"][0]["field"] == "max_age_ms"


def test_given_a_copied_sku_when_its_channels_are_many_then_what_is_kept_of_them_is_bounded() -> None:
    sku = CopiedSku([], 0)
    for number in range(100):
        sku.shown("", f"channel-{number}", None)
    assert len(sku._shown) <= 8
