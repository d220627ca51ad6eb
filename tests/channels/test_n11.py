"""n11: what every adapter does, and what is particular to its tasks, their pages, their words and their prices."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from adapters.contract.errors import ClosedError, SpoiledError, TicketLostError, UnavailableError, UnknownResultError
from adapters.contract.http import COMMANDS, ORDERS, READ, WRITE, Answer, Request
from adapters.contract.limits import TokenBucket, Window
from adapters.contract.stock import Applied, Item, Rejected, Retry, StillPending, Ticket
from adapters.n11 import ADAPTER, N11, Options
from adapters.testing.driving import NOW_S, Driven
from adapters.testing.ticket_conformance import TicketConformance
from tests.channels.n11_simulator import UNKNOWN, N11Simulator


class TestN11(TicketConformance[N11Simulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {"app_key": "made-up-app-key", "app_secret": "made-up-app-secret"}
    push_path = "/price-stock-update"
    poll_path = "/page-query"
    unknown_words = UNKNOWN

    def make_simulator(self) -> N11Simulator:
        return N11Simulator()

    def options_for(self, simulator: N11Simulator) -> dict[str, Any]:
        return {"base_url": simulator.url}

    def make_slow(self, simulator: N11Simulator) -> None:
        simulator.polls_until_done = 3

    def lose_tickets(self, simulator: N11Simulator) -> None:
        simulator.tasks.clear()

    # -- tasks

    async def test_words_and_codes_in_any_case_are_understood(self, simulator: N11Simulator, channel: Driven) -> None:
        simulator.drifts, simulator.polls_until_done = True, 2
        simulator.refusals[self.key(2)] = "Ürün satışa kapalı"

        for quantity in (7, 8, 9):  # each time in other cases
            outcomes = await channel.settle(*self.items(quantity, 11, 13))

            reported = {
                self.key(0): Applied(),
                self.key(1): Applied(),
                self.key(2): Rejected("failed", "Ürün satışa kapalı"),
            }
            assert outcomes == reported

    async def test_a_refusal_in_any_case_is_a_refusal(self, simulator: N11Simulator, channel: Driven) -> None:
        simulator.drifts, simulator.refuses = True, "Günlük limit"

        for _ in range(3):
            with pytest.raises(SpoiledError, match="Günlük limit"):
                await channel.push(*self.items(7))

    async def test_every_page_of_a_task_is_read(self, simulator: N11Simulator, channel: Driven) -> None:
        simulator.page_items_max = 2
        items = self.items(1, 2, 3, 4, 5)
        self.make_known(simulator, *(item.key for item in items))
        simulator.refusals[self.key(0)] = "Ürün satışa kapalı"  # answered last

        outcomes = await channel.settle(*items)

        assert outcomes.pop(self.key(0)) == Rejected("failed", "Ürün satışa kapalı")
        assert outcomes == {item.key: Applied() for item in items[1:]}
        asked = [msgspec.json.decode(each.body)["pageable"] for each in simulator.received[1:]]
        assert asked == [{"page": page, "size": 1000} for page in range(3)]

    async def test_a_reason_beside_a_success_is_no_refusal(self, simulator: N11Simulator, channel: Driven) -> None:
        simulator.remarks[self.key(0)] = "Fiyat kontrol edilecek"

        assert await channel.settle(*self.items(7)) == {self.key(0): Applied()}

    async def test_an_item_that_a_finished_task_does_not_name_is_left_out(
        self, simulator: N11Simulator, channel: Driven
    ) -> None:
        simulator.unnamed.add(self.key(1))

        assert await channel.settle(*self.items(7, 11)) == {self.key(0): Applied()}

    async def test_a_task_that_is_refused_at_once_spoils_the_push(
        self, simulator: N11Simulator, channel: Driven
    ) -> None:
        simulator.refuses = "Geçersiz integrator"

        with pytest.raises(SpoiledError, match="Geçersiz integrator") as caught:
            await channel.push(*self.items(7, 11))

        assert (caught.value.code, simulator.applied) == ("rejected", [])

    async def test_a_task_that_is_refused_later_is_tried_again_but_for_those_to_blame(
        self, simulator: N11Simulator, channel: Driven
    ) -> None:
        simulator.refuses_later = "Görev reddedildi"
        simulator.refusals[self.key(1)] = "Ürün satışa kapalı"

        assert await channel.settle(*self.items(7, 11, 13)) == {
            self.key(0): Retry("rejected", "Görev reddedildi", after_s=0.0),
            self.key(1): Rejected("failed", "Ürün satışa kapalı"),
            self.key(2): Retry("rejected", "Görev reddedildi", after_s=0.0),
        }
        assert simulator.applied == []

    async def test_a_task_that_is_refused_later_and_names_no_item_spoils_the_push(
        self, simulator: N11Simulator, channel: Driven
    ) -> None:
        simulator.refuses_later = "Görev reddedildi"

        with pytest.raises(SpoiledError, match="Görev reddedildi"):
            await channel.settle(*self.items(7))

    # -- prices

    @pytest.mark.parametrize(
        ("price", "list_price", "currency"),
        [
            ("9.50", "9.49", "TRY"),
            ("9.50", None, "TRY"),
            (None, "9.50", "TRY"),
            ("9.505", "10", "TRY"),
            ("9.50", "10.001", "TRY"),
            ("0", "2", "TRY"),
            ("-1", "2", "TRY"),
            ("free", "9", "TRY"),
            ("NaN", "9", "TRY"),
            ("1", "Infinity", "TRY"),
            ("1", "1e40", "TRY"),
            ("9.50", "10", "GBP"),
        ],
    )
    async def test_where_n11_cannot_take_the_prices_the_stock_goes_alone(
        self, price: str | None, list_price: str | None, currency: str, simulator: N11Simulator, channel: Driven
    ) -> None:
        item = self.item(self.key(0), 5, price=price, list_price=list_price, currency=currency)

        assert await channel.settle(item) == {item.key: Applied()}
        assert (simulator.shown[item.key], simulator.prices) == (5, {})

    @pytest.mark.parametrize(
        ("currency", "reported"), [(None, "TL"), ("TRY", "TL"), ("TL", "TL"), ("usd", "USD"), ("EUR", "EUR")]
    )
    async def test_prices_go_in_cents_and_in_the_currency_as_n11_calls_it(
        self, currency: str | None, reported: str, simulator: N11Simulator, channel: Driven
    ) -> None:
        await channel.settle(self.item(self.key(0), 5, price="112.850", list_price="1.2e2", currency=currency))

        key = self.key(0)
        assert (simulator.prices, simulator.list_prices, simulator.currencies) == (
            {key: "112.85"},
            {key: "120.00"},
            {key: reported},
        )

    async def test_equal_prices_are_a_pair(self, simulator: N11Simulator, channel: Driven) -> None:
        await channel.settle(self.item(self.key(0), 5, price="9.50", list_price="9.5"))

        assert simulator.prices == {self.key(0): "9.50"}


# -- on the wire: requests as they are documented, and answers that the simulator never returns

ITEM = Item(key="A", sku="a", quantity=5, version=1)


def n11(**options: Any) -> N11:
    return N11(Options(**options), "made-up-app-key", "made-up-app-secret")


def answered(exchange: Any, status: int, body: Any) -> Any:
    """End a exchange of one request with this answer."""
    next(exchange)
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    try:
        exchange.send(Answer(status, {}, raw))
    except StopIteration as end:
        return end.value
    raise AssertionError("another request was sent")


def pushed(status: int, body: Any) -> Any:
    return answered(n11().push([ITEM], NOW_S), status, body)


def polled(status: int, body: Any, *keys: str) -> Any:
    return answered(n11().poll("1092", keys or ["A"]), status, body)


def processed(*lines: Any) -> dict[str, Any]:
    return {"taskId": 1092, "status": "PROCESSED", "skus": {"content": list(lines), "totalPages": 1}}


def line(code: Any, status: Any, reasons: Any = ()) -> dict[str, Any]:
    return {"itemCode": code, "status": status, "reasons": reasons}


HEADERS = {
    "appkey": "made-up-app-key",
    "appsecret": "made-up-app-secret",
    "Accept": "application/json",
    "Content-Type": "application/json",
}


def test_a_push_is_as_documented() -> None:
    priced = Item(key="B", sku="b", quantity=0, version=1, price="9", list_price="10.5", currency="TRY")

    assert next(n11(integrator="Us").push([ITEM, priced], NOW_S)) == Request(
        "POST",
        "https://api.n11.com/ms/product/tasks/price-stock-update",
        HEADERS,
        b'{"payload":{"integrator":"Us","skus":[{"stockCode":"A","quantity":5},'
        b'{"stockCode":"B","quantity":0,"listPrice":10.50,"salePrice":9.00,"currencyType":"TL"}]}}',
        group=WRITE,
    )


@pytest.mark.parametrize(("ticket", "task"), [("1092", b"1092"), ("a-1", b'"a-1"')])
def test_a_question_is_as_documented(ticket: str, task: bytes) -> None:
    assert next(n11().poll(ticket, ["A"])) == Request(
        "POST",
        "https://api.n11.com/ms/product/task-details/page-query",
        HEADERS,
        b'{"taskId":' + task + b',"pageable":{"page":0,"size":1000}}',
        group=READ,
    )


def test_the_rate_is_an_option() -> None:
    for per_s in (1.0, 4.0):
        assert n11(requests_per_s=per_s, orders_per_min=900).capabilities.limits == (
            *(TokenBucket(per_s, per_s, group) for group in (WRITE, READ, COMMANDS)),
            Window(900, 60.0, ORDERS),
        )


@pytest.mark.parametrize("options", [{"integrator": ""}, {"requests_per_s": 0}, {"base_url": ""}])
def test_options_that_cannot_be_right_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, Options)


@pytest.mark.parametrize("id_", [1092, "1092"])
def test_a_task_s_id_may_be_a_number_or_a_text(id_: Any) -> None:
    assert pushed(200, {"id": id_, "status": "IN_QUEUE"}) == Ticket("1092")


@pytest.mark.parametrize("body", [{}, {"id": None, "status": "IN_QUEUE"}, {"id": " "}])
def test_taken_without_an_id_leaves_the_fate_unknown(body: Any) -> None:
    with pytest.raises(UnknownResultError):
        pushed(200, body)


@pytest.mark.parametrize(("status", "body"), [(400, {"message": "quantity"}), (422, ["quantity"]), (413, b"quantity")])
def test_a_push_that_is_refused_for_what_is_in_it_spoils_it(status: int, body: Any) -> None:
    with pytest.raises(SpoiledError, match="quantity") as caught:
        pushed(status, body)

    assert caught.value.code == f"http_{status}"


@pytest.mark.parametrize(("status", "body"), [(400, b"<h1>Bad Request</h1>"), (404, {}), (204, b""), (200, ["?"])])
def test_an_answer_that_is_about_no_item_spoils_none(status: int, body: Any) -> None:
    with pytest.raises(UnavailableError):
        pushed(status, body)


def test_a_closed_way_of_pushing_halts_the_channel() -> None:
    with pytest.raises(ClosedError):
        pushed(410, {})


@pytest.mark.parametrize(
    ("status", "body"), [(400, {}), (404, b"<h1>Not Found</h1>"), (410, {}), (200, {"status": None}), (200, {})]
)
def test_a_task_that_n11_does_not_know_is_lost(status: int, body: Any) -> None:
    with pytest.raises(TicketLostError):
        polled(status, body)


def test_a_task_that_ends_in_no_known_way_is_pending() -> None:
    assert polled(200, {**processed(line("A", "SUCCESS")), "status": "SOMETHING_NEW"}) == StillPending()


@pytest.mark.parametrize("skus", [None, {}, {"content": None}, {"content": [], "totalPages": 0}])
def test_a_finished_task_without_items_settles_none(skus: Any) -> None:
    assert polled(200, {"status": "PROCESSED", "skus": skus}) == {}


@pytest.mark.parametrize("status", [None, "", "IN_QUEUE", "SOMETHING_NEW"])
def test_an_item_without_a_known_end_is_left_out(status: Any) -> None:
    assert polled(200, processed(line("A", status), line("B", "SUCCESS")), "A", "B") == {"B": Applied()}


def test_codes_that_differ_in_case_alone_are_not_mixed_up() -> None:
    both = processed(line("ab", "SUCCESS"), line("AB", "Fail", ["no"]))

    assert polled(200, both, "ab", "AB") == {"ab": Applied(), "AB": Rejected("failed", "no")}
    assert polled(200, processed(line("Ab", "SUCCESS")), "ab", "AB") == {}


def test_a_code_that_was_not_asked_about_is_left_out() -> None:
    assert polled(200, processed(line("A", "SUCCESS"), line("B", "SUCCESS"), line(None, "Fail"))) == {"A": Applied()}


@pytest.mark.parametrize(
    ("reasons", "reported"),
    [
        (["one", "two"], "one; two"),
        ([], "no reason was given"),
        (None, "no reason was given"),
        ("one", "one"),
        ([{"code": 7}], "{'code': 7}"),
        (["x" * 1000], "x" * 300),
    ],
)
def test_a_failed_item_is_reported_in_the_channel_s_words(reasons: Any, reported: str) -> None:
    assert polled(200, processed(line("A", "FAIL", reasons))) == {"A": Rejected("failed", reported)}


def test_a_refused_task_has_applied_nothing_whatever_it_says() -> None:
    body = {**processed(line("A", "SUCCESS"), line("B", "Fail", ["no"])), "status": "Reject"}

    assert polled(200, body, "A", "B") == {
        "A": Retry("rejected", "no reason was given", after_s=0.0),
        "B": Rejected("failed", "no"),
    }


@pytest.mark.parametrize("body", [[], "done", {"status": 1}, {"status": "PROCESSED", "skus": {"content": [1]}}])
def test_an_answer_of_another_form_is_reported_as_unavailable(body: Any) -> None:
    with pytest.raises(UnavailableError, match="another form"):
        polled(200, body)
