"""Sources in the configuration file: what is read, what is refused with which message, and what the guide says."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from adapters.contract.adapter import Kind, kinds
from adapters.contract.source import source_kinds
from server.channels.connection.adapter_registry import check_source
from server.config.settings import ConfigError, load_config_file
from server.config.sources import FIELDS, RULES, ConfiguredSource
from server.domain.late_numbers import LateRules
from server.domain.sources import SourceRules
from server.domain.sudden_changes import ChangeRules
from server.plans import source_plans
from tests.house.test_docs import CONFIGURATION, NO_DIFFERENCE, REAL, SIMULATED, blocks, differences, named, read

GUIDE: Final = "docs/sources.md"
SECRET: Final = "not-a-real-secret-2b7c"
OPTIONS: Final = """
[sources.erp.options]
base_url = "https://erp.example"
database = "shop"
login = "holdfast"
partner_id = 12
locations = { main = 1 }

[sources.erp.credentials]
password = { env = "ERP_PASSWORD" }
"""
MINIMAL: Final = '[sources.erp]\nkind = "odoo"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "holdfast.toml"
    path.write_text(text, "utf-8")
    return path


def load(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[ConfiguredSource]:
    given = {"ERP_PASSWORD": SECRET} if environ is None else environ
    return load_config_file(written(folder, text), given).sources


def planned(folder: Path, text: str) -> None:
    source_plans(folder / "holdfast.toml", load(folder, text), check=True)


def test_a_source_is_read_with_its_rules(tmp_path: Path) -> None:
    rules = 'pull_every_s = 5\nsupply = true\nopen_orders = "known"\n[sources.erp.changes]\nfactor = 4\n'
    [source] = load(tmp_path, MINIMAL + rules + OPTIONS)

    assert source.settings.rules == SourceRules(
        pull_every_s=5, supply=True, open_orders="known", changes=ChangeRules(factor=4)
    )
    assert (source.settings.name, source.settings.kind, source.settings.partition) == ("erp", "odoo", "default")
    planned(tmp_path, MINIMAL + rules + OPTIONS)
    assert SECRET not in repr(source)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[sources.erp]\nkind = "odo"\n', "there is no kind 'odo'"),
        ('[sources.erp]\nkind = "trendyol"\n', "there is no kind 'trendyol'"),
        ("[sources.erp]\n", "needs kind"),
        (MINIMAL + "pul_every_s = 3\n", "pull_every_s"),
        (MINIMAL + "pull_every_s = 0\n", "pull_every_s"),
        (MINIMAL + "[sources.erp.changes]\nfactor = 1\n", "factor"),
        (MINIMAL + '[sources.erp.late]\nthen = "forget"\n', "then"),
        (MINIMAL + "lead_time_days = -1\n", "lead_time_days"),
        (MINIMAL + 'groups = [""]\n', "groups"),
        (MINIMAL + f"groups = {['x' * 65]}\n", "groups must each have 1 to 64 printable bytes"),
        (MINIMAL + 'groups = ["online"]\n' + OPTIONS, "those of odoo are your own"),
        ('[sources."Erp"]\nkind = "odoo"\n', "source 'Erp' must be"),
        (MINIMAL, "needs base_url"),
        (MINIMAL + OPTIONS.replace("main = 1", "main = 1, izmir = 1"), "would count twice"),
        (MINIMAL + OPTIONS.replace("partner_id", "pull_every_s = 3\npartner_id"), "belongs to [sources.erp]"),
        (MINIMAL + OPTIONS.partition("[sources.erp.credentials]")[0], "odoo needs password"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as refused:
        planned(tmp_path, text)

    assert str(refused.value).startswith(str(tmp_path / "holdfast.toml"))
    assert SECRET not in str(refused.value)


def test_a_source_is_no_kind_of_channel() -> None:
    assert set(kinds()).isdisjoint(source_kinds())


# -- the guide


def chapter_of(kind: str) -> str:
    _, _, after = read(GUIDE).partition(f"\n## `{kind}`\n")
    return after.partition("\n## ")[0]


def test_every_kind_of_source_has_its_chapter_and_every_chapter_its_kind() -> None:
    assert differences(source_kinds(), re.findall(r"^## `([^`]+)`$", read(GUIDE), re.MULTILINE)) == NO_DIFFERENCE


@pytest.mark.parametrize("kind", source_kinds().values(), ids=source_kinds())
def test_the_guide_names_every_option_and_credential_of_a_kind(kind: Kind) -> None:
    known = {*kind.options.__struct_encode_fields__, *kind.credentials, *kind.optional_credentials}

    assert known - named(chapter_of(kind.name)) == set()


@pytest.mark.parametrize("kind", source_kinds())
def test_only_a_kind_with_a_test_on_the_real_server_is_said_to_work_with_it(kind: str) -> None:
    is_run_for_real = (Path(__file__).parents[1] / "channels" / f"test_{kind}_real.py").exists()
    status = REAL if is_run_for_real else SIMULATED

    [row] = [line for line in read(GUIDE).splitlines() if line.startswith(f"| [`{kind}`]")]
    assert f"| {status} |" in row
    assert chapter_of(kind).lstrip().startswith(f"**Status: {status}")


@pytest.mark.parametrize("kind", source_kinds())
def test_every_kind_has_an_example_that_would_start(kind: str, tmp_path: Path) -> None:
    [example] = blocks("toml", chapter_of(kind))

    [source] = load_config_file(written(tmp_path, example), credentials=False).sources

    assert source.settings.kind == kind
    check_source(source.settings, source.credentials.names, source_kinds())


def test_every_field_of_a_source_is_documented() -> None:
    section = read(CONFIGURATION).partition("\n## Sources\n")[2].partition("\n## ")[0]
    documented = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE))))
    changes = read(GUIDE).partition("\n## Which numbers wait\n")[2].partition("\n## ")[0]

    late = read(GUIDE).partition("\n## Numbers that are late\n")[2].partition("\n## ")[0]

    assert {*FIELDS, *RULES} - documented == set()
    assert set(LateRules.__struct_fields__) == set(re.findall(r"^\| `(\w+)` \|", late, re.MULTILINE))
    assert set(ChangeRules.__struct_fields__) == set(re.findall(r"^\| `(\w+)` \|", changes, re.MULTILINE))
