"""Trendyol's requests as they are documented, and answers that its simulator never returns."""

from typing import Any

import msgspec
import pytest

from adapters.contract.errors import ClosedError, SpoiledError, UnavailableError, UnknownResultError
from adapters.contract.http import READ, WRITE, Answer, Request
from adapters.contract.limits import PerItem, Window
from adapters.contract.stock import Applied, Item, Rejected, StillPending, Unknown
from adapters.testing.driving import NOW_S
from adapters.trendyol import Options, Trendyol
from tests.channels.trendyol_simulator import REFUSED_COPY

CREDENTIALS = {"api_key": "made-up-api-key", "api_secret": "made-up-api-secret"}


def trendyol(**options: Any) -> Trendyol:
    return Trendyol(Options(seller_id=4711, **options), CREDENTIALS)


def answered(exchange: Any, status: int, body: Any) -> Any:
    """End a exchange of one request with this answer."""
    next(exchange)
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    try:
        exchange.send(Answer(status, {}, raw))
    except StopIteration as end:
        return end.value
    raise AssertionError("another request was sent")


ITEM = Item(key="868", sku="A", quantity=5, version=1)


def pushed(status: int, body: Any, **options: Any) -> Any:
    return answered(trendyol(**options).push([ITEM], NOW_S), status, body)


def polled(status: int, body: Any, *keys: str) -> Any:
    return answered(trendyol().poll("t-1", keys or ["868"]), status, body)


def line(barcode: str, status: str | None, *reasons: Any) -> dict[str, Any]:
    return {"requestItem": {"barcode": barcode, "quantity": 5}, "status": status, "failureReasons": list(reasons)}


def test_the_request_is_as_documented() -> None:
    request = next(trendyol().push([ITEM], NOW_S))

    assert request == Request(
        "POST",
        "https://apigw.trendyol.com/integration/inventory/sellers/4711/products/price-and-inventory",
        {
            "Authorization": "Basic bWFkZS11cC1hcGkta2V5Om1hZGUtdXAtYXBpLXNlY3JldA==",
            "User-Agent": "4711 - SelfIntegration",
            "Accept": "application/json",
            "Content-Type": "application/json",
        },
        b'{"items":[{"barcode":"868","quantity":5}]}',
        group=WRITE,
    )


def test_the_stage_is_another_host_and_tickets_are_asked_for_at_another_path() -> None:
    request = next(trendyol(environment="stage", integrator="Acme42").poll("a/b?c", ["868"]))

    assert (request.method, request.url, request.group) == (
        "GET",
        "https://stageapigw.trendyol.com/integration/product/sellers/4711/products/batch-requests/a%2Fb%3Fc",
        READ,
    )
    assert request.headers["User-Agent"] == "4711 - Acme42"


@pytest.mark.parametrize(
    "options",
    [
        {"seller_id": 0},
        {"integrator": "with space"},
        {"integrator": "x" * 31},
        {"tier": "60k"},
        {"environment": "test"},
        {"identical_body_words": ""},
    ],
)
def test_options_that_cannot_be_right_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"seller_id": 4711, **options}, Options)


@pytest.mark.parametrize(
    ("tier", "writes", "reads"),
    [
        ("50k", 350, 1000),
        ("75k", 500, 1000),
        ("150k", 1000, 1000),
        ("500k", 1500, 1000),
        ("unlimited", 2000, 1000),
        ("international-100k", 350, 1000),
        ("international-350k", 500, 1250),
        ("international-500k", 1000, 1500),
        ("international-unlimited", 1500, 2000),
    ],
)
def test_the_tier_says_how_much_may_be_written_and_read(tier: str, writes: int, reads: int) -> None:
    limits = trendyol(tier=tier).capabilities.limits

    assert Window(writes, 60.0, WRITE) in limits
    assert Window(reads, 60.0, READ) in limits
    assert PerItem(30, 60.0, priced=True) in limits
    assert Window(1800, 60.0, READ) in trendyol(tier=tier, reads_per_min=1800).capabilities.limits


@pytest.mark.parametrize(
    ("keys", "query"),
    [
        (["A", "B"], "barcodes=A&barcodes=B&page=0&size=100"),
        (["868"], "barcodes=868&page=0&size=100"),
        (["a,b", "ü&="], "barcodes=a%2Cb&barcodes=%C3%BC%26%3D&page=0&size=100"),
    ],
)
def test_barcodes_are_repeated_where_they_are_read_back(keys: list[str], query: str) -> None:
    url = "https://apigw.trendyol.com/integration/product/sellers/4711/products/approved/inventory-and-price"

    assert next(trendyol().read(keys)).url == f"{url}?{query}"


def test_barcodes_that_differ_in_case_alone_are_read_apart() -> None:
    variants = [{"barcode": "AB", "quantity": 3}, {"barcode": "ab", "quantity": 4}]

    assert answered(trendyol().read(["ab"]), 200, {"content": [{"variants": variants}]}) == {"ab": 4}
    assert answered(trendyol().read(["aB"]), 200, {"content": [{"variants": variants}]}) == {}
    assert answered(trendyol().read(["aB"]), 200, {"content": [{"variants": variants[:1]}]}) == {"aB": 3}


def test_the_short_window_is_obeyed_unless_switched_off() -> None:
    short = {Window(50, 10.0, WRITE), Window(50, 10.0, READ)}

    assert short <= set(trendyol().capabilities.limits)
    assert not short & set(trendyol(obey_short_window=False).capabilities.limits)


def test_reading_back_can_be_switched_off() -> None:
    adapter = trendyol(read_back=False)

    assert adapter.capabilities.read_items_max == 0
    with pytest.raises(TypeError):
        adapter.read(["868"])


def test_a_refusal_of_the_whole_push_names_its_code_and_its_words() -> None:
    with pytest.raises(SpoiledError, match="quantity is wrong") as caught:
        pushed(400, {"errors": [{"key": "validation.failed", "message": "quantity is wrong", "errorCode": "12"}]})

    assert caught.value.code == "validation.failed"


@pytest.mark.parametrize("body", [{}, [], {"errors": []}, {"errors": None}, {"errors": ["?"]}, {"errors": [{}]}])
def test_a_refusal_of_another_form_is_reported_with_what_there_is(body: Any) -> None:
    with pytest.raises(SpoiledError) as caught:
        pushed(400, body)

    assert (caught.value.code, caught.value.reason) == ("http_400", msgspec.json.encode(body).decode())


def test_a_push_that_is_too_long_for_something_on_the_way_can_be_cut() -> None:
    with pytest.raises(SpoiledError, match="Too Large"):
        pushed(413, b"<h1>Too Large</h1>")


def test_a_refusal_in_html_is_no_word_about_the_items() -> None:
    with pytest.raises(UnavailableError, match="not JSON"):
        pushed(400, b"<h1>Bad Request</h1>")


@pytest.mark.parametrize("status", [404, 405, 408, 204])
def test_an_answer_that_is_about_no_item_spoils_none(status: int) -> None:
    with pytest.raises(UnavailableError):
        pushed(status, {})


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [{"message": REFUSED_COPY}]},
        REFUSED_COPY.encode(),
        b'{"errors":[{"message":"15 dakika boyunca ayn\\u0131 iste\\u011fi atamazs\\u0131n\\u0131z!"}]}',
    ],
)
@pytest.mark.parametrize("status", [400, 409, 429])
def test_a_refused_copy_is_known_by_its_words_in_any_form(status: int, body: Any) -> None:
    assert isinstance(pushed(status, body)["868"], Unknown)


def test_the_words_of_a_refused_copy_can_be_configured() -> None:
    body = {"errors": [{"message": "Same request, again"}]}

    assert isinstance(pushed(400, body, identical_body_words="same REQUEST")["868"], Unknown)


def test_a_closed_version_halts_the_channel() -> None:
    with pytest.raises(ClosedError):
        pushed(426, {"message": "upgrade"})


@pytest.mark.parametrize("body", [{}, [], {"batchRequestId": ""}, {"batchRequestId": None}])
def test_taken_without_a_ticket_leaves_the_fate_unknown(body: Any) -> None:
    with pytest.raises(UnknownResultError):
        pushed(200, body)


@pytest.mark.parametrize(
    "body",
    [
        {"items": [], "itemCount": 1},
        {"items": None},
        {"items": [line("868", None)]},
        {"items": [line("868", "IN_PROGRESS")]},
        {"items": [line("868", "SOMETHING_NEW")]},
    ],
)
def test_a_ticket_without_an_end_of_every_item_is_pending(body: Any) -> None:
    assert polled(200, body) == StillPending({})


def test_a_ticket_that_lists_fewer_items_than_it_counts_is_pending() -> None:
    body = {"items": [line("868", "SUCCESS")], "itemCount": 2}

    assert polled(200, body, "868", "869") == StillPending({"868": Applied()}, frozenset({"869"}))


def test_what_a_completed_ticket_does_not_name_or_finish_is_left_out() -> None:
    body = {"status": "COMPLETED", "items": [line("868", "SUCCESS"), line("870", "NEW")], "itemCount": 3}

    assert polled(200, body, "868", "869", "870") == {"868": Applied()}


@pytest.mark.parametrize("items", [[], [line("868", "SUCCESS")]])
def test_a_ticket_in_progress_is_pending_whatever_it_lists(items: list[dict[str, Any]]) -> None:
    body = {"status": "IN_PROGRESS", "items": items, "itemCount": 2}

    assert polled(200, body, "868", "869") == StillPending({"868": Applied()} if items else {})


def test_an_item_that_a_finished_ticket_does_not_name_is_left_out() -> None:
    body = {"items": [line("868", "SUCCESS"), line("stranger", "SUCCESS")], "itemCount": 2}

    assert polled(200, body, "868", "869") == {"868": Applied()}


def test_barcodes_that_differ_in_case_alone_are_not_mixed_up() -> None:
    body = {"items": [line("ab", "SUCCESS"), line("AB", "FAILED", "no")], "itemCount": 2}

    assert polled(200, body, "ab", "AB") == {"ab": Applied(), "AB": Rejected("failed", "no")}
    assert polled(200, {"items": [line("Ab", "SUCCESS")], "itemCount": 1}, "ab", "AB") == {}


@pytest.mark.parametrize(
    ("reasons", "reported"),
    [
        (["one", "two"], "one; two"),
        ([], "no reason was given"),
        ([{"code": 7}], "{'code': 7}"),
        (["x" * 1000], "x" * 300),
    ],
)
def test_a_failed_item_is_reported_in_the_channel_s_words(reasons: list[Any], reported: str) -> None:
    assert polled(200, {"items": [line("868", "FAILED", *reasons)]}) == {"868": Rejected("failed", reported)}


@pytest.mark.parametrize("body", [[], {"items": [1]}, {"items": [{}]}, {"items": 5}, "done"])
def test_an_answer_of_another_form_is_reported_as_unavailable(body: Any) -> None:
    with pytest.raises(UnavailableError, match="another form"):
        polled(200, body)


def test_an_answer_about_more_products_than_were_asked_for_is_not_trusted() -> None:
    body = {"content": [], "totalElements": 900}

    with pytest.raises(UnavailableError, match="900"):
        answered(trendyol().read(["868"]), 200, body)


def test_a_product_without_a_quantity_is_left_out() -> None:
    variants = [{"barcode": "868", "quantity": None}, {"barcode": "869", "quantity": 3}, {"barcode": "870"}]

    shown = answered(trendyol().read(["868", "869"]), 200, {"content": [{"variants": variants}, {}]})

    assert shown == {"869": 3}
