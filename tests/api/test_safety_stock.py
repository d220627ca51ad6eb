"""Rules of safety stock and categories, over HTTP and by command, on a real process that applies them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.support.http import Api, Server, opened
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)
RULES = "/v1/safety/rules"


@pytest.fixture
def own(start_server: Callable[..., Server]) -> Server:
    """Start a server that applies the rules all the time."""
    return start_server(figures_interval_s=0.02)


@pytest.fixture
async def live(own: Server) -> AsyncIterator[Api]:
    async with opened(own) as client:
        yield client
    assert own.faults == []


async def safety(api: Api, sku: str) -> dict[str, int]:
    levels = (await api.get(f"/v1/stock/{sku}")).ok()["levels"]
    return {each["location"]: each["safety"] for each in levels}


async def until(api: Api, sku: str, wanted: dict[str, int]) -> None:
    async def is_so() -> bool:
        return await safety(api, sku) == wanted

    await wait_until(is_so, f"{sku} keeps {wanted}")


async def test_given_rules_and_a_category_when_stock_changes_then_the_server_keeps_what_they_say(
    live: Api, own: Server, tmp_path: Path
) -> None:
    await live.count("A", 10)
    await live.count("A", 30, location="shop")
    set_now = await live.put(RULES, {"rules": [{"percent": 10}, {"category": "mugs", "location": "shop", "units": 7}]})
    assert set_now.ok()["rules"] == [
        {"category": None, "location": None, "units": 0, "percent": 10},
        {"category": "mugs", "location": "shop", "units": 7, "percent": 0},
    ]
    await until(live, "A", {"main": 1, "shop": 3})

    assert (await live.put("/v1/skus/A", {"category": "mugs"})).ok() == {
        "sku": "A",
        "category": "mugs",
        "tracked": True,
    }
    await until(live, "A", {"main": 1, "shop": 7})
    await live.count("A", 50)
    await until(live, "A", {"main": 5, "shop": 7})
    (await live.put(RULES, {"rules": [{"category": "mugs", "location": "shop", "remove": True}]})).ok()
    await until(live, "A", {"main": 5, "shop": 3})
    assert (await live.get("/v1/skus/A")).ok() == {"sku": "A", "category": "mugs", "tracked": True}

    # The commands work on the store of the running server.
    def run(*words: str) -> Any:
        return holdfast("rules", *words, "--data-dir", own.data_dir, cwd=tmp_path)

    (tmp_path / "categories.csv").write_text("sku,category\nA,plates\nC,\n,x\n", encoding="utf-8")
    done = await asyncio.to_thread(run, "categories", "categories.csv", "--yes")  # C is not known
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "3 rows: 2 set, 1 bad")
    assert "sku is empty" in done.stderr
    done = await asyncio.to_thread(run, "safety", "--category", "plates", "--units", "2")
    undo = "To undo it: holdfast rules safety --category plates --remove"
    assert (done.returncode, done.stderr.splitlines()) == (0, [undo])
    await until(live, "A", {"main": 2, "shop": 2})
    shown = await asyncio.to_thread(run, "safety")
    assert [line.split() for line in shown.stdout.splitlines()] == [
        ["category", "location", "units", "percent"],
        ["all", "all", "0", "10"],
        ["plates", "all", "2", "0"],
    ]
    for words in (("safety", "--remove"), ("safety", "--category", "plates", "--remove")):
        assert (await asyncio.to_thread(run, *words)).returncode == 0
    await until(live, "A", {"main": 0, "shop": 0})


@pytest.mark.soak
async def test_given_rules_of_replenishment_when_set_by_command_then_the_api_returns_them(
    live: Api, own: Server, tmp_path: Path
) -> None:
    def run(*words: str) -> Any:
        return holdfast("rules", "replenishment", *words, "--data-dir", own.data_dir, cwd=tmp_path)

    assert (await asyncio.to_thread(run, "--sku", "A", "--reorder-point", "5", "--cover-days", "2.5")).returncode == 0
    [rule] = (await live.get("/v1/replenishment/rules")).ok()["rules"]
    assert rule == {
        "sku": "A", "location": None, "reorder_point": 5, "target": 0, "lead_time_days": 0.0, "cover_days": 2.5,
    }  # fmt: skip
    shown = await asyncio.to_thread(run, "--json")
    assert '"cover_days": 2.5' in shown.stdout
    refused = await asyncio.to_thread(run, "--sku", "A")
    assert refused.returncode == 2
    assert "--reorder-point" in refused.stderr


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (RULES, {"rules": [{"units": -1}]}, "rules[0].units"),
        (RULES, {"rules": [{"percent": 101}]}, "rules[0].percent"),
        (RULES, {"rules": [{"category": "a\nb", "units": 1}]}, "rules[0].category"),
        (RULES, {"rules": []}, "rules"),
        ("/v1/skus", {"skus": [{"sku": "A", "category": ""}]}, "skus[0].category"),
        ("/v1/skus/A", {}, "category"),
    ],
)
async def test_given_what_cannot_be_then_it_is_refused_and_nothing_changes(
    api: Api, path: str, body: Any, field: str
) -> None:
    problem = (await api.put(path, body)).problem(400, "invalid")
    assert field in problem["detail"]
    assert (await api.get(RULES)).ok() == {"rules": []}


async def test_given_many_skus_when_put_into_categories_then_each_is_in_its_own(api: Api) -> None:
    skus = [{"sku": f"S{number}", "category": f"c{number % 3}"} for number in range(1000)]
    assert (await api.put("/v1/skus", {"skus": skus})).ok()["skus"] == skus
    (await api.put("/v1/skus/S1", {"category": None})).ok()
    assert (await api.get("/v1/skus/S1")).ok()["category"] is None
    assert (await api.get("/v1/skus/S2")).ok()["category"] == "c2"


async def test_given_a_category_that_no_sku_is_of_when_a_rule_names_it_then_the_answer_says_so(api: Api) -> None:
    (await api.put("/v1/skus", {"skus": [{"sku": "A", "category": "mugs"}]})).ok()
    mistyped = {"category": "mgus", "units": 1}

    put = (await api.put(RULES, {"rules": [mistyped, {"category": "mugs", "units": 2}, {"units": 3}]})).ok()
    again = (await api.put(RULES, {"rules": [{"category": "mugs", "units": 2}]})).ok()
    removed = (await api.put(RULES, {"rules": [{"category": "mgus", "remove": True}]})).ok()

    assert put["unknown_categories"] == ["mgus"]
    assert [each["category"] for each in put["rules"]] == [None, "mgus", "mugs"], "it is kept, for SKUs to come"
    assert ("unknown_categories" in again, "unknown_categories" in removed) == (False, False)
