"""Kinds of other packages: found by their entry points; a broken one is said with its mend, and hurts no other."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from adapters.contract.adapter import CONTRACT, Kind, kinds
from adapters.contract.http import Exchange
from adapters.contract.installed import KindError, every, find, names
from adapters.contract.stock import Outcomes
from server.channels.connection import adapter_registry
from server.channels.connection.guarded import is_polled, is_pushed, is_read
from server.cli.main import cli
from server.config.settings import ConfigError, load_config_file
from server.config.toml_tables import ChannelConfigError
from server.domain.channels import ChannelSettings
from server.plans import channel_plans
from server.store.ledger.ledger import Ledger
from tests.channels.engine import plan, publishing
from tests.channels.plain import Plain, PlainChannel
from tests.conftest import wait_until
from tests.support.operations import receive
from tests.support.stores import StoreProcess

Install = Callable[..., None]

MODULE = """
import msgspec
from adapters.contract.adapter import Adapter, Capabilities, Kind

class Options(msgspec.Struct, forbid_unknown_fields=True):
    pass

class Made(Adapter):
    capabilities = Capabilities(items_max=1)

    def __init__(self, options, credentials):
        pass

    def push(self, items, now_s):
        yield None

ADAPTER = Kind("{name}", "made up", Options, ("token",), {build}, contract={contract})
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return what installs a package with one kind, as pip would: its module, and what pip writes about it."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def installed(
        name: str,
        *,
        package: str = "holdfast-acme",
        version: str = "1.0",
        kind: str = "",
        contract: object = CONTRACT,
        build: str = "Made",
        source: str = "",
    ) -> None:
        module = package.replace("-", "_")
        text = source or MODULE.format(name=kind or name, contract=contract, build=build)
        (tmp_path / f"{module}.py").write_text(text, "utf-8")
        about = tmp_path / f"{module}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n", "utf-8")
        (about / "entry_points.txt").write_text(f"[holdfast.adapters]\n{name} = {module}:ADAPTER\n", "utf-8")

    yield installed
    for name in set(sys.modules) - before:
        if name.startswith(("holdfast_", "other_")):
            del sys.modules[name]


def problem_of(name: str) -> str:
    """Say why a kind cannot be used, which the registry says of a channel, too."""
    with pytest.raises(KindError) as refused:
        find(name)
    with pytest.raises(ChannelConfigError) as configured:
        adapter_registry.check(settings(name), ["token"])
    assert str(configured.value) == f"[channels.shop]: {refused.value}"
    return str(refused.value)


def settings(kind: str) -> ChannelSettings:
    return ChannelSettings(name="shop", kind=kind)


# -- found


def test_a_kind_of_another_package_is_found_and_built(install: Install) -> None:
    install("acme")

    kind = find("acme")

    assert isinstance(kind, Kind)
    assert "acme" in names()
    adapter_registry.check(settings("acme"), ["token"])
    assert adapter_registry.build(settings("acme"), {"token": "x"}).capabilities.items_max == 1
    assert [(each.origin, each.problem) for each in every() if each.name == "acme"] == [("holdfast-acme 1.0", "")]


def test_the_kinds_of_this_repository_are_those_of_the_folder_alone(install: Install) -> None:
    install("acme")

    assert "acme" not in kinds()
    assert "testing" not in kinds()


def test_a_package_is_not_imported_before_a_channel_is_of_its_kind(install: Install) -> None:
    install("acme", source="raise SystemExit('imported')")

    assert find("trendyol") is kinds()["trendyol"]
    assert find("shopfy") is None
    assert "holdfast_acme" not in sys.modules


def test_a_kind_that_is_not_there_is_said_with_the_nearest_name_of_all(install: Install) -> None:
    install("acme")

    with pytest.raises(ChannelConfigError, match=r"there is no kind 'acne'; did you mean acme\? Allowed: acme, "):
        adapter_registry.check(settings("acne"), ())


# -- refused


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("def broken(:", "SyntaxError: invalid syntax"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("from adapters.contract.stock import Gone", "ImportError: cannot import name 'Gone'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("OTHER = 1", "AttributeError: module 'holdfast_acme' has no attribute 'ADAPTER'"),
    ],
)
def test_a_package_that_cannot_be_imported_is_said_with_the_mend(source: str, reason: str, install: Install) -> None:
    install("acme", source=source)

    said = problem_of("acme")

    assert said.startswith(
        f"the kind 'acme' of holdfast-acme 1.0 cannot be imported from 'holdfast_acme:ADAPTER': {reason}"
    )
    assert said.endswith("Install a release of holdfast-acme that fits this Holdfast, or correct it.")


@pytest.mark.parametrize(
    ("contract", "written", "or_later"),
    [
        (0, "does not say for which contract it is", ""),
        (CONTRACT - 2, f"is written for contract {CONTRACT - 2} of adapters", ""),
        (CONTRACT + 1, f"is written for contract {CONTRACT + 1} of adapters", "install a later Holdfast, or "),
    ],
)
def test_a_kind_of_another_contract_is_said_with_the_mend(
    contract: int, written: str, or_later: str, install: Install
) -> None:
    install("acme", contract=contract)

    assert problem_of("acme") == (
        f"the kind 'acme' of holdfast-acme 1.0 {written}; this Holdfast has {CONTRACT}:"
        f" {or_later}install a release of holdfast-acme whose ADAPTER says contract={CONTRACT}."
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("ADAPTER = 7", "is no Kind but a int. Its entry point must lead to a Kind"),
        (MODULE.format(name="acme2", contract=CONTRACT, build="Made"), "calls itself 'acme2'. The name in its ADAPTER"),
        (MODULE.format(name="acme", contract=CONTRACT, build="None"), "has a build that cannot be called."),
        (MODULE.format(name="acme", contract="'1'", build="Made"), "has a contract that is no number."),
        (MODULE.format(name="acme", contract=CONTRACT, build="Made").replace(", forbid_unknown_fields=True", ""),
         "takes options that it does not know."),
        (MODULE.format(name="acme", contract=CONTRACT, build="Made").replace("Options, (", "dict, ("),
         "has options that are no type of msgspec.Struct."),
        (MODULE.format(name="acme", contract=CONTRACT, build="Made").replace('("token",)', '"token"'),
         "has credentials that are no tuple of names."),
    ],
)  # fmt: skip
def test_what_is_no_kind_is_said_with_the_mend(source: str, said: str, install: Install) -> None:
    install("acme", source=source)

    assert problem_of("acme").startswith(f"the kind 'acme' of holdfast-acme 1.0 {said}")


def test_a_name_that_two_packages_have_is_of_neither(install: Install) -> None:
    install("acme")
    install("acme", package="other-acme", version="2.0")

    assert problem_of("acme") == (
        "holdfast-acme 1.0 and other-acme 2.0 have a kind 'acme', and nobody can tell which is meant."
        " Keep one of them, for example: pip uninstall other-acme"
    )
    assert [each.origin for each in every() if each.name == "acme"] == ["holdfast-acme 1.0", "other-acme 2.0"]
    assert all(each.kind is None for each in every() if each.name == "acme")


def test_a_name_of_ours_stays_ours_and_the_other_is_named_when_the_server_starts(
    install: Install, tmp_path: Path
) -> None:
    install("trendyol")
    (tmp_path / "holdfast.toml").write_text('[channels.shop]\nkind = "nothing"\n', "utf-8")
    channels = load_config_file(tmp_path / "holdfast.toml", credentials=False).channels

    with capture_logs() as logs, pytest.raises(ConfigError):
        channel_plans(None, channels, publishes=False, seals=None)
    assert logs == []
    with capture_logs() as logs, pytest.raises(ConfigError):
        channel_plans(None, channels, publishes=True, seals=None)

    [said] = [each["reason"] for each in logs if each["event"] == "kind_not_used"]
    assert said.startswith("holdfast-acme 1.0 has a kind 'trendyol', too, which is not used")
    assert said.endswith("or run: pip uninstall holdfast-acme")
    assert find("trendyol") is kinds()["trendyol"]
    assert "holdfast_acme" not in sys.modules


def test_a_kind_whose_adapter_cannot_be_built_is_said_without_its_credentials(install: Install) -> None:
    for number, (build, said) in enumerate(
        [
            ("lambda options, credentials: 1 / 0", "ZeroDivisionError: division by zero"),
            ("lambda options, credentials: credentials['gone']", "KeyError: 'gone'"),
            ("lambda options, credentials: credentials[credentials['token']]", "KeyError: '***'"),
            ("lambda options, credentials: None", "TypeError: its build returns no Adapter with Capabilities"),
        ]
    ):
        install(f"acme{number}", package=f"holdfast-acme{number}", build=build)
        with pytest.raises(ChannelConfigError) as refused:
            adapter_registry.build(settings(f"acme{number}"), {"token": "a-secret"})
        assert str(refused.value) == f"[channels.shop]: acme{number} cannot be built. Correct its package: {said}"


# -- the command


def test_the_command_lists_where_each_kind_comes_from_and_what_is_wrong(install: Install) -> None:
    install("acme")
    assert CliRunner().invoke(cli, ["channels", "kinds"]).exit_code == 0
    install("broken", package="holdfast-broken", source="1 / 0")

    shown = CliRunner().invoke(cli, ["channels", "kinds"], env={"COLUMNS": "400"})

    assert shown.exit_code == 1
    assert "holdfast-acme 1.0" in shown.output
    assert "the kind 'broken' of holdfast-broken 1.0 cannot be imported" in shown.output
    assert set(kinds()) <= set(shown.output.split())


# -- at work


class Faulty(Plain):
    """An adapter that does what no contract has."""

    def __init__(self, url: str, does: Callable[[], Any]) -> None:
        super().__init__(url)
        self._does = does

    def push(self, items: Any, now_s: float) -> Exchange[Outcomes]:
        yield from super().push(items, now_s)
        result: Outcomes = self._does()
        return result


class OwnError(Exception):
    """Of a library that an adapter uses."""


def raising(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    "does",
    [
        raising(OwnError("x")),
        raising(StopIteration()),
        raising(OSError("x")),
        lambda: None,
        lambda: {"A": True},
        lambda: [1],
    ],
)
async def test_an_adapter_that_does_what_no_contract_has_stops_no_other_channel(
    does: Callable[[], Any], shop: PlainChannel, store: StoreProcess, ledger: Ledger, partition: str
) -> None:
    await ledger.run(receive("A", 3))
    async with PlainChannel() as other:
        plans = [plan("faulty", shop, build=lambda: Faulty(shop.url, does)), plan("other", other)]

        async with publishing(store, partition, plans) as engine:
            await wait_until(lambda: engine.channel("faulty").client.circuit_breaker.reason != "", "it is a fault")
            await ledger.run(receive("A", 4))
            await wait_until(lambda: other.shown.get("A") == 7, "the other channel goes on")

            assert "an answer that the adapter cannot read" in engine.channel("faulty").client.circuit_breaker.reason


def test_what_an_adapter_may_return_is_known() -> None:
    wrong: list[Any] = [None, [], {"A": "x"}, 1]

    assert not any(check(each) for check in (is_pushed, is_polled, is_read) for each in wrong)
    assert is_pushed({})
    assert is_read({"A": 1})
