"""Units are not set aside for a channel that is a known one mistyped, and rules say what they name in vain."""

from collections.abc import Callable
from pathlib import Path

from tests.conftest import wait_until
from tests.support.http import Server, opened
from tests.support.processes import holdfast, stop_store

pytest_plugins = ("tests.support.http_fixtures",)

CONFIG = """
[channels.trendyol]
kind = "trendyol"
locations = [" main ", "nosuch"]

[channels.trendyol.options]
seller_id = 42

[channels.trendyol.credentials]
api_key = { env = "SECRET" }
api_secret = { env = "SECRET" }
"""


async def test_given_a_channel_much_like_a_configured_one_when_units_are_set_aside_then_it_is_refused_with_the_name(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(toml=CONFIG, environment={"SECRET": "x" * 32}, role="api")
    async with opened(server) as api:
        (await api.put("/v1/stock/A/main", {"on_hand": 9})).ok()
        path = "/v1/stock/A/main/allocations/"
        refused = (await api.put(path + "trendyoll", {"units": 2})).problem(400, "invalid")
        assert "did you mean trendyol?" in refused["errors"][0]["rule"]
        (await api.put(path + "trendyol", {"units": 2})).ok()
        (await api.put(path + "kiosk", {"units": 1})).ok()
        (await api.put(path + "trendyoll", {"units": 2, "new": True})).ok()
        (await api.put(path + "trendyoll", {"units": 1})).ok()
        move = {"sku": "A", "from_channel": "trendyol", "to_channel": "trendyo1", "units": 1}
        moved = (await api.post("/v1/allocations/move", move)).problem(400, "invalid")
        assert moved["errors"][0]["field"] == "to_channel"
        (await api.send("DELETE", path + "trendyoll")).ok()


async def test_given_locations_in_the_file_when_started_then_they_are_what_was_meant_and_an_unknown_one_is_told(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(toml=CONFIG, environment={"SECRET": "x" * 32})
    async with opened(server) as api:
        shown = (await api.get("/v1/channels/trendyol")).ok()
        assert shown["rules"]["locations"] == ["main", "nosuch"]
        await wait_until(lambda: "rule_location_unknown" in server.stderr)
    assert "nosuch" in server.stderr


def test_given_rules_for_what_is_not_known_when_set_then_they_are_kept_and_said(tmp_path: Path) -> None:
    sent = holdfast("rules", "replenishment", "--sku", "A", "--target", "5", cwd=tmp_path)
    assert (sent.returncode, "A is not known yet" in sent.stderr) == (0, True)
    (tmp_path / "categories.csv").write_text("sku,category\nA,shoes\n", encoding="utf-8")
    assert holdfast("rules", "categories", "categories.csv", cwd=tmp_path).returncode == 0
    sent = holdfast("rules", "safety", "--category", "shoe", "--units", "1", cwd=tmp_path)
    assert (sent.returncode, "did you mean shoes?" in sent.stderr) == (0, True)
    known = holdfast("rules", "safety", "--category", "shoes", "--units", "1", cwd=tmp_path)
    assert known.stderr == "To undo it: holdfast rules safety --category shoes --remove\n"
    stop_store(tmp_path / ".holdfast")
