"""The single endpoint: what a handler returns or raises becomes one answer and one count."""

from collections.abc import Awaitable
from typing import Any, cast

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from server.api.http import answer as answers
from server.api.http import openapi, routing
from server.api.http.answer import Answer, answer_item
from server.api.http.app_state import AppState
from server.api.http.routing import Call, Handler, Route, endpoint
from server.api.routes import ROUTES
from server.domain.principal import LOCAL, Scope
from server.schemas.barcodes import BarcodesPut
from server.schemas.problems import Problem
from server.service.checks import InvalidError
from server.service.problems import problem
from server.store.errors import OutcomeUnknownError, OverloadedError, StoreUnavailableError

Counts = list[tuple[str, str]]


class State:
    """As much of the state as the endpoint looks at: everybody is let in."""

    slow_request_s = 0.0
    stopping = False
    access_log = None
    authenticator: "State"

    def __init__(self) -> None:
        self.authenticator = self

    def authenticate(self, _header: str | None) -> Any:
        return LOCAL

    def partition(self, _name: str) -> Any:
        return None


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counts:
    """Collect the outcomes that are counted."""
    counted: Counts = []

    class Tally:
        def outcome(self, operation: str, outcome: str) -> None:
            counted.append((operation, outcome))

        def request(self, *_: object) -> None:
            pass

    monkeypatch.setattr(routing, "TALLY", Tally())
    monkeypatch.setattr(answers, "TALLY", Tally())
    return counted


async def answered(handler: Handler, operation: str = "reserve") -> tuple[web.Response, Any]:
    route = Route("POST", "/x", handler, Scope.READ, "", {201: BarcodesPut}, operation=operation)
    response = await endpoint(cast("AppState", State()), route)(
        make_mocked_request("POST", "/x", {"Host": "localhost"})
    )
    assert isinstance(response, web.Response)
    return response, msgspec.json.decode(cast("bytes", response.body))


async def test_given_an_answer_when_returned_then_it_is_sent_as_the_route_succeeds_and_counted(counts: Counts) -> None:
    async def handler(_call: Call) -> object:
        return Answer(BarcodesPut(3), "held", {"ETag": "x"})

    response, body = await answered(handler)

    assert (response.status, body, response.headers["ETag"]) == (201, {"barcodes": 3}, "x")
    assert counts == [("reserve", "held")]


async def test_given_a_replay_when_returned_then_its_header_and_its_count_mark_it(counts: Counts) -> None:
    async def handler(_call: Call) -> object:
        return Answer(BarcodesPut(3), "replayed")

    response, _ = await answered(handler)

    assert response.headers["Idempotent-Replayed"] == "true"
    assert counts == [("reserve", "replayed")]


async def test_given_a_bare_view_when_returned_then_nothing_is_counted(counts: Counts) -> None:
    async def handler(_call: Call) -> object:
        return BarcodesPut(3)

    response, body = await answered(handler)

    assert (response.status, body) == (201, {"barcodes": 3})
    assert counts == []


@pytest.mark.parametrize(("operation", "counted"), [("reserve", [("reserve", "out_of_stock")]), ("", [])])
async def test_given_a_refusal_when_returned_then_it_is_counted_where_the_route_is_an_operation(
    counts: Counts, operation: str, counted: Counts
) -> None:
    async def handler(_call: Call) -> object:
        return problem("out_of_stock")

    response, body = await answered(handler, operation)

    assert (response.status, body["outcome"]) == (409, "out_of_stock")
    assert counts == counted


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (StoreUnavailableError("Away."), "store_unavailable"),
        (OverloadedError(), "overloaded"),
        (OutcomeUnknownError(), "outcome_unknown"),
    ],
)
async def test_given_an_operating_error_when_raised_then_it_names_the_reservation_and_is_counted(
    counts: Counts, error: Exception, outcome: str
) -> None:
    async def handler(call: Call) -> object:
        call.reservation_id = "r-1"
        raise error

    response, body = await answered(handler)

    assert (response.status, body["outcome"], body["reservation_id"]) == (503, outcome, "r-1")
    assert counts == [("reserve", outcome)]


@pytest.mark.parametrize(("error", "status"), [(InvalidError("sku", "must be there"), 400), (KeyError("x"), 500)])
async def test_given_a_broken_rule_or_a_fault_when_raised_then_no_operation_is_counted(
    counts: Counts, error: Exception, status: int
) -> None:
    async def handler(_call: Call) -> object:
        raise error

    response, _ = await answered(handler)

    assert response.status == status
    assert counts == []


async def test_given_items_of_a_batch_when_answered_then_each_is_counted_as_if_alone(counts: Counts) -> None:
    def show(number: int) -> Answer[int] | Problem:
        return Answer(number, "held") if number else problem("out_of_stock")

    async def result(number: int) -> int:
        if number < 0:
            raise OverloadedError
        return number

    items: list[Awaitable[int]] = [result(1), result(0), result(-1)]
    made = [await answer_item("reserve", each, show, "r-1") for each in items]

    assert [each.outcome for each in made] == ["held", "out_of_stock", "overloaded"]
    assert isinstance(made[2], Problem)
    assert made[2].reservation_id == "r-1"
    assert counts == [("reserve", "held"), ("reserve", "out_of_stock"), ("reserve", "overloaded")]


def test_the_ids_of_operations_do_not_follow_the_names_of_modules() -> None:
    paths = openapi.document(ROUTES, "0")["paths"]

    ids = {each["operationId"] for methods in paths.values() for each in methods.values() if "operationId" in each}

    assert {"supply_put", "supply_drop", "atp_read", "move_move", "safety_put_sku", "returns_take_back"} <= ids
