"""What the code knows and what the documentation says are the same."""

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from server import config

ROOT = Path(__file__).parent.parent
CONFIGURATION = "docs/configuration.md"
ROW = re.compile(r"^\| `([^`]+)` \| (?:`([^`|]*)`)?[^`|]*\|", re.MULTILINE)
"""A row of a table that documents something: its name, and its default where there is one."""


def rows(text: str) -> dict[str, str]:
    return dict(ROW.findall(text))


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def differences(known: Iterable[str], documented: Iterable[str]) -> dict[str, list[str]]:
    """What is in the code but not in the documentation, and the other way round."""
    known, documented = set(known), set(documented)
    return {"not documented": sorted(known - documented), "does not exist": sorted(documented - known)}


NO_DIFFERENCE: dict[str, list[str]] = {"not documented": [], "does not exist": []}


def settings() -> dict[str, msgspec.structs.FieldInfo]:
    return {config.PREFIX + field.name.upper(): field for field in msgspec.structs.fields(config.Settings)}


def documented_settings() -> dict[str, str]:
    return {name: default for name, default in rows(read(CONFIGURATION)).items() if name.startswith(config.PREFIX)}


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    assert differences(settings(), documented_settings()) == NO_DIFFERENCE


@pytest.mark.parametrize("variable", settings())
def test_the_documented_default_of_a_setting_is_its_default(variable: str) -> None:
    field = settings()[variable]

    read_back = getattr(config.load({variable: documented_settings()[variable]}), field.name)

    assert read_back == field.default


def test_no_document_names_a_setting_that_does_not_exist() -> None:
    documents = [ROOT / "README.md", ROOT / "Dockerfile", *(ROOT / "docs").glob("*.md")]

    named = {name for path in documents for name in re.findall(r"HOLDFAST_[A-Z_]+\b", path.read_text("utf-8"))}

    assert named - set(settings()) == set()


def test_the_example_of_the_configuration_file_is_a_configuration_file(tmp_path: Path) -> None:
    example, *_ = re.findall(r"```toml\n(.*?)```", read(CONFIGURATION), re.DOTALL)
    path = tmp_path / "holdfast.toml"
    path.write_text(example, "utf-8")

    [key] = config.load_file(path).keys

    assert (key.id, key.scopes) == ("checkout", ["read", "reserve"])


def test_every_field_of_a_configured_key_is_documented() -> None:
    _, _, section = read(CONFIGURATION).partition("## The configuration file")
    documented = re.findall(r"^\| `([a-z0-9_]+)` \|", section.partition("\n## ")[0], re.MULTILINE)

    assert differences(config.ConfiguredKey.__struct_fields__, documented) == NO_DIFFERENCE


def test_a_forgotten_setting_and_an_invented_one_are_both_found() -> None:
    text = "| `HOLDFAST_HOST` | `127.0.0.1` | |\n| `HOLDFAST_HOTS` | empty | |\n"

    found = differences({"HOLDFAST_HOST", "HOLDFAST_PORT"}, rows(text))

    assert found == {"not documented": ["HOLDFAST_PORT"], "does not exist": ["HOLDFAST_HOTS"]}
