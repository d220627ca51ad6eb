"""The commands that show, verify, repair and make keys, run as processes on real stores."""

import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from server.cli.main import cli
from server.store.keys import Keyspace
from tests.support.processes import Server, holdfast
from tests.support.stores import StoreProcess, start_valkey

TOKEN = re.compile(r"hf_[a-z2-7]{12}_[a-z2-7]{40,}")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("words", list(commands(cli)), ids=" ".join)
def test_every_help_teaches_with_an_example(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*words, "--help"], prog_name="holdfast")

    assert result.exit_code == 0
    example = "holdfast " + " ".join(words)
    assert any(line.strip().startswith(example) for line in result.output.splitlines()[1:]), result.output


def test_the_help_names_every_command() -> None:
    result = CliRunner().invoke(cli, ["--help"])

    assert {"serve", "demo", "import", "show", "report", "verify", "keys", "repair"} <= set(result.output.split())


@pytest.fixture
def stocked(tmp_path: Path) -> Path:
    """Make a directory whose embedded store, not running, holds three SKUs."""
    (tmp_path / "stock.csv").write_text("sku,on_hand,location,safety\nTEE,5,,2\nTEE,3,izmir,\nÇANTA/38,7,,\n", "utf-8")
    assert holdfast("import", "stock.csv", cwd=tmp_path).returncode == 0
    return tmp_path


def show(cwd: Path, *words: str) -> Any:
    ended = holdfast("show", *words, "--json", cwd=cwd)
    assert ended.returncode == 0, ended.stderr
    return msgspec.json.decode(ended.stdout)


# -- how commands reach the stock


def test_a_command_starts_the_embedded_store_and_stops_it_again(stocked: Path) -> None:
    ended = holdfast("show", "TEE", cwd=stocked)

    assert ended.returncode == 0
    assert not (stocked / ".holdfast" / "store.pid").exists()


def test_a_command_uses_the_store_of_a_running_server_and_leaves_it_running(stocked: Path) -> None:
    with Server(cwd=stocked) as server:
        output = show(stocked, "TEE")

        assert output["available"] == 6
        assert server.get("/v1/availability/TEE")["available"] == 6


def test_where_there_is_nothing_a_look_makes_nothing(tmp_path: Path) -> None:
    ended = holdfast("show", "TEE", cwd=tmp_path)

    assert ended.returncode == 1
    assert "--data-dir" in ended.stderr
    assert "holdfast import" in ended.stderr
    assert not (tmp_path / ".holdfast").exists()


def test_a_store_that_cannot_be_reached_is_reported_in_plain_words(tmp_path: Path) -> None:
    ended = holdfast("show", "TEE", "--store-url", f"unix://{tmp_path}/none.sock", cwd=tmp_path)

    assert ended.returncode == 1
    assert "no such socket" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_partition_with_an_impossible_name_is_refused(tmp_path: Path) -> None:
    ended = holdfast("show", "--partition", "{other}", cwd=tmp_path)

    assert ended.returncode == 2
    assert "partition '{other}' must be" in ended.stderr


# -- show


def test_show_explains_the_number_and_names_the_holders(stocked: Path) -> None:
    with Server(cwd=stocked) as server:
        line = {"sku": "TEE", "quantity": 2}
        server.post("/v1/reservations", {"reservation_id": "b-1", "channel": "emag", "ttl_s": 600, "lines": [line]})

        output = show(stocked, "TEE")
        table = holdfast("show", "TEE", cwd=stocked).stdout

    main, izmir = output["levels"]
    assert (main["on_hand"], main["held"], main["safety"], main["available"]) == (5, 2, 2, 1)
    assert (izmir["location"], izmir["available"]) == ("izmir", 3)
    [holder] = output["holders"]
    assert (holder["reservation_id"], holder["channel"], holder["held"]) == ("b-1", "emag", 2)
    assert "available 1 = 5 on_hand − 2 held − 2 safety" in table
    assert holder["expires_at"] in table


def test_a_sku_at_very_many_locations_is_shown_in_part_and_whole_as_json(tmp_path: Path) -> None:
    rows = "".join(f"TEE,store-{number:04d},2\n" for number in range(250))
    (tmp_path / "many.csv").write_text(f"sku,location,on_hand\n{rows}", "utf-8")
    assert holdfast("import", "many.csv", cwd=tmp_path).returncode == 0

    table, output = holdfast("show", "TEE", cwd=tmp_path).stdout, show(tmp_path, "TEE")

    assert "The SKU is at 50 more locations; --json lists all, 500 available." in table
    assert sum(line.startswith("store-") for line in table.splitlines()) == 200
    assert (len(output["levels"]), output["available"]) == (250, 500)


def test_the_history_shows_every_change_with_its_deltas(stocked: Path) -> None:
    with Server(cwd=stocked) as server:
        line = {"sku": "TEE", "quantity": 1}
        server.post("/v1/reservations", {"reservation_id": "b-1", "channel": "emag", "lines": [line]})
        server.post("/v1/reservations/b-1/commit", {})

    story = show(stocked, "TEE", "--history")["history"]

    assert [(each["operation"], each["deltas"]) for each in story if each["location"] == "main"] == [
        ("count", {"on_hand": 5, "safety": 2}),
        ("reserve", {"held": 1}),
        ("commit", {"held": -1, "committed": 1}),
    ]
    assert [each["seq"] for each in story] == sorted(each["seq"] for each in story)
    assert story[0]["notes"].pop("reason").startswith("import stock.csv #"), "behind it stands what undo asks for"
    assert story[0]["notes"] == {"new_sku": "TEE"}


def test_without_a_sku_the_totals_of_the_partition_are_shown(stocked: Path) -> None:
    output = show(stocked)

    assert (output["skus"], output["places"], output["on_hand"], output["safety"], output["available"]) == (
        2,
        3,
        15,
        2,
        13,
    )


def test_an_unknown_sku_is_an_error(stocked: Path) -> None:
    ended = holdfast("show", "NONE", cwd=stocked)

    assert ended.returncode == 1
    assert "'NONE' has no stock record in partition default" in ended.stderr


# -- verify


@pytest.fixture
def store() -> Iterator[StoreProcess]:
    with start_valkey() as running:
        yield running


@pytest.fixture
def stocked_url(store: StoreProcess, tmp_path: Path) -> str:
    """Fill a store of our own, in two partitions."""
    (tmp_path / "stock.csv").write_text("sku,on_hand\nTEE,5\nMUG,9\n")
    for partition in ("default", "other"):
        ended = holdfast("import", "stock.csv", "--partition", partition, "--store-url", store.url, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
    return store.url


def test_verify_of_sound_stock_ends_with_0(stocked_url: str, tmp_path: Path) -> None:
    ended = holdfast("verify", "--store-url", stocked_url, cwd=tmp_path)

    assert ended.returncode == 0
    assert "default: clean. 2 stock records" in ended.stdout


def plant_drift(store: StoreProcess, partition: str) -> None:
    """Hold three units for no customer."""
    record = msgspec.msgpack.encode([5, 3, 0, 0, 0, 0, 1]).decode("latin-1")
    with store.admin() as client:
        client.hset(Keyspace(partition).stock, "TEE\0main", record.encode("latin-1"))


def test_verify_of_a_planted_drift_ends_with_1_and_says_where(
    store: StoreProcess, stocked_url: str, tmp_path: Path
) -> None:
    plant_drift(store, "default")

    ended = holdfast("verify", "--store-url", stocked_url, cwd=tmp_path)

    assert ended.returncode == 1
    assert re.search(r"TEE +│ main +│ +│ held +│ 0 +│ 3", ended.stdout)


def test_verify_all_goes_through_every_partition(store: StoreProcess, stocked_url: str, tmp_path: Path) -> None:
    plant_drift(store, "other")

    ended = holdfast("verify", "--all", "--json", "--store-url", stocked_url, cwd=tmp_path)

    assert ended.returncode == 1
    reports = msgspec.json.decode(ended.stdout)
    assert (reports["default"]["drift"], reports["default"]["conclusive"]) == ([], True)
    assert {(each["sku"], each["what"]) for each in reports["other"]["drift"]} >= {("TEE", "held")}


def test_verify_of_a_store_that_is_away_ends_with_2(tmp_path: Path) -> None:
    ended = holdfast("verify", "--store-url", f"unix://{tmp_path}/none.sock", cwd=tmp_path)

    assert ended.returncode == 2
    assert "no such socket" in ended.stderr


# -- keys


def test_a_new_key_s_token_stands_alone_on_standard_output(tmp_path: Path) -> None:
    ended = holdfast("keys", "new", "--scope", "reserve", "--scope", "read", "--name", "trendyol", cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert TOKEN.fullmatch(ended.stdout.removesuffix("\n"))
    assert "may: read, reserve" in ended.stderr
    assert ended.stdout.strip() not in ended.stderr


def test_a_key_opens_the_server_until_it_is_revoked(tmp_path: Path) -> None:
    token = holdfast("keys", "new", "--scope", "read", cwd=tmp_path).stdout.strip()
    key_id = token.split("_")[1]

    with Server(cwd=tmp_path) as server:
        assert status(server, token) == 422  # let in: unknown SKU

    assert holdfast("keys", "revoke", key_id, cwd=tmp_path).returncode == 0
    with Server(cwd=tmp_path) as server:
        assert status(server, token) == 401


def status(server: Server, token: str) -> int:
    request = urllib.request.Request(  # noqa: S310  # our own http://
        server.address + "/v1/availability/NONE", headers={"Authorization": f"Bearer {token}"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)  # noqa: S310
    with refused.value as answer:
        return answer.code


def test_the_list_shows_keys_and_no_secrets(tmp_path: Path) -> None:
    token = holdfast("keys", "new", "--scope", "stock", "--name", "depo", cwd=tmp_path).stdout.strip()
    _, key_id, secret = token.split("_")
    holdfast("keys", "revoke", key_id, cwd=tmp_path)

    table = holdfast("keys", "list", cwd=tmp_path).stdout
    [listed] = msgspec.json.decode(holdfast("keys", "list", "--json", cwd=tmp_path).stdout)

    assert key_id in table
    assert "depo" in table
    assert secret not in table
    assert (listed["id"], listed["scopes"], bool(listed["revoked_at"])) == (key_id, ["stock"], True)


def test_keys_are_made_changed_and_rotated_for_programs_too(tmp_path: Path) -> None:
    def asked(*words: str) -> Any:
        ended = holdfast("keys", *words, "--json", cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        return msgspec.json.decode(ended.stdout)

    made = asked("new", "--scope", "reserve", "--channel", "shop", "--ttl-max-s", "600", "--expires", "2099-01-31",
                 "--requests-per-s", "5", "--held-units-max", "9", "--customer-units-max", "2")  # fmt: skip
    key_id = made["key"]["id"]
    changed = asked("change", key_id, "--name", "partner", "--lift", "expires", "--ttl-max-s", "60", "--lift",
                    "requests-per-s", "--lift", "held-units-max")  # fmt: skip
    rotated = asked("rotate", key_id)
    [listed] = asked("list")
    revoked = asked("revoke", key_id)

    assert (made["key"]["expires_at"], made["key"]["requests_per_s"]) == ("2099-01-31T00:00:00Z", 5)
    assert (changed["name"], changed["ttl_max_s"], changed["expires_at"]) == ("partner", 60, None)
    assert changed["requests_per_s"] is None
    assert (made["key"]["held_units_max"], made["key"]["customer_units_max"]) == (9, 2)
    assert (changed["held_units_max"], changed["customer_units_max"]) == (None, 2)
    assert TOKEN.fullmatch(rotated["token"])
    assert rotated["token"].split("_")[2] != made["token"].split("_")[2]
    assert {**rotated["key"], "partition": "default"} == listed
    assert (listed["channel"], listed["scopes"], revoked["state"]) == ("shop", ["reserve"], "revoked")


def test_the_token_of_a_rotation_stands_alone_on_standard_output(tmp_path: Path) -> None:
    key_id = holdfast("keys", "new", "--scope", "read", cwd=tmp_path).stdout.split("_")[1]

    ended = holdfast("keys", "rotate", key_id, "--until", "2020-01-01", cwd=tmp_path)

    assert TOKEN.fullmatch(ended.stdout.removesuffix("\n"))
    assert "good no more" in ended.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("change", "{}"), "Say what to change"),
        (("change", "{}", "--scope", "admin", "--channel", "shop"), "admin is about all of them"),
        (("change", "nobody", "--name", "x"), "There is no key 'nobody'"),
        (("rotate", "{}", "--until", "2999-01-01"), "within 90 days"),
        (("new", "--scope", "read", "--expires", "2020-01-01"), "must lie ahead"),
    ],
    ids=str,
)
def test_what_cannot_be_changed_of_a_key_is_refused_with_the_reason(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    key_id = holdfast("keys", "new", "--scope", "read", cwd=tmp_path).stdout.split("_")[1]

    ended = holdfast("keys", *(word.format(key_id) for word in words), cwd=tmp_path)

    assert ended.returncode != 0
    assert message in ended.stderr


def test_revoking_a_key_that_does_not_exist_is_an_error(stocked: Path) -> None:
    ended = holdfast("keys", "revoke", "nobody", cwd=stocked)

    assert ended.returncode == 1
    assert "There is no key 'nobody'" in ended.stderr


# -- repair


@pytest.mark.soak
def test_repair_removes_what_keeps_the_store_from_starting(stocked: Path) -> None:
    [newest] = (stocked / ".holdfast" / "appendonlydir").glob("*.incr.aof")
    with newest.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\nrubbish, not a value\r\n*1\r\n$4\r\nPING\r\n")
    refused = holdfast("show", "TEE", cwd=stocked)

    repaired = holdfast("repair", "--data-dir", ".holdfast", cwd=stocked)

    assert refused.returncode == 1
    assert "holdfast repair --data-dir" in refused.stderr
    assert repaired.returncode == 0, repaired.stderr
    assert repaired.stdout.startswith("Cut ")
    assert holdfast("verify", cwd=stocked).returncode == 0
    assert show(stocked, "TEE")["available"] == 6


def test_repair_of_a_running_store_is_refused(stocked: Path) -> None:
    with Server(cwd=stocked) as server:
        ended = holdfast("repair", cwd=stocked)

        assert ended.returncode == 1
        assert "in use by a running Holdfast" in ended.stderr
        assert server.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["shwo"], "show"),
        (["channels", "statsu"], "status"),
        (["rules", "saftey"], "safety"),
        (["verify", "--jsno"], "--json"),
    ],
)
def test_an_unknown_command_or_option_is_answered_with_the_nearest(words: list[str], nearest: str) -> None:
    ended = CliRunner().invoke(cli, words)

    assert ended.exit_code == 2
    assert re.search(rf"Did you mean.*{nearest}", ended.output), ended.output
