"""Answers from memory on the express lane: made without waiting, and the same as those of the ordinary way."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.conftest import wait_until
from tests.support.both_ways import MADE, BothWays, admitted
from tests.support.http import Api, Server, opened
from tests.support.random_http import Exchange
from tests.support.scraping import express_requests, figure

pytest_plugins = ("tests.support.http_fixtures",)

AGE = "max_age_ms=60000"
COPIED = 'holdfast_availability_aged_skus_total{source="memory"}'


def asked(target: str, *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


KEPT: dict[str, bytes] = {
    "plain": asked(f"/v1/availability/A?{AGE}"),
    "a channel": asked(f"/v1/availability/A?channel=web&{AGE}"),
    "a location": asked(f"/v1/availability/A?{AGE}&location=izmir"),
    "no list": asked(f"/v1/availability/A?locations=false&{AGE}"),
    "an encoded name": asked(f"/v1/availability/%41?{AGE}"),
    "a fragment": asked(f"/v1/availability/A?{AGE}#there"),
    "MessagePack": asked(f"/v1/availability/A?{AGE}", "Accept: application/msgpack"),
    "an id": asked(f"/v1/availability/A?{AGE}", "X-Request-Id: mine-1"),
}
"""What memory answers at once."""
ASKED: dict[str, bytes] = {
    "an age that is none": asked("/v1/availability/A?max_age_ms=soon"),
    "an age twice": asked(f"/v1/availability/A?{AGE}&{AGE}"),
    "an unknown SKU": asked(f"/v1/availability/nobody?{AGE}"),
    "no SKU": asked(f"/v1/availability/%00?{AGE}"),
    "no group": asked(f"/v1/availability/A?{AGE}&group=none"),
    "an unknown name": asked(f"/v1/availability/A?{AGE}&other=1"),
    "a page": asked(f"/v1/availability/A?{AGE}", "Origin: http://elsewhere.example"),
    "no id": asked(f"/v1/availability/A?{AGE}", "X-Request-Id: not one"),
    "another method": asked(f"/v1/availability/A?{AGE}", method="HEAD"),
}
"""What is answered otherwise, or refused."""


@pytest.fixture
async def pair(start_server: Callable[..., Server]) -> AsyncIterator[tuple[Server, Server]]:
    """Start a server with the lane and one without, which have the SKU in their memory."""
    servers = [start_server(express_lane=lane, figures_interval_s=0) for lane in ("true", "false")]
    for server in servers:
        async with opened(server) as api:
            await api.count("A", 5)
            await api.count("A", 7, "izmir")

            async def is_copied(server: Server = server, api: Api = api) -> bool:
                await api.get(f"/v1/availability/A?{AGE}")
                return await figure(server, COPIED) > 0

            await wait_until(is_copied, "memory answers", every_s=0.1)
    yield servers[0], servers[1]
    assert [server.faults for server in servers] == [[], []]


async def test_memory_answers_the_same_on_both_ways_and_is_counted_once(pair: tuple[Server, Server]) -> None:
    express, ordinary = pair
    before = [await figure(server, COPIED) for server in pair]
    taken = await express_requests(express)
    async with BothWays.opened(express, ordinary, MADE.warm_up()) as both:
        for name, sent in KEPT.items():
            await both.compare(Exchange(name, [sent], 1))
            await both.compare(Exchange(f"{name}, in two pieces", [sent[:20], sent[20:]], 1))
            await both.compare(Exchange(f"{name}, twice", [sent + sent], 2))

    for server, number in zip(pair, before, strict=True):
        assert await figure(server, COPIED) - number == 4 * len(KEPT)
    # What comes in pieces or pipelined may find the connection busy, and goes the ordinary way then.
    assert await express_requests(express) - taken >= len(KEPT)


async def test_what_memory_does_not_answer_is_the_same_on_both_ways(pair: tuple[Server, Server]) -> None:
    async with BothWays.opened(*pair, MADE.warm_up()) as both:
        for _ in range(3):
            for name, sent in ASKED.items():
                await both.compare(Exchange(name, [sent], 0))


async def test_memory_answers_while_the_store_is_frozen(pair: tuple[Server, Server]) -> None:
    express, _ = pair
    async with admitted(express) as connection:
        with express.frozen_store():
            for _ in range(3):
                await connection.send(KEPT["plain"])
                assert await connection.status() == 200
