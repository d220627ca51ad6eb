"""The simulated Vendure beside the real one: the same requests, the same answers."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import msgspec
import pytest

from adapters.contract.http import Answer, Request
from adapters.vendure import graphql
from server.channels.connection.http_transport import Transport
from tests.channels.vendure_server import PASSWORD, SKUS, USERNAME, VENDURE_TIMEOUT_S, VendureServer
from tests.channels.vendure_simulator import VendureSimulator

pytest_plugins = ("tests.channels.vendure.fixtures",)
pytestmark = pytest.mark.timeout(VENDURE_TIMEOUT_S)

ID: Final = "900"
SKU: Final = SKUS[899]
UNKNOWN: Final = "999999"
WHO: Final = {"username": USERNAME, "password": PASSWORD}

NO_WORDS: Final = ("BAD_USER_INPUT", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED")
"""From the GraphQL library, and each library has its own messages."""


def changes(*inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"input": inputs}


def change(key: str, on_hand: object, location: str = "1", **fields: object) -> dict[str, Any]:
    return {"id": key, "stockLevels": [{"stockLocationId": location, "stockOnHand": on_hand}], **fields}


def priced(currency: str) -> dict[str, Any]:
    return change(ID, 5, prices=[{"currencyCode": currency, "price": 950}])


REQUESTS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "a variant by id": (graphql.LEVELS, {"filter": {"id": {"in": [ID, UNKNOWN, "", f"0{ID}"]}}}),
    "a variant by SKU": (graphql.LEVELS, {"filter": {"sku": {"in": [SKU, SKU.lower()]}}}),
    "none": (graphql.LEVELS, {"filter": {"id": {"in": []}}}),
    "a change": (graphql.UPDATE, changes(change(ID, 5))),
    "two changes of one": (graphql.UPDATE, changes(change(ID, 6), change(ID, 7))),
    "below zero": (graphql.UPDATE, changes(change(ID, -2))),
    "a price": (graphql.UPDATE, changes(change(ID, 5, price=950))),
    "a price in its currency": (graphql.UPDATE, changes(priced("USD"))),
    "no change": (graphql.UPDATE, changes()),
    "an unknown id": (graphql.UPDATE, changes(change(ID, 8), change(UNKNOWN, 8))),
    "an unknown location": (graphql.UPDATE, changes(change(ID, 8, location="99"))),
    "another currency": (graphql.UPDATE, changes(priced("EUR"))),
    "no currency": (graphql.UPDATE, changes(priced("XXY"))),
    "too many for an Int": (graphql.UPDATE, changes(change(ID, 2**31))),
    "half a unit": (graphql.UPDATE, changes(change(ID, 1.5))),
    "a field that is none": (graphql.UPDATE, changes(change(ID, 1, nonsense=1))),
    "no input": (graphql.UPDATE, {}),
    "an unknown question": ("{ productVariants { items { nonsense } } }", {}),
    "half a question": ("{ productVariants {", {}),
    "too long": (graphql.LEVELS, {"filter": {"id": {"in": ["x" * 110_000]}}}),
    "a wrong password": (graphql.LOGIN, {"username": USERNAME, "password": "another"}),
}


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport(allow_private=["127.0.0.1"])
    yield transport
    await transport.close()


@pytest.fixture
async def urls(vendure: VendureServer) -> AsyncIterator[tuple[str, str]]:
    """Return both shops, with the same variant, in the same state."""
    assert vendure.ids[SKU] == ID
    vendure.shop.set_on_hand(ID, 3)
    async with VendureSimulator(username=USERNAME, password=PASSWORD, skus={ID: SKU}) as simulator:
        simulator.stock(ID, quantity=3)
        yield vendure.admin_url, f"{simulator.url}/admin-api"


@pytest.mark.parametrize("name", REQUESTS)
async def test_the_simulated_shop_answers_as_the_real_one(
    name: str, urls: tuple[str, str], transport: Transport
) -> None:
    query, variables = REQUESTS[name]
    reported = []
    for url in urls:
        token = (await ask(transport, url, graphql.LOGIN, WHO)).headers["vendure-auth-token"]
        answer = await ask(transport, url, query, variables, token)
        left = await ask(transport, url, graphql.LEVELS, {"filter": {"id": {"in": [ID]}}}, token)
        reported.append((essence(answer), essence(left)))

    real, simulated = reported
    assert simulated == real


@pytest.mark.parametrize("name", ["a variant by id", "a change"])
@pytest.mark.parametrize("token", ["", "0" * 64], ids=["no token", "an unknown token"])
async def test_who_is_not_signed_in_is_answered_alike(
    name: str, token: str, urls: tuple[str, str], transport: Transport
) -> None:
    query, variables = REQUESTS[name]

    real, simulated = [essence(await ask(transport, url, query, variables, token)) for url in urls]

    assert simulated == real
    assert real["code"] == "FORBIDDEN"


async def ask(transport: Transport, url: str, query: str, variables: Mapping[str, Any], token: str = "") -> Answer:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    body = msgspec.json.encode({"query": query, "variables": variables})
    return await transport.send(Request("POST", url, headers, body))


def essence(answer: Answer) -> dict[str, Any]:
    """Take from an answer what an adapter can go by."""
    body = msgspec.json.decode(answer.body)
    error = body.get("errors", [{}])[0]
    code = error.get("extensions", {}).get("code")
    return {
        "status": answer.status,
        "code": code,
        "message": None if code in NO_WORDS else error.get("message"),
        "data": body.get("data", "none"),
        "token": "vendure-auth-token" in answer.headers,
    }
