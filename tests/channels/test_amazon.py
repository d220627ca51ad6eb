"""Amazon: what every adapter does, and what is particular to patches, feeds, its own warehouse, and tokens."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import msgspec
import pytest

from adapters.amazon import ADAPTER, Amazon, AmazonGrant, Options
from adapters.amazon.account import HEADER
from adapters.amazon.feeds import message_id
from adapters.amazon.stock import BESIDE, FBA, NO_SKU
from adapters.contract.errors import (
    CredentialsError,
    SignedOutError,
    SpoiledError,
    ThrottledError,
    TicketLostError,
    UnavailableError,
    UnknownResultError,
)
from adapters.contract.http import Answer
from adapters.contract.stock import Applied, Item, Rejected, Retry, Unknown
from adapters.testing.conformance import Conformance
from adapters.testing.driving import NOW_S, Driven
from adapters.testing.ticket_conformance import TicketConformance
from tests.channels.amazon_order_side import MARKETPLACE
from tests.channels.amazon_simulator import ACCESS, SELLER, UNKNOWN, AmazonSimulator

CREDENTIALS = {"client_id": "made-up-client-id", "client_secret": "made-up-client-secret", "access_token": ACCESS}


def options_at(simulator: AmazonSimulator) -> dict[str, Any]:
    return {"seller_id": SELLER, "marketplace_id": MARKETPLACE, "base_url": simulator.url}


class TestAmazon(Conformance[AmazonSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = CREDENTIALS
    push_path = "/listings/"
    unknown_words = UNKNOWN
    currency = "EUR"

    def make_simulator(self) -> AmazonSimulator:
        return AmazonSimulator()

    def options_for(self, simulator: AmazonSimulator) -> dict[str, Any]:
        return options_at(simulator)

    def driven(self, simulator: AmazonSimulator, channel: Driven, **options: Any) -> Driven:
        given = {**self.options_for(simulator), **options}
        return Driven(ADAPTER.build(msgspec.convert(given, Options), self.credentials), channel.send)

    async def test_what_amazon_ships_itself_is_told_no_number_and_keeps_no_other(
        self, simulator: AmazonSimulator, channel: Driven
    ) -> None:
        simulator.fba.add(self.key(0))

        outcomes = await channel.settle(*self.items(5, 6))

        assert outcomes == {self.key(0): FBA, self.key(1): Applied()}
        assert simulator.shown[self.key(0)] == 0
        assert await channel.read([self.key(0), self.key(1)]) == {self.key(1): 6}

    async def test_who_ships_an_offer_is_asked_once(self, simulator: AmazonSimulator, channel: Driven) -> None:
        for quantity in (5, 6, 7):
            await channel.settle(*self.items(quantity))

        assert [each.method for each in simulator.received] == ["GET", "PATCH", "PATCH", "PATCH"]

    async def test_a_key_with_strange_characters_is_a_part_of_the_path(
        self, simulator: AmazonSimulator, channel: Driven
    ) -> None:
        key = "A/B C?ü%"
        simulator.stock(key)

        assert await channel.settle(self.item(key, 5)) == {key: Applied()}
        assert await channel.read([key]) == {key: 5}

    @pytest.mark.parametrize("key", ["", "x" * 41])
    async def test_a_key_that_is_no_sku_keeps_no_other(self, key: str, channel: Driven) -> None:
        assert await channel.settle(self.item(key, 5), *self.items(7)) == {key: NO_SKU, self.key(0): Applied()}

    async def test_what_fails_in_the_middle_is_told_item_by_item(self, channel: Driven) -> None:
        await channel.settle(*self.items(1, 1, 1))
        pushing = channel.adapter.push(self.items(5, 6, 7), NOW_S)
        next(pushing)
        pushing.send(Answer(200, {}, b'{"sku":"a","status":"ACCEPTED"}'))

        with pytest.raises(StopIteration) as ended:
            pushing.send(Answer(429, {"retry-after": "3"}, b""))

        outcomes = ended.value.value
        assert outcomes[self.key(0)] == Applied()
        assert isinstance(outcomes[self.key(1)], Retry)
        assert outcomes[self.key(2)] == Retry("not_sent", "the one before it failed", 3.0)


class TestAmazonFeeds(TicketConformance[AmazonSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = CREDENTIALS
    push_path = "/feeds/2021-06-30/feeds"
    poll_path = "/feeds/2021-06-30/feeds/"
    unknown_words = UNKNOWN
    currency = "EUR"

    def make_simulator(self) -> AmazonSimulator:
        return AmazonSimulator()

    def options_for(self, simulator: AmazonSimulator) -> dict[str, Any]:
        return {**options_at(simulator), "feed_from": 1, "skip_fba": False}

    def make_slow(self, simulator: AmazonSimulator) -> None:
        simulator.polls_until_done = 3

    def lose_tickets(self, simulator: AmazonSimulator) -> None:
        simulator.feeds.clear()

    async def test_a_report_that_is_not_compressed_is_read(self, simulator: AmazonSimulator, channel: Driven) -> None:
        simulator.zips = False
        simulator.refusals[self.key(1)] = "not now"

        outcomes = await channel.settle(*self.items(5, 6))

        assert outcomes == {self.key(0): Applied(), self.key(1): Rejected("90220", "not now")}

    async def test_where_a_report_is_about_nobody_what_it_does_not_name_is_unknown(
        self, simulator: AmazonSimulator, channel: Driven
    ) -> None:
        simulator.strays = True
        simulator.refusals[self.key(1)] = "not now"

        assert await channel.settle(*self.items(5, 6)) == {self.key(1): Rejected("90220", "not now")}

    @pytest.mark.parametrize(("word", "raised"), [("FATAL", SpoiledError), ("CANCELLED", TicketLostError)])
    async def test_a_feed_that_did_not_end_well(
        self, word: str, raised: type[Exception], simulator: AmazonSimulator, channel: Driven
    ) -> None:
        simulator.ends_as = word

        with pytest.raises(raised):
            await channel.settle(*self.items(5))

    async def test_a_feed_is_not_made_where_an_item_is_not_to_be_sent(
        self, simulator: AmazonSimulator, channel: Driven
    ) -> None:
        outcomes = await channel.push(self.item("x" * 41, 5), *self.items(7))

        assert outcomes == {"x" * 41: NO_SKU, self.key(0): BESIDE}
        assert simulator.received == []


def test_the_number_of_a_message_is_of_its_sku_alone() -> None:
    assert message_id("A") == message_id("A")
    assert len({message_id(f"SKU-{number}") for number in range(1_000)}) == 1_000
    assert all(1 <= message_id(f"SKU-{number}") <= 2**31 for number in range(1_000))


# -- on the wire

ITEM = Item(key="A/1", sku="a", quantity=20, version=1, price="9.9")


def amazon(**options: Any) -> Amazon:
    given = {"seller_id": SELLER, "marketplace_id": MARKETPLACE, "skip_fba": False, **options}
    return Amazon(msgspec.convert(given, Options), CREDENTIALS)


def test_a_patch_is_as_documented() -> None:
    request = next(amazon().push([ITEM], NOW_S))

    assert (request.method, request.url) == (
        "PATCH",
        f"https://sellingpartnerapi-eu.amazon.com/listings/2021-08-01/items/{SELLER}/A%2F1?marketplaceIds={MARKETPLACE}",
    )
    assert request.headers[HEADER] == ACCESS
    assert msgspec.json.decode(request.body) == {
        "productType": "PRODUCT",
        "patches": [
            {
                "op": "merge",
                "path": "/attributes/fulfillment_availability",
                "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": 20}],
            },
            {
                "op": "merge",
                "path": "/attributes/purchasable_offer",
                "value": [
                    {
                        "marketplace_id": MARKETPLACE,
                        "currency": "EUR",
                        "our_price": [{"schedule": [{"value_with_tax": 9.9}]}],
                    }
                ],
            },
        ],
    }


def test_a_limit_that_is_told_in_words_is_a_limit() -> None:
    pushing = amazon().push([ITEM], NOW_S)
    next(pushing)

    with pytest.raises(ThrottledError):
        pushing.send(Answer(400, {}, b'{"errors":[{"code":"QuotaExceeded"}]}'))


def test_a_lost_answer_in_the_middle_is_unknown() -> None:
    pushing = amazon().push([ITEM, msgspec.structs.replace(ITEM, key="B")], NOW_S)
    next(pushing)
    pushing.send(Answer(200, {}, b'{"status":"ACCEPTED"}'))

    with pytest.raises(StopIteration) as ended:
        pushing.throw(UnknownResultError("gone"))
    assert ended.value.value == {"A/1": Applied(), "B": Unknown("gone")}


# -- tokens


def test_a_token_is_asked_for_as_documented() -> None:
    given = msgspec.convert({"seller_id": SELLER, "marketplace_id": MARKETPLACE}, Options)
    asking = AmazonGrant(given, CREDENTIALS).begin("refresh_token", "r")
    request = next(asking)

    assert (request.method, request.url) == ("POST", "https://api.amazon.com/auth/o2/token")
    assert dict(parse_qsl(request.body.decode())) == {
        "grant_type": "refresh_token", "refresh_token": "r",
        "client_id": "made-up-client-id", "client_secret": "made-up-client-secret",
    }  # fmt: skip
    with pytest.raises(StopIteration) as ended:
        asking.send(Answer(200, {}, b'{"access_token":"a","expires_in":3600,"token_type":"bearer"}'))
    assert ended.value.value.values == {"access_token": "a", "refresh_token": "r"}


@pytest.mark.parametrize(
    ("status", "body", "raised"),
    [
        (400, b'{"error":"invalid_grant"}', SignedOutError),
        (401, b'{"error":"invalid_client"}', CredentialsError),
        (400, b"<html>", UnavailableError),
        (200, b"{}", UnavailableError),
    ],
)
def test_what_is_answered_in_place_of_tokens_is_what_it_is(status: int, body: bytes, raised: type[Exception]) -> None:
    given = msgspec.convert({"seller_id": SELLER, "marketplace_id": MARKETPLACE}, Options)
    asking = AmazonGrant(given, CREDENTIALS).renew({"refresh_token": "a-made-up-token"})
    next(asking)

    with pytest.raises(raised) as caught:
        asking.send(Answer(status, {}, body))
    assert "a-made-up-token" not in str(caught.value)


def test_an_old_token_is_answered_with_403() -> None:
    given = msgspec.convert({"seller_id": SELLER, "marketplace_id": MARKETPLACE}, Options)
    grant = AmazonGrant(given, CREDENTIALS)

    assert [grant.is_turned_away(Answer(status)) for status in (200, 401, 403, 404)] == [False, True, True, False]
