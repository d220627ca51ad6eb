"""holdfast count: a location is as it was counted, differences and shortages are shown, and nothing moved is lost."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from server.cli.count import Found, Job, _print_found
from server.cli.files.command import How
from server.cli.shortages import as_json
from server.domain.shortages import Elsewhere
from server.store.repositories.shortages import Shortage
from tests.support.processes import Server, holdfast, stop_store


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """Return a directory with a store of its own: A 10, B 5 and C 2 in store-b, A 7 in main."""
    ended = moved(tmp_path, "receive,A,10,store-b\nreceive,B,5,store-b\nreceive,C,2,store-b\nreceive,A,7,main\n")
    assert ended.returncode == 0, ended.stderr
    yield tmp_path
    stop_store(tmp_path / ".holdfast")


def moved(shop: Path, rows: str) -> Any:
    (shop / "moves.csv").write_text("kind,sku,quantity,location\n" + rows, encoding="utf-8")
    return holdfast("move", "moves.csv", cwd=shop)


def counted(shop: Path, rows: str, *words: str, **settings: str) -> Any:
    (shop / "counted.csv").write_text("sku,on_hand\n" + rows, encoding="utf-8")
    return holdfast("count", "counted.csv", "--location", "store-b", *words, cwd=shop, **settings)


def on_hand(shop: Path, sku: str) -> dict[str, int]:
    shown = json.loads(holdfast("show", sku, "--json", cwd=shop).stdout)
    return {each["location"]: each["on_hand"] for each in shown["levels"]}


def test_given_a_count_when_it_differs_then_the_differences_are_reported_and_written(shop: Path) -> None:
    ended = counted(shop, "A,8\nB,5\n", "--differences", "diff.csv")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "A: -2, available 8",
        "Not counted, left as they are; --missing-is-none sets them to 0: 1 SKU (C)",
        "2 rows: 2 counted, 0 unchanged (counted before), 0 bad; 1 difference",
        "0 new, 0 raised, 1 lowered, 0 to zero, 1 unchanged, 0 bad.",
    ]
    assert (shop / "diff.csv").read_text("utf-8").splitlines() == ["sku,difference,available", "A,-2,8"]
    assert on_hand(shop, "A") == {"store-b": 8, "main": 7}
    assert on_hand(shop, "C") == {"store-b": 2}


@pytest.mark.soak
def test_given_what_was_not_counted_when_missing_is_none_then_it_is_gone(shop: Path) -> None:
    ended = counted(shop, "A,10\nB,5\n", "--missing-is-none")
    assert "C: -2, available 0" in ended.stdout
    assert on_hand(shop, "C") == {"store-b": 0}


@pytest.mark.soak
def test_given_a_baseline_when_units_arrive_while_people_count_then_they_are_kept(shop: Path) -> None:
    baseline = holdfast("count", "--begin", cwd=shop).stdout.strip()
    assert moved(shop, "receive,A,4,store-b\n").returncode == 0
    assert counted(shop, "A,9\n", "--baseline", baseline).returncode == 0
    assert on_hand(shop, "A")["store-b"] == 13
    again = counted(shop, "A,9\n", "--baseline", baseline)
    assert "1 row: 0 counted, 1 unchanged (counted before), 0 bad; 0 differences" in again.stdout


def test_given_a_count_that_comes_too_late_or_too_early_when_refused_then_it_is_said_what_to_do(shop: Path) -> None:
    assert counted(shop, "A,9\n").returncode == 0
    for counted_at, mend in (
        ("2020-01-01T00:00:00Z", "count again now"),
        ("2999-01-01T00:00:00Z", "Correct the clock"),
    ):
        ended = counted(shop, "A,8\n", "--counted-at", counted_at)
        assert (ended.returncode, mend in ended.stderr) == (1, True), ended.stderr
    assert on_hand(shop, "A")["store-b"] == 9


def test_given_reservations_when_fewer_are_found_then_the_orders_that_are_short_are_named(shop: Path) -> None:
    with Server(cwd=shop) as server:
        lines = [{"sku": "A", "quantity": 9, "location": "store-b"}]
        server.post("/v1/orders", {"reservation_id": "o-1", "channel": "web", "lines": lines})
        ended = counted(shop, "A,6\n")
    assert "A: -4, available -3" in ended.stdout
    assert "Short of 3 A: o-1 lacks 3" in ended.stdout
    move = '{"lines":[{"line":1,"to":"main","quantity":3}]}'
    assert f"main has 7. To take it from there: POST /v1/reservations/o-1/move {move}" in ended.stdout


TURNED = """
[channels.web]
kind = "webhook"

[channels.web.options]
url = "https://shop.example/stock"

[channels.web.credentials]
secret = { env = "WEB_SECRET" }

[channels.web.orders]
short = "newest"
"""


def test_given_a_channel_that_serves_its_newest_order_when_counted_and_shown_then_the_oldest_is_short(
    shop: Path,
) -> None:
    (shop / "holdfast.toml").write_text(TURNED, encoding="utf-8")
    with Server(cwd=shop) as server:
        for name in ("old", "new"):
            lines = [{"sku": "A", "quantity": 5, "location": "store-b"}]
            server.post("/v1/orders", {"reservation_id": name, "channel": "web", "lines": lines})
        assert "Short of 4 A: new lacks 4" in counted(shop, "A,6\n").stdout
        turned = {"HOLDFAST_CONFIG": str(shop / "holdfast.toml")}
        recounted = counted(shop, "A,7\n", **turned)
        shown = json.loads(holdfast("show", "A", "--json", cwd=shop, **turned).stdout)

    assert recounted.returncode == 0, recounted.stderr
    assert "Short of 3 A: old lacks 3" in recounted.stdout
    [shortage] = shown["shortages"]
    assert [(each["reservation_id"], each["lacks"]) for each in shortage["lines"]] == [("old", 3)]
    assert shortage["lines"][0]["other_locations"] == [{"location": "main", "available": 7}]


@pytest.mark.soak
def test_given_rows_of_another_location_when_counted_then_they_are_bad(shop: Path) -> None:
    (shop / "counted.csv").write_text("sku,on_hand,location\nA,1,main\nB,4,store-b\n", encoding="utf-8")
    ended = holdfast("count", "counted.csv", "--location", "store-b", cwd=shop)
    assert ended.returncode == 1
    assert "line 2: is at main, but the count is of store-b" in ended.stderr
    assert on_hand(shop, "A") == {"store-b": 10, "main": 7}
    assert on_hand(shop, "B") == {"store-b": 4}


@pytest.mark.parametrize("complete", [True, False])
def test_given_more_orders_than_there_was_time_for_when_asked_who_is_short_then_that_is_said(
    complete: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Found([], [], [as_json(Shortage("A", "store-b", 3, [], complete), Elsewhere())])
    job = Job(Path("x.csv"), None, "store-b", -1, missing_is_none=False, counted_ms=-1, how=cast("How", None))

    _print_found(found, job)

    assert ("no time to look at every order" in capsys.readouterr().out) is not complete
