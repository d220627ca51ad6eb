"""The keys that encrypt credentials which change: from the environment or a file, and never in a message."""

from base64 import b64encode
from pathlib import Path

import pytest

from server.config.secret_keys import secret_keys
from server.config.settings import ConfigError, load_settings

ONE, OTHER = b"1" * 32, b"2" * 32
TEXT, OTHER_TEXT = b64encode(ONE).decode(), b64encode(OTHER).decode()


def test_there_is_none_without_a_setting() -> None:
    assert secret_keys(load_settings({})) == []


@pytest.mark.parametrize("between", [",", " ", " , ", "\n"])
def test_two_keys_are_read_in_their_order(between: str) -> None:
    settings = load_settings({"HOLDFAST_SECRET_KEY": f"{TEXT}{between}{OTHER_TEXT}\n"})

    assert secret_keys(settings) == [ONE, OTHER]


def test_a_file_has_them_instead(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{TEXT}\n{OTHER_TEXT}\n")

    assert secret_keys(load_settings({"HOLDFAST_SECRET_KEY_FILE": str(path)})) == [ONE, OTHER]


@pytest.mark.parametrize("text", ["short", b64encode(b"1" * 31).decode(), b64encode(b"1" * 33).decode(), "ü" * 44])
def test_what_is_no_key_is_refused_and_not_shown(text: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(text)

    for given in ({"HOLDFAST_SECRET_KEY": text}, {"HOLDFAST_SECRET_KEY_FILE": str(path)}):
        with pytest.raises(ConfigError, match="openssl rand -base64 32") as caught:
            secret_keys(load_settings(given))
        assert text not in str(caught.value)


def test_a_file_that_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n")

    for path in (tmp_path / "none", empty):
        with pytest.raises(ConfigError, match="HOLDFAST_SECRET_KEY_FILE"):
            secret_keys(load_settings({"HOLDFAST_SECRET_KEY_FILE": str(path)}))


def test_both_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not both"):
        secret_keys(load_settings({"HOLDFAST_SECRET_KEY": TEXT, "HOLDFAST_SECRET_KEY_FILE": str(tmp_path / "key")}))


def test_no_description_of_the_settings_shows_a_key() -> None:
    assert TEXT not in repr(load_settings({"HOLDFAST_SECRET_KEY": TEXT}))
