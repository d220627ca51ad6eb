"""The time zone of a partition, over HTTP and from the command line: by which reports and promises tell days."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.http import Api, Server
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)


def elsewhere(now: datetime) -> tuple[str, date]:
    """Name a zone where the date is another one now than in UTC, and that date."""
    if now.hour >= 11:
        return "Pacific/Kiritimati", now.date() + timedelta(days=1)
    return "Etc/GMT+12", now.date() - timedelta(days=1)


async def now_of(api: Api) -> datetime:
    return datetime.fromisoformat((await api.get("/v1/supply?sku=A")).ok()["as_of"])


async def test_given_no_zone_when_asked_then_days_are_in_utc_and_nothing_else_is_shown(api: Api) -> None:
    now = await now_of(api)
    assert (await api.get("/v1/time-zone")).ok() == {"time_zone": "UTC", "today": str(now.date()), "seams": []}
    await api.count("A", 1)
    assert "time_zone" not in (await api.get("/v1/atp/A")).ok()
    report = (await api.get("/v1/reports/sales")).ok()
    assert (report["to"], report["time_zone"], report["seams"]) == (str(now.date()), "UTC", [])


async def test_given_a_zone_when_set_then_promises_receipts_and_reports_are_of_its_days(api: Api) -> None:
    zone, today = elsewhere(await now_of(api))
    await api.count("A", 5)
    for supply_id, on in (("late", today - timedelta(days=1)), ("due", today)):
        body = {"sku": "A", "quantity": 3, "expected_on": str(on)}
        (await api.put(f"/v1/supply/{supply_id}", body)).ok()

    found = (await api.put("/v1/time-zone", {"time_zone": zone})).ok()

    assert (found["time_zone"], found["today"]) == (zone, str(today))
    [seam] = found["seams"]
    assert (seam["before"], seam["after"]) == ("UTC", zone)
    assert str(today) in (seam["first"], seam["last"])
    assert seam["first"] != seam["last"]
    atp = (await api.get("/v1/atp/A")).ok()
    assert (atp["time_zone"], atp["late"], atp["days"][0]["on"], atp["days"][0]["projected"]) == (
        zone,
        3,
        str(today),
        8,
    )
    refused = (await api.get(f"/v1/atp/A?from={today - timedelta(days=1)}")).problem(400, "invalid")
    assert f"{today} in {zone}" in refused["detail"]
    for report in ("sales", "velocity"):
        answer = (await api.get(f"/v1/reports/{report}")).ok()
        assert (answer["time_zone"], answer["seams"]) == (zone, [seam])
    assert (await api.get("/v1/reports/sales")).ok()["to"] == str(today)
    assert (await api.get("/v1/reports/sales?from=2020-01-01&to=2020-01-02")).ok()["seams"] == []
    assert (await api.put("/v1/time-zone", {"time_zone": zone})).ok()["seams"] == [seam]


async def test_given_a_zone_when_set_then_it_is_in_force_once_that_is_answered(api: Api) -> None:
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12") * 40:
        assert (await api.put("/v1/time-zone", {"time_zone": zone})).ok()["time_zone"] == zone


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("europe/istanbul", "did you mean Europe/Istanbul"),
        ("Europe/Bukarest", "did you mean Europe/Bucharest"),
        ("Istanbul", "did you mean Europe/Istanbul"),
        ("GMT+3", "IANA"),
        ("Asia", "must name a city, not a region, such as Asia/"),
        ("europe", "must name a city, not a region, such as Europe/"),
        ("America/Argentina", "must name a city, not a region, such as America/Argentina/"),
        ("Africa/", "must name a city, not a region, such as Africa/"),
        ("../../etc/passwd", "IANA"),
        ("localtime", "IANA"),
    ],
)
async def test_given_what_is_no_zone_when_set_then_the_nearest_is_named(api: Api, name: str, says: str) -> None:
    problem = (await api.put("/v1/time-zone", {"time_zone": name})).problem(400, "invalid")
    assert problem["errors"][0]["field"] == "time_zone"
    assert says in problem["errors"][0]["rule"]
    assert (await api.get("/v1/time-zone")).ok()["time_zone"] == "UTC"


async def test_given_a_zone_when_set_by_the_command_then_the_server_uses_it(
    api: Api, server: Server, tmp_path: Path
) -> None:
    zone, today = elsewhere(await now_of(api))
    where = ("--partition", api.partition, "--data-dir", server.data_dir)

    ended = holdfast("time-zone", zone, *where, cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"{zone}: it is {today}\nUTC to {zone} at ")
    assert holdfast("time-zone", *where, cwd=tmp_path).stdout == ended.stdout
    assert (await api.get("/v1/time-zone")).ok()["today"] == str(today)
    report = holdfast("report", "sales", *where, cwd=tmp_path)
    assert f"to {today}" in report.stdout
    assert f"from UTC to {zone}" in report.stderr
    refused = holdfast("time-zone", "Istanbul", *where, cwd=tmp_path)
    assert refused.returncode == 1
    assert "did you mean Europe/Istanbul" in refused.stderr
