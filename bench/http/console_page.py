"""What a person at the console waits for: the first paint, what a search finds, a change made elsewhere."""

import asyncio
import contextlib
import http.client
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from bench.harness import stock
from bench.harness.black_box import address_of
from bench.harness.chromium import opened
from bench.http.console_shop import Shop, barcode_of, key_of

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page

READ_MS_MAX: Final = 60_000
_REST_S: Final = 1.5
"""Between two changes of one product: longer than the page waits before it reads it again."""
WATCHED: Final = 7
"""The number of the SKU whose page is open."""
_TTL_S: Final = 3_600
"""So long that no hold ends while its product is looked at."""

_LOOKER = """
(() => {
  const parts = ["short", "channels", "inbox", "low", "out", "deliveries", "holds"];
  window.benchRead = new Promise((read) => {
    const looking = new MutationObserver(() => {
      if (document.querySelector("#console .busy")) return;
      if (!parts.every((part) => document.getElementById(part))) return;
      looking.disconnect();
      read(performance.now());
    });
    looking.observe(document, { childList: true, subtree: true });
  });
})();
"""
_PAINTED = """async () => {
  const read = await window.benchRead;
  return [performance.getEntriesByName("first-contentful-paint")[0].startTime, read];
}"""
_SOUGHT = """
({ sought, sku }) => {
  window.benchFound = new Promise((found) => {
    let pressed = 0;
    const isShown = () => {
      const title = document.querySelector("main h1")?.textContent.trim();
      if (title === sku) return document.querySelector("main .big");
      if (!title?.includes(sought)) return false;
      return [...document.querySelectorAll("main td a")].some((link) => link.textContent.trim() === sku);
    };
    const looking = new MutationObserver(() => {
      if (!pressed || !isShown()) return;
      looking.disconnect();
      requestAnimationFrame(() => setTimeout(() => found(performance.now() - pressed)));
    });
    looking.observe(document, { childList: true, subtree: true, characterData: true });
    addEventListener("keydown", function press(event) {
      if (event.key !== "Enter") return;
      pressed = performance.now();
      removeEventListener("keydown", press, true);
    }, true);
  });
}
"""
_CHANGED = """
(wanted) => {
  window.benchChanged = new Promise((changed) => {
    const look = () => {
      if (document.querySelector("main .big")?.textContent !== wanted) return;
      looking.disconnect();
      requestAnimationFrame(() => setTimeout(() => changed(performance.timeOrigin + performance.now())));
    };
    const looking = new MutationObserver(look);
    looking.observe(document, { childList: true, subtree: true, characterData: true });
  });
}
"""


class Paint(NamedTuple):
    """When the page first had something on it, and when all of Today's lists were there, in ms from its opening."""

    first_ms: float
    read_ms: float


class Row(NamedTuple):
    """One figure of several."""

    name: str
    times_ms: list[float]
    wanted_ms: int | None = None

    @property
    def middle_ms(self) -> float:
        """The median."""
        return median(self.times_ms)

    @property
    def worst_ms(self) -> float:
        """The longest."""
        return max(self.times_ms)


async def paints(path: str, shop: Shop, rounds: int) -> list[Row]:
    """Open Today in a browser that has nothing of it, and again in the same one."""
    cold, warm = list[Paint](), list[Paint]()
    for _ in range(rounds):
        async with opened(path) as context:
            await context.add_init_script(_LOOKER)
            for taken in (cold, warm):
                page = await context.new_page()
                await page.goto(f"{shop.url}/console#/today")
                first_ms, read_ms = await asyncio.wait_for(page.evaluate(_PAINTED), READ_MS_MAX / 1000)
                taken.append(Paint(first_ms, read_ms))
                await page.close()
    return [
        Row("first paint, cold", [each.first_ms for each in cold], 1_000),
        Row("first paint, warm", [each.first_ms for each in warm], 1_000),
        Row("all of Today's lists, cold", [each.read_ms for each in cold]),
        Row("all of Today's lists, warm", [each.read_ms for each in warm]),
    ]


@contextlib.asynccontextmanager
async def on(context: "BrowserContext", shop: Shop, address: str, ready: str) -> AsyncIterator["Page"]:
    """Open a page on a screen, and wait for something of it."""
    page = await context.new_page()
    try:
        await page.goto(f"{shop.url}/console{address}")
        await page.locator(ready).first.wait_for(timeout=READ_MS_MAX)
        yield page
    finally:
        await page.close()


def questions(shop: Shop, rounds: int) -> Iterator[tuple[str, str, str]]:
    """Yield what is sought: what kind of thing it is, the words, and the SKU that is meant."""
    chance = random.Random(11)
    first = stock.sku(chance.randrange(shop.size.sold))
    yield "the first, as soon as Today is there", first, first
    for _ in range(rounds):
        number, channel = chance.randrange(shop.size.sold), chance.randrange(shop.size.channels)
        sku, listed = stock.sku(number), chance.choice(shop.size.listed(channel))
        yield "a SKU", sku, sku
        yield "a barcode", barcode_of(number), sku
        yield "a typo", f"{sku[:-3]}x{sku[-2:]}", sku
        yield "a channel's key", key_of(channel, listed), stock.sku(listed)


async def searches(path: str, shop: Shop, rounds: int) -> list[Row]:
    """Look for things from Today, and take the time from the last key to what is found."""
    found: dict[str, list[float]] = {}
    async with opened(path) as context, on(context, shop, "#/today", "#holds") as page:
        for kind, sought, sku in questions(shop, rounds):
            await page.evaluate("location.hash = '#/today'")
            await page.locator("#holds").wait_for(timeout=READ_MS_MAX)
            await page.evaluate(_SOUGHT, {"sought": sought, "sku": sku})
            field = page.locator("input[data-search]")
            await field.fill("")
            await field.press_sequentially(sought, delay=5)
            await field.press("Enter")
            took_ms: float = await asyncio.wait_for(page.evaluate("window.benchFound"), READ_MS_MAX / 1000)
            found.setdefault(kind, []).append(took_ms)
    return [Row(f"search: {kind}", times, 200) for kind, times in found.items()]


class Seller:
    """Reserves units over the API, one after the other."""

    def __init__(self, shop: Shop, ttl_s: int) -> None:
        self._connection = http.client.HTTPConnection(*address_of(shop.url), timeout=60)
        self._ttl_s = ttl_s

    def reserve(self, sku: str) -> int:
        """Reserve a unit; returns how many are left."""
        lines = [{"sku": sku, "quantity": 1}]
        body = msgspec.json.encode({"channel": "web", "ttl_s": self._ttl_s, "lines": lines})
        self._connection.request("POST", "/v1/reservations", body, {"Content-Type": "application/json"})
        answer: dict[str, Any] = msgspec.json.decode(self._connection.getresponse().read())
        left: int = answer["availability"][0]["available"]
        return left

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


async def changes(path: str, shop: Shop, rounds: int) -> list[Row]:
    """Reserve over the API, and take the time until the number on the product's page is the new one.

    Once after a rest, and once right behind another change.
    """
    sku = stock.sku(WATCHED)
    chance = random.Random(3)
    rested, behind = list[float](), list[float]()
    async with contextlib.AsyncExitStack() as stack:
        seller = stack.enter_context(contextlib.closing(Seller(shop, _TTL_S)))
        context = await stack.enter_async_context(opened(path))
        page = await stack.enter_async_context(on(context, shop, f"#/product/{sku}", "#history"))
        left = await asyncio.to_thread(seller.reserve, sku)
        for _ in range(rounds):
            for before, taken in ((0, rested), (1, behind)):
                await asyncio.sleep(_REST_S + chance.random())
                for _ in range(before):
                    left = await asyncio.to_thread(seller.reserve, sku)
                    await asyncio.sleep(0.1 + chance.random() / 2)
                await page.evaluate(_CHANGED, str(left - 1))
                began_s = time.time()
                left = await asyncio.to_thread(seller.reserve, sku)
                shown_ms = await asyncio.wait_for(page.evaluate("window.benchChanged"), READ_MS_MAX / 1000)
                taken.append(shown_ms - began_s * 1000)
    return [Row("a change, after a rest", rested, 1_000), Row("a change, right behind another", behind, 1_000)]


def verdict(row: Row) -> Sequence[str]:
    """Write a figure and whether it is reached: by its median, and by its worst."""
    wanted = "" if row.wanted_ms is None else f"≤ {row.wanted_ms:,} ms"
    held = "" if row.wanted_ms is None else "yes" if row.worst_ms <= row.wanted_ms else "NO"
    return row.name, wanted, f"{row.middle_ms:,.0f}", f"{row.worst_ms:,.0f}", str(len(row.times_ms)), held
