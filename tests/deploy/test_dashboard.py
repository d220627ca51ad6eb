"""The dashboard: every expression parses, rests on metrics that exist, and every metric has a place on it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.test_alert_rules import promtool
from tests.support.prometheus import ROOT
from tests.support.scraped import METRICS, RECORDED, SCRAPED, names_in

DASHBOARD: Final = json.loads((ROOT / "deploy" / "grafana" / "holdfast.json").read_text("utf-8"))
VARIABLES: Final = {"$__rate_interval": "5m", "$job": "holdfast", "$channel": ".*"}
"""What Grafana would put in their place."""


def targets() -> Iterator[tuple[str, dict[str, Any]]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target


def expressions() -> list[str]:
    found = [target["expr"] for _, target in targets()]
    return found + [each["expr"] for each in DASHBOARD["annotations"]["list"]]


def test_every_expression_is_understood_by_prometheus(tmp_path: Path) -> None:
    rules = []
    for number, expression in enumerate(expressions()):
        for variable, value in VARIABLES.items():
            expression = expression.replace(variable, value)  # noqa: PLW2901
        rules.append({"record": f"panel:{number}", "expr": expression})
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), "utf-8")

    assert f"{len(rules)} rules found" in promtool("check", "rules", path)


def test_every_panel_rests_on_metrics_that_exist() -> None:
    queries = [each["definition"] for each in DASHBOARD["templating"]["list"] if "definition" in each]

    used = {name for text in [*expressions(), *queries] for name in names_in(text)}

    assert used - SCRAPED - RECORDED == set()


def test_every_metric_has_a_place() -> None:
    shown = {name for expression in expressions() for name in names_in(expression)}
    stems = {re.sub(r"_(bucket|count|sum|total)$", "", name) for name in shown}

    assert METRICS - stems - shown == set()


def test_every_variable_is_declared() -> None:
    declared = {"$" + each["name"] for each in DASHBOARD["templating"]["list"]} | {"$__rate_interval"}

    used = {name for expression in expressions() for name in re.findall(r"\$\w+", expression)}

    assert used - declared == set()


def test_no_two_panels_lie_on_each_other_or_have_one_id() -> None:
    places = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]

    assert len(set(places)) == len(places)
    assert len(set(ids)) == len(ids)
    assert max(x for x, _ in places) < 24
