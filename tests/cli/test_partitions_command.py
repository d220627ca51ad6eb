"""`holdfast partitions`: what there is, one merchant's data as files, and nothing left of one that is erased."""

import csv
import json
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.http import Key, Server, opened
from tests.support.processes import good, holdfast, refused, start

pytestmark = pytest.mark.timeout(300)
Cli = Callable[..., "subprocess.CompletedProcess[str]"]
OWNER = Key("owner", "default")


@pytest.fixture
def run(tmp_path: Path) -> Cli:
    def command(*words: str | Path, **settings: str) -> "subprocess.CompletedProcess[str]":
        return holdfast(*words, "--data-dir", "data", cwd=tmp_path, **settings)

    for partition, count in (("default", 20), ("shop-7", 300)):
        rows = "".join(f"{partition}-{number},{number}\n" for number in range(count))
        (tmp_path / "stock.csv").write_text(f"sku,on_hand\n{rows}")
        good(command("import", "stock.csv", "--yes", "--partition", partition))
    return command


def sizes(run: Cli) -> dict[str, dict[str, int]]:
    return {each["partition"]: each for each in json.loads(good(run("partitions", "list", "--json")))["partitions"]}


def test_the_list_has_each_partition_with_its_size(run: Cli) -> None:
    found = sizes(run)

    assert {name: each["skus"] for name, each in found.items()} == {"default": 20, "shop-7": 300}
    assert found["shop-7"]["memory_bytes"] > found["default"]["memory_bytes"] > 1_000
    assert "shop-7" in good(run("partitions", "list"))


def test_the_limits_name_the_setting_that_changes_them(tmp_path: Path) -> None:
    said = holdfast("partitions", "limits", "--json", cwd=tmp_path, HOLDFAST_CHANGES_STREAMS_PER_PARTITION_MAX="7")

    found = {each["setting"]: each["value"] for each in json.loads(good(said))}
    assert found["HOLDFAST_CHANGES_STREAMS_PER_PARTITION_MAX"] == 7


def test_an_export_is_for_its_user_and_its_stock_can_be_imported(run: Cli, tmp_path: Path) -> None:
    good(run("partitions", "export", "shop-7", "out"))

    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert {
        "stock.csv",
        "barcodes.csv",
        "locations.json",
        "reservations.jsonl",
        "orders.jsonl",
        "history.jsonl",
    } <= files
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (tmp_path / "out").rglob("*")} == {0}
    with (tmp_path / "out" / "stock.csv").open(newline="") as file:
        assert {row["sku"] for row in csv.DictReader(file)} == {f"shop-7-{number}" for number in range(300)}
    assert "never overwritten" in refused(run("partitions", "export", "shop-7", "out"))
    good(run("import", "out/stock.csv", "--yes", "--partition", "again"))
    assert sizes(run)["again"]["skus"] == 300


async def test_an_export_has_reservations_orders_and_history(tmp_path: Path) -> None:
    with Server(keys=[OWNER], data_dir=tmp_path / "data") as server:
        async with opened(server, OWNER) as api:
            await api.count("A", 5)
            for number in range(250):
                body = {"reservation_id": f"r-{number}", "channel": "web", "on_shortage": "accept"}
                (await api.post("/v1/orders", {**body, "lines": [{"sku": "A", "quantity": 1}]})).ok(201)
        good(holdfast("partitions", "export", "default", "out", "--data-dir", "data", cwd=tmp_path))

    lines = [json.loads(line) for line in (tmp_path / "out" / "reservations.jsonl").read_text().splitlines()]
    assert {each["reservation_id"] for each in lines} == {f"r-{number}" for number in range(250)}


def test_given_no_yes_then_nothing_is_erased(run: Cli) -> None:
    assert run("partitions", "erase", "shop-7").returncode == 1
    assert sizes(run)["shop-7"]["skus"] == 300


def test_given_live_keys_then_it_is_refused_unless_told_and_they_are_revoked(run: Cli) -> None:
    good(run("keys", "new", "--scope", "admin", "--partition", "shop-7"))

    assert "open to 1 key" in refused(run("partitions", "erase", "shop-7", "--yes"))
    assert sizes(run)["shop-7"]["skus"] == 300
    good(run("partitions", "erase", "shop-7", "--yes", "--with-live-keys"))

    [key] = json.loads(good(run("keys", "list", "--json")))
    assert key["revoked_at"]


def test_given_channels_or_keys_in_the_file_then_it_is_refused(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text('[channels.shop]\nkind = "webhook"\npartition = "shop-7"\n')
    assert "has shop in" in refused(run("partitions", "erase", "shop-7", "--yes", HOLDFAST_CONFIG="holdfast.toml"))

    (tmp_path / "holdfast.toml").write_text(Key("k", "shop-7").toml())
    assert "has keys in" in refused(run("partitions", "erase", "shop-7", "--yes", HOLDFAST_CONFIG="holdfast.toml"))
    assert "no partition 'nobody'" in refused(run("partitions", "erase", "nobody", "--yes"))


def test_given_a_yes_then_nothing_is_left_of_it_and_who_did_it_stays(run: Cli) -> None:
    good(run("partitions", "erase", "shop-7", "--yes"))

    listed = json.loads(good(run("partitions", "list", "--json")))
    assert [each["partition"] for each in listed["partitions"]] == ["default"]
    erased = listed["erased"]["shop-7"]
    assert (erased["by"], erased["keys"] > 5, erased["done_ms"] > erased["began_ms"] > 0) == ("local", True, True)
    assert "clean" in good(run("verify", "--all"))
    assert "shop-7: was erased" in good(run("partitions", "list"))


def test_given_an_erasure_that_was_killed_then_it_says_so_and_goes_on(run: Cli, tmp_path: Path) -> None:
    with start("partitions", "erase", "shop-7", "--yes", "--data-dir", "data", cwd=tmp_path) as process:
        while process.poll() is None:
            said = run("partitions", "list", "--json")
            if said.returncode == 0 and json.loads(said.stdout)["erased"]:
                process.kill()
                break
        process.wait(60)

    good(run("partitions", "erase", "shop-7", "--yes"))

    listed = json.loads(good(run("partitions", "list", "--json")))
    assert [each["partition"] for each in listed["partitions"]] == ["default"]
    assert listed["erased"]["shop-7"]["done_ms"]
