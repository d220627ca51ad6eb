"""Many buyers for few units, kill -9 of server and store under load, a stop under load: nothing sold twice or lost."""

import asyncio
import secrets
from collections.abc import Callable

import aiohttp
import pytest

from server.store.keys import Keyspace
from tests.rigs.crash.account import account
from tests.rigs.crash.audit import drift
from tests.rigs.crash.driver import PARTITION, VICTIMS, run, table
from tests.rigs.crash.loader import Request
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

CONNECTIONS = 64
HOT_SKUS = 10
UNITS_EACH = 100
DEMAND = 10


async def test_given_64_connections_and_10_skus_when_10_times_the_units_are_wanted_then_exactly_the_units_are_sold(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(durability="durable")
    async with opened(server, connections_max=CONNECTIONS) as api:
        for sku in range(HOT_SKUS):
            await api.count(f"hot-{sku}", UNITS_EACH)
        wanted = iter([f"hot-{sku}" for _ in range(UNITS_EACH * DEMAND) for sku in range(HOT_SKUS)])
        statuses: list[int] = []

        async def buy() -> None:
            for sku in wanted:
                statuses.append((await api.reserve(sku, 1)).status)  # noqa: PERF401  # many share the list

        await asyncio.gather(*(buy() for _ in range(CONNECTIONS)))
        assert len(statuses) == HOT_SKUS * UNITS_EACH * DEMAND
        assert statuses.count(201) == HOT_SKUS * UNITS_EACH
        assert statuses.count(409) == len(statuses) - HOT_SKUS * UNITS_EACH
        assert [await api.available(f"hot-{sku}") for sku in range(HOT_SKUS)] == [0] * HOT_SKUS
    assert await drift(server, "default") == []
    assert server.faults == []


async def _kill_rounds(rounds: int) -> None:
    seed = secrets.randbelow(2**31)
    done = await run(rounds, seed)
    print(f"\nseed {seed}\n{table(done)}")  # noqa: T201  # pytest shows it with -s, and on failure
    faults = [
        f"round {each.number}: {fault}"
        for each in done
        for fault in (*each.account.lost, *each.account.double, *each.account.wrong)
    ]
    assert not faults, f"seed {seed}\n{table(done)}\n" + "\n".join(faults)
    assert all(each.adopted for each in done if each.victim == "server"), "a living store is adopted, not restarted"
    assert sum(each.acknowledged for each in done) > 0


async def test_given_load_when_server_and_store_are_killed_in_turn_then_nothing_is_lost_or_done_twice() -> None:
    await _kill_rounds(2 * len(VICTIMS))


async def test_given_faults_made_by_hand_when_accounted_then_each_is_found(start_server: Callable[..., Server]) -> None:
    server = start_server()
    requests = []
    async with opened(server) as api:
        await api.count("A", 10)
        for name in ("gone", "stays", "undone"):
            body = {"reservation_id": name, "channel": "web", "lines": [{"sku": "A", "quantity": 1}]}
            (await api.post("/v1/reservations", body)).ok(201)
            requests.append(Request("reserve", name, "/v1/reservations", body, "", outcome="held"))
        requests.append(Request("commit", "undone", "", {}, "c", outcome="committed"))
        assert account(server, PARTITION, {"A": 10}, requests[:3]).clean
        keyspace = Keyspace(PARTITION)
        with server.store() as store:
            store.hdel(keyspace.reservations, "gone")
            store.xadd(keyspace.journal, store.xrange(keyspace.journal)[-1][1])
        found = account(server, PARTITION, {"A": 10}, requests)
    assert [fault.partition(":")[0] for fault in found.lost] == ["gone", "undone"]
    assert {fault.partition(":")[0] for fault in found.double} == {"undone", "A"}
    assert account(server, PARTITION, {"A": 10}, requests[:1]).wrong == [
        "stays: no caller asked for it",
        "undone: no caller asked for it",
    ]


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_given_load_when_killed_for_21_rounds_then_nothing_is_lost_or_done_twice() -> None:
    await _kill_rounds(7 * len(VICTIMS))


async def test_given_load_when_asked_to_stop_then_what_was_received_is_answered(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(durability="durable")
    answered: set[str] = set()
    unanswered: set[str] = set()

    async def ask_until_it_stops(api: Api, name: str) -> None:
        for number in range(1_000_000):
            reservation_id = f"{name}-{number}"
            try:
                (await api.reserve("A", 1, reservation_id)).ok(201)
            except (aiohttp.ClientError, OSError):
                unanswered.add(reservation_id)
                return
            answered.add(reservation_id)

    async with opened(server) as api:
        await api.count("A", 10_000_000)
        tasks = [asyncio.create_task(ask_until_it_stops(api, f"d{each}")) for each in range(32)]
        while len(answered) < 500:
            await asyncio.sleep(0.001)
        server.process.terminate()
        await asyncio.gather(*tasks)
        assert await asyncio.to_thread(server.process.wait, 30) == 0
    server.start()
    async with opened(server) as api:
        statuses = {name: (await api.get(f"/v1/reservations/{name}")).status for name in answered | unanswered}
        assert {name for name in answered if statuses[name] != 200} == set(), "acknowledged and lost"
        assert {name for name in unanswered if statuses[name] == 200} == set(), "received and never answered"
        assert await api.available("A") == 10_000_000 - len(answered)
    assert await drift(server, "default") == []
    assert server.faults == []
