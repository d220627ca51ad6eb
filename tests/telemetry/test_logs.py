"""Logs: one shape for ours and the libraries', quiet by default, and no secret in any of them."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from server.telemetry import logs

SECRET = "kq7xw3mzpt5v2ahd"
TOKEN = f"hf_abcdefgh2345_{SECRET}"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_left_as_found() -> Iterator[None]:
    names = [None, *logs.LIBRARIES, "aiohttp.access", "aiohttp.server"]
    loggers = [logging.getLogger(name) for name in names]
    before = [(each, each.level, each.handlers[:], each.filters[:]) for each in loggers]
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    for each, level, handlers, filters in before:
        each.setLevel(level)
        each.handlers[:] = handlers
        each.filters[:] = filters


def configured(level: str = "info", fmt: str = "json") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(level, fmt, stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def lose_the_store() -> None:
    raise ConnectionError(f"no answer from redis://merchant:{SECRET}@store:6379/0")


def raise_chained() -> None:
    try:
        lose_the_store()
    except ConnectionError as error:
        raise RuntimeError(f"refresh with Authorization: Basic {SECRET} failed") from error


# -- shape


def test_an_event_is_one_json_object_with_what_matters_first() -> None:
    stream = configured()

    structlog.get_logger("server.app").info("serving", port=8080, sku="şapka/№1")

    [event] = lines(stream)
    assert list(event)[:3] == ["at", "level", "event"]
    assert event["at"].endswith("Z")
    assert {name: event[name] for name in ("level", "event", "logger", "port", "sku")} == {
        "level": "info",
        "event": "serving",
        "logger": "server.app",
        "port": 8080,
        "sku": "şapka/№1",
    }


def test_a_library_s_line_has_the_same_shape() -> None:
    stream = configured()

    logging.getLogger("redis.asyncio.connection").warning("lost %s", "the store")

    [event] = lines(stream)
    assert (event["level"], event["event"], event["logger"]) == (
        "warning",
        "lost the store",
        "redis.asyncio.connection",
    )
    assert list(event)[:3] == ["at", "level", "event"]


def test_an_exception_is_one_structured_field_on_one_line() -> None:
    stream = configured()

    try:
        raise_chained()
    except RuntimeError:
        structlog.get_logger().exception("refresh failed")

    [event] = lines(stream)
    assert [each["exc_type"] for each in event["exception"]] == ["RuntimeError", "ConnectionError"]
    assert event["exception"][0]["frames"][-1]["name"] == "raise_chained"


def test_a_library_s_exception_is_the_same_structured_field() -> None:
    stream = configured()

    try:
        raise_chained()
    except RuntimeError:
        logging.getLogger("asyncio").exception("task failed")

    [event] = lines(stream)
    assert [each["exc_type"] for each in event["exception"]] == ["RuntimeError", "ConnectionError"]


@pytest.mark.parametrize(
    ("fmt", "stream", "is_json"),
    [
        ("auto", io.StringIO, True),
        ("auto", Terminal, False),
        ("json", Terminal, True),
        ("text", io.StringIO, False),
    ],
)
def test_auto_is_text_on_a_terminal_and_json_elsewhere(fmt: str, stream: type[io.StringIO], is_json: bool) -> None:
    written = stream()
    logs.configure("info", fmt, written)

    structlog.get_logger().info("serving")

    assert written.getvalue().startswith('{"at"') is is_json
    assert "serving" in written.getvalue()


def test_colours_are_for_terminals_only() -> None:
    terminal = Terminal()
    logs.configure("info", "text", terminal)
    structlog.get_logger().info("serving")
    plain = configured(fmt="text")
    structlog.get_logger().info("serving")

    assert "\x1b[" in terminal.getvalue()
    assert "\x1b[" not in plain.getvalue()


def test_configuring_again_moves_loggers_that_were_used_before() -> None:
    first = configured()
    log = structlog.get_logger("server.app")
    log.info("one")
    second = configured()

    log.info("two")
    logging.getLogger("redis").warning("three")

    assert [event["event"] for event in lines(first)] == ["one"]
    assert [event["event"] for event in lines(second)] == ["two", "three"]


@pytest.mark.parametrize(("level", "fmt"), [("loud", "json"), ("info", "xml")])
def test_an_unknown_level_or_format_is_refused_by_name(level: str, fmt: str) -> None:
    with pytest.raises(ValueError, match=r"loud|xml"):
        logs.configure(level, fmt, io.StringIO())


# -- quiet by default


def test_less_than_the_level_is_not_written() -> None:
    stream = configured("warning")

    log = structlog.get_logger("server.app")
    log.info("serving")
    log.warning("store away")

    assert [event["event"] for event in lines(stream)] == ["store away"]


def test_libraries_log_warnings_only_unless_debugging() -> None:
    quiet = configured("info")
    logging.getLogger("asyncio").info("using selector")
    debugging = configured("debug")
    logging.getLogger("asyncio").info("using selector")

    assert quiet.getvalue() == ""
    assert [event["event"] for event in lines(debugging)] == ["using selector"]


async def answer_to(request: bytes, handler: Any) -> bytes:
    """Send raw bytes to a real aiohttp server and return all it answers."""
    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, handle_signals=False)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    await runner.cleanup()
    return answer


async def ok(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def broken(_request: web.Request) -> web.Response:
    raise RuntimeError("a fault of ours")


MALFORMED = f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nbad header\x00: y\r\n\r\n".encode()


async def test_a_malformed_request_is_silent() -> None:
    stream = configured("info")

    answer = await answer_to(MALFORMED, ok)

    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert stream.getvalue() == ""


async def test_a_malformed_request_is_one_line_without_traceback_when_debugging() -> None:
    stream = configured("debug")

    await answer_to(MALFORMED, ok)

    [event] = [event for event in lines(stream) if event["logger"] == "aiohttp.server"]
    assert event["level"] == "debug"
    assert event["event"].startswith("malformed request: ")
    assert "exception" not in event
    assert SECRET not in stream.getvalue()


async def test_a_fault_of_a_handler_is_still_an_error_with_its_traceback() -> None:
    stream = configured("info")

    await answer_to(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", broken)

    [event] = lines(stream)
    assert event["level"] == "error"
    assert event["exception"][0]["exc_value"] == "a fault of ours"


async def test_requests_are_not_logged_one_by_one() -> None:
    stream = configured("debug")

    await answer_to(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", ok)

    assert "aiohttp.access" not in stream.getvalue()


# -- secrets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TOKEN, "hf_abcdefgh2345_***"),
        (f"key {TOKEN}, refused", "key hf_abcdefgh2345_***, refused"),
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer hf_abcdefgh2345_***"),
        (f"authorization: Basic {SECRET}", "authorization: Basic ***"),
        (f"Authorization: Custom {SECRET} {SECRET}", "Authorization: ***"),
        (f"{{'Authorization': 'Bearer {SECRET}'}}", "{'Authorization': 'Bearer ***'}"),
        (f"((b'Authorization', b'Basic {SECRET}'),)", "((b'Authorization', b'Basic ***'),)"),
        (f"sent Bearer {SECRET}", "sent Bearer ***"),
        (f"redis://merchant:{SECRET}@store:6379/0", "redis://***@store:6379/0"),
        (f"rediss://:{SECRET}@@/{SECRET}@store:6379/0", "rediss://***@store:6379/0"),
        (f"redis+sentinel://:{SECRET}@a:1,b:2/main", "redis+sentinel://***@a:1,b:2/main"),
        (f"https://user:{SECRET}@shop.example/x?mail=a@b", "https://***@shop.example/x?mail=a@b"),
        (f"https://shop.example/x?access_token={SECRET}&page=2", "https://shop.example/x?access_token=***&page=2"),
        (f'{{"client_secret": "{SECRET}", "page": 2}}', '{"client_secret": "***", "page": 2}'),
        (f"password='{SECRET}'", "password='***'"),
        (f"api_key={SECRET} shop=7", "api_key=*** shop=7"),
    ],
)
def test_a_text_keeps_its_meaning_and_loses_its_secret(text: str, expected: str) -> None:
    assert logs.redact(text) == expected


FRAGMENTS = (
    "hf_abc2_x", "HF_abc2_x", "_", "-", "Authorization", "Authorization,", "Cookie", "Bearer", "Basic", "abcdefgh",
    "redis", "https", "://", "user@", "client_secret", "api-key", "TOKEN", "=", ":", ",", '"', "'", "b'",
    " ", "\n", "\u3000", "/", "é", "ſ",
)  # fmt: skip


@settings(max_examples=1_000)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=6).map("".join))
def test_a_text_that_is_not_looked_through_is_one_that_no_rule_changes(text: str) -> None:
    changed = text
    for pattern, replacement in logs._TEXT_RULES:
        changed = pattern.sub(replacement, changed)

    assert logs.redact(text) == changed


@pytest.mark.parametrize(
    "text",
    [
        "reservation R-1 held for trendyol until 2026-01-01T00:00:00Z",
        "https://shop.example/products?mail=a@b",
        "redis://store:6379/0",
        "sku hf_only is unknown",
        "token bucket is empty",
    ],
)
def test_a_text_without_a_secret_stays_as_it_is(text: str) -> None:
    assert logs.redact(text) == text


@pytest.mark.parametrize(
    "name", ["secret", "Password", "api_token", "client-secret", "Authorization", "apiKey", "cookie"]
)
def test_an_event_s_key_that_is_named_like_a_secret_is_hidden_whatever_it_holds(name: str) -> None:
    stream = configured()

    structlog.get_logger().info("x", **{name: 123_456, "nested": [{"deep": {name: [SECRET]}}]})

    [event] = lines(stream)
    assert event[name] == "***"
    assert event["nested"] == [{"deep": {name: "***"}}]


class Carrier:
    def __repr__(self) -> str:
        return f"<Carrier url=redis://u:{SECRET}@store>"


@pytest.mark.parametrize(
    "value",
    [
        TOKEN,
        TOKEN.encode(),
        {"headers": [("Authorization", f"Bearer {SECRET}xx")]},
        {TOKEN: 1},
        ({"a": {TOKEN}},),
        Carrier(),
        ValueError(f"bad {TOKEN}"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("fmt", ["json", "text"])
def test_no_value_shows_a_secret(value: object, fmt: str) -> None:
    stream = configured(fmt=fmt)

    structlog.get_logger().info("event", value=value)

    assert "event" in stream.getvalue()
    assert SECRET not in stream.getvalue()


@pytest.mark.parametrize("fmt", ["json", "text"])
def test_no_traceback_shows_a_secret(fmt: str) -> None:
    stream = configured(fmt=fmt)

    try:
        raise_chained()
    except RuntimeError:
        structlog.get_logger().exception("ours")
        logging.getLogger("asyncio").exception("theirs")

    assert stream.getvalue().count("ConnectionError") >= 2
    assert SECRET not in stream.getvalue()


@pytest.mark.parametrize("fmt", ["json", "text"])
def test_no_library_s_argument_shows_a_secret(fmt: str) -> None:
    stream = configured(fmt=fmt)

    logging.getLogger("redis").error("cannot reach %s with %r", f"redis://:{SECRET}@store", {"password": SECRET})

    assert "cannot reach" in stream.getvalue()
    assert SECRET not in stream.getvalue()


def test_a_value_that_holds_itself_is_cut_off() -> None:
    stream = configured()
    circle: list[object] = []
    circle.append(circle)

    structlog.get_logger().info("event", circle=circle)

    assert "…" in stream.getvalue()


def test_text_that_is_not_utf_8_is_written_escaped(tmp_path: Any) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as stream:
        logs.configure("info", "json", stream)
        structlog.get_logger().info("event", sku="şapka\udcff")

    assert "şapka\\\\udcff" in (tmp_path / "log").read_text("utf-8")


@pytest.mark.parametrize("hostile", ["a\x1b[31m", "a\x9b2J", "\u202egnp", "a\nat=now level=error forged"])
def test_data_cannot_forge_a_line_or_speak_to_the_terminal(hostile: str) -> None:
    text, document = configured(fmt="text"), io.StringIO()
    structlog.get_logger().info("event", sku=hostile, nested={"sku": hostile})
    logs.configure("info", "json", document)
    structlog.get_logger().info("event", sku=hostile, nested={"sku": hostile})

    assert text.getvalue().count("\n") == document.getvalue().count("\n") == 1
    assert (text.getvalue() + document.getvalue()).replace("\n", "").isprintable()
    assert lines(document)[0]["sku"] == hostile
