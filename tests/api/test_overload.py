"""Overload, and a store that hangs: every 503 says the truth about what happened."""

import asyncio
from collections.abc import Callable

import pytest

from tests.conftest import wait_until
from tests.support.http import Answer, Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

REQUESTS = 60
NOTHING_HAPPENED = {"overloaded", "store_unavailable"}


@pytest.fixture
def narrow(start_server: Callable[..., Server]) -> Server:
    """A server that lets few wait, and not for long."""
    return start_server(queue_operations_max=8, queue_timeout_s=0.3, reply_timeout_s=1.0)


async def recovered(api: Api) -> None:
    async def ready() -> bool:
        return (await api.get("/readyz")).status == 200 and (await api.get("/v1/availability/A")).status == 200

    await wait_until(ready, "the server is well again")


async def read_unless_busy(api: Api, path: str) -> Answer:
    """Read one thing; the few that may wait are soon through."""
    async with asyncio.timeout(20):
        while (answer := await api.get(path)).status == 503:
            await asyncio.sleep(0.01)
    return answer


async def test_given_a_store_that_hangs_when_much_is_asked_then_every_refusal_is_true(narrow: Server) -> None:
    async with opened(narrow) as api:
        await api.count("A", 1000)
        # Both connections to the store are open; a request that is sent over one of them has an unknown outcome.
        await asyncio.gather(*(api.reserve("A", 1, f"warm{number}") for number in range(8)))
        warm = 1000 - await api.available("A")
        with narrow.frozen_store():
            answers = await asyncio.gather(*(api.reserve("A", 1, f"r{number}") for number in range(REQUESTS)))
        outcomes = {f"r{number}": answer.problem(503, answer.body["outcome"]) for number, answer in enumerate(answers)}
        assert {body["outcome"] for body in outcomes.values()} == {*NOTHING_HAPPENED, "outcome_unknown"}
        assert {answer.headers["Retry-After"] for answer in answers} == {"1"}
        assert all(body["retryable"] and body["reservation_id"] == name for name, body in outcomes.items())
        await recovered(api)
        existing = set()
        for name, body in outcomes.items():
            status = (await read_unless_busy(api, f"/v1/reservations/{name}")).status
            assert not (status == 200 and body["outcome"] in NOTHING_HAPPENED), (name, body["outcome"])
            existing |= {name} if status == 200 else set()
        assert await api.available("A") == 1000 - warm - len(existing)
        for name in outcomes:
            (await api.reserve("A", 1, name)).ok(201)
        assert await api.available("A") == 1000 - warm - REQUESTS


async def test_given_a_store_that_hangs_when_a_batch_is_sent_then_each_result_is_true(narrow: Server) -> None:
    async with opened(narrow) as api:
        await api.count("A", 1000)
        wanted = [
            {"reservation_id": f"b{number}", "channel": "web", "lines": [{"sku": "A", "quantity": 1}]}
            for number in range(40)
        ]
        with narrow.frozen_store():
            results = (await api.post("/v1/reservations/batch", {"reservations": wanted})).ok()["results"]
        assert {result["status"] for result in results} == {503}
        assert {result["outcome"] for result in results} <= {*NOTHING_HAPPENED, "outcome_unknown"}
        await recovered(api)
        for result in results:
            status = (await read_unless_busy(api, f"/v1/reservations/{result['reservation_id']}")).status
            assert not (status == 200 and result["outcome"] in NOTHING_HAPPENED), result


@pytest.mark.parametrize(
    "path",
    ["/v1/availability/A", "/v1/stock/A", "/v1/reservations/x", "/v1/reservations", "/v1/changes", "/readyz"],
)
@pytest.mark.soak
async def test_given_a_store_that_hangs_when_something_is_read_then_it_is_unavailable(
    narrow: Server, path: str
) -> None:
    async with opened(narrow) as api:
        await api.count("A", 1000)
        with narrow.frozen_store():
            answer = await api.get(path)
            assert (await api.get("/livez")).status == 200
        answer.problem(503, "store_unavailable")
        assert answer.headers["Retry-After"] == "1"
        await recovered(api)
    assert narrow.faults == []


async def test_given_a_store_that_is_gone_when_something_is_asked_then_it_is_unavailable_until_it_is_back(
    narrow: Server,
) -> None:
    async with opened(narrow) as api:
        await api.count("A", 1000)
        with narrow.store() as store:
            store.shutdown(nosave=True, now=True, force=True)
        answers = await asyncio.gather(*(api.reserve("A", 1, f"r{number}") for number in range(REQUESTS)))
        assert {answer.status for answer in answers} <= {201, 503}
        await recovered(api)
        acknowledged = [f"r{number}" for number, answer in enumerate(answers) if answer.status == 201]
        for name in acknowledged:
            assert (await read_unless_busy(api, f"/v1/reservations/{name}")).status == 200
        refused = [f"r{n}" for n, a in enumerate(answers) if a.status == 503 and a.body["outcome"] in NOTHING_HAPPENED]
        for name in refused:
            assert (await read_unless_busy(api, f"/v1/reservations/{name}")).status == 404
