"""The webhook adapter against a receiver that is built on the public packages for both specifications."""

import base64
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any, ClassVar, Final

import msgspec
import pytest

from adapters.contract.errors import (
    ChannelError,
    ClosedError,
    CredentialsError,
    NotSentError,
    SpoiledError,
    ThrottledError,
    UnavailableError,
    UnknownResultError,
)
from adapters.contract.http import Request
from adapters.contract.stock import Applied, Item, Rejected, Retry, Unknown
from adapters.testing import driving
from adapters.testing.conformance import Conformance
from adapters.testing.driving import Driven
from adapters.webhook import ADAPTER, Options
from server.channels.connection.http_transport import Transport
from tests.channels.webhook_receiver import BEARER, OTHER_SECRET, SECRET, WILL_NOT, WebhookReceiver

CHANGED_MS: Final = 1_790_000_000_123
CREDENTIALS: Final = {"secret": SECRET}


class _Receiver(Conformance[WebhookReceiver]):
    kind = ADAPTER
    credentials = CREDENTIALS
    reads_answers = False
    unknown_words = WILL_NOT
    _versions: ClassVar["count[int]"] = count(1)

    @pytest.fixture(autouse=True)
    def now(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Sign with the time that it is: the public package refuses what is older than five minutes."""
        monkeypatch.setattr(driving, "NOW_S", time.time())

    @property
    def other_credentials(self) -> dict[str, str]:
        return {**self.credentials, "secret": OTHER_SECRET}

    def item(self, key: str, quantity: int, **fields: Any) -> Item:
        """Make a value whose version is higher than all before, as a change's is."""
        return super().item(key, quantity, **{"version": next(self._versions), "changed_ms": CHANGED_MS, **fields})


class TestSingleEvents(_Receiver):
    def make_simulator(self) -> WebhookReceiver:
        return WebhookReceiver()

    def options_for(self, simulator: WebhookReceiver) -> dict[str, Any]:
        return {"url": simulator.hook}

    # -- what an event contains

    async def test_an_event_says_what_changed_and_when(self, simulator: WebhookReceiver, channel: Driven) -> None:
        item = self.item("key-0", 2, price="9.50", list_price="12.00", currency="TRY")

        await channel.push(item)

        [event] = simulator.events
        assert (event.get_specversion(), event.get_type(), event.get_source()) == ("1.0", "stock.changed", "holdfast")
        assert (event.get_subject(), event.get_datacontenttype()) == ("sku of key-0", "application/json")
        assert event.get_time() == datetime.fromtimestamp(CHANGED_MS / 1000, UTC)
        assert event.get_data() == {
            "sku": "sku of key-0",
            "key": "key-0",
            "quantity": 2,
            "version": item.version,
            "price": "9.50",
            "list_price": "12.00",
            "currency": "TRY",
        }

    async def test_what_is_not_sent_is_not_in_the_event(self, simulator: WebhookReceiver, channel: Driven) -> None:
        await channel.push(self.item("key-0", 0, changed_ms=0))

        [event] = simulator.events
        data = event.get_data()
        assert isinstance(data, dict)
        assert data.keys() == {"sku", "key", "quantity", "version"}
        assert b'"time"' not in simulator.received[-1].body

    async def test_type_and_source_can_be_chosen(self, simulator: WebhookReceiver, transport: Transport) -> None:
        options = Options(url=simulator.hook, type_prefix="test.shop.", source="//shop.test/stock")

        await Driven(ADAPTER.build(options, CREDENTIALS), transport.send).push(self.item("key-0", 2))

        [event] = simulator.events
        assert (event.get_type(), event.get_source()) == ("test.shop.stock.changed", "//shop.test/stock")

    async def test_text_beyond_ascii_arrives_and_verifies(self, simulator: WebhookReceiver, channel: Driven) -> None:
        simulator.stock('çanta/Ürün "1"\\')

        assert await channel.push(self.item('çanta/Ürün "1"\\', 2)) == {'çanta/Ürün "1"\\': Applied()}
        assert simulator.shown['çanta/Ürün "1"\\'] == 2

    async def test_several_values_are_a_message_each(self, simulator: WebhookReceiver, channel: Driven) -> None:
        await channel.push(*self.items(1, 2, 3))

        assert len(set(simulator.message_ids)) == 3
        assert [event.get_id() for event in simulator.events] == simulator.message_ids

    # -- whose it is

    async def test_a_bearer_token_goes_along_where_one_is_given(
        self, simulator: WebhookReceiver, transport: Transport
    ) -> None:
        simulator.bearer = BEARER
        adapter = self.build(simulator, {**CREDENTIALS, "bearer": BEARER})

        assert await Driven(adapter, transport.send).push(self.item("key-0", 2)) == {"key-0": Applied()}

    @pytest.mark.parametrize("known", [SECRET, OTHER_SECRET])
    async def test_while_a_secret_is_replaced_both_verify(
        self, simulator: WebhookReceiver, transport: Transport, known: str
    ) -> None:
        simulator.secret = known
        adapter = self.build(simulator, {"secret": SECRET, "previous_secret": OTHER_SECRET})

        assert await Driven(adapter, transport.send).push(self.item("key-0", 2)) == {"key-0": Applied()}
        assert len(simulator.headers[-1]["webhook-signature"].split(" ")) == 2

    @pytest.mark.parametrize("part", ["body", "webhook-id", "webhook-timestamp", "webhook-signature"])
    async def test_what_was_tampered_with_is_refused(
        self, simulator: WebhookReceiver, transport: Transport, part: str
    ) -> None:
        item = self.item("key-0", 2)
        tamper = _tampering(part)

        with pytest.raises(CredentialsError, match="No matching signature"):
            await Driven(self.build(simulator), lambda request: transport.send(tamper(request))).push(item)

        assert (simulator.applied, simulator.refused) == ([], ["No matching signature found"])

    async def test_an_old_message_is_refused(self, simulator: WebhookReceiver, channel: Driven) -> None:
        [request] = [next(channel.adapter.push([self.item("key-0", 2)], time.time() - 600))]

        answer = await channel.send(request)

        assert (answer.status, simulator.refused) == (401, ["Message timestamp too old"])

    # -- ids

    @pytest.mark.parametrize("fault", ["reset", "reset_after"])
    async def test_an_unknown_fate_keeps_the_message_s_id(
        self, simulator: WebhookReceiver, channel: Driven, fault: Any
    ) -> None:
        item = self.item("key-0", 2)
        simulator.faults.append(fault)

        with pytest.raises(UnknownResultError):
            await channel.push(item)
        await channel.push(item)

        [first, again] = (_sent_id(channel, item) for _ in range(2))
        assert first == again
        assert set(simulator.message_ids) == {first}
        assert simulator.applied == [("key-0", 2)]

    @pytest.mark.parametrize(
        "change",
        [
            {"attempt": 1},
            {"version": 10_000},
            {"locations_version": 1},
            {"quantity": 3},
            {"price": "1.00"},
            {"sku": "other"},
            {"changed_ms": 1},
        ],
    )
    async def test_a_new_value_or_a_definite_answer_makes_a_new_id(
        self, channel: Driven, change: dict[str, Any]
    ) -> None:
        item = self.item("key-0", 2)

        assert _sent_id(channel, item) != _sent_id(channel, msgspec.structs.replace(item, **change))

    async def test_what_the_channel_was_believed_to_show_is_no_part_of_the_id(self, channel: Driven) -> None:
        item = self.item("key-0", 2)

        assert _sent_id(channel, item) == _sent_id(channel, msgspec.structs.replace(item, previous=7))

    async def test_an_older_version_that_comes_late_is_dropped(
        self, simulator: WebhookReceiver, channel: Driven
    ) -> None:
        older, newer = self.item("key-0", 9), self.item("key-0", 4)
        late = next(channel.adapter.push([older], time.time()))
        await channel.push(newer)

        await channel.send(late)

        assert (simulator.shown["key-0"], len(simulator.dropped)) == (4, 1)

    async def test_a_value_from_before_a_location_closed_that_comes_late_is_dropped(
        self, simulator: WebhookReceiver, channel: Driven
    ) -> None:
        older = self.item("key-0", 9, version=1_000_000)
        late = next(channel.adapter.push([older], time.time()))
        await channel.push(msgspec.structs.replace(older, quantity=4, locations_version=1))

        await channel.send(late)

        assert (simulator.shown["key-0"], len(simulator.dropped)) == (4, 1)

    # -- answers

    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    async def test_any_2xx_is_a_yes(self, simulator: WebhookReceiver, channel: Driven, status: int) -> None:
        simulator.answers.append((status, "", {}))

        assert await channel.push(self.item("key-0", 2)) == {"key-0": Applied()}

    @pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
    async def test_an_event_that_is_not_taken_is_refused_in_the_receiver_s_words(
        self, simulator: WebhookReceiver, channel: Driven, status: int
    ) -> None:
        simulator.answers.append((status, "out of  season", {}))

        outcomes = await channel.push(self.item("key-0", 2))

        assert outcomes == {"key-0": Rejected(f"http_{status}", f"HTTP {status}: out of season")}

    @pytest.mark.parametrize(
        ("status", "headers", "expected"),
        [
            (301, {"Location": "https://elsewhere.test/"}, (UnavailableError, None)),
            (304, {}, (UnavailableError, None)),
            (408, {}, (UnavailableError, None)),
            (410, {}, (ClosedError, None)),
            (425, {"Retry-After": "3"}, (UnavailableError, 3.0)),
            (429, {"Retry-After": "7"}, (ThrottledError, 7.0)),
            (429, {}, (ThrottledError, None)),
            (500, {}, (UnavailableError, None)),
            (502, {"Retry-After": "30"}, (UnavailableError, 30.0)),
            (503, {"Retry-After": "30"}, (UnavailableError, 30.0)),
            (504, {"Retry-After": "30"}, (UnavailableError, 30.0)),
        ],
    )
    async def test_other_answers_are_reported_as_what_they_are(
        self, simulator: WebhookReceiver, channel: Driven, status: int, headers: dict[str, str], expected: Any
    ) -> None:
        simulator.answers.append((status, "", headers))

        with pytest.raises(ChannelError) as caught:
            await channel.push(self.item("key-0", 2))

        assert (type(caught.value), caught.value.after_s) == expected

    async def test_a_receiver_that_echoes_the_token_does_not_spread_it(
        self, simulator: WebhookReceiver, transport: Transport
    ) -> None:
        adapter = self.build(simulator, {**CREDENTIALS, "bearer": BEARER})
        simulator.answers.append((422, f"you sent Bearer {BEARER}", {}))

        outcomes = await Driven(adapter, transport.send).push(self.item("key-0", 2))

        assert outcomes == {"key-0": Rejected("http_422", "HTTP 422: you sent Bearer ***")}

    async def test_a_private_receiver_that_was_not_named_is_not_called(self, simulator: WebhookReceiver) -> None:
        stranger = Transport()
        try:
            with pytest.raises(NotSentError):
                await Driven(self.build(simulator), stranger.send).push(self.item("key-0", 2))
        finally:
            await stranger.close()

        assert simulator.received == []


class TestBatches(_Receiver):
    def make_simulator(self) -> WebhookReceiver:
        return WebhookReceiver(takes_batches=True)

    def options_for(self, simulator: WebhookReceiver) -> dict[str, Any]:
        return {"url": simulator.hook, "batch_max": 10}

    async def test_a_batch_is_one_message_of_events_with_ids_of_their_own(
        self, simulator: WebhookReceiver, channel: Driven
    ) -> None:
        await channel.push(*self.items(1, 2, 3))

        assert len(simulator.message_ids) == 1
        assert len({event.get_id() for event in simulator.events}) == 3

    async def test_a_batch_of_one_is_a_batch_too(self, simulator: WebhookReceiver, channel: Driven) -> None:
        await channel.push(self.item("key-0", 1))

        assert simulator.received[-1].body.startswith(b"[{")

    async def test_a_batch_keeps_its_id_while_its_fate_is_unknown(self, channel: Driven) -> None:
        items = self.items(1, 2, 3)

        assert _sent_id(channel, *items) == _sent_id(channel, *items)
        assert _sent_id(channel, *items) != _sent_id(channel, *items[:2])

    async def test_a_batch_that_is_not_taken_is_reported_as_spoiled(
        self, simulator: WebhookReceiver, channel: Driven
    ) -> None:
        simulator.answers.append((422, "one of them is odd", {}))

        with pytest.raises(SpoiledError, match="HTTP 422: one of them is odd") as caught:
            await channel.push(*self.items(1, 2, 3))

        assert caught.value.code == "http_422"


class TestLongBatches(_Receiver):
    """Keys so long that a full batch goes as several messages."""

    def make_simulator(self) -> WebhookReceiver:
        return WebhookReceiver(takes_batches=True)

    def options_for(self, simulator: WebhookReceiver) -> dict[str, Any]:
        return {"url": simulator.hook, "batch_max": 50}

    def key(self, number: int) -> str:
        return f"{number:03d}" + "\\" * 253

    async def test_no_message_is_longer_than_the_specification_asks(
        self, simulator: WebhookReceiver, channel: Driven
    ) -> None:
        items = self.items(*range(50))
        self.make_known(simulator, *(item.key for item in items))

        assert await channel.push(*items) == {item.key: Applied() for item in items}

        lengths = [len(each.body) for each in simulator.received]
        assert len(lengths) > 1
        assert max(lengths) < 20_000
        assert min(lengths[:-1]) > 17_000

    @pytest.mark.parametrize(("status", "after_s"), [(503, 4.0), (429, 4.0), (410, None), (422, None)])
    async def test_an_error_in_a_later_message_keeps_what_is_known_of_the_earlier(
        self, simulator: WebhookReceiver, channel: Driven, status: int, after_s: float | None
    ) -> None:
        items = self.items(*range(50))
        simulator.answers.extend([(204, "", {}), (status, "", {"Retry-After": "4"} if after_s else {})])

        outcomes = await channel.settle(*items)

        assert outcomes.keys() == {item.key for item in items}
        kinds = [type(outcomes[item.key]) for item in items]
        assert kinds == sorted(kinds, key=lambda kind: kind is Retry)
        assert set(kinds) == {Applied, Retry}
        assert outcomes[items[-1].key] == Retry("cut_short", f"HTTP {status}: (empty)", after_s)

    async def test_only_the_message_that_may_have_arrived_is_unknown(
        self, simulator: WebhookReceiver, channel: Driven
    ) -> None:
        items = self.items(*range(50))
        simulator.answers.append((204, "", {}))
        await channel.push(items[0])
        simulator.stock(*(item.key for item in items))

        async def send(request: Request) -> Any:
            if len(simulator.received) == 2:
                simulator.faults.append("reset")
            return await channel.send(request)

        outcomes = await Driven(channel.adapter, send).settle(*items)

        kinds = [type(outcomes[item.key]) for item in items]
        assert list(dict.fromkeys(kinds)) == [Applied, Unknown, Retry]


def _sent_id(channel: Driven, *items: Item) -> str:
    return next(channel.adapter.push(items, time.time())).headers["webhook-id"]


def _tampering(part: str) -> Callable[[Request], Request]:
    """Change one part of a request, and let its form be right."""

    def tamper(request: Request) -> Request:
        if part == "body":
            return msgspec.structs.replace(request, body=request.body.replace(b'"quantity":2', b'"quantity":9'))
        value = request.headers[part]
        changed = {
            "webhook-id": value + "0",
            "webhook-timestamp": str(int(value or 0) + 1) if part == "webhook-timestamp" else "",
            "webhook-signature": "v1," + base64.b64encode(bytes(32)).decode(),
        }[part]
        return msgspec.structs.replace(request, headers={**request.headers, part: changed})

    return tamper
