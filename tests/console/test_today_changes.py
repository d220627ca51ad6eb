"""Which lists of Today are read again for a change: those that it may be in, and no others."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
from playwright.async_api import Locator, expect

from tests.console.pages import KEYS, Console, console
from tests.support.http import Server

pytestmark = pytest.mark.timeout(180)
_NO_TICKS: Final = "() => { window.setInterval = () => 0; }"
"""Nothing is read because time passes."""
_LISTS: Final = ("shortages", "state=out", "state=low")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(keys=KEYS, audit_interval_s=0) as started:
        yield started
        assert started.faults == []


@contextlib.asynccontextmanager
async def untimed(server: Server) -> AsyncIterator[Console]:
    """Show a Today that is read again for changes alone."""
    async with console(server) as opened:
        rules = {"rules": [{"reorder_point": 3}]}
        (await opened.api.put("/v1/replenishment/rules", rules)).ok()
        await opened.api.count("MANY", 900)
        await opened.show("#/product/MANY")
        await expect(opened.page.locator("main .big")).to_have_text("900")
        await opened.page.evaluate(_NO_TICKS)
        await opened.show("#/today")
        for part in ("short", "low", "out", "holds"):
            await expect(opened.page.locator(f"#{part}")).to_be_visible()
        await expect(opened.page.locator("main [aria-busy=true]")).to_have_count(0)
        await expect(opened.page.locator("header.bar")).to_contain_text("Live")
        yield opened


def part(opened: Console, name: str) -> Locator:
    return opened.page.locator(f"#{name}")


async def test_what_is_sold_out_or_low_comes_and_goes(server: Server) -> None:
    async with untimed(server) as opened:
        await opened.api.count("CEZVE", 5)
        (await opened.api.reserve("CEZVE", 3, ttl_s=3600)).ok(201)
        await expect(part(opened, "low")).to_contain_text("CEZVE")

        (await opened.api.reserve("CEZVE", 2, ttl_s=3600)).ok(201)
        await expect(part(opened, "out")).to_contain_text("CEZVE")
        await expect(part(opened, "low")).not_to_contain_text("CEZVE")

        await opened.api.count("CEZVE", 50)
        await expect(part(opened, "out")).not_to_contain_text("CEZVE")


async def test_what_lacks_units_comes_and_goes_and_says_where_others_are(server: Server) -> None:
    async with untimed(server) as opened:
        await opened.api.count("VAZO", 5)
        await opened.api.count("VAZO", 9, "izmir")
        lines = [{"sku": "VAZO", "quantity": 5, "location": "main"}]
        (await opened.api.post("/v1/orders", {"channel": "web", "lines": lines})).ok(201)

        await opened.api.count("VAZO", 3)
        await expect(part(opened, "short")).to_contain_text("could come from izmir (9 there)")

        await opened.api.count("VAZO", 7, "izmir")
        await expect(part(opened, "short")).to_contain_text("could come from izmir (7 there)")

        await opened.api.count("VAZO", 6)
        await expect(part(opened, "short")).not_to_contain_text("VAZO")


async def test_for_what_no_list_shows_none_is_read_but_what_is_due(server: Server) -> None:
    async with untimed(server) as opened:
        asked: list[str] = []
        opened.page.on("request", lambda request: asked.append(request.url))

        for name in ("basket-1", "basket-2"):
            (await opened.api.reserve("MANY", 1, name, ttl_s=300)).ok(201)
            await expect(part(opened, "holds")).to_contain_text(name)

        assert [url for url in asked if any(each in url for each in _LISTS)] == []
