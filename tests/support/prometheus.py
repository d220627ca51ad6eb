"""A real Prometheus for tests, with the rules as they are shipped; it only looks more often, and waits less."""

import json
import os
import shutil
import subprocess
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import pytest
import yaml

from tests.support.stores import free_port, wait_until

ROOT: Final = Path(__file__).parents[2]
RULES: Final = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yaml"))
EVERY: Final = "500ms"
"""How often the tests' Prometheus scrapes and evaluates; a real one does so every 15 s."""
HOLDS: Final = "1s"
"""How long an alert has to hold here, in place of some minutes."""
READY_S: Final = 60.0


def binary(name: str) -> str:
    """Path of ``prometheus`` or ``promtool``, or skip the test, saying how to get it; in CI, fail."""
    found = shutil.which(name)
    if found is None:
        missing = f"{name} is not installed: apt-get install prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def shipped_rules() -> list[dict[str, Any]]:
    """Every rule that is shipped, alerts and recorded ones."""
    return [
        rule for path in RULES for group in yaml.safe_load(path.read_text("utf-8"))["groups"] for rule in group["rules"]
    ]


def shipped_alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in shipped_rules() if "alert" in rule}


class Prometheus:
    """One ``prometheus`` on a free port that scrapes ``targets`` (host:port) as the job holdfast."""

    def __init__(self, targets: Sequence[str]) -> None:
        self._prometheus = binary("prometheus")
        self.directory = Path(tempfile.mkdtemp(prefix="hf-prometheus-"))
        self.port = free_port()
        self._log = self.directory / "log"
        self._targets = list(targets)
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        (self.directory / "prometheus.yaml").write_text(yaml.safe_dump(self._config()), "utf-8")
        for path in RULES:
            (self.directory / path.name).write_text(yaml.safe_dump(_hurried(yaml.safe_load(path.read_text("utf-8")))))
        command = [
            self._prometheus,
            f"--config.file={self.directory / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
        ]
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(self._ready, "Prometheus is ready", READY_S)
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait(READY_S)
        shutil.rmtree(self.directory, ignore_errors=True)

    def firing(self) -> dict[str, Mapping[str, Any]]:
        """Every alert that fires now, by its name."""
        alerts = self._get("/api/v1/alerts")["alerts"]
        return {alert["labels"]["alertname"]: alert for alert in alerts if alert["state"] == "firing"}

    def unhealthy_rules(self) -> list[str]:
        """The rules whose last evaluation failed."""
        groups = self._get("/api/v1/rules")["groups"]
        return [
            f"{rule['name']}: {rule['lastError']}"
            for group in groups
            for rule in group["rules"]
            if rule.get("lastError")
        ]

    def value(self, expression: str) -> float | None:
        """What an expression gives now; None: nothing."""
        found = self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))["result"]
        return float(found[0]["value"][1]) if found else None

    def _config(self) -> dict[str, Any]:
        return {
            "global": {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY},
            "rule_files": [path.name for path in RULES],
            "scrape_configs": [{"job_name": "holdfast", "static_configs": [{"targets": self._targets}]}],
        }

    def _ready(self) -> bool:
        assert self._child is not None
        assert self._child.poll() is None, f"Prometheus did not start:\n{self._log.read_text(errors='replace')[-2000:]}"
        try:
            return bool(self._get("/api/v1/rules")["groups"])
        except OSError:
            return False

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=READY_S) as response:
            return json.load(response)["data"]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


def _hurried(rules: dict[str, Any]) -> dict[str, Any]:
    """The same rules, whose alerts fire after a second: the expressions stay as they are."""
    for group in rules["groups"]:
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = HOLDS
    return rules
