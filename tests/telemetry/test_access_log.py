"""Lines are collected, bounded, and written together; a slow reader of the log keeps nobody waiting."""

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from server.telemetry import access_log, logs
from server.telemetry.access_log import LINES_MAX, STRANGERS_MAX, AccessLog, Line
from tests.conftest import wait_until


def written_by(log: AccessLog) -> None:
    log._write(log._taken())


@pytest.fixture(autouse=True)
def _as_found() -> Iterator[None]:
    before = logs._together.stream, logs._together.render
    yield
    logs._together.stream, logs._together.render = before


def test_one_of_so_many_is_wanted_and_every_refusal() -> None:
    log = AccessLog(3)

    assert [log.wants(200) for _ in range(7)] == [True, False, False, True, False, False, True]
    assert all(log.wants(status) for status in (400, 404, 409, 503))
    assert all(AccessLog(1).wants(200) for _ in range(5))


def test_what_is_too_much_is_left_out_and_counted() -> None:
    written: list[Line] = []
    log = AccessLog(1, written.extend)
    for number in range(LINES_MAX + 7):
        log.note({"number": number})
    written_by(log)

    assert len(written) == LINES_MAX + 1
    assert (written[-1]["event"], written[-1]["lines"]) == ("access_lines_left_out", 7)
    written.clear()
    log.note({"number": 0})
    written_by(log)
    assert [line["event"] for line in written] == ["request"]


def test_strangers_have_a_bound_of_their_own() -> None:
    written: list[Line] = []
    log = AccessLog(1, written.extend)
    for _ in range(STRANGERS_MAX * 5):
        log.note({}, is_stranger=True)
    log.note({"actor": "boss"})
    written_by(log)

    assert len(written) == STRANGERS_MAX + 2
    assert written[-1]["lines"] == STRANGERS_MAX * 4


async def test_who_notes_a_line_does_not_wait_for_a_slow_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "WRITE_S", 0.001)
    writes, goes_on, written = threading.Event(), threading.Event(), []

    def write(lines: list[Line]) -> None:
        writes.set()
        goes_on.wait(20)
        written.extend(lines)

    log = AccessLog(1, write)
    task = asyncio.create_task(log.run())
    log.note({"number": 1})
    await wait_until(writes.is_set, "the reader is slow")
    log.note({"number": 2})
    goes_on.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert {line["number"] for line in written} >= {2}


async def test_the_last_lines_are_written_when_it_ends() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    async with AsyncExitStack() as started:
        log = access_log.opened("all", 100, started)
        assert log is not None
        log.note({"request_id": "last", "outcome": "ok"})
        assert access_log.opened("off", 100, started) is None
        await asyncio.sleep(0)

    [line] = map(json.loads, stream.getvalue().splitlines())
    assert (line["request_id"], line["level"], line["logger"]) == ("last", "info", "holdfast.access")


def test_lines_of_several_processes_stay_whole() -> None:
    """Each write is no longer than what a pipe takes at once, and ends with a line."""
    writes: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            writes.append(text)
            return len(text)

    logs.configure("info", "json", Stream())
    logs.write_together([{"event": "request", "name": "ş" * (number % 200)} for number in range(500)])

    assert all(len(text.encode()) <= 4096 and text.endswith("\n") for text in writes)
    assert sum(text.count("\n") for text in writes) == 500


def test_it_is_silent_where_the_log_is_for_warnings() -> None:
    stream = io.StringIO()
    logs.configure("warning", "json", stream)
    logs.write_together([{"event": "request"}])

    assert stream.getvalue() == ""


def test_what_a_terminal_would_obey_is_shown_as_an_escape() -> None:
    for fmt in ("json", "text"):
        stream = io.StringIO()
        logs.configure("info", fmt, stream)
        logs.write_together(
            [
                {
                    "at": "now",
                    "level": "info",
                    "event": "request",
                    "logger": "holdfast.access",
                    "order_ref": "\x1b[2J\u202e",
                }
            ]
        )
        assert "\x1b" not in stream.getvalue()
        assert "\u202e" not in stream.getvalue()
        assert stream.getvalue().count("\n") == 1
