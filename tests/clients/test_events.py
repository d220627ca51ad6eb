"""The stream of changes without a network: what the Python client makes of its lines, and of its end."""

import json

import pytest

from holdfast import Policy, Refused, SnapshotNeeded, StreamClosed
from holdfast.events import Change, Following, Lines
from holdfast.types import SnapshotPage
from holdfast.verdicts import Answer

VIEW = {"sku": "Çay", "available": 3, "seq": 7, "as_of": "2026-11-30T12:00:00Z"}
DATA = json.dumps(VIEW, ensure_ascii=False)


def following(after: str = "", *, reads_all: bool = False) -> Following:
    made = Following(after, Policy(), reads_all=reads_all)
    made.begin_stream()
    return made


def fed(into: Following, text: str) -> list[Change]:
    return into.take_chunk(text.encode())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_events_are_found_however_their_bytes_come(size: int, ending: str) -> None:
    text = f": still here\n\nretry: 250\nid: 1-0\n\nevent: availability\nid: 2-0\ndata: {DATA}\n\n"
    raw = text.replace("\n", ending).encode()
    lines = Lines()

    events = [event for at in range(0, len(raw), size) for event in lines.feed(raw[at : at + size])]

    assert [(event.name, event.id, "\n".join(event.data)) for event in events] == [
        ("", "1-0", ""),
        ("availability", "2-0", DATA),
    ]
    assert lines.retry_s == 0.25


GOOD = f"event: availability\nid: 2-0\ndata: {DATA}\n\n"


@pytest.mark.parametrize("bad", ["<h1>", "{}", '{"sku": 3}', "null"])
def test_what_is_no_value_breaks_the_stream_off_and_the_place_is_that_of_the_last_one_that_was(bad: str) -> None:
    stream = following("1-0")

    changes = fed(stream, f"{GOOD}event: availability\nid: 3-0\ndata: {bad}\n\n")

    assert [change.position for change in changes] == ["2-0"]
    assert (stream.position, stream.broke_off, stream.comes_back) == ("2-0", True, True)


def test_what_is_unreadable_twice_at_the_same_place_ends_the_stream() -> None:
    stream = following("1-0")
    for _ in range(2):
        assert stream.ending is None
        stream.begin_stream()
        fed(stream, "event: availability\nid: 3-0\ndata: <h1>\n\n")

    assert isinstance(stream.ending, StreamClosed)
    assert stream.ending.reason == "unreadable"
    assert stream.position == "1-0"


def test_a_line_without_an_end_breaks_the_stream_off() -> None:
    stream = following("1-0")

    fed(stream, GOOD + "x" * 8_000_001)

    assert (stream.position, stream.broke_off) == ("2-0", True)


def test_an_event_without_an_end_breaks_the_stream_off_too() -> None:
    stream = following("1-0")

    for _ in range(10):
        fed(stream, "data: x\n" * 125_000)

    assert (stream.position, stream.broke_off) == ("1-0", True)


@pytest.mark.parametrize("text", ["²", "-5", "9" * 5_000, "1e9", ""])
def test_an_absurd_time_to_wait_is_none_or_bounded(text: str) -> None:
    stream = following("1-0")

    changes = fed(stream, f"retry: {text}\n{GOOD}")

    assert len(changes) == 1
    assert stream.pause_s() <= 300


def test_a_stream_that_could_not_be_opened_for_hours_still_comes_back() -> None:
    stream = following("1-0")

    assert max(stream.pause_s() for _ in range(2_000)) <= 6.5


def test_a_value_that_is_nested_without_end_breaks_the_stream_off() -> None:
    stream = following("1-0")

    fed(stream, 'event: availability\nid: 2-0\ndata: {"x":' + "[" * 100_000 + "\n\n")

    assert (stream.position, stream.broke_off) == ("1-0", True)


def test_a_change_has_the_place_from_which_nothing_is_missed() -> None:
    stream = following()
    event = f"event: availability\ndata: {DATA}\n\n"

    changes = fed(stream, f"retry: 1000\nid: 1-0\n\n{event}id: 2-0\n{event}{event}")

    # Only the last of a group has an id: who was worked off before it has to be sent again.
    assert [change.position for change in changes] == ["1-0", "2-0", "2-0"]
    assert changes[0].view.sku == "Çay"
    assert stream.stream_call().path == "/v1/changes?after=2-0"


def test_a_reset_says_that_a_snapshot_is_needed_after_what_came_before() -> None:
    stream = following("1-0")

    changes = fed(stream, f'event: availability\ndata: {DATA}\n\nid: 9-0\nevent: reset\ndata: {{"reason":"gone"}}\n\n')

    assert len(changes) == 1
    assert isinstance(stream.ending, SnapshotNeeded)
    assert "availability.snapshot" in str(stream.ending)


def test_a_reset_of_who_reads_all_begins_a_snapshot_and_goes_on_where_that_says() -> None:
    stream = following("1-0", reads_all=True)

    fed(stream, 'event: reset\ndata: {"reason":"gone"}\n\n')

    assert (stream.broke_off, stream.ending, stream.wants_page) == (True, None, True)
    assert stream.page_call().path == "/v1/snapshot"
    stream.take_page(SnapshotPage(availability=[], changes_after="5-0", next="7"))
    assert stream.page_call().path == "/v1/snapshot?after=7"
    stream.take_page(SnapshotPage(availability=[], changes_after="5-0", next=""))
    assert (stream.wants_page, stream.stream_call().path) == (False, "/v1/changes?after=5-0")


def closed(reason: str, *, retryable: bool) -> str:
    return f"event: closed\ndata: {json.dumps({'reason': reason, 'detail': 'D', 'retryable': retryable})}\n\n"


@pytest.mark.parametrize("reason", ["stopping", "made_room", "a reason of a later release"])
def test_a_stream_that_may_come_back_does(reason: str) -> None:
    stream = following("1-0")

    fed(stream, closed(reason, retryable=True))

    assert (stream.broke_off, stream.ending, stream.comes_back) == (True, None, True)


@pytest.mark.parametrize(
    ("reason", "retryable"), [("key_revoked", False), ("scope_removed", False), ("token_expired", True)]
)
def test_a_stream_that_needs_another_key_ends(reason: str, *, retryable: bool) -> None:
    stream = following("1-0")

    fed(stream, closed(reason, retryable=retryable))

    assert isinstance(stream.ending, StreamClosed)
    assert stream.ending.reason == reason


def test_a_key_of_another_partition_has_everything_read_again() -> None:
    stream = following("1-0")

    fed(stream, closed("partition_changed", retryable=True))

    assert isinstance(stream.ending, SnapshotNeeded)


def test_what_is_no_stream_is_a_refusal_or_a_longer_pause() -> None:
    stream = following("1-0")
    body = {"type": "", "title": "", "status": 401, "detail": "", "outcome": "unauthorized", "retryable": False}
    headers = {"content-type": "application/problem+json"}

    with pytest.raises(Refused):
        stream.take_answer(Answer(401, headers, json.dumps(body).encode()))
    assert stream.take_answer(Answer(503, {"retry-after": "9"}, b"")) == "503 empty"
    assert stream.pause_s() >= 9
    assert stream.pause_s() < 9
