"""Channels and listings on the page: how they stand, their rules, what they will not take, and what maps to what."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

import msgspec
import pytest
from playwright.async_api import Page, expect

from server.domain.channels import ChannelStatus, DeadLetter, LastReconcile, LastTest
from server.domain.order_documents import InboxEntry
from server.store.keys import ChannelKeys, Keyspace
from tests.channels.webhook_receiver import PATH, SECRET, WILL_NOT, WebhookReceiver
from tests.console.pages import KEYS, PHONE, READER, SOON_MS, console
from tests.support.http import Api, Server
from tests.support.order_documents import documents_of

pytest_plugins = ("tests.support.http_fixtures",)
pytestmark = pytest.mark.timeout(240)

CHANNEL: Final = """
[channels.%s]
kind = "webhook"
allow_private = ["127.0.0.1"]

[channels.%s.options]
url = "http://127.0.0.1:%d%s"

[channels.%s.credentials]
secret = { env = "SHOP_SECRET" }
"""
MARKUP: Final = "<img src=x onerror=alert(1)><b>"


def channels(port: int, *names: str) -> str:
    return "".join(CHANNEL % (name, name, port, PATH, name) for name in names)


@pytest.fixture(scope="module")
def still() -> Iterator[Server]:
    """Serve channels for which nobody publishes: how they stand is what a test writes."""
    toml = channels(9, "market", "shop")
    with Server(keys=KEYS, toml=toml, environment={"SHOP_SECRET": SECRET}, role="api") as started:
        yield started
        assert started.faults == []


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    """Listen as a shop that knows the keys a and b."""
    async with WebhookReceiver() as receiver:
        receiver.stock("a", "b", quantity=-1)
        yield receiver


@pytest.fixture
def server(receiver: WebhookReceiver, start_server: Callable[..., Server]) -> Server:
    toml = channels(receiver.port, "market", "shop")
    return start_server(keys=KEYS, toml=toml, environment={"SHOP_SECRET": SECRET}, publisher_lease_s=1)


def stand(server: Server, channel: str, **status: object) -> None:
    """Write how a channel stands, as its publisher does each second."""
    with server.store() as store:
        now_ms = store.time()[0] * 1000
        stands = ChannelStatus(**{"publisher": "host:1", "written_ms": now_ms + 4_000, **status})
        store.hset(Keyspace("default").channel_status, channel, msgspec.json.encode(stands))


def bury(server: Server, channel: str, letter: DeadLetter) -> None:
    with server.store() as store:
        store.hset(ChannelKeys(Keyspace("default"), channel).dead_letters, letter.sku, msgspec.msgpack.encode(letter))


async def put(api: Api, channel: str, **keys: str) -> None:
    """List SKUs under keys."""
    listings = [{"sku": sku, "key": key} for sku, key in keys.items()]
    (await api.put(f"/v1/channels/{channel}/listings", {"listings": listings})).ok()


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).first.click(timeout=SOON_MS)


async def say_why(page: Page, why: str) -> None:
    await page.locator("dialog input[name=reason]").fill(why)
    await page.locator("dialog button[type=submit]").click()
    await expect(page.locator("dialog")).to_have_count(0, timeout=SOON_MS)


# -- how they stand


async def test_each_channel_says_how_it_stands_and_why(still: Server) -> None:
    async with console(still) as opened:
        stand(still, "market", circuit="halted", reason="Halted: 410 This version is gone", dirty=3, oldest_unsent_s=90)
        stand(still, "shop", paused=True, lag_p50_s=0.04, last_confirmed_ms=1_700_000_000_000)
        await opened.show("#/channels")

        market = opened.page.locator("tr").filter(has_text="market")
        shop = opened.page.locator("tr").filter(has_text="shop")
        await expect(market).to_contain_text("Halted: somebody has to act", timeout=SOON_MS)
        await expect(market).to_contain_text("410 This version is gone")
        await expect(market).to_contain_text("3, for up to 2 min")
        await expect(shop).to_contain_text("Paused")
        await expect(shop).to_contain_text("40 ms")


async def test_one_channel_says_more_and_when_it_was_tested(still: Server) -> None:
    stand(
        still, "market", circuit="closed", listings=12, last_confirmed_ms=1_700_000_000_000,
        reconcile=LastReconcile(1_700_000_000_000, 12, 2),
        test=LastTest(1_700_000_000_000, answered=False, reason="certificate has expired"),
    )  # fmt: skip
    async with console(still) as opened:
        await opened.show("#/channels/market")

        main = opened.page.locator("main")
        await expect(main).to_contain_text("It does not answer", timeout=SOON_MS)
        await expect(main).to_contain_text("certificate has expired")
        await opened.show("#/channels/market?tab=step")
        await expect(main).to_contain_text("12 compared, 2 differed", timeout=SOON_MS)


async def test_a_channel_that_nothing_reaches_says_what_to_do(still: Server) -> None:
    stand(still, "market", circuit="halted", reason="The key was revoked.")
    stand(still, "shop", circuit="open", reason="503 Service Unavailable")
    async with console(still) as opened:
        main = opened.page.locator("main")
        await opened.show("#/channels/shop")
        await expect(main).to_contain_text("It is tried again by itself.", timeout=SOON_MS)
        await opened.show("#/channels/market")
        await expect(main).to_contain_text("Nothing is sent to it until somebody acts.", timeout=SOON_MS)

        await press(opened.page, "Compare now")

        await expect(opened.page.locator(".said")).to_contain_text("Asked", timeout=SOON_MS)
    async with console(still, READER) as opened:
        await opened.show("#/channels/market")
        await expect(opened.page.locator("main")).to_contain_text("Nothing is sent to it", timeout=SOON_MS)
        await expect(opened.page.get_by_role("button", name="Compare now")).to_have_count(0)


async def test_a_channel_with_values_that_wait_is_not_said_to_be_in_step(still: Server) -> None:
    async with console(still) as opened:
        main = opened.page.locator("main")
        stand(still, "shop", circuit="open", dirty=8, reason="503 Service Unavailable")
        await opened.show("#/channels/shop?tab=step")
        await expect(main).to_contain_text("8 values wait", timeout=SOON_MS)
        await expect(main).not_to_contain_text("All is confirmed")

        stand(still, "shop", circuit="closed")

        await expect(main).to_contain_text("All is confirmed", timeout=SOON_MS)


async def test_a_channel_without_a_publisher_says_so(still: Server) -> None:
    stand(still, "shop", written_ms=1)
    async with console(still) as opened:
        await opened.show("#/channels/shop")

        await expect(opened.page.locator("main")).to_contain_text("the publisher does not run", timeout=SOON_MS)


# -- errands


async def test_a_channel_is_paused_with_a_reason_and_resumed(server: Server, receiver: WebhookReceiver) -> None:
    async with console(server) as opened:
        api, page = opened.api, opened.page
        await api.count("A", 5)
        await put(api, "shop", A="a")
        await opened.show("#/channels/shop")
        await expect(page.locator("main")).to_contain_text("Works", timeout=SOON_MS)

        await press(page, "Pause")
        await say_why(page, "they move house")
        await expect(page.locator("main .light")).to_contain_text("Paused", timeout=SOON_MS)
        await api.count("A", 9)
        await expect(page.locator("main dl")).to_contain_text("1, for", timeout=SOON_MS)
        assert receiver.shown["a"] == 5

        await press(page, "Resume")
        await say_why(page, "they are in")
        await expect(page.locator("main .light")).to_contain_text("Works", timeout=SOON_MS)
        await expect(page.locator("main dl")).not_to_contain_text("1, for", timeout=SOON_MS)
        assert receiver.shown["a"] == 9
        changes = (await api.get("/v1/history?channel=shop&actor=owner/Ay%C5%9Fe")).ok()["changes"]
        assert [each["reason"] for each in changes] == ["they are in", "they move house"]


async def test_a_connection_is_tested(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("A", 5)
        await put(opened.api, "shop", A="a")
        await opened.show("#/channels/shop")
        await expect(opened.page.locator("main")).to_contain_text("Works", timeout=SOON_MS)

        await press(opened.page, "Test connection")

        await expect(opened.page.locator("main dl")).to_contain_text("one value was sent again", timeout=SOON_MS)


async def test_a_dead_letter_is_in_the_channel_s_words_and_tried_again(
    server: Server, receiver: WebhookReceiver
) -> None:
    async with console(server) as opened:
        await opened.api.count("A", 5)
        await put(opened.api, "shop", A="unknown-there")
        await opened.show("#/channels/shop?tab=refused")
        row = opened.page.locator("tbody tr")
        await expect(row).to_contain_text(WILL_NOT, timeout=SOON_MS)
        receiver.stock("unknown-there", quantity=-1)

        await opened.page.get_by_role("button", name="Try A again").click()

        await expect(opened.page.locator("main")).to_contain_text("The channel refuses nothing", timeout=SOON_MS)
        assert receiver.shown["unknown-there"] == 5


async def test_rules_are_changed_by_an_example_that_the_server_agrees_with(still: Server) -> None:
    async with console(still) as opened:
        api, page = opened.api, opened.page
        await api.count("RULED", 7)
        await put(api, "market", RULED="ruled")
        await opened.show("#/channels/market")
        await expect(page.locator(".big")).to_have_text("7 → 7", timeout=SOON_MS)

        await press(page, "Change rules")
        await page.locator("dialog input[name=buffer]").fill("1")
        await page.locator("dialog input[name=percent]").fill("50")
        await expect(page.locator("dialog .big")).to_have_text("7 → 3", timeout=SOON_MS)
        await say_why(page, "they oversell")

        await expect(page.locator(".big")).to_have_text("7 → 3", timeout=SOON_MS)
        [listing] = (await api.get("/v1/channels/market/listings?sku=RULED")).ok()["listings"]
        assert listing["should_show"] == 3
        await opened.show("#/channels/market?tab=step")
        step = page.locator("tr").filter(has_text="RULED")
        await expect(step).to_contain_text("7 available, less buffer 1 is 6, 50 % of it is 3", timeout=SOON_MS)
        await opened.show("#/channels/market")
        await press(page, "Back to the file")
        await say_why(page, "no more")
        await expect(page.locator(".big")).to_have_text("7 → 7", timeout=SOON_MS)


async def test_the_matrix_shows_what_is_missing_or_there_twice_and_suggests_a_key(
    server: Server, receiver: WebhookReceiver
) -> None:
    receiver.stock("8690000000012", "again", quantity=-1)
    async with console(server) as opened:
        api, page = opened.api, opened.page
        await api.count("GREEN TEA", 5)
        await api.count("ALONE", 5)
        await put(api, "market", **{"GREEN TEA": "8690000000012"})
        twice = {"sku": "GREEN TEA", "key": "again", "factor": 1}
        (await api.put("/v1/channels/market/listings", {"listings": [twice]})).ok()
        await found(api, "GREEN TEA", "ALONE")
        await opened.show("#/channels?tab=matrix")
        row = page.locator("tr").filter(has_text="GREEN TEA")
        await expect(row).to_contain_text("listed twice", timeout=SOON_MS)

        await page.get_by_role("button", name="List GREEN TEA on shop").click()
        await page.locator("dialog").get_by_role("button", name="8690000000012").click()
        await page.locator("dialog button[type=submit]").click()

        await expect(page.get_by_role("button", name="List GREEN TEA on shop")).to_have_count(0, timeout=SOON_MS)
        await expect(page.locator("section").last).to_contain_text("ALONE")
        [listing] = (await api.get("/v1/channels/shop/listings?sku=GREEN%20TEA")).ok()["listings"]
        assert listing["key"] == "8690000000012"


async def test_the_matrix_asks_once_for_a_page_and_follows_what_changes(
    server: Server, receiver: WebhookReceiver
) -> None:
    async with console(server) as opened:
        api, page = opened.api, opened.page
        skus = {f"PLATE-{number:02}": f"plate-{number}" for number in range(30)}
        receiver.stock(*skus.values(), quantity=-1)
        for sku in skus:
            await api.count(sku, 5)
        await put(api, "market", **skus)
        await found(api, *skus, q="PLATE")
        asked = list[str]()
        page.on("request", lambda request: asked.append(request.url) if "/v1/" in request.url else None)
        await opened.show("#/channels?tab=matrix&q=PLATE")
        rows = page.locator("section").first.locator("tbody tr")
        await expect(rows).to_have_count(20, timeout=SOON_MS)
        await expect(rows.first.locator('td[data-title="market"]')).to_contain_text("5", timeout=SOON_MS)
        assert [url for url in asked if "/v1/stock/" in url] == []
        assert "show=channels" in "".join(asked)

        await page.get_by_role("button", name="Show more").first.click()
        await expect(rows).to_have_count(30, timeout=SOON_MS)
        first = await rows.first.locator("a").inner_text()
        await api.count(first, 9)

        await expect(rows.first.locator('td[data-title="market"]')).to_contain_text("9", timeout=SOON_MS)
        await expect(rows).to_have_count(30, timeout=SOON_MS)


async def test_a_key_that_orders_wait_for_is_suggested_by_its_barcode_and_mapped(server: Server) -> None:
    barcode = "8690000000029"
    async with console(server) as opened, documents_of(server) as documents:
        api, page = opened.api, opened.page
        await api.count("BLACK TEA", 5)
        (await api.put("/v1/barcodes", {"barcodes": [{"barcode": barcode, "sku": "BLACK TEA"}]})).ok()
        await found(api, "BLACK TEA", q=barcode)
        entry = InboxEntry(
            channel="shop", number="1001", reason="unmapped", listings=(barcode,), first_ms=1, last_ms=1
        )  # fmt: skip
        await documents.put_inbox("default", entry)
        await opened.show("#/channels/shop")

        await page.get_by_role("button", name="BLACK TEA").click(timeout=SOON_MS)
        await page.locator("dialog button[type=submit]").click()
        await expect(page.locator("dialog")).to_have_count(0, timeout=SOON_MS)

        [listing] = (await api.get(f"/v1/channels/shop/listings?key={barcode}")).ok()["listings"]
        assert listing["sku"] == "BLACK TEA"


async def test_a_slip_of_the_pen_is_mapped_to_nothing(still: Server) -> None:
    async with console(still) as opened, documents_of(still) as documents:
        api, page = opened.api, opened.page
        await api.count("WHITE TEA", 5)
        entry = InboxEntry(
            channel="market", number="S/2024/7", reason="unmapped", listings=("w-1",), first_ms=1, last_ms=1
        )  # fmt: skip
        await documents.put_inbox("default", entry)
        await opened.show("#/channels/market")
        await press(page, "Map to a product")
        await page.locator("dialog input[name=sku]").fill("WHITE TEE")
        await page.locator("dialog button[type=submit]").click()

        await expect(page.locator("dialog")).to_contain_text("This product is not known there", timeout=SOON_MS)

        assert (await api.get("/v1/channels/market/listings?key=w-1")).ok()["listings"] == []
        await page.locator("dialog input[name=sku]").fill("WHITE TEA")
        await page.locator("dialog button[type=submit]").click()
        await expect(page.locator("dialog")).to_have_count(0, timeout=SOON_MS)
        [listing] = (await api.get("/v1/channels/market/listings?key=w-1")).ok()["listings"]
        assert listing["sku"] == "WHITE TEA"


async def found(api: Api, *skus: str, q: str = "") -> None:
    """Wait until the index finds SKUs."""
    left = set(skus)
    while left:
        page = (await api.get(f"/v1/skus?q={q}" if q else "/v1/skus")).ok()
        left -= {each["sku"] for each in page["skus"]}


# -- who may, markup, languages, widths


async def test_who_may_only_read_is_shown_and_offered_nothing(still: Server) -> None:
    stand(still, "market", dead_letters=1)
    bury(still, "market", DeadLetter("A", "a", 9, "PRICE_MISSING", "no price", 4, 1, 2))
    async with console(still, READER) as opened:
        await opened.show("#/channels/market?tab=refused")

        await expect(opened.page.locator("main")).to_contain_text("no price", timeout=SOON_MS)
        assert await opened.page.locator("main button").count() == 0


async def test_markup_in_what_channels_say_stays_text(still: Server) -> None:
    reason = f"{MARKUP} refused"
    stand(still, "market", circuit="open", reason=reason, test=LastTest(1, answered=False, reason=f"{MARKUP} test"))
    bury(still, "market", DeadLetter(MARKUP, MARKUP, 9, f"{MARKUP}code", f"{MARKUP}why", 4, 1, 2))
    async with console(still) as opened:
        main = opened.page.locator("main")
        await opened.api.count(MARKUP, 3)
        await put(opened.api, "market", **{MARKUP: MARKUP})
        for address, text in (
            ("#/channels", reason),
            ("#/channels/market", f"{MARKUP} test"),
            ("#/channels/market?tab=refused", f"{MARKUP}why"),
            ("#/channels/market?tab=listings", MARKUP),
        ):
            await opened.show(address)
            await expect(main).to_contain_text(text, timeout=SOON_MS)
            assert await main.locator("img, b").count() == 0


@pytest.mark.parametrize(("locale", "title"), [("tr-TR", "Kanallar"), ("ro-RO", "Canale")])
async def test_every_text_is_there_in_every_language(still: Server, locale: str, title: str) -> None:
    stand(still, "market", dirty=3, oldest_unsent_s=3, dead_letters=1)
    async with console(still, locale=locale) as opened:
        await opened.show("#/channels")
        await expect(opened.page.locator("h1")).to_have_text(title, timeout=SOON_MS)
        for tab in ("", "/market", "/market?tab=step", "/market?tab=listings"):
            await opened.show(f"#/channels{tab}")
            await expect(opened.page.locator("main [aria-busy=true]")).to_have_count(0, timeout=SOON_MS)
            assert re.findall(r"\bchannels\.\w+", await opened.page.locator("main").inner_text()) == []


async def test_on_a_phone_nothing_is_wider_than_the_screen(still: Server) -> None:
    stand(still, "market", circuit="halted", reason="x" * 300)
    async with console(still) as opened:
        await opened.page.set_viewport_size(PHONE)
        for address in ("#/channels", "#/channels/market", "#/channels/market?tab=refused"):
            await opened.show(address)
            await expect(opened.page.locator("main [aria-busy=true]")).to_have_count(0, timeout=SOON_MS)
            assert await opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
