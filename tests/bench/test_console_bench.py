"""The bench of the console: it finds what it seeks, waits for what it changed, and counts what a page keeps."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bench.http import console, console_asks, console_memory, console_page, console_requests, console_reserves
from bench.http.console_memory import Kept, Sample
from bench.http.console_page import Row
from bench.http.console_shop import Shop, Size, barcode_of, running
from tests.support.browser import chromium

pytestmark = pytest.mark.timeout(300)
SMALL = Size(skus=2_000, orders=100, channels=2, listings=50)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    chromium()
    with running(tmp_path_factory.mktemp("shop"), SMALL, print) as running_shop:
        yield running_shop


def times(rows: list[Row]) -> dict[str, int]:
    assert all(each.middle_ms > 0 for each in rows)
    return {each.name: len(each.times_ms) for each in rows}


def test_today_is_painted_before_its_lists_are_read_cold_and_warm(shop: Shop) -> None:
    rows = asyncio.run(console_page.paints(chromium(), shop, 1))

    assert times(rows) == dict.fromkeys(
        ["first paint, cold", "first paint, warm", "all of Today's lists, cold", "all of Today's lists, warm"], 1
    )
    assert rows[0].middle_ms < rows[2].middle_ms


def test_what_is_sought_is_found(shop: Shop) -> None:
    kinds = ("the first, as soon as Today is there", "a SKU", "a barcode", "a typo", "a channel's key")

    assert times(asyncio.run(console_page.searches(chromium(), shop, 1))) == {f"search: {each}": 1 for each in kinds}


def test_the_page_shows_what_is_reserved_elsewhere(shop: Shop) -> None:
    found = times(asyncio.run(console_page.changes(chromium(), shop, 1)))

    assert found == {"a change, after a rest": 1, "a change, right behind another": 1}


def test_what_the_pages_keep_is_counted_while_things_change(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_memory, "_MINUTE_S", 2)

    found = asyncio.run(console_memory.measure(chromium(), shop, 2, print))

    assert [each.page for each in found] == ["Today", "a product"]
    assert all(sample.heap_mb > 0 and sample.nodes > 100 for each in found for sample in each.samples)
    assert all(each.changes_per_s > 0 for each in found)
    assert len(console.memory_table(found).rows) == 6


def test_reserves_are_timed_with_nobody_there_and_with_others(shop: Shop) -> None:
    found = asyncio.run(console_reserves.measure(chromium(), shop, 1, 1, print))

    assert [taken.sold.failed for each in found for taken in each.rounds] == [0, 0, 0, 0, 0]
    assert console.reserves_table(found).rows[0][5] == "1.00 ×"
    used = [dict(zip(console.PROCESSES, each.cores, strict=True)) for each in found]
    assert [each["browser"] > 0 for each in used] == [bool(each.way.browsers) for each in found]


def test_requests_are_asked_and_what_they_take_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_requests, "TIMES", 2)

    found = console_requests.measure(shop, 1, print)

    assert all(each.p50_ms[0] > 0 for each in found)
    assert [row[0] for row in console.requests_table(found).rows] == [f"GET {path}" for path in console_requests.PATHS]


def test_a_folder_with_a_shop_of_another_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "filled.json").write_text("[1, 1, 1, 1]")

    with pytest.raises(click.ClickException, match="another size"), running(tmp_path, SMALL, print):
        pass


def test_a_barcode_has_the_last_digit_that_fits() -> None:
    assert barcode_of(36)[:12] == "869000000036"
    assert [barcode_of(number)[-1] for number in (0, 1, 36)] == ["5", "2", "4"]


def test_what_grows_is_told_without_the_first_minutes() -> None:
    samples = [Sample(minute, 600, 9.0 if minute < 5 else 2.0 + minute / 60, 10, 3) for minute in range(20)]

    kept = Kept("Today", samples)

    assert kept.slope(lambda each: each.heap_mb) == pytest.approx(1.0)
    assert kept.slope(lambda each: each.nodes) == 0


def test_what_today_asks_for_is_counted_and_each_request_is_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_asks, "LAPSED_S", 0)
    with console_asks.watched(tmp_path, SMALL, print) as (shop, watch):
        asked = asyncio.run(console_asks.count(chromium(), shop, 6))
        found = console_asks.costs(shop, watch, ["/v1/today"], 1, print)

    assert {"/v1/channels", "/v1/inbox?limit=20", "/v1/today"} <= asked.keys()
    assert asked["/v1/today"].bytes_each > 0
    today = found["/v1/today"]
    assert 0 < today.turn_ms <= today.loop_ms
    assert today.call_ms > 0
    assert [row[0] for row in console_asks.table(asked, found).rows] == ["/v1/today", console_asks.NOTHING]
