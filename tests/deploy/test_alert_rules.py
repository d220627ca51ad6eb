"""The alert rules: they parse, are tested, rest on metrics that exist, and have a page each among the runbooks."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Command, Context, Group

from server.cli.main import cli
from tests.support.prometheus import ROOT, RULES, binary, shipped_alerts, shipped_rules
from tests.support.scraped import METRICS, RECORDED, SCRAPED, names_in

RUNBOOKS = ROOT / "docs" / "runbooks"
TESTS = sorted((ROOT / "deploy" / "prometheus" / "tests").glob("*.yaml"))
SLOW = {"service", "service_slow"}
"""Burn rates over hours and days: seconds of promtool's time each."""


def promtool(*words: str | Path) -> str:
    done = subprocess.run(
        [binary("promtool"), *map(str, words)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_finds_no_fault_with_the_rules() -> None:
    assert promtool("check", "rules", *RULES).count("SUCCESS") == len(RULES)


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.soak if path.stem in SLOW else (), id=path.stem) for path in TESTS],
)
def test_every_alert_fires_when_it_should_and_is_silent_when_it_should_not(path: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", path)


def test_every_alert_is_tested_both_ways() -> None:
    fires: set[str] = set()
    silent: set[str] = set()
    for path in TESTS:
        for each in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            for check in each["alert_rule_test"]:
                (fires if check["exp_alerts"] else silent).add(check["alertname"])

    assert (fires, silent) == (set(shipped_alerts()), set(shipped_alerts()))


def test_every_rule_rests_on_metrics_that_exist() -> None:
    used = {name for rule in shipped_rules() for name in names_in(rule["expr"])}

    assert used - SCRAPED - RECORDED == set()


def test_every_recorded_rule_is_used() -> None:
    used = {name for rule in shipped_rules() for name in names_in(rule["expr"])}

    assert RECORDED - used == set()


@pytest.mark.parametrize("alert", shipped_alerts().values(), ids=shipped_alerts())
def test_an_alert_says_how_urgent_it_is_what_it_means_and_where_its_page_is(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook", "runbook_url"}
    assert alert["annotations"]["runbook"] == f"docs/runbooks/{alert['alert']}.md"
    assert alert["annotations"]["runbook_url"] == f"{{{{ $externalLabels.runbooks }}}}/{alert['alert']}.md"


# -- the runbooks


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == set(shipped_alerts())


def test_the_list_of_alerts_names_each_with_its_severity() -> None:
    rows = re.findall(
        r"^\| \[(\w+)\]\(runbooks/\1\.md\) \| (page|ticket) \|",
        (ROOT / "docs" / "operations.md").read_text("utf-8"),
        re.MULTILINE,
    )

    assert dict(rows) == {name: alert["labels"]["severity"] for name, alert in shipped_alerts().items()}


@pytest.mark.parametrize("alert", shipped_alerts().values(), ids=shipped_alerts())
def test_a_page_says_what_it_means_what_to_look_at_and_what_to_do(alert: dict[str, Any]) -> None:
    text = (RUNBOOKS / f"{alert['alert']}.md").read_text("utf-8")

    assert text.startswith(f"# {alert['alert']}\n\n**{alert['labels']['severity'].capitalize()}.**")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["What it means", "What to look at", "What to do"]
    assert names_in(text) - SCRAPED - METRICS - RECORDED == set()


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_a_page_names_only_commands_that_exist(page: Path) -> None:
    wrong = [line for line in commands_in(page.read_text("utf-8")) if not exists(line.split())]

    assert wrong == []


def test_an_invented_command_and_an_invented_option_are_found() -> None:
    text = "Run `holdfast mend` or `holdfast verify --harder`, and `holdfast channels status`."

    assert [line for line in commands_in(text) if not exists(line.split())] == [
        "holdfast mend",
        "holdfast verify --harder",
    ]


def commands_in(text: str) -> Iterator[str]:
    """Find the commands of ours in a text, in lines of code and in blocks."""
    code = [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^(?:\$ )?(holdfast .*)$", text, re.MULTILINE)]
    for each in code:
        found = re.match(r"holdfast [a-z].*", each)
        if found:
            yield found[0].partition(" #")[0].strip()


def exists(words: list[str]) -> bool:
    """Whether the command line knows a command, with these options."""
    command: Command | None = cli
    rest = words[1:]
    while isinstance(command, Group) and not (command.invoke_without_command and "".join(rest[:1])[:2] in ("", "--")):
        command, rest = command.get_command(Context(command), rest[0]) if rest else None, rest[1:]
    if command is None:
        return False
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return {word for word in rest if word.startswith("--")} <= options
