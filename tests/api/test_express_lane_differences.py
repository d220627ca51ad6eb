"""The express lane and the ordinary way give the same answers, whatever is sent and however it is cut."""

import os
import random
import secrets
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.both_ways import BothWays
from tests.support.http import Key, Server, opened
from tests.support.random_http import SKUS, Exchange, RandomRequests
from tests.support.scraping import express_requests
from tests.support.smuggling import SMUGGLED

SEED = int(os.environ.get("SEED", "0")) or secrets.randbelow(2**31)
"""Printed, and SEED=… repeats a run."""
BOSS = Key("boss", "default", ("admin", "metrics"))
READER = Key("looks", "default", ("read",))
OTHER = Key("other", "elsewhere", ("reserve", "read"))
PAGE = Key("page", "default", ("availability",))
PARTNER = Key("partner", "default", ("reserve:own", "availability"))
KEYS = {"with keys": [BOSS, READER, OTHER, PAGE, PARTNER], "without keys": []}
REQUESTS = (1_500, pytest.param(50_000, marks=[pytest.mark.soak, pytest.mark.timeout(3_600)]))
"""With keys and without."""
FORMS = (2, pytest.param(5, marks=pytest.mark.soak))
"""How a request is sent that two readers may frame differently; the seed draws them for each."""
UNITS = 100_000

Pair = tuple[Server, Server, list[Key]]


@pytest.fixture(params=KEYS)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Start a server with the lane and one without; at the end neither has said a word of a fault."""
    keys = KEYS[request.param]
    # Nothing but what is asked may change what they hold, or an answer would differ by that.
    settings = {"keys": keys, "durability": "fast", "figures_interval_s": 0, "body_timeout_s": 1}
    with ExitStack() as started:
        servers = [
            started.enter_context(Server(**settings, express_lane=express))  # type: ignore[arg-type]
            for express in ("true", "false")
        ]
        yield servers[0], servers[1], keys
        assert [server.faults for server in servers] == [[], []]


async def fill(pair: Pair) -> None:
    for server in pair[:2]:
        async with opened(server, pair[2][0] if pair[2] else None) as api:
            for sku in SKUS:
                await api.count(sku, 20 if sku == "few" else UNITS)
            await api.count("A", UNITS, "izmir")


@pytest.mark.parametrize("requests", REQUESTS)
async def test_random_requests_are_answered_the_same_on_both_ways(pair: Pair, requests: int) -> None:
    print(f"SEED={SEED}")  # noqa: T201  # pytest shows it with -s, and on failure
    await fill(pair)
    express, ordinary, keys = pair
    made = RandomRequests(SEED, [key.token for key in keys])
    exchanges = made.exchanges()
    async with BothWays.opened(express, ordinary, made.warm_up()) as both:
        while both.requests < requests:
            await both.compare(next(exchanges))

    assert both.resets < both.requests / 25  # behind a reset less is compared
    assert await express_requests(express, keys) > requests / 4, "the lane was hardly used"
    assert await express_requests(ordinary, keys) == 0


async def test_a_request_cut_at_every_byte_is_answered_the_same(pair: Pair) -> None:
    await fill(pair)
    express, ordinary, keys = pair
    made = RandomRequests(0, [key.token for key in keys])
    reserve = made.reserve("cut")
    async with BothWays.opened(express, ordinary, made.warm_up()) as both:
        for at in range(1, len(reserve)):
            await both.compare(Exchange(f"cut at {at}", [reserve[:at], reserve[at:]], 1))
            await both.compare(Exchange(f"overlapping by {at}", [reserve + reserve[:at], reserve[at:]], 2))


@pytest.mark.parametrize("forms", FORMS)
@pytest.mark.parametrize("pair", ["without keys"], indirect=True)
async def test_what_two_readers_may_frame_differently_is_answered_the_same(pair: Pair, forms: int) -> None:
    print(f"SEED={SEED}")  # noqa: T201  # pytest shows it with -s, and on failure
    drawing = random.Random(SEED)
    await fill(pair)
    express, ordinary, _ = pair
    made = RandomRequests(0, [])
    plain = made.reserve("plain")
    async with BothWays.opened(express, ordinary, made.warm_up()) as both:
        for name, text in SMUGGLED.items():
            sent = text.replace(b"Host: x", b"Host: localhost")
            half = len(sent) // 2
            exchanges = [
                Exchange(name, [sent], 0),
                Exchange(f"{name}, in two pieces", [sent[:half], sent[half:]], 0, 0.1),
                Exchange(f"{name}, behind another", [plain + sent], 0),
                Exchange(f"{name}, before another", [sent + plain], 0),
                Exchange(f"{name}, and then another", [sent, plain], 0, 0.1),
            ]
            for exchange in drawing.sample(exchanges, forms):
                await both.compare(exchange)
    assert await express_requests(ordinary, []) == 0


async def test_a_planted_difference_is_found(pair: Pair) -> None:
    """Of two servers with different stock, the first answer that shows it ends the comparison."""
    express, ordinary, keys = pair
    async with opened(express, keys[0] if keys else None) as api:
        await api.count("A", 1)
    made = RandomRequests(0, [key.token for key in keys])
    async with BothWays.opened(express, ordinary, made.warm_up()) as both:
        with pytest.raises(AssertionError):
            await both.compare(Exchange("planted", [made.plain("GET", "/v1/availability/A")], 1))
