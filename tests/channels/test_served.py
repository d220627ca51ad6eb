"""A served channel from end to end: what is asked over HTTP reaches a receiver through a real process's publisher."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import pytest

from tests.channels.webhook_receiver import PATH, SECRET, WILL_NOT, WebhookReceiver
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

ONE: Final = "/v1/channels/shop"
CONFIGURED: Final = """
[channels.shop]
kind = "webhook"
allow_private = ["127.0.0.1"]

[channels.shop.options]
url = "http://127.0.0.1:%d%s"

[channels.shop.credentials]
secret = { env = "SHOP_SECRET" }
"""


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    """Listen as a shop that knows the keys a and b, and complains of nothing until the end."""
    async with WebhookReceiver() as receiver:
        receiver.stock("a", "b", quantity=-1)
        yield receiver
        assert (receiver.complaints, receiver.refused) == ([], [])


@pytest.fixture
def server(receiver: WebhookReceiver, start_server: Callable[..., Server]) -> Server:
    toml = CONFIGURED % (receiver.port, PATH)
    # A short lease: the test that kills the server waits for its end.
    return start_server(toml=toml, environment={"SHOP_SECRET": SECRET}, publisher_lease_s=1)


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with opened(server) as api:
        yield api
    assert server.faults == []
    assert SECRET not in server.stderr


async def put(api: Api, *listings: dict[str, object]) -> None:
    (await api.put(f"{ONE}/listings", {"listings": list(listings)})).ok()


async def shows(receiver: WebhookReceiver, **expected: int) -> None:
    """Wait until the shop shows these quantities."""
    await wait_until(lambda: receiver.shown == {"a": -1, "b": -1} | expected, f"the shop shows {expected}")


async def status_until(api: Api, reached: Callable[[Any], bool], what: str) -> Any:
    """Wait until the channel's status is as wanted, and return it."""
    status: Any = None

    async def is_reached() -> bool:
        nonlocal status
        status = (await api.get(f"{ONE}/status")).ok()
        return reached(status)

    await wait_until(is_reached, what)
    return status


async def test_given_a_listing_when_units_are_sold_then_the_shop_shows_what_is_left_and_the_status_says_so(
    api: Api, receiver: WebhookReceiver
) -> None:
    await api.count("A", 5)
    await put(api, {"sku": "A", "key": "a"})
    await shows(receiver, a=5)

    (await api.reserve("A", 2)).ok(201)

    await shows(receiver, a=3)
    status = await status_until(
        api, lambda each: each["lag_p99_s"] is not None and not each["dirty"], "all is published"
    )
    assert (status["publisher_missing"], status["circuit"], status["listings"]) == (False, "closed", 1)
    assert status["last_confirmed_at"] is not None


@pytest.mark.soak
async def test_given_a_listing_of_an_unknown_sku_when_put_then_0_is_shown_until_stock_arrives(
    api: Api, receiver: WebhookReceiver
) -> None:
    reported = (await api.put(f"{ONE}/listings", {"listings": [{"sku": "A", "key": "a"}]})).ok()

    assert reported == {"listings": 1, "unknown_skus": ["A"]}
    await shows(receiver, a=0)
    await api.count("A", 4)
    await shows(receiver, a=4)


@pytest.mark.soak
async def test_given_rules_at_run_time_when_they_are_put_and_taken_back_then_the_shop_follows(
    api: Api, receiver: WebhookReceiver
) -> None:
    await api.count("A", 10)
    await api.count("B", 4)
    await put(api, {"sku": "A", "key": "a"}, {"sku": "B", "key": "b"})
    await shows(receiver, a=10, b=4)

    (await api.put(ONE, {"buffer": 2, "percent": 50, "min_publish": 2})).ok()
    await shows(receiver, a=4, b=0)

    (await api.put(ONE, {})).ok()
    await shows(receiver, a=10, b=4)


@pytest.mark.soak
async def test_given_a_listing_when_it_is_listed_no_more_then_0_is_shown(api: Api, receiver: WebhookReceiver) -> None:
    await api.count("A", 10)
    await put(api, {"sku": "A", "key": "a"})
    await shows(receiver, a=10)

    await put(api, {"sku": "A", "key": "a", "listed": False})

    await shows(receiver, a=0)


async def test_given_rules_and_listings_when_the_server_is_killed_and_back_then_they_hold(
    api: Api, server: Server, receiver: WebhookReceiver
) -> None:
    await api.count("A", 10)
    await put(api, {"sku": "A", "key": "a"})
    (await api.put(ONE, {"buffer": 2})).ok()
    await shows(receiver, a=8)

    server.kill()
    server.start()
    async with opened(server) as again:
        (await again.reserve("A", 1)).ok(201)
        assert (await again.get(ONE)).ok()["set_at_run_time"] == ["buffer"]

    await shows(receiver, a=7)


async def test_given_a_key_that_the_shop_does_not_know_when_retried_after_it_does_then_the_dead_letter_goes(
    api: Api, receiver: WebhookReceiver
) -> None:
    await api.count("C", 6)
    await put(api, {"sku": "C", "key": "c"})
    await status_until(api, lambda each: each["dead_letters"] == 1, "the value is a dead letter")
    [letter] = (await api.get(f"{ONE}/dead-letters")).ok()["dead_letters"]
    assert (letter["sku"], letter["key"], letter["quantity"]) == ("C", "c", 6)
    assert WILL_NOT in letter["reason"]

    receiver.stock("c")
    asked = (await api.post(f"{ONE}/dead-letters/retry", {"skus": ["C"]})).ok(202)

    assert asked["publisher_missing"] is False
    await shows(receiver, c=6)
    await status_until(api, lambda each: each["dead_letters"] == 0, "no dead letter is left")
    assert (await api.get(f"{ONE}/dead-letters")).ok() == {"dead_letters": [], "complete": True, "next": ""}


async def test_given_a_shop_that_repeats_our_credential_when_its_reason_is_reported_then_the_credential_is_not(
    api: Api, receiver: WebhookReceiver
) -> None:
    receiver.answers.append((422, f"nothing is signed with {SECRET} here", {}))
    await api.count("A", 6)
    await put(api, {"sku": "A", "key": "a"})
    await status_until(api, lambda each: each["dead_letters"] == 1, "the value is a dead letter")

    reported = [await api.get(path) for path in ("/v1/channels", f"{ONE}/status", f"{ONE}/dead-letters", "/metrics")]

    assert "nothing is signed with" in reported[2].ok()["dead_letters"][0]["reason"]
    assert [answer.raw for answer in reported if SECRET.removeprefix("whsec_").encode() in answer.raw] == []


@pytest.mark.soak
async def test_given_a_comparison_when_asked_for_then_all_is_sent_again_and_the_status_has_the_result(
    api: Api, receiver: WebhookReceiver
) -> None:
    await api.count("A", 10)
    await put(api, {"sku": "A", "key": "a"})
    await shows(receiver, a=10)
    await status_until(api, lambda each: not each["dirty"] and not each["in_flight"], "all is published")
    receiver.shown["a"] = 99  # behind our back

    (await api.send("POST", f"{ONE}/reconcile")).ok(202)

    await shows(receiver, a=10)
    status = await status_until(api, lambda each: each["reconcile"] is not None, "the comparison is over")
    assert status["reconcile"]["read_back"] is False  # a webhook cannot be read
