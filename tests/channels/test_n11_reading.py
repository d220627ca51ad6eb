"""n11: its products are read back page by page or code by code, and its limits of a quantity and a code are kept."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from adapters.contract.errors import UnavailableError
from adapters.contract.http import READ, Answer, Request
from adapters.contract.stock import Item, Rejected, Retry
from adapters.n11 import N11, Options
from adapters.testing.driving import NOW_S, PATIENT_S, Driven
from server.channels.connection.http_transport import Transport
from tests.channels.n11_simulator import N11Simulator

HEADERS = {
    "appkey": "made-up-app-key",
    "appsecret": "made-up-app-secret",
    "Accept": "application/json",
    "Content-Type": "application/json",
}


def n11(**options: Any) -> N11:
    return N11(Options(**options), "made-up-app-key", "made-up-app-secret")


@pytest.fixture
async def simulator() -> AsyncIterator[N11Simulator]:
    async with N11Simulator() as simulator:
        yield simulator
    assert simulator.complaints == []


@pytest.fixture
async def channel(simulator: N11Simulator) -> AsyncIterator[Driven]:
    transport = Transport(allow_private=["127.0.0.1"], timeout_s=PATIENT_S)
    yield Driven(n11(base_url=simulator.url), transport.send)
    await transport.close()


# -- how many requests a reading takes


@pytest.mark.parametrize(
    ("products", "listed", "requests"),
    [
        (1, 1, 1),  # by its code
        (3, 2, 1),  # the only page
        (600, 600, 3),  # every page
        (600, 200, 1),  # the page that has them all
        (5000, 1, 1),  # one code instead of twenty pages
    ],
)
async def test_what_is_listed_is_read_in_as_few_requests_as_it_takes(
    products: int, listed: int, requests: int, simulator: N11Simulator, channel: Driven
) -> None:
    codes = [f"TS-{number}" for number in range(products)]
    for number, code in enumerate(codes):
        simulator.stock(code, quantity=number)

    assert await channel.read(codes[:listed]) == {code: number for number, code in enumerate(codes[:listed])}
    assert len(simulator.received) == requests


async def test_the_last_codes_are_read_one_by_one_where_many_pages_are_left(
    simulator: N11Simulator, channel: Driven
) -> None:
    simulator.stock(*(f"TS-{number}" for number in range(5000)), quantity=4)

    assert await channel.read(["TS-0", "TS-1", "TS-4998", "TS-4999", "unknown"]) == dict.fromkeys(
        ["TS-0", "TS-1", "TS-4998", "TS-4999"], 4
    )
    assert len(simulator.received) <= 5


async def test_pages_without_their_number_are_read_until_one_is_short(simulator: N11Simulator, channel: Driven) -> None:
    simulator.unnumbered = True
    codes = [f"TS-{number}" for number in range(600)]
    simulator.stock(*codes, quantity=4)

    assert await channel.read(codes) == dict.fromkeys(codes, 4)


# -- what is read


async def test_a_code_that_n11_writes_in_another_case_is_read(simulator: N11Simulator, channel: Driven) -> None:
    simulator.drifts = True
    simulator.stock("ts-1", "ts-2", "ts-3", quantity=4)

    assert await channel.read(["ts-1", "ts-2", "ts-3"]) == dict.fromkeys(["ts-1", "ts-2", "ts-3"], 4)


async def test_codes_that_differ_in_case_alone_are_read_apart(simulator: N11Simulator, channel: Driven) -> None:
    simulator.shown |= {"ab": 1, "AB": 2, "Ab": 3}

    assert await channel.read(["ab", "AB"]) == {"ab": 1, "AB": 2}
    assert await channel.read(["aB"]) == {}


async def test_a_product_without_a_quantity_and_an_unknown_one_are_left_out(
    simulator: N11Simulator, channel: Driven
) -> None:
    simulator.stock("A", "B", quantity=4)
    simulator.uncounted = {"B"}

    assert await channel.read(["A", "B", "C"]) == {"A": 4}


@pytest.mark.parametrize("code", ["TS 1/ü&=?", "a,b", "100%"])
async def test_a_code_of_any_letters_is_read(code: str, simulator: N11Simulator, channel: Driven) -> None:
    simulator.stock(code, quantity=4)

    assert await channel.read([code]) == {code: 4}


# -- on the wire


@pytest.mark.parametrize(
    ("keys", "query"), [(["A b"], "stockCode=A+b"), (["A", "B"], "page=0&size=250"), (["A"] * 2, "stockCode=A")]
)
def test_a_reading_is_as_documented(keys: list[str], query: str) -> None:
    request = next(n11().read(keys))

    assert request == Request("GET", f"https://api.n11.com/ms/product-query?{query}", HEADERS, group=READ)


@pytest.mark.parametrize(("status", "keys"), [(404, ["A", "B"]), (204, ["A"]), (200, ["A"])])
def test_an_answer_without_products_is_no_answer(status: int, keys: list[str]) -> None:
    reading = n11().read(keys)
    next(reading)

    with pytest.raises(UnavailableError):
        reading.send(Answer(status, {}, msgspec.json.encode({"message": "?"})))


def test_a_code_that_n11_answers_404_to_is_left_out() -> None:
    reading = n11().read(["A"])
    next(reading)

    with pytest.raises(StopIteration) as ended:
        reading.send(Answer(404, {}, b"{}"))
    assert ended.value.value == {}


def test_reading_back_can_be_switched_off() -> None:
    adapter = n11(read_back=False)

    assert adapter.capabilities.read_items_max == 0
    with pytest.raises(TypeError):
        adapter.read(["A"])


# -- the limits of a value


@pytest.mark.parametrize("length", [256, 300])
async def test_a_key_that_is_too_long_for_a_stock_code_spoils_no_other(
    length: int, simulator: N11Simulator, channel: Driven
) -> None:
    long = "x" * length

    outcomes = await channel.push(*(Item(key=key, sku=key, quantity=1, version=1) for key in (long, "A")))

    assert outcomes == {
        long: Rejected("not_a_stock_code", "a stock code has at most 255 characters"),
        "A": Retry("not_sent", "another item's key is no stock code", after_s=0.0),
    }
    assert simulator.received == []


def test_a_key_of_255_characters_is_a_stock_code() -> None:
    assert next(n11().push([Item(key="x" * 255, sku="A", quantity=1, version=1)], NOW_S)).method == "POST"


def test_the_largest_quantity_is_declared() -> None:
    assert n11().capabilities.quantity_max == 999_999
