"""Alerts go to webhooks: each in its order, until it is confirmed, whatever is down and whatever is killed."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from server.channels.connection import adapter_registry
from server.channels.webhooks.delivery import WebhookPlan
from server.config.settings import ConfigError, load_config_file
from server.config.webhooks import FIELDS
from server.domain.alerts import PLACE_ALERTS, Alert
from server.domain.daily_figures import DAY_MS
from server.domain.webhooks import WebhookSettings
from server.insight.daily_figures import DailyFigureCounter
from server.plans import webhook_plans
from server.store.connection.commands import command
from server.store.keys import Keyspace
from server.store.ledger.batcher import Batcher
from server.store.ledger.ledger import Ledger
from server.store.repositories.replenishment import ReplenishmentStore, event_of
from server.store.repositories.webhooks import Extent, Place, WebhookStore
from tests.channels.alert_receiver import AlertReceiver
from tests.channels.engine import publishing
from tests.channels.webhook_receiver import SECRET
from tests.conftest import ON_ONE_STORE, RETENTION, StoreClient, now_ms, wait_until
from tests.house.test_docs import NO_DIFFERENCE, differences, read
from tests.rigs.fanout_crash import publishers
from tests.support.feeds import feed_of
from tests.support.figures import RETENTION_S
from tests.support.operations import order, receive
from tests.support.stores import StoreProcess, start_valkey

WITHIN_S: Final = 40.0
"""A lease has to run out after each kill, and a backoff to end."""
TABLE: Final = '[webhooks.erp]\nurl = "https://erp.example/hooks"\nsecret = { env = "ERP_SECRET" }\n'
_ids = count(1)


def plan(
    name: str, receiver: AlertReceiver, events: tuple[Alert, ...] = PLACE_ALERTS, timeout_s: float = 1.0
) -> WebhookPlan:
    settings = WebhookSettings(
        name=name, url=receiver.hook, events=events, allow_private=["127.0.0.1"], timeout_s=timeout_s
    )
    return WebhookPlan(
        settings, lambda: adapter_registry.notifier("[webhooks.x]", {"url": receiver.hook}, {"secret": SECRET})
    )


@pytest.fixture
async def erp() -> AsyncIterator[AlertReceiver]:
    async with AlertReceiver() as receiver:
        yield receiver
        assert receiver.complaints == []


@pytest.fixture
async def page() -> AsyncIterator[AlertReceiver]:
    async with AlertReceiver() as receiver:
        yield receiver


@pytest.fixture
def counting(client: Redis, ledger: Ledger) -> DailyFigureCounter:
    return DailyFigureCounter(feed_of(client, ledger.keyspace), retention_s=RETENTION_S)


async def sell_out(ledger: Ledger, sku: str) -> None:
    """Bring one unit in and sell it: stock.back, then stock.out."""
    await ledger.run(receive(sku, 1))
    await ledger.run(order(f"o{next(_ids)}", (sku, 1)))


# -- the configuration


def refused(folder: Path, text: str) -> str:
    path = folder / "holdfast.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as error:
        load_config_file(path, {"ERP_SECRET": SECRET})
    assert SECRET not in str(error.value)
    return str(error.value).removeprefix(f"{path}: ")


def test_given_an_endpoint_when_read_then_it_wants_all_kinds_unless_configured(tmp_path: Path) -> None:
    path = tmp_path / "holdfast.toml"
    path.write_text(TABLE + 'events = ["shortage.opened", "stock.out"]\n[webhooks.all]\n' + TABLE.split("\n", 1)[1])
    some, every = load_config_file(path, {"ERP_SECRET": SECRET}).webhooks
    assert some.settings.events == ("stock.out", "shortage.opened")
    assert (every.settings.events, every.settings.name) == (PLACE_ALERTS, "all")
    assert some.credentials.read() == {"secret": SECRET}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TABLE.replace("secret", "#"), '[webhooks.erp]: needs secret: secret = { env = "…" } or { file = "…" }.'),
        (TABLE + 'events = ["stock.gone"]', "[webhooks.erp]: events[0]: must be"),
        (TABLE + "events = []", "[webhooks.erp]: events: "),
        (TABLE + "retries = 3", "[webhooks.erp]: there is no field 'retries'."),
        (TABLE.replace('{ env = "ERP_SECRET" }', f'"{SECRET}"'), "[webhooks.erp]: secret must name the place"),
        (TABLE.replace("ERP_", "OTHER_"), "[webhooks.erp]: secret: the variable OTHER_SECRET is not set or empty."),
        ("webhooks = 3", "webhooks must be tables"),
    ],
)
def test_given_a_wrong_endpoint_when_read_then_the_error_names_what_to_write(
    tmp_path: Path, text: str, message: str
) -> None:
    assert refused(tmp_path, text).startswith(message)


@pytest.mark.parametrize(
    ("secret", "url", "message"),
    [("hush-hush", "https://a.example", "whsec_"), (SECRET, "ftp://a.example", "https://")],
)
def test_given_a_url_or_a_secret_of_another_form_when_it_starts_then_it_says_so_and_shows_nothing(
    tmp_path: Path, secret: str, url: str, message: str
) -> None:
    path = tmp_path / "holdfast.toml"
    path.write_text(TABLE.replace("https://erp.example/hooks", url), "utf-8")
    webhooks = load_config_file(path, {"ERP_SECRET": secret}).webhooks

    with pytest.raises(ConfigError) as refused:
        webhook_plans(path, webhooks, check=True)

    assert str(refused.value).startswith(f"{path}: [webhooks.erp]: ")
    assert message in str(refused.value)
    assert secret not in str(refused.value)


def test_given_the_page_about_webhooks_then_it_knows_every_field_and_its_example_can_be_read(tmp_path: Path) -> None:
    page = read("docs/webhooks.md")
    documented = re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)
    [example] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "holdfast.toml"
    path.write_text(example, "utf-8")

    assert differences(FIELDS, documented) == NO_DIFFERENCE
    assert load_config_file(path, {"ERP_SECRET": SECRET}).webhooks[0].settings.events == (
        "stock.out",
        "shortage.opened",
    )


# -- the delivery


async def test_given_an_alert_when_it_is_raised_then_the_endpoint_gets_what_the_api_returns(
    store: StoreProcess, client: Redis, ledger: Ledger, counting: DailyFigureCounter, erp: AlertReceiver
) -> None:
    partition = ledger.keyspace.partition
    async with publishing(store, partition, [], webhooks=[plan("erp", erp)]):
        await sell_out(ledger, "A")
        await counting.catch_up()
        await wait_until(lambda: len(erp.taken) == 2, "both events came")

    read = await ReplenishmentStore(client, ledger.keyspace).events("0-0", 10)
    events = [each for each in read if each.alert in PLACE_ALERTS]
    assert erp.ids() == [f"evt_{partition}_{event.id}" for event in events]
    _, last = erp.taken[-1]
    assert last["type"] == "stock.out"
    assert last["subject"] == "A"
    assert last["data"] == {
        "event": events[-1].id, "sku": "A", "location": "main", "available": 0, "reorder_point": 0,
        "seq": events[-1].seq,
    }  # fmt: skip


async def test_given_an_endpoint_that_wants_some_kinds_then_it_gets_those_alone(
    store: StoreProcess, ledger: Ledger, counting: DailyFigureCounter, erp: AlertReceiver, partition: str
) -> None:
    async with publishing(store, partition, [], webhooks=[plan("erp", erp, ("stock.out",))]):
        for sku in "ABC":
            await sell_out(ledger, sku)
        await counting.catch_up()
        await wait_until(lambda: len(erp.taken) == 3, "three events came")

    assert erp.events == [("stock.out", sku) for sku in "ABC"]


async def test_given_what_happened_before_an_endpoint_was_there_then_it_gets_what_happens_from_then_on(
    store: StoreProcess, ledger: Ledger, counting: DailyFigureCounter, erp: AlertReceiver, partition: str
) -> None:
    await sell_out(ledger, "before")
    await counting.catch_up()
    async with publishing(store, partition, [], webhooks=[plan("erp", erp)]):
        pass  # stopped before anything happened: its beginning stands all the same
    await sell_out(ledger, "while away")
    await counting.catch_up()

    async with publishing(store, partition, [], webhooks=[plan("erp", erp)]):
        await wait_until(lambda: len(erp.taken) == 2, "what happened meanwhile is delivered")

    assert {sku for _, sku in erp.events} == {"while away"}


@ON_ONE_STORE
@pytest.mark.soak
async def test_given_answers_of_every_kind_but_yes_then_each_event_is_sent_again_under_its_id_until_it_is_taken(
    store: StoreProcess, ledger: Ledger, counting: DailyFigureCounter, erp: AlertReceiver, partition: str
) -> None:
    erp.faults.extend(["failing", "reset", "reset_after", "throttled_with_retry_after", "moved"])
    erp.statuses.extend([204, 404, 400])
    async with publishing(store, partition, [], webhooks=[plan("erp", erp)]):
        for sku in "ABC":
            await sell_out(ledger, sku)
        await counting.catch_up()
        await wait_until(lambda: len(erp.events) == 6, "all events came", WITHIN_S)

    assert erp.events == [(kind, sku) for sku in "ABC" for kind in ("stock.back", "stock.out")]
    assert len(erp.taken) == 7, "the one whose answer was lost came twice"
    assert len(erp.ids()) == 6
    bodies = [request for request in erp.received if b"evt_" in request.body]
    throttled = bodies[3].at_s
    assert bodies[4].at_s - throttled >= 1.0, "Retry-After is kept"


@ON_ONE_STORE
async def test_given_an_endpoint_that_hangs_when_another_is_well_then_that_one_waits_for_no_other(
    store: StoreProcess, ledger: Ledger, counting: DailyFigureCounter, erp: AlertReceiver, page: AlertReceiver
) -> None:
    partition = ledger.keyspace.partition
    page.always = "silent"
    async with publishing(store, partition, [], webhooks=[plan("page", page, timeout_s=60.0), plan("erp", erp)]):
        for sku in "ABC":
            await sell_out(ledger, sku)
        await counting.catch_up()
        await wait_until(lambda: len(erp.taken) == 6, "the one that is well has all")
        assert len(page.received) <= 1
        assert page.taken == []


async def test_given_an_endpoint_that_was_taken_away_then_its_place_is_forgotten(
    store: StoreProcess, client: Redis, ledger: Ledger, erp: AlertReceiver, partition: str
) -> None:
    async with publishing(store, partition, [], webhooks=[plan("erp", erp)]):
        pass
    assert set(await WebhookStore(client, ledger.keyspace).places()) == {"erp"}

    async with publishing(store, partition, [], webhooks=[plan("other", erp)]):
        pass

    assert set(await WebhookStore(client, ledger.keyspace).places()) == {"other"}


async def test_given_a_place_beyond_the_last_event_then_it_gets_what_comes_from_then_on(
    store: StoreProcess, client: Redis, ledger: Ledger, counting: DailyFigureCounter, erp: AlertReceiver
) -> None:
    """A backup was restored, and the newest events are lost."""
    await command(client, "HSET", ledger.keyspace.webhook_cursors, "erp", "9999999999999-0 77")
    with capture_logs() as logs:
        async with publishing(store, ledger.keyspace.partition, [], webhooks=[plan("erp", erp)]):
            await wait_until(lambda: any(entry["event"] == "webhook_went_back" for entry in logs), "it is noticed")
            await sell_out(ledger, "A")
            await counting.catch_up()
            await wait_until(lambda: len(erp.taken) == 2, "what comes then is delivered")
    assert erp.events == [("stock.back", "A"), ("stock.out", "A")]


# -- what is too old


async def raise_at(client: Redis, keyspace: Keyspace, at_ms: int, sku: str) -> None:
    """Put an event into the stream as it is raised."""
    event = event_of("stock.out", at_ms=at_ms, sku=sku, location="main", available=0, reorder_point=0, seq=1)
    await command(client, "XADD", keyspace.events, "*", "e", msgspec.msgpack.encode([event]))


async def test_given_events_that_are_kept_no_longer_then_they_are_counted_and_reported_and_the_others_go_out(
    store: StoreProcess, client: Redis, ledger: Ledger, erp: AlertReceiver, partition: str
) -> None:
    keyspace = ledger.keyspace
    async with publishing(store, partition, [], webhooks=[plan("erp", erp)]):
        pass
    now = await now_ms(client)
    for number in range(6):
        await raise_at(client, keyspace, now, f"trimmed-{number}")
    [*_, newest] = await command(client, "XRANGE", keyspace.events, "-", "+")
    await command(client, "XTRIM", keyspace.events, "MINID", "=", newest[0])
    for days, sku in ((40, "old-1"), (31, "old-2"), (1, "fresh")):
        await raise_at(client, keyspace, now - days * DAY_MS, sku)

    with capture_logs() as logs:
        async with publishing(store, partition, [], webhooks=[plan("erp", erp)]):
            await wait_until(lambda: len(erp.taken) == 2, "what can be delivered is delivered")

    assert [sku for _, sku in erp.events] == ["trimmed-5", "fresh"]
    assert [line["events"] for line in logs if line["event"] == "webhook_events_dropped"] == [5, 2]


@pytest.mark.parametrize(
    ("extent", "place", "missed"),
    [
        (Extent(Place("9-0", 9), "1-0", 9), Place("0-0", 0), 0),
        (Extent(Place("9-0", 9), "5-0", 5), Place("4-0", 4), 0),
        (Extent(Place("9-0", 9), "5-0", 5), Place("2-0", 2), 2),
        (Extent(Place("9-0", 9), "5-0", 5), Place("6-0", 6), 0),
        (Extent(Place("9-0", 9), "0-0", 0), Place("2-0", 2), 7),
        (Extent(Place("9-0", 9), "0-0", 0), Place("9-0", 9), 0),
    ],
)
def test_given_a_stream_that_was_trimmed_then_it_is_known_how_many_were_missed(
    extent: Extent, place: Place, missed: int
) -> None:
    assert extent.missed(place) == missed


# -- kill -9


@pytest.fixture
def crash_store() -> Iterator[StoreProcess]:
    with start_valkey() as process:
        yield process


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.soak)])
async def test_given_a_process_that_is_killed_again_and_again_then_no_event_is_lost_and_repeats_carry_the_same_id(
    kills: int,
    crash_store: StoreProcess,
    open_batcher: Callable[..., Batcher],
    erp: AlertReceiver,
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201  # shown with a failure
    chance = random.Random(seed)
    keyspace = Keyspace("default")
    ledger = Ledger(open_batcher(crash_store), keyspace, RETENTION)
    toml = (
        f'[webhooks.erp]\nurl = "{erp.hook}"\nsecret = {{ env = "ERP_SECRET" }}\nallow_private = ["127.0.0.1"]\n'
        "timeout_s = 2\n"
    )
    server = publishers.publisher(crash_store.url, toml, {"ERP_SECRET": SECRET, "HOLDFAST_FIGURES_INTERVAL_S": "0.02"})
    try:
        async with StoreClient(crash_store) as client:
            await publishers.start(server)
            await wait_until(lambda: crash_store.command("HLEN", keyspace.webhook_cursors) == 1, "it has a place")
            for number in range(kills):
                selling = asyncio.create_task(_sell_out_many(ledger, f"sku-{number}", chance.randint(10, 40)))
                before = len(erp.taken)
                erp.faults.extend(chance.choice([["reset_after"], ["failing"], []]))
                await wait_until(lambda before=before: len(erp.taken) > before, "something is delivered", WITHIN_S)  # type: ignore[misc]
                await asyncio.sleep(chance.uniform(0, 0.05))
                server.kill()
                await selling
                await publishers.start(server)

            events = [f"evt_default_{each}" for each in await _all_events(client, keyspace)]
            await wait_until(lambda: len(erp.ids()) == len(events), "all events are delivered", WITHIN_S)
        assert server.faults == []
    finally:
        publishers.end(server)

    assert erp.ids() == events, "each, and in their order"


async def _sell_out_many(ledger: Ledger, sku: str, times: int) -> None:
    for number in range(times):
        await sell_out(ledger, f"{sku}-{number}")


async def _all_events(client: Redis, keyspace: Keyspace) -> list[Any]:
    """Wait until all is counted, and read the id of every event of a location."""

    async def is_counted() -> bool:
        end = await command(client, "XREVRANGE", keyspace.journal, "+", "-", "COUNT", 1)
        cursor = await command(client, "HGET", keyspace.figures, "cursor")
        return bool(end[0][0] == cursor)

    await wait_until(is_counted, "all is counted", WITHIN_S)
    read = await ReplenishmentStore(client, keyspace).events("0-0", 1_000_000)
    return [each.id for each in read if each.alert in PLACE_ALERTS]
