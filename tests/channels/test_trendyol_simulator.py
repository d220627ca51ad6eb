"""The simulated Trendyol is as strict as the account that it stands for."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.channels.trendyol_simulator import REFUSED_COPY, TrendyolSimulator
from tests.conftest import wait_until

PUSH = "/integration/inventory/sellers/4711/products/price-and-inventory"


class Seller:
    """Sends what a test asks for, right or wrong."""

    def __init__(self, simulator: TrendyolSimulator, session: aiohttp.ClientSession) -> None:
        self._simulator = simulator
        self._session = session

    async def push(self, body: Any) -> tuple[int, Any]:
        async with self._session.post(self._simulator.url + PUSH, json=body) as response:
            return response.status, await response.json()

    async def failures(self, *items: dict[str, Any]) -> list[str]:
        """Push, and return the first failure of each item, empty where it went well."""
        status, body = await self.push({"items": items})
        assert status == 200
        ticket = f"/integration/product/sellers/4711/products/batch-requests/{body['batchRequestId']}"
        async with self._session.get(self._simulator.url + ticket) as response:
            lines = (await response.json())["items"]
        return [next(iter(line["failureReasons"]), "") for line in lines]


@pytest.fixture
async def simulator() -> AsyncIterator[TrendyolSimulator]:
    async with TrendyolSimulator() as simulator:
        simulator.stock("868", "869")
        yield simulator


@pytest.fixture
async def seller(simulator: TrendyolSimulator) -> AsyncIterator[Seller]:
    login = aiohttp.encode_basic_auth(simulator.api_key, simulator.api_secret)
    headers = {"User-Agent": "4711 - SelfIntegration", "Authorization": login}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield Seller(simulator, session)


@pytest.mark.parametrize(
    "body",
    [
        {"items": []},
        {"items": [{"barcode": str(number)} for number in range(1001)]},
        {"items": [{"barcode": "868", "quantity": "5"}]},
        {"items": [{"barcode": "868", "quantity": 1.5}]},
        {"items": [{"quantity": 5}]},
        {"items": [{"barcode": "868", "stock": 5}]},
        {},
    ],
)
async def test_a_body_that_is_not_as_documented_is_refused_and_complained_of(
    body: Any, simulator: TrendyolSimulator, seller: Seller
) -> None:
    assert (await seller.push(body))[0] == 400
    assert len(simulator.complaints) == 1
    assert simulator.applied == []


async def test_only_a_body_that_was_taken_counts_as_sent_before(simulator: TrendyolSimulator, seller: Seller) -> None:
    body = {"items": [{"barcode": "868", "quantity": 5}]}
    simulator.faults.append("throttled")
    async with seller._session.post(simulator.url + PUSH, json=body) as response:
        assert response.status == 429

    assert (await seller.push(body))[0] == 200
    status, refusal = await seller.push(body)

    assert (status, refusal["errors"][0]["message"], simulator.copies) == (400, REFUSED_COPY, 1)


async def test_each_item_that_breaks_a_rule_fails_alone(simulator: TrendyolSimulator, seller: Seller) -> None:
    simulator.prices_per_min = 0
    reported = await seller.failures(
        {"barcode": "no-such", "quantity": 1},
        {"barcode": "868", "salePrice": 9.5, "listPrice": 9.4},
        {"barcode": "869", "quantity": 3},
    )

    assert ["bulunamadı" in reported[0], "küçük" in reported[1], reported[2]] == [True, True, ""]
    assert simulator.applied == [("869", 3)]
    assert "1 dakika" in (await seller.failures({"barcode": "868", "salePrice": 9.4, "listPrice": 9.5}))[0]


@pytest.mark.parametrize("quantity", [-1, 20_001])
async def test_a_quantity_that_no_account_may_show_fails_and_is_complained_of(
    quantity: int, simulator: TrendyolSimulator, seller: Seller
) -> None:
    assert (await seller.failures({"barcode": "868", "quantity": quantity}))[0]
    assert simulator.complaints == [f"quantity {quantity}"]


async def test_a_later_ticket_can_overtake_an_earlier_one(simulator: TrendyolSimulator, seller: Seller) -> None:
    simulator.next_process_s.extend([0.3, 0.0])

    for quantity in (1, 2):
        await seller.push({"items": [{"barcode": "868", "quantity": quantity}]})
    await wait_until(lambda: len(simulator.applied) == 2)

    assert simulator.applied == [("868", 2), ("868", 1)]


async def test_what_comes_too_often_in_a_minute_is_throttled(simulator: TrendyolSimulator, seller: Seller) -> None:
    simulator.writes_per_min = 2

    answers = [await seller.push({"items": [{"barcode": "868", "quantity": each}]}) for each in range(3)]

    assert [status for status, _ in answers] == [200, 200, 429]
    assert answers[2][1]["errors"][0]["key"] == "too.many.requests"
