"""Allegro: what every adapter does, and what is particular to commands, offers that end, and tokens."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import msgspec
import pytest

from adapters.allegro import ADAPTER, Allegro, AllegroGrant, Options
from adapters.allegro.stock import ASLEEP, NOT_AN_OFFER
from adapters.contract.errors import (
    CredentialsError,
    SignedOutError,
    SpoiledError,
    UnavailableError,
    UnknownResultError,
)
from adapters.contract.http import COMMANDS, ORDERS, READ, WRITE, Answer
from adapters.contract.limits import TokenBucket, Window
from adapters.contract.stock import Applied, Item, PriceRejected, Rejected, Retry, Ticket
from adapters.testing.driving import NOW_S, Driven
from adapters.testing.ticket_conformance import TicketConformance
from tests.channels.allegro_simulator import ACCESS, UNKNOWN, AllegroSimulator

CREDENTIALS = {"client_id": "made-up-client-id", "client_secret": "made-up-client-secret", "access_token": ACCESS}
BULK = "/sale/offer-bulk-modification-commands"


class TestAllegro(TicketConformance[AllegroSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = CREDENTIALS
    push_path = BULK
    poll_path = f"{BULK}/"
    unknown_key: ClassVar[str | None] = "999999"
    unknown_words = UNKNOWN
    currency = "PLN"

    def make_simulator(self) -> AllegroSimulator:
        return AllegroSimulator()

    def options_for(self, simulator: AllegroSimulator) -> dict[str, Any]:
        return {"base_url": simulator.url, "auth_url": f"{simulator.url}/auth/oauth"}

    def key(self, number: int) -> str:
        return str(7_650_000_001 + number)

    def make_slow(self, simulator: AllegroSimulator) -> None:
        simulator.polls_until_done = 3

    def lose_tickets(self, simulator: AllegroSimulator) -> None:
        simulator.commands.clear()

    def driven(self, simulator: AllegroSimulator, channel: Driven, **options: Any) -> Driven:
        given = {**self.options_for(simulator), **options}
        return Driven(ADAPTER.build(msgspec.convert(given, Options), self.credentials), channel.send)

    # -- zero ends an offer

    async def test_an_offer_that_ended_gets_its_number_and_is_activated_then(
        self, simulator: AllegroSimulator, channel: Driven
    ) -> None:
        await channel.settle(*self.items(5))
        await channel.settle(*self.items(0))
        assert simulator.shown[self.key(0)] == 0
        simulator.received.clear()

        assert await channel.settle(*self.items(7)) == {self.key(0): Applied()}

        assert simulator.shown[self.key(0)] == 7
        sent = [each.path.rpartition("/")[0] or each.path for each in simulator.received if each.method != "GET"]
        assert sent == ["/sale", "/sale/offer-publication-commands"]

    async def test_an_offer_that_is_sold_out_there_is_activated_although_nobody_knew(
        self, simulator: AllegroSimulator, channel: Driven
    ) -> None:
        await channel.settle(*self.items(2))
        simulator.sell(self.key(0), 2)

        assert await channel.settle(self.item(self.key(0), 3, previous=2)) == {self.key(0): Applied()}
        assert simulator.shown[self.key(0)] == 3

    async def test_zero_of_an_offer_that_has_ended_is_applied(self, channel: Driven) -> None:
        assert await channel.settle(*self.items(0)) == {self.key(0): Applied()}

    async def test_an_offer_that_cannot_be_ended_is_told(self, simulator: AllegroSimulator, channel: Driven) -> None:
        await channel.settle(*self.items(5))
        simulator.refusals[self.key(0)] = "An auction with bids cannot be ended"

        outcomes = await channel.settle(*self.items(0))

        assert outcomes == {self.key(0): Rejected("not_ended", "An auction with bids cannot be ended")}

    async def test_an_offer_that_cannot_be_activated_is_told_and_keeps_no_other(
        self, simulator: AllegroSimulator, channel: Driven
    ) -> None:
        simulator.sleeps[self.key(0)] = "The category is closed"

        outcomes = await channel.settle(*self.items(5, 6))

        assert outcomes == {self.key(0): Rejected("failed", "The category is closed"), self.key(1): Applied()}
        assert simulator.shown[self.key(1)] == 6

    async def test_activating_can_be_switched_off(self, simulator: AllegroSimulator, channel: Driven) -> None:
        quiet = self.driven(simulator, channel, activates=False)

        assert await quiet.settle(*self.items(5)) == {self.key(0): Rejected("failed", ASLEEP)}
        assert simulator.shown[self.key(0)] == 0

    async def test_what_ends_and_what_does_not_goes_in_one_push(
        self, simulator: AllegroSimulator, channel: Driven
    ) -> None:
        await channel.settle(*self.items(5, 5, 5))

        outcomes = await channel.settle(*self.items(0, 7, 0))

        assert outcomes == {self.key(number): Applied() for number in range(3)}
        assert [simulator.shown[self.key(number)] for number in range(3)] == [0, 7, 0]

    # -- prices and keys

    async def test_a_price_that_is_refused_leaves_its_quantity(
        self, simulator: AllegroSimulator, channel: Driven
    ) -> None:
        simulator.price_refusals[self.key(0)] = "A rule sets this price"

        outcomes = await channel.settle(self.item(self.key(0), 5, price="9.50"))

        assert outcomes == {self.key(0): PriceRejected("failed", "A rule sets this price")}
        assert simulator.shown[self.key(0)] == 5

    @pytest.mark.parametrize("price", ["9.501", "0", "-1", "free", "NaN"])
    async def test_a_price_that_cannot_be_taken_does_not_keep_its_quantity(
        self, price: str, simulator: AllegroSimulator, channel: Driven
    ) -> None:
        assert await channel.settle(self.item(self.key(0), 5, price=price)) == {self.key(0): Applied()}
        assert (simulator.shown[self.key(0)], simulator.prices) == (5, {})

    @pytest.mark.parametrize("key", ["", "A", "0123", "1.5", "-1", "１２"])
    async def test_a_key_that_is_no_number_is_refused_and_the_others_go_again(
        self, key: str, simulator: AllegroSimulator, channel: Driven
    ) -> None:
        outcomes = await channel.push(self.item(key, 5), *self.items(7))

        assert isinstance(outcomes, dict)
        assert outcomes[key] == NOT_AN_OFFER
        assert isinstance(outcomes[self.key(0)], Retry)
        assert simulator.received == []

    # -- the id of a command

    async def test_a_push_that_is_sent_again_is_asked_about_and_not_done_twice(
        self, simulator: AllegroSimulator, channel: Driven
    ) -> None:
        first = await channel.push(*self.items(5))

        assert await channel.push(*self.items(5)) == first
        assert len(simulator.commands) == 1
        assert isinstance(first, Ticket)
        assert await channel.poll(first, *self.items(5)) == {self.key(0): Applied()}

    @pytest.mark.parametrize("change", [{"attempt": 1}, {"changed_ms": 1}, {"previous": 5}, {"version": 99}])
    async def test_another_try_after_a_definite_answer_is_another_command(
        self, change: dict[str, Any], simulator: AllegroSimulator, channel: Driven
    ) -> None:
        await channel.push(*self.items(5))
        await channel.push(self.item(self.key(0), 5, **change))

        assert len(simulator.commands) == 2


# -- on the wire

ITEM = Item(key="1", sku="a", quantity=20, version=1)


def allegro(**options: Any) -> Allegro:
    return Allegro(msgspec.convert(options, Options), CREDENTIALS)


def test_a_push_is_as_documented() -> None:
    pushing = allegro().push([ITEM, msgspec.structs.replace(ITEM, key="2", quantity=0, price="51.6")], NOW_S)
    end = next(pushing)
    numbers = pushing.send(Answer(201, {}, b"{}"))
    prices = pushing.send(Answer(201, {}, b"{}"))

    assert (end.method, end.url.rpartition("/")[0]) == (
        "PUT", "https://api.allegro.pl/sale/offer-publication-commands"
    )  # fmt: skip
    assert end.body == (
        b'{"publication":{"action":"END"},"offerCriteria":[{"type":"CONTAINS_OFFERS","offers":[{"id":"2"}]}]}'
    )
    assert (numbers.method, numbers.url, numbers.group) == ("POST", f"https://api.allegro.pl{BULK}", WRITE)
    assert numbers.headers == {
        "Authorization": f"Bearer {ACCESS}",
        "Accept": "application/vnd.allegro.beta.v1+json",
        "Content-Type": "application/vnd.allegro.beta.v1+json",
    }
    assert msgspec.json.decode(numbers.body)["modifications"] == [
        {"offerId": "1", "stock": {"changeType": "FIXED", "value": 20}}
    ]
    price = {"changeType": "FIXED", "value": {"amount": "51.60", "currency": "PLN"}}
    assert msgspec.json.decode(prices.body)["modifications"] == [{"offerId": "2", "prices": {"allegro-pl": price}}]


def test_what_failed_after_a_part_was_sent_is_unknown() -> None:
    pushing = allegro().push([ITEM, msgspec.structs.replace(ITEM, key="2", quantity=0)], NOW_S)
    next(pushing)
    pushing.send(Answer(201, {}, b"{}"))

    with pytest.raises(UnknownResultError, match="only a part"):
        pushing.send(Answer(503, {}, b""))


def test_a_push_that_is_refused_whole_is_halved() -> None:
    pushing = allegro().push([ITEM], NOW_S)
    next(pushing)

    with pytest.raises(SpoiledError, match="not two"):
        pushing.send(Answer(400, {}, b'{"errors":[{"code":"INVALID","userMessage":"one, not two"}]}'))


def test_the_documented_limits_are_declared() -> None:
    assert set(allegro().capabilities.limits) == {
        Window(9_000, 60.0, WRITE, of="items"), Window(150_000, 3_600.0, WRITE, of="items"),
        Window(3_000, 60.0, WRITE), Window(3_000, 60.0, READ), Window(3_000, 60.0, ORDERS),
        TokenBucket(50.0, 50.0, COMMANDS),
    }  # fmt: skip


# -- tokens


def grant(**options: Any) -> AllegroGrant:
    return AllegroGrant(msgspec.convert(options, Options), CREDENTIALS)


def test_a_code_is_exchanged_as_documented() -> None:
    asking = grant(redirect_uri="https://me.example/back").begin("code", "made-up&code")
    request = next(asking)

    assert (request.method, request.url) == ("POST", "https://allegro.pl/auth/oauth/token")
    assert request.headers["Authorization"] == "Basic bWFkZS11cC1jbGllbnQtaWQ6bWFkZS11cC1jbGllbnQtc2VjcmV0"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert dict(parse_qsl(request.body.decode())) == {
        "grant_type": "authorization_code", "code": "made-up&code", "redirect_uri": "https://me.example/back"
    }  # fmt: skip
    with pytest.raises(StopIteration) as ended:
        asking.send(Answer(200, {}, b'{"access_token":"a","refresh_token":"r","expires_in":43199,"scope":"x"}'))
    tokens = ended.value.value
    assert (tokens.values, tokens.expires_s) == ({"access_token": "a", "refresh_token": "r"}, 43199)
    assert "'a'" not in repr(tokens)


@pytest.mark.parametrize("what", ["begin", "renew"])
def test_a_refresh_token_is_exchanged_as_documented(what: str) -> None:
    made = grant()
    asking = made.begin("refresh_token", "r") if what == "begin" else made.renew({"refresh_token": "r"})

    assert dict(parse_qsl(next(asking).body.decode())) == {"grant_type": "refresh_token", "refresh_token": "r"}


@pytest.mark.parametrize(
    ("status", "body", "raised"),
    [
        (400, b'{"error":"invalid_grant"}', SignedOutError),
        (401, b'{"error":"invalid_client"}', CredentialsError),
        (400, b'{"error":"invalid_request"}', UnavailableError),
        (400, b"<html>", UnavailableError),
        (503, b"", UnavailableError),
        (200, b'{"access_token":"a"}', UnavailableError),
        (200, b"<html>", UnavailableError),
    ],
)
def test_what_is_answered_in_place_of_tokens_is_what_it_is(status: int, body: bytes, raised: type[Exception]) -> None:
    asking = grant().renew({"refresh_token": "a-made-up-token"})
    next(asking)

    with pytest.raises(raised) as caught:
        asking.send(Answer(status, {}, body))
    assert "a-made-up-token" not in str(caught.value)
