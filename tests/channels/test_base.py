"""What adapters share: statuses, waiting times, bodies that may not be JSON, and the folder of kinds."""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import adapters
from adapters.contract.adapter import Adapter, Capabilities, Kind, kinds
from adapters.contract.errors import (
    ChannelError,
    ClosedError,
    CredentialsError,
    SpoiledError,
    ThrottledError,
    UnavailableError,
)
from adapters.contract.http import (
    REASON_CHARACTERS_MAX,
    Answer,
    Exchange,
    Request,
    check_status,
    excerpt,
    json_of,
    retry_after_s,
)
from adapters.contract.stock import Item, Outcomes

DATE = "Sat, 21 Nov 2026 12:00:00 GMT"


class Plain(Adapter):
    """An adapter that answers at once and cannot be read back."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(items_max=1)

    def push(self, items: list[Item], now_s: float) -> Exchange[Outcomes]:  # type: ignore[override]
        raise NotImplementedError


# -- requests


def test_a_request_describes_itself_without_what_may_be_secret() -> None:
    headers = {"Authorization": "Basic made-up", "X-Token": "made-up", "Content-Type": "application/json"}

    reported = repr(Request("POST", "https://shop.example/login?key=made-up", headers, b"made-up"))

    assert "made-up" not in reported
    assert "POST https://shop.example/login " in reported
    assert "'Content-Type': 'application/json'" in reported
    assert "7 bytes" in reported


# -- statuses


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299, 400, 404, 409, 413, 422])
def test_what_is_done_or_about_the_items_is_let_pass(status: int) -> None:
    check_status(Answer(status))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, ThrottledError),
        (401, CredentialsError),
        (403, CredentialsError),
        (410, ClosedError),
        (426, ClosedError),
        (500, UnavailableError),
        (503, UnavailableError),
        (599, UnavailableError),
        (301, UnavailableError),
        (302, UnavailableError),
        (399, UnavailableError),
        (101, UnavailableError),
    ],
)
def test_a_status_that_is_about_the_whole_call_is_raised(status: int, error: type[ChannelError]) -> None:
    with pytest.raises(ChannelError) as caught:
        check_status(Answer(status, body=b"sorry"))

    assert type(caught.value) is error
    assert caught.value.reason == str(caught.value) == f"HTTP {status}: sorry"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_channel_s_retry_after_goes_with_the_error(status: int) -> None:
    with pytest.raises(ChannelError) as caught:
        check_status(Answer(status, {"retry-after": "17"}))

    assert caught.value.after_s == 17.0


def test_a_spoiled_push_has_a_code_and_no_time() -> None:
    error = SpoiledError("too.many", "too many items")

    assert (error.code, error.reason, error.after_s, str(error)) == (
        "too.many",
        "too many items",
        None,
        "too many items",
    )


# -- when to come again


@pytest.mark.parametrize(
    ("headers", "after_s"),
    [
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 120 "}, 120.0),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT", "date": DATE}, 30.0),
        ({"retry-after": "Sat, 21 Nov 2026 13:00:30 +0100", "date": DATE}, 30.0),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT", "date": DATE}, 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_against_the_answer_s_own(headers: dict[str, str], after_s: float) -> None:
    assert retry_after_s(Answer(429, headers)) == after_s


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": ""},
        {"retry-after": "soon"},
        {"retry-after": "-5"},
        {"retry-after": "1.5"},
        {"retry-after": "١٢"},
        {"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"},
        {"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT", "date": "yesterday"},
        {"retry-after": "Sat, 21 Nov 2026 12:00:30 -0000", "date": DATE},
        {"date": DATE},
    ],
)
def test_a_retry_after_that_cannot_be_read_is_none(headers: dict[str, str]) -> None:
    assert retry_after_s(Answer(429, headers)) is None


# -- bodies


@pytest.mark.parametrize(("body", "value"), [(b'{"a":[1]}', {"a": [1]}), (b"null", None), (b' "x"\n', "x")])
def test_a_body_in_json_is_read(body: bytes, value: object) -> None:
    assert json_of(Answer(200, body=body)) == value


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a":', b"\xff\xfe", b'"\xff"', b'{"a":1}x'])
def test_a_body_that_is_not_json_is_reported_as_unavailable(body: bytes) -> None:
    with pytest.raises(UnavailableError, match="HTTP 200 with a body that is not JSON"):
        json_of(Answer(200, body=body))


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        (b"", "(empty)"),
        (b" \r\n ", "(empty)"),
        (b"<html>\n  <b>no</b>\r\n</html>", "<html> <b>no</b> </html>"),
        (b"\xff!", "\ufffd!"),
        ("ğ".encode() * 1000, "ğ" * REASON_CHARACTERS_MAX),
        (b"x" * 100_000, "x" * REASON_CHARACTERS_MAX),
    ],
)
def test_an_excerpt_is_short_and_on_one_line(body: bytes, reported: str) -> None:
    assert excerpt(body) == reported


# -- what an adapter need not have


def test_an_adapter_without_tickets_cannot_be_asked_about_one() -> None:
    with pytest.raises(TypeError, match="Plain"):
        Plain().poll("t", ["a"])


def test_an_adapter_that_cannot_read_raises() -> None:
    with pytest.raises(TypeError, match="Plain"):
        Plain().read(["a"])


def test_no_answer_has_cost_points_by_default() -> None:
    assert Plain().cost_left(Answer(200)) is None


# -- the folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put a folder of adapters in the place of ours."""
    monkeypatch.setattr(adapters, "__path__", [str(tmp_path)])
    before = dict(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - set(before):
        del sys.modules[name]
        if name.startswith("adapters."):
            monkeypatch.delattr(adapters, name.removeprefix("adapters."), raising=False)


ONE_FILE = """
from adapters.contract.adapter import Kind
import msgspec

class Options(msgspec.Struct, forbid_unknown_fields=True):
    pass

ADAPTER = Kind("{name}", "made up", Options, (), lambda options, credentials: None)
"""


def test_every_kind_in_the_folder_is_found_by_its_name(folder: Path) -> None:
    for file, name in (("made_up_one", "one"), ("made_up_two", "two")):
        (folder / f"{file}.py").write_text(ONE_FILE.format(name=name), "utf-8")

    found = kinds()

    assert list(found) == ["one", "two"]
    assert all(isinstance(kind, Kind) for kind in found.values())


def test_a_kind_may_be_a_folder_of_several_files(folder: Path) -> None:
    (folder / "made_up_four").mkdir()
    (folder / "made_up_four" / "stock.py").write_text(ONE_FILE.format(name="four"), "utf-8")
    (folder / "made_up_four" / "__init__.py").write_text("from adapters.made_up_four.stock import ADAPTER", "utf-8")
    (folder / "made_up_one.py").write_text(ONE_FILE.format(name="one"), "utf-8")

    assert list(kinds()) == ["four", "one"]


def test_a_module_without_a_kind_is_a_fault_of_the_programmer(folder: Path) -> None:
    (folder / "made_up_three.py").write_text("", "utf-8")

    with pytest.raises(AttributeError, match="ADAPTER"):
        kinds()


def test_our_kinds_have_a_summary_and_take_no_secret_as_an_option() -> None:
    for kind in kinds().values():
        options = {field.name for field in msgspec.structs.fields(kind.options)}
        secrets = {*kind.credentials, *kind.optional_credentials}

        assert kind.summary, kind.name
        assert kind.options.__struct_config__.forbid_unknown_fields, kind.name
        assert not secrets & options, kind.name
        assert len(secrets) == len(kind.credentials) + len(kind.optional_credentials), kind.name
