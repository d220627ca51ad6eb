"""A supplier's list in a file, through a real server: on sale behind our own, and closed once nobody reads it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

PLACE: Final = "tool-supplier"
StartServer = Callable[..., Server]


def feed(path: Path) -> str:
    return f"""
[sources.tools]
kind = "feed"
pull_every_s = 0.1
lead_time_days = 3

[sources.tools.options]
location = "{PLACE}"
file = "{path}"
format = "csv"
sku = "code"
quantity = "stock"
buffer = 1
"""


async def on_hand(api: Api) -> dict[str, int]:
    levels = (await api.get("/v1/stock/TS-1")).ok()["levels"]
    return {each["location"]: each["on_hand"] for each in levels}


async def becomes(api: Api, **expected: int) -> None:
    wanted = {name.replace("_", "-"): units for name, units in expected.items()}

    async def is_so() -> bool:
        return await on_hand(api) == wanted

    await wait_until(is_so, f"{wanted} lie there")


async def source(api: Api) -> Any:
    [found] = (await api.get("/v1/sources")).ok()["sources"]
    return found


async def test_what_a_supplier_has_is_sold_behind_our_own_and_written_by_nobody_else(
    tmp_path: Path, start_server: StartServer
) -> None:
    path = tmp_path / "stock.csv"
    path.write_text("code,stock\nTS-1,6\nSOMEBODY-ELSES,9\n", "utf-8")
    server = start_server(toml=feed(path), publisher_lease_s=1, durability="fast")
    async with opened(server) as api:
        await api.count("TS-1", 2)
        await becomes(api, main=2, tool_supplier=5)

        assert (await api.get(f"/v1/locations/{PLACE}")).ok()["filled_by"] == "source:tools"
        (await api.put(f"/v1/stock/TS-1/{PLACE}", {"on_hand": 9})).problem(409, "location_mirrored")
        placed = (await api.post("/v1/orders", {"channel": "shop", "lines": [{"sku": "TS-1", "quantity": 2}]})).ok(201)
        assert {each["location"] for each in placed["lines"]} == {"main"}
        sourced = {"channel": "shop", "lines": [{"sku": "TS-1", "quantity": 1}], "sourcing": {"strategy": "most_stock"}}
        await api.count("TS-1", 3)
        placed = (await api.post("/v1/orders", sourced)).ok(201)
        assert {each["location"] for each in placed["lines"]} == {"main"}
        placed = (await api.post("/v1/orders", {"channel": "shop", "lines": [{"sku": "TS-1", "quantity": 2}]})).ok(201)
        assert {each["location"] for each in placed["lines"]} == {PLACE}

        expected = {"kind": "feed", "places": 1, "late": False, "lead_time_days": 3.0}
        await wait_until(lambda: _is(api, **expected), "how it stands is written")
        path.write_text("code,stock\nTS-1,0", "utf-8")
        await wait_until(lambda: _is(api, unreadable=["TS-1"]), "that its last row was cut is shown")
        assert (await on_hand(api))[PLACE] == 5
        path.unlink()

        async def is_told() -> bool:
            return "cannot be read" in (await source(api))["reason"]

        await wait_until(is_told, "the reason is told")
        assert (await on_hand(api))[PLACE] == 5
    assert server.faults == []


async def _is(api: Api, **expected: Any) -> bool:
    known = await source(api)
    return {name: known[name] for name in expected} == expected


async def test_a_feed_that_is_not_configured_any_more_leaves_a_closed_location(
    tmp_path: Path, start_server: StartServer
) -> None:
    path, data = tmp_path / "stock.csv", tmp_path / "data"
    path.write_text("code,stock\nTS-1,6\n", "utf-8")
    server = start_server(toml=feed(path), data_dir=data, publisher_lease_s=1, durability="fast")
    async with opened(server) as api:
        await api.count("TS-1", 2)
        await becomes(api, main=2, tool_supplier=5)
    assert server.stop() == 0

    server = start_server(data_dir=data, durability="fast")
    async with opened(server) as api:
        location = (await api.get(f"/v1/locations/{PLACE}")).ok()
        assert (location["open"], "filled_by" in location) == (False, False)
        line = {"sku": "TS-1", "quantity": 3}
        (await api.post("/v1/orders", {"channel": "shop", "lines": [line]})).problem(409, "out_of_stock")
        (await api.put(f"/v1/stock/TS-1/{PLACE}", {"on_hand": 0})).ok()
    assert server.faults == []
