"""Vendure's adapter against a simulated shop: the shared conformance suite and what is particular to Vendure."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from adapters.contract.adapter import Adapter
from adapters.contract.errors import ClosedError, CredentialsError, SpoiledError, UnavailableError
from adapters.contract.http import Answer, Request
from adapters.contract.stock import Applied, Conflict, Item, Rejected, Retry
from adapters.testing.conformance import Conformance
from adapters.testing.driving import NOW_S, Driven
from adapters.vendure import ADAPTER, Vendure, VendureOptions
from server.channels.connection.http_transport import Transport
from tests.channels.vendure_simulator import VendureSimulator

USERNAME = "holdfast@example.com"
PASSWORD = "an-invented-password"
API_KEY = "an-invented-api-key"


class TestVendure(Conformance[VendureSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {"username": USERNAME, "password": PASSWORD}
    push_path = "#update"
    unknown_key = "999999"
    unknown_words = 'The currency "EUR" is not available'
    currency = "USD"

    def make_simulator(self) -> VendureSimulator:
        return VendureSimulator(username=USERNAME, password=PASSWORD, api_key=API_KEY)

    def options_for(self, simulator: VendureSimulator) -> dict[str, Any]:
        return {"base_url": f"{simulator.url}/admin-api"}

    def key(self, number: int) -> str:
        return str(101 + number)

    def poisoned(self, simulator: VendureSimulator) -> Item:
        """Vendure refuses all for a currency that its channel does not have."""
        simulator.stock(self.key(50))
        return self.item(self.key(50), 5, price="9.50", currency="EUR")

    def driven(
        self,
        simulator: VendureSimulator,
        transport: Transport,
        credentials: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Driven:
        typed = msgspec.convert({**self.options_for(simulator), **options}, self.kind.options)
        return Driven(self.kind.build(typed, self.credentials if credentials is None else credentials), transport.send)

    # -- allocated units

    async def test_units_of_vendures_own_orders_are_added_so_that_the_quantity_is_what_buyers_see(
        self, simulator: VendureSimulator, warm: Driven
    ) -> None:
        simulator.allocate(self.key(0), 2)

        assert await warm.settle(*self.items(10)) == {self.key(0): Applied()}

        assert (simulator.shown[self.key(0)], simulator.allocated[self.key(0)]) == (10, 2)
        assert await warm.read([self.key(0)]) == {self.key(0): 10}

    @pytest.mark.parametrize("units", [2, -2], ids=["an order", "a cancellation"])
    async def test_what_changes_between_reading_and_writing_is_reported_with_what_is_shown(
        self, units: int, simulator: VendureSimulator, warm: Driven
    ) -> None:
        simulator.allocated[self.key(0)] = 5
        simulator.before_update = lambda: simulator.allocate(self.key(0), units)

        first = await warm.settle(*self.items(10, 4))
        second = await warm.settle(*self.items(10))

        assert first == {self.key(0): Conflict(10 - units), self.key(1): Applied()}
        assert second == {self.key(0): Applied()}
        assert simulator.shown[self.key(0)] == 10

    async def test_a_shop_that_sold_what_was_not_there_is_read_below_zero(
        self, simulator: VendureSimulator, warm: Driven
    ) -> None:
        simulator.allocate(self.key(0), 5)

        assert await warm.read([self.key(0)]) == {self.key(0): -2}

    # -- items that cannot be sent

    async def test_an_unknown_variant_is_named_and_the_others_are_written(
        self, simulator: VendureSimulator, channel: Driven
    ) -> None:
        outcomes = await channel.settle(*self.items(7, 11), self.item("999999", 1))

        refused = outcomes.pop("999999")
        assert isinstance(refused, Rejected)
        assert (refused.code, "999999" in refused.reason) == ("unknown_variant", True)
        assert set(outcomes.values()) == {Applied()}
        assert (simulator.shown[self.key(0)], simulator.shown[self.key(1)]) == (7, 11)

    async def test_a_variant_that_is_gone_by_the_time_of_writing_is_named_and_the_others_wait(
        self, simulator: VendureSimulator, warm: Driven
    ) -> None:
        simulator.before_update = lambda: simulator.forget(self.key(1))

        outcomes = await warm.settle(*self.items(7, 11, 13))

        refused = outcomes[self.key(1)]
        assert isinstance(refused, Rejected)
        assert refused.code == "ENTITY_NOT_FOUND"
        assert f'the id "{self.key(1)}"' in refused.reason
        assert isinstance(outcomes[self.key(0)], Retry)
        assert isinstance(outcomes[self.key(2)], Retry)
        assert simulator.shown[self.key(0)] == 3

    async def test_a_refusal_that_names_something_else_spoils_the_push(self) -> None:
        adapter = self.warm_adapter()
        exchange = adapter.push(self.items(7), NOW_S)
        next(exchange)
        exchange.send(levels(variant(self.key(0))))

        with pytest.raises(SpoiledError, match='the id "77"'):
            exchange.send(failed('No ProductVariant with the id "77" could be found', "ENTITY_NOT_FOUND"))

    @pytest.mark.parametrize(("says", "tracks"), [("FALSE", True), ("INHERIT", False)])
    async def test_a_variant_whose_stock_the_shop_does_not_count_is_refused(
        self, says: str, tracks: bool, simulator: VendureSimulator, channel: Driven
    ) -> None:
        simulator.tracking[self.key(0)], simulator.tracks = says, tracks
        simulator.tracking[self.key(1)] = "TRUE"

        outcomes = await channel.settle(*self.items(7, 11))

        refused = outcomes[self.key(0)]
        assert isinstance(refused, Rejected)
        assert refused.code == "not_tracked"
        assert outcomes[self.key(1)] == Applied()

    # -- prices

    @pytest.mark.parametrize(("price", "units"), [("9.5", 950), ("0", 0), ("0.07", 7), ("21474836.47", 2**31 - 1)])
    @pytest.mark.parametrize("currency", [None, "USD"])
    async def test_a_price_is_sent_in_minor_units_exactly(
        self, price: str, units: int, currency: str | None, simulator: VendureSimulator, channel: Driven
    ) -> None:
        outcomes = await channel.settle(self.item(self.key(0), 5, price=price, currency=currency))

        assert outcomes == {self.key(0): Applied()}
        assert simulator.prices == {self.key(0): f"{units / 100:.2f}"}

    @pytest.mark.parametrize("price", ["9.999", "-1", "1e3", "", "NaN", "21474836.48", "9,50", "٣"])
    async def test_a_price_that_vendure_cannot_keep_is_refused_alone(
        self, price: str, simulator: VendureSimulator, channel: Driven
    ) -> None:
        outcomes = await channel.settle(self.item(self.key(0), 5, price=price), self.item(self.key(1), 5))

        refused = outcomes[self.key(0)]
        assert isinstance(refused, Rejected)
        assert refused.code == "invalid_price"
        assert outcomes[self.key(1)] == Applied()
        assert (simulator.prices, simulator.shown[self.key(0)]) == ({}, 0)

    # -- keys

    async def test_a_key_can_be_the_sku(self, simulator: VendureSimulator, transport: Transport) -> None:
        simulator.skus[self.key(0)] = "ring-16"
        channel = self.driven(simulator, transport, key_is="sku")

        assert await channel.settle(self.item("ring-16", 7)) == {"ring-16": Applied()}

        assert simulator.shown[self.key(0)] == 7
        assert await channel.read(["ring-16", "no such SKU"]) == {"ring-16": 7}

    async def test_a_sku_that_two_variants_have_is_refused_with_their_ids(
        self, simulator: VendureSimulator, transport: Transport
    ) -> None:
        simulator.skus.update({self.key(0): "ring", self.key(1): "ring", self.key(2): "other"})
        channel = self.driven(simulator, transport, key_is="sku")

        outcomes = await channel.settle(self.item("ring", 7), self.item("other", 8))

        refused = outcomes["ring"]
        assert isinstance(refused, Rejected)
        assert (refused.code, f"{self.key(0)}, {self.key(1)}" in refused.reason) == ("ambiguous_sku", True)
        assert outcomes["other"] == Applied()
        assert await channel.read(["ring", "other"]) == {"other": 8}

    async def test_a_page_that_leaves_variants_out_is_not_taken_for_all(
        self, simulator: VendureSimulator, channel: Driven
    ) -> None:
        simulator.list_limit = 1

        with pytest.raises(UnavailableError, match="adminListQueryLimit"):
            await channel.settle(*self.items(7, 11))

    # -- signing in

    async def test_a_session_that_has_ended_is_renewed_once_and_the_push_goes_on(
        self, simulator: VendureSimulator, warm: Driven
    ) -> None:
        simulator.sessions.clear()

        assert await warm.settle(*self.items(8)) == {self.key(0): Applied()}
        assert simulator.logins == 2

    async def test_a_session_that_ends_between_reading_and_writing_is_renewed(
        self, simulator: VendureSimulator, warm: Driven
    ) -> None:
        async def send(request: Request) -> Answer:
            if b'"update"' in request.body and simulator.logins == 1:
                simulator.sessions.clear()
            return await warm.send(request)

        assert await Driven(warm.adapter, send).settle(*self.items(8)) == {self.key(0): Applied()}
        assert simulator.shown[self.key(0)] == 8

    async def test_a_missing_permission_is_named_in_the_reason(self) -> None:
        exchange = self.warm_adapter().push(self.items(7), NOW_S)
        next(exchange)
        forbidden = failed("You are not currently authorized to perform this action", "FORBIDDEN")

        assert b"login" in exchange.send(forbidden).body
        exchange.send(signed_in())
        with pytest.raises(CredentialsError, match="UpdateCatalog"):
            exchange.send(forbidden)

    async def test_a_shop_without_a_token_in_its_answer_is_reported_with_its_setting(self) -> None:
        exchange = self.built({"username": USERNAME, "password": PASSWORD}).push(self.items(7), NOW_S)
        next(exchange)

        with pytest.raises(CredentialsError, match="tokenMethod"):
            exchange.send(Answer(200, {}, signed_in().body))

    async def test_an_api_key_does_without_signing_in(self, simulator: VendureSimulator, transport: Transport) -> None:
        channel = self.driven(simulator, transport, {"api_key": API_KEY})

        assert await channel.settle(*self.items(8)) == {self.key(0): Applied()}
        assert simulator.logins == 0

    async def test_a_token_is_used_as_it_is(self, simulator: VendureSimulator, transport: Transport) -> None:
        simulator.sessions.add("an-invented-token")
        channel = self.driven(simulator, transport, {"token": "an-invented-token"})

        assert await channel.settle(*self.items(8)) == {self.key(0): Applied()}

        simulator.sessions.clear()
        with pytest.raises(CredentialsError):
            await channel.settle(*self.items(9))
        assert simulator.logins == 0

    @pytest.mark.parametrize("credentials", [{}, {"username": USERNAME}, {"password": PASSWORD}])
    def test_credentials_that_are_not_enough_are_refused(self, credentials: dict[str, str]) -> None:
        with pytest.raises(ValueError, match="username and password, or api_key, or token"):
            self.built(credentials)

    # -- the shop

    async def test_of_several_stock_locations_one_must_be_named(
        self, simulator: VendureSimulator, transport: Transport
    ) -> None:
        simulator.locations["2"] = "Attic"

        with pytest.raises(ClosedError, match=r"1 \(Default Stock Location\), 2 \(Attic\)"):
            await self.driven(simulator, transport).settle(*self.items(7))

        named = self.driven(simulator, transport, stock_location_id="1")
        assert await named.settle(*self.items(7)) == {self.key(0): Applied()}

    async def test_a_stock_location_that_is_gone_is_reported_by_name_at_the_next_try(
        self, simulator: VendureSimulator, warm: Driven
    ) -> None:
        simulator.locations = {"2": "Attic", "3": "Cellar"}

        with pytest.raises(UnavailableError, match="FOREIGN KEY"):
            await warm.settle(*self.items(8))
        with pytest.raises(ClosedError, match="Attic"):
            await warm.settle(*self.items(8))

    async def test_an_unknown_channel_token_is_reported_although_vendure_takes_the_default_channel(
        self, simulator: VendureSimulator, transport: Transport
    ) -> None:
        channel = self.driven(simulator, transport, channel_token="of-another-channel")

        with pytest.raises(ClosedError, match="channel_token"):
            await channel.settle(*self.items(7))

        known = self.driven(simulator, transport, channel_token=simulator.channel_token)
        assert await known.settle(*self.items(7)) == {self.key(0): Applied()}

    @pytest.mark.parametrize("url", ["shop.example/admin-api", "https://user:pw@shop.example/admin-api", "https://"])
    def test_a_base_url_that_cannot_be_one_is_refused(self, url: str) -> None:
        with pytest.raises(msgspec.ValidationError, match="base_url"):
            msgspec.convert({"base_url": url}, self.kind.options)

    # -- unexpected answers

    @pytest.mark.parametrize(
        "body",
        [
            b"[]",
            b"{}",
            b"null",
            b'{"data":null}',
            b'{"data":{}}',
            b'{"errors":["no"]}',
            b'{"errors":{"message":"no"}}',
            b'{"errors":1}',
            b'{"statusCode":404,"message":"Cannot POST /admin-api"}',
            b'{"data":{"productVariants":{"items":[{}]}}}',
        ],
    )
    async def test_an_answer_of_another_form_is_reported_as_such(self, body: bytes) -> None:
        exchange = self.warm_adapter().push(self.items(7), NOW_S)
        next(exchange)

        with pytest.raises(UnavailableError):
            exchange.send(Answer(200, {}, body))

    async def test_a_vendure_that_does_not_know_the_question_is_not_asked_again(self) -> None:
        exchange = self.warm_adapter().push(self.items(7), NOW_S)
        next(exchange)
        unknown = failed('Cannot query field "stockLevels" on type "ProductVariant".', "GRAPHQL_VALIDATION_FAILED")

        with pytest.raises(ClosedError, match="stockLevels"):
            exchange.send(Answer(400, {}, unknown.body))

    async def test_a_failing_database_is_reported_as_such(self) -> None:
        exchange = self.warm_adapter().push(self.items(7), NOW_S)
        next(exchange)

        with pytest.raises(UnavailableError, match="deadlock"):
            exchange.send(failed("deadlock detected", None))

    async def test_an_item_that_the_answer_leaves_out_is_left_out(self) -> None:
        exchange = self.warm_adapter().push(self.items(7, 11), NOW_S)
        next(exchange)
        exchange.send(levels(variant(self.key(0)), variant(self.key(1))))

        with pytest.raises(StopIteration) as end:
            exchange.send(answer({"updateProductVariants": [variant(self.key(1), on_hand=11), variant("77")]}))

        assert end.value.value == {self.key(1): Applied()}

    def built(self, credentials: Mapping[str, str]) -> Adapter:
        return Vendure(VendureOptions(base_url="https://shop.example/admin-api"), credentials)

    def warm_adapter(self) -> Adapter:
        """Make an adapter that is signed in and knows its shop; what it asks next is for the levels."""
        adapter = self.built(self.credentials)
        exchange = adapter.read(["1"])
        next(exchange)
        exchange.send(signed_in())
        shop = {
            "activeChannel": {"token": "made-up"},
            "globalSettings": {"serverConfig": {"moneyStrategyPrecision": 2}},
            "stockLocations": {"items": [{"id": "1", "name": "Default"}]},
        }
        exchange.send(answer(shop))
        exchange.close()
        return adapter


def answer(data: object, **headers: str) -> Answer:
    return Answer(200, headers, msgspec.json.encode({"data": data}))


def failed(message: str, code: str | None) -> Answer:
    extensions = {} if code is None else {"extensions": {"code": code}}
    return Answer(200, {}, msgspec.json.encode({"errors": [{"message": message, **extensions}], "data": None}))


def signed_in() -> Answer:
    return answer({"login": {"__typename": "CurrentUser"}}, **{"vendure-auth-token": "an-invented-session"})


def variant(key: str, on_hand: int = 0) -> dict[str, Any]:
    level = {"stockLocationId": "1", "stockOnHand": on_hand, "stockAllocated": 0}
    return {"id": key, "sku": f"SKU-{key}", "trackInventory": "INHERIT", "stockLevels": [level]}


def levels(*variants: dict[str, Any]) -> Answer:
    page = {"totalItems": len(variants), "items": list(variants)}
    return answer({"globalSettings": {"trackInventory": True}, "productVariants": page})
