"""Reports over HTTP and on the command line, from what a real process has counted."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.support.http import Api, Server, opened
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)


@pytest.fixture
def api(counted_api: Api) -> Api:
    return counted_api


async def order(api: Api, sku: str, quantity: int, channel: str = "web") -> None:
    body = {"channel": channel, "lines": [{"sku": sku, "quantity": quantity}]}
    (await api.post("/v1/orders", body)).ok(201)


async def report_of(api: Api, path: str, units: int) -> Any:
    """Wait until so many ordered units are counted in all, and read a report."""

    async def is_counted() -> bool:
        total = (await api.get("/v1/reports/sales")).ok()["total"]["ordered"]
        return bool(total == units)

    await wait_until(is_counted, f"{units} units are counted")
    return (await api.get(path)).ok()


async def test_given_orders_when_sales_are_asked_for_by_channel_then_the_best_comes_first(api: Api) -> None:
    await api.count("A", 50)
    await order(api, "A", 3)
    await order(api, "A", 5, "n11")

    report = await report_of(api, "/v1/reports/sales?by=channel", 8)

    assert [(row["key"], row["ordered"], row["other"]) for row in report["rows"]] == [
        ("n11", 5, 0),
        ("web", 3, 0),
        ("", 0, 50),
    ]
    assert (report["total"]["net"], report["rows_total"]) == (8, 3)
    assert report["complete_since"] <= report["counted_to"]


async def test_given_a_limit_then_the_total_is_that_of_all(api: Api) -> None:
    for sku, units in (("A", 1), ("B", 2), ("C", 3)):
        await api.count(sku, 9)
        await order(api, sku, units)

    report = await report_of(api, "/v1/reports/sales?limit=1&order=slowest", 6)

    assert [row["key"] for row in report["rows"]] == ["A"]
    assert (report["total"]["ordered"], report["rows_total"]) == (6, 3)


async def test_given_days_without_sales_then_the_report_is_empty(api: Api) -> None:
    report = (await api.get("/v1/reports/sales?from=2001-01-01&to=2001-01-31&by=day")).ok()

    assert (report["from"], report["to"], report["rows"]) == ("2001-01-01", "2001-01-31", [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-02-01&to=2026-01-01", "from"),
        ("from=2020-01-01&to=2026-01-01", "from"),
        ("from=yesterday", "from"),
        ("to=null", "to"),
        ("by=colour", "by"),
        ("limit=0", "limit"),
        ("tomorrow=1", "tomorrow"),
        ("sku=%00", "sku"),
    ],
)
async def test_given_a_question_that_cannot_be_answered_then_it_is_refused(api: Api, query: str, field: str) -> None:
    problem = (await api.get(f"/v1/reports/sales?{query}")).problem(400, "invalid")

    assert problem["errors"][0]["field"] == field


async def test_given_a_sku_that_sells_then_its_velocity_and_cover_are_returned(api: Api) -> None:
    await api.count("A", 50)
    await order(api, "A", 10)

    report = await report_of(api, "/v1/reports/velocity?sku=A", 10)

    [found] = report["skus"]
    assert (found["sku"], found["per_day_28"], found["available"], found["days_of_cover"]) == ("A", 10.0, 40, 4.0)


async def test_given_a_sku_that_is_unknown_then_its_velocity_is_refused(api: Api) -> None:
    (await api.get("/v1/reports/velocity?sku=nowhere")).problem(422, "unknown_sku")


async def test_given_a_server_that_is_killed_when_it_is_back_then_nothing_is_missing_or_counted_twice(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(figures_interval_s=0.02)
    async with opened(server) as api:
        await api.count("A", 100)
        for _ in range(5):
            await order(api, "A", 1)
    server.kill()
    server.start()

    async with opened(server) as api:
        await order(api, "A", 1)
        report = await report_of(api, "/v1/reports/sales?by=day", 6)

    assert [row["ordered"] for row in report["rows"]] == [6]


# -- the command line


def printed(server: Server, api: Api, *words: str) -> str:
    ended = holdfast(
        "report", *words, "--partition", api.partition, "--data-dir", server.data_dir, cwd=server.directory
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


async def test_given_sales_when_reported_as_csv_then_a_program_can_read_them(api: Api, counting_server: Server) -> None:
    await api.count("A, [b]", 50)
    await order(api, "A, [b]", 3)
    await report_of(api, "/v1/reports/sales", 3)

    [row] = csv.DictReader(io.StringIO(printed(counting_server, api, "sales", "--csv")))

    assert (row["sku"], row["ordered"], row["net"], row["other"]) == ("A, [b]", "3", "3", "50")


async def test_given_sales_when_reported_as_tables_then_people_can_read_them(api: Api, counting_server: Server) -> None:
    await api.count("A [b]", 50)
    await api.count("DEAD", 7)
    await order(api, "A [b]", 10)
    await report_of(api, "/v1/reports/sales", 10)

    assert "web" in printed(counting_server, api, "sales", "--by", "channel")
    assert "4.0" in printed(counting_server, api, "cover")
    slowest = printed(counting_server, api, "velocity", "--order", "slowest")
    assert slowest.index("DEAD") < slowest.index("A [b]")
    assert "DEAD" not in printed(counting_server, api, "velocity", "A [b]")


async def test_given_a_sku_that_is_unknown_when_reported_then_the_command_fails(
    api: Api, counting_server: Server
) -> None:
    await api.count("A", 1)

    ended = holdfast(
        "report", "velocity", "NONE", "--partition", api.partition, "--data-dir", counting_server.data_dir,
        cwd=counting_server.directory,
    )  # fmt: skip

    assert ended.returncode == 1
    assert "None of these SKUs is known" in ended.stderr
