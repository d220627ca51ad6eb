"""deploy/: it parses, names only what exists, fits together, and its store settings keep the guarantees."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import yaml

from server.config.settings import PREFIX, Settings, load_config_file, load_settings
from server.store.connection.required_settings import check_settings
from tests.conftest import START, StoreClient
from tests.deploy.test_alert_rules import exists, promtool
from tests.support.prometheus import ROOT, shipped_alerts

DEPLOY: Final = ROOT / "deploy"
KUBERNETES: Final = DEPLOY / "kubernetes"
COMPOSE: Final = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
UNITS: Final = sorted((DEPLOY / "systemd").glob("*.service"))
SETTINGS: Final = {PREFIX + name.upper() for name in Settings.__struct_fields__}


def test_no_file_names_a_setting_that_does_not_exist() -> None:
    folders = (DEPLOY, ROOT / "docs" / "runbooks")
    texts = [path.read_text("utf-8") for folder in folders for path in folder.rglob("*") if path.is_file()]

    named = {name for text in texts for name in re.findall(r"HOLDFAST_[A-Z_]+\b", text)}

    assert named - SETTINGS == set()


def test_prometheus_understands_its_configuration() -> None:
    assert "SUCCESS" in promtool("check", "config", DEPLOY / "prometheus" / "prometheus.yaml")


# -- the store's settings


def of_the_file() -> dict[str, str]:
    lines = (DEPLOY / "valkey.conf").read_text("utf-8").splitlines()
    pairs = [shlex.split(line) for line in lines if line and not line.startswith("#")]
    return dict(pairs)


def of_kubernetes() -> dict[str, str]:
    args = container("StatefulSet", "valkey")["args"]
    pairs = zip(args[::2], args[1::2], strict=True)
    return {name.removeprefix("--"): value for name, value in pairs if name not in ("--dir", "--requirepass")}


@pytest.mark.parametrize("kind", START)
@pytest.mark.parametrize("settings", [of_the_file, of_kubernetes])
async def test_a_store_with_these_settings_keeps_what_durable_guarantees(kind: str, settings: Any) -> None:
    with START[kind](settings=settings()) as store:
        async with StoreClient(store) as client:
            await check_settings(client, "durable")


# -- compose


def test_compose_mounts_only_files_that_exist() -> None:
    binds = [
        volume.partition(":")[0]
        for service in COMPOSE["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith(".")
    ]

    assert binds
    assert [bind for bind in binds if not (DEPLOY / bind).exists()] == []


def test_compose_declares_what_its_services_use() -> None:
    services = COMPOSE["services"]
    used = {volume.partition(":")[0] for each in services.values() for volume in each.get("volumes", [])}
    awaited = {name for each in services.values() for name in each.get("depends_on", [])}

    assert {name for name in used if not name.startswith(".")} == set(COMPOSE["volumes"])
    assert awaited <= set(services)
    assert all("image" in each for each in services.values())


def test_compose_publishes_nothing_but_to_this_machine() -> None:
    ports = [port for each in COMPOSE["services"].values() for port in each.get("ports", [])]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_compose_starts_commands_that_exist_and_scrapes_every_holdfast() -> None:
    ours = {name: each for name, each in COMPOSE["services"].items() if each["image"] == "holdfast"}
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text("utf-8"))["scrape_configs"][0]

    assert [name for name, each in ours.items() if not exists(["holdfast", *each["command"]])] == []
    assert scraped["static_configs"][0]["targets"] == [
        f"{name}:{each['environment']['HOLDFAST_METRICS_PORT']}" for name, each in ours.items()
    ]
    published = {str(port).rpartition(":")[2] for each in ours.values() for port in each.get("ports", [])}
    assert published == {"8080"}, "the metrics need no key on their port"


@pytest.mark.parametrize("service", ["holdfast", "publisher"])
def test_compose_waits_longer_than_a_drain_takes(service: str) -> None:
    grace_s = float(COMPOSE["services"][service]["stop_grace_period"].removesuffix("s"))

    assert grace_s > default("drain_timeout_s") + 5


def test_compose_starts_no_store_without_a_password_and_everybody_who_asks_it_has_it() -> None:
    services = COMPOSE["services"]
    wanted = "${VALKEY_PASSWORD:?see the first lines}"

    assert services["valkey"]["command"][-2:] == ["--requirepass", wanted]
    assert services["valkey"]["environment"]["REDISCLI_AUTH"] == wanted
    urls = {each["environment"]["HOLDFAST_STORE_URL"] for each in services.values() if each["image"] == "holdfast"}
    assert urls == {f"redis://:{wanted}@valkey:6379/0"}
    assert "deploy/.env" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


# -- alertmanager


def alertmanager() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yaml").read_text("utf-8"))
    return found


def test_prometheus_sends_its_alerts_to_the_alertmanager_of_compose_and_says_where_the_runbooks_are() -> None:
    told = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text("utf-8"))
    [target] = told["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    shown = COMPOSE["services"]["runbooks"]

    assert target == f"alertmanager:{COMPOSE['services']['alertmanager']['ports'][0].rpartition(':')[2]}"
    assert told["global"]["external_labels"]["runbooks"] == f"http://{shown['ports'][0].rpartition(':')[0]}"
    assert shown["volumes"][0].startswith("../docs/runbooks:")


def test_alertmanager_knows_each_severity_and_names_only_alerts_that_exist() -> None:
    text = (DEPLOY / "alertmanager" / "alertmanager.yaml").read_text("utf-8")
    receivers = {each["name"] for each in alertmanager()["receivers"]}
    routed = {alertmanager()["route"]["receiver"], *(each["receiver"] for each in alertmanager()["route"]["routes"])}

    assert receivers == routed == {alert["labels"]["severity"] for alert in shipped_alerts().values()}
    assert set(re.findall(r"Holdfast\w+", text)) - set(shipped_alerts()) == set()


def test_alertmanager_understands_its_configuration() -> None:
    if shutil.which("amtool") is None:
        pytest.skip("amtool is not installed: apt-get install prometheus-alertmanager")
    path = DEPLOY / "alertmanager" / "alertmanager.yaml"

    done = subprocess.run(["amtool", "check-config", path], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


# -- systemd


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_understands_the_unit(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed: apt-get install systemd")
    # The program itself need not be installed here.
    there = re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", unit.read_text("utf-8"), flags=re.MULTILINE)
    (tmp_path / unit.name).write_text(there, "utf-8")

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", tmp_path / unit.name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, [])


def test_systemd_drains_holdfast_before_it_kills() -> None:
    unit = (DEPLOY / "systemd" / "holdfast.service").read_text("utf-8")
    [command] = re.findall(r"^ExecStart=\S+/(holdfast .*)$", unit, re.MULTILINE)
    [stop_s] = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)

    assert exists(command.split())
    assert float(stop_s) > default("drain_timeout_s") + 5
    # Its workers and its store are stopped by Holdfast itself, in order.
    assert "\nKillMode=mixed\n" in unit
    assert "\nKillSignal=SIGTERM\n" in unit


# -- Kubernetes


def documents() -> Iterator[Mapping[str, Any]]:
    for path in sorted(KUBERNETES.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text("utf-8"))


def objects(kind: str) -> dict[str, Any]:
    return {each["metadata"]["name"]: each for each in documents() if each["kind"] == kind}


def template(kind: str, name: str) -> Any:
    return objects(kind)[name]["spec"]["template"]


def container(kind: str, name: str) -> Any:
    [only] = template(kind, name)["spec"]["containers"]
    return only


WORKLOADS: Final = [("Deployment", "api"), ("Deployment", "publisher"), ("StatefulSet", "valkey")]
OURS: Final = WORKLOADS[:2]


def default(setting: str) -> float:
    return float(getattr(load_settings({}), setting))


def test_kustomize_puts_together_what_the_kustomization_names() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed: https://kubernetes.io/docs/tasks/tools/")

    done = subprocess.run(["kubectl", "kustomize", KUBERNETES], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    made = [each for each in yaml.safe_load_all(done.stdout) if each["kind"] != "Namespace"]
    assert {each["metadata"]["namespace"] for each in made} == {"holdfast"}
    assert "registry.example/holdfast:0.1.0" in done.stdout


def test_the_kustomization_names_every_file_but_the_one_that_runs_once() -> None:
    named = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text("utf-8"))["resources"]

    there = {path.name for path in KUBERNETES.glob("*.yaml")}
    assert there - set(named) == {"kustomization.yaml", "first-key.yaml"}


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_a_workload_has_its_pods_and_a_disruption_budget(kind: str, name: str) -> None:
    labels = template(kind, name)["metadata"]["labels"].items()
    selectors = [
        objects(kind)[name]["spec"]["selector"]["matchLabels"],
        objects("PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"],
    ]

    assert [selector for selector in selectors if not selector.items() <= labels] == []


@pytest.mark.parametrize("service", ["holdfast", "valkey"])
def test_a_service_finds_pods_and_a_port_of_theirs(service: str) -> None:
    spec = objects("Service")[service]["spec"]
    [found] = [each for each in WORKLOADS if spec["selector"].items() <= template(*each)["metadata"]["labels"].items()]

    ports = {port["name"] for port in container(*found)["ports"]}
    numbers = {port["containerPort"] for port in container(*found)["ports"]}
    assert {port.get("targetPort", port["port"]) for port in spec["ports"]} <= ports | numbers


@pytest.mark.parametrize(("kind", "name"), OURS)
def test_a_pod_is_asked_the_right_questions_and_has_time_to_drain(kind: str, name: str) -> None:
    spec = template(kind, name)["spec"]
    [only] = spec["containers"]
    settings = {each["name"]: each.get("value") for each in only["env"]}
    rest_s = float(only["lifecycle"]["preStop"]["exec"]["command"][1])

    assert only["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert only["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert spec["terminationGracePeriodSeconds"] > rest_s + float(settings["HOLDFAST_DRAIN_TIMEOUT_S"]) + 5
    assert settings["HOLDFAST_ROLE"] == name
    assert exists(["holdfast", *only["args"]])


def test_the_settings_of_the_pods_are_ones_that_would_start() -> None:
    for kind, name in OURS:
        given = {each["name"]: each["value"] for each in container(kind, name)["env"] if "value" in each}
        load_settings({key: value for key, value in given.items() if key in SETTINGS})


def test_every_secret_that_is_asked_for_is_there() -> None:
    kept = {(name, key) for name, each in objects("Secret").items() for key in each["stringData"]}
    pods = [*WORKLOADS, ("Job", "first-key")]
    asked = {
        (ref["name"], ref["key"])
        for each in pods
        for variable in container(*each)["env"]
        if (ref := variable.get("valueFrom", {}).get("secretKeyRef"))
    }

    assert asked == kept


@pytest.mark.parametrize(("kind", "name"), [*WORKLOADS, ("Job", "first-key")])
def test_a_pod_has_no_more_rights_than_it_needs(kind: str, name: str) -> None:
    spec = template(kind, name)["spec"]
    [only] = spec["containers"]

    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_only_pods_of_ours_may_reach_the_store() -> None:
    policy = objects("NetworkPolicy")["store"]["spec"]
    [source] = policy["ingress"][0]["from"]
    wanted = source["podSelector"]["matchLabels"].items()

    assert (
        policy["podSelector"]["matchLabels"].items() <= template("StatefulSet", "valkey")["metadata"]["labels"].items()
    )
    assert all(wanted <= template(*each)["metadata"]["labels"].items() for each in [*OURS, ("Job", "first-key")])


def test_the_configuration_file_would_be_read(tmp_path: Path) -> None:
    text = objects("ConfigMap")["holdfast"]["data"]["holdfast.toml"]
    path = tmp_path / "holdfast.toml"
    path.write_text(re.sub(r"^# ", "", text, flags=re.MULTILINE), "utf-8")

    [channel] = load_config_file(path, credentials=False).channels

    assert channel.settings.name == "my-shop"
    assert msgspec.to_builtins(channel.settings)["kind"] == "webhook"
