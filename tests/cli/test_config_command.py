"""`holdfast config check` names all that is wrong at once, and a start says the same."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import Server, holdfast

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
KEY = """
[[keys]]
id = "checkout"
sha256 = "5b02298f4dd9731481a86e2b13a9deb96abf2760f7eadd7ef8385e7ecd4711e6"
scopes = ["reserve"]
"""
GOOD = f"""{KEY}
[channels.hook]
kind = "webhook"
options = {{ url = "https://receiver.example/stock" }}
credentials = {{ secret = {{ env = "HOOK_SECRET" }} }}
"""
BAD = f"""{KEY}
[[keys]]
id = "checkout"
sha256 = "5b02298f4dd9731481a86e2b13a9deb96abf2760f7eadd7ef8385e7ecd4711e6"
scopes = ["read"]

[[keys]]
id = "other"
sha256 = "none"
scopes = ["read"]

[channles.shop]
kind = "webhook"

[channels.typo]
kind = "woocomerce"

[channels.field]
kind = "webhook"
bufer = 2

[channels.option]
kind = "webhook"
options = {{ url = "https://receiver.example/stock", batch_max = 99 }}
credentials = {{ secret = {{ env = "MISSING" }} }}

[webhooks.erp]
url = "https://erp.example/events"

[sources.erp]
kind = "feeed"
"""
FAULTS = {
    "HOLDFAST_PORT=abc: must be a whole number",
    "HOLDFAST_PROT is not a setting; did you mean HOLDFAST_PORT?",
    "The store URL has foo://",
    "HOLDFAST_DOCUMENTS_URL must be empty or begin with postgresql://",
    "https://Shop.example",
    "HOLDFAST_SECRET_KEY: a key must be 32 random bytes",
    "two keys have the id 'checkout'",
    "keys[2].sha256",
    "there is no table 'channles'; did you mean channels?",
    "[channels.typo]: there is no kind 'woocomerce'; did you mean woocommerce?",
    "[channels.field]: there is no field 'bufer'; did you mean buffer?",
    "[channels.option.options]: batch_max",
    "[channels.option.credentials]: secret: the variable MISSING is not set",
    "[webhooks.erp]: needs secret",
    "[sources.erp]: there is no kind 'feeed'; did you mean feed?",
}
SETTINGS = {
    "HOLDFAST_PORT": "abc",
    "HOLDFAST_PROT": "1",
    "HOLDFAST_STORE_URL": "foo://host",
    "HOLDFAST_DOCUMENTS_URL": "mysql://host/db",
    "HOLDFAST_CORS_ORIGINS": "https://Shop.example",
    "HOLDFAST_SECRET_KEY": "short",
}


@pytest.fixture
def run(tmp_path: Path) -> Cli:
    (tmp_path / "good.toml").write_text(GOOD)
    (tmp_path / "bad.toml").write_text(BAD)

    def command(*words: str | Path, **settings: str) -> "subprocess.CompletedProcess[str]":
        return holdfast(*words, cwd=tmp_path, **settings)

    return command


def test_given_many_faults_then_all_are_named_at_once(run: Cli) -> None:
    checked = run("config", "check", "bad.toml", "--json", **SETTINGS)

    assert checked.returncode == 1, checked.stderr
    faults = json.loads(checked.stdout)["faults"]
    assert [fault for fault in FAULTS if not any(fault in each for each in faults)] == []
    assert len(faults) == len(FAULTS)


def test_given_many_faults_then_a_start_names_the_same(run: Cli, tmp_path: Path) -> None:
    started = run("serve", "--config", "bad.toml", "--data-dir", "data", **SETTINGS)

    assert started.returncode == 1
    assert [fault for fault in FAULTS if fault not in started.stderr] == []
    assert not (tmp_path / "data").exists()


def test_given_a_good_file_then_it_is_said_and_the_server_starts_with_it(run: Cli, tmp_path: Path) -> None:
    secret = {"HOOK_SECRET": "whsec_bWFkZS11cC1mb3ItdGVzdHMtb25seS0wMQ=="}

    checked = run("config", "check", "good.toml", **secret)

    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout == "good.toml: 1 channel, 0 sources, 0 webhooks, 1 key. A server would start with it.\n"
    with Server("--config", "good.toml", cwd=tmp_path, **secret) as server:
        assert server.get("/livez") == {"status": "ok"}


def test_given_a_machine_without_the_credentials_then_they_can_be_left_out(run: Cli) -> None:
    assert run("config", "check", "good.toml").returncode == 1
    assert run("config", "check", "good.toml", "--without-credentials").returncode == 0


def test_given_a_file_that_is_no_toml_or_not_there_then_it_is_said(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("[channels")

    assert "broken.toml: " in run("config", "check", "broken.toml").stdout
    assert "No such file" in run("config", "check", "nowhere.toml").stdout


def test_given_what_is_hardly_meant_then_it_warns_and_the_exit_code_stays(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("whsec_bWFkZS11cC1mb3ItdGVzdHMtb25seS0wMQ==")
    (tmp_path / "secret").chmod(0o644)
    (tmp_path / "good.toml").write_text(GOOD.replace('env = "HOOK_SECRET"', 'file = "secret"'))

    warned = run("config", "check", "good.toml", "--json", holdfast_port="1", HOLDFAST_STORE_CHECK="false")

    assert warned.returncode == 0
    told = json.loads(warned.stdout)["warnings"]
    assert [word for word in ("holdfast_port", "chmod 600", "HOLDFAST_STORE_CHECK") if word not in str(told)] == []
    assert len(told) == 3


def test_given_no_configuration_then_nothing_is_wrong(run: Cli) -> None:
    checked = run("config", "check")

    assert (checked.returncode, checked.stdout) == (0, "No configuration file. A server would start with it.\n")
    assert run("config", "check", "--nonsense").returncode == 2
