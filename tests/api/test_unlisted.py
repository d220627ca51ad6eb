"""What is in stock and on no channel, over HTTP and on the command line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

CONFIG: Final = """
[channels.shop]
kind = "trendyol"
listings = "listed"

[channels.shop.options]
seller_id = 42

[channels.shop.credentials]
api_key = { env = "TRENDYOL_KEY" }
api_secret = { env = "TRENDYOL_SECRET" }
"""
ALL: Final = CONFIG.replace('"listed"', '"all"')
SECRET: Final = {"TRENDYOL_KEY": "made-up-key", "TRENDYOL_SECRET": "made-up-secret"}


async def unlisted(api: Api, limit: int = 500) -> dict[str, int]:
    """Read all pages."""
    found: dict[str, int] = {}
    after = "0"
    while after:
        page = (await api.get(f"/v1/reports/unlisted?limit={limit}&after={after}")).ok()
        found |= {each["sku"]: each["available"] for each in page["skus"]}
        after = page["next"]
    return found


async def stock_up(api: Api) -> None:
    for sku, units in (("LISTED", 3), ("OFF", 4), ("FREE", 5), ("OUT", 0)):
        await api.count(sku, units)
    await api.count("FREE", 2, "store")
    await api.count("SHUT", 9, "shut")
    (await api.put("/v1/locations/shut", {"open": False})).ok()
    listings = [{"sku": "LISTED", "key": "1"}, {"sku": "OFF", "key": "2", "listed": False}]
    (await api.put("/v1/channels/shop/listings", {"listings": listings})).ok()


async def test_given_stock_that_no_channel_lists_when_asked_then_it_is_found_and_nothing_else(
    start_server: Callable[..., Server],
) -> None:
    async with opened(start_server(toml=CONFIG, environment=SECRET, role="api")) as api:
        await stock_up(api)

        assert await unlisted(api) == {"OFF": 4, "FREE": 7}
        assert (await api.get("/v1/reports/unlisted")).ok()["channels"] == ["shop"]
        (await api.get("/v1/reports/unlisted?after=x")).problem(400, "invalid")


async def test_given_a_channel_that_lists_all_when_asked_then_only_what_was_taken_off_is_found(
    start_server: Callable[..., Server],
) -> None:
    async with opened(start_server(toml=ALL, environment=SECRET, role="api")) as api:
        await stock_up(api)

        assert await unlisted(api) == {"OFF": 4}


async def test_given_more_skus_than_a_page_looks_at_when_all_are_read_then_each_is_found(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(toml=CONFIG, environment=SECRET, role="api")
    async with opened(server) as api:
        counts = [{"kind": "count", "sku": f"S{number:03}", "on_hand": 1} for number in range(700)]
        (await api.post("/v1/stock/movements", {"movements": counts})).ok()

        assert len(await unlisted(api, 50)) == 700
    command = [str(Path(sys.executable).parent / "holdfast"), "channels", "unlisted", "--csv"]
    done = subprocess.run(  # nothing else runs in this test
        [*command, "--data-dir", str(server.data_dir)], capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 701
