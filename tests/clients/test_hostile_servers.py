"""Servers and proxies that do harm: a key stays with its server, streams stay bounded, and nothing is done twice."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

import holdfast
from tests.clients.js_side import js_side
from tests.clients.other_server import Handler, beats, first_then, refusal, serving, value
from tests.clients.sides import MODES, PythonSide, Side, python_client

KINDS = [*MODES, "js"]
KEY = "hf_a_b"
QUICK = holdfast.Policy(deadline_s=20, tries_max=4, pause_s=0.01, pause_max_s=0.05)
QUICK_MS = {"deadlineMs": 20_000, "triesMax": 4, "pauseMs": 10, "pauseMaxMs": 50}
EVENT = b'id: 1-0\nevent: availability\ndata: {"sku":"A","available":3,"seq":1,"as_of":"2026-11-30T12:00:00Z"}\n\n'
PAGE = b'{"availability":[],"changes_after":"0-0","next":""}'


@contextmanager
def side_of(kind: str, url: str) -> Iterator[Side]:
    if kind == "js":
        with js_side(url, KEY, **QUICK_MS) as side:
            yield side
    else:
        with python_client(kind, url, KEY, policy=QUICK) as client:
            yield PythonSide(client)


# -- redirects


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_given_a_redirect_when_something_is_counted_then_nothing_goes_to_the_other_host(kind: str, status: int) -> None:
    def points(request: Handler) -> None:
        request.say(b"", status=status, Location=f"{elsewhere}{request.path}")

    with (
        serving(lambda request: request.say(value(request))) as (elsewhere, seen),
        serving(points) as (url, asked),
        side_of(kind, url) as side,
    ):
        for method, named in (("count", {"sku": "A", "location": "main", "on_hand": 1}), ("read", {"sku": "A"})):
            with pytest.raises((holdfast.Unavailable, AssertionError), match="It points to"):
                side.call("stock", method, named)
        assert (len(asked), seen) == (2, [])


def test_given_connections_that_follow_redirects_when_the_client_has_them_then_it_follows_none() -> None:
    def points(request: Handler) -> None:
        request.say(b"", status=307, Location=f"{elsewhere}{request.path}")

    with (
        serving(lambda request: request.say(value(request))) as (elsewhere, seen),
        serving(points) as (url, _),
        httpx.Client(follow_redirects=True) as http,
        holdfast.Client(url, KEY, http=http) as client,
    ):
        with pytest.raises(holdfast.Unavailable, match="It points to"):
            client.stock.count("A", on_hand=1)
        with pytest.raises(holdfast.Unavailable, match="It points to"), client.changes.stream():
            pass
        assert seen == []


@pytest.mark.parametrize("url", ["http://user:secret@stock.example?", "http://h:99999", "http://h:x", "http://h h"])
def test_given_an_address_that_is_none_or_has_a_password_when_a_client_is_made_then_that_is_said(url: str) -> None:
    with pytest.raises(ValueError, match="the url of a server") as raised:
        holdfast.Client(url)
    assert "secret" not in str(raised.value)


def test_given_an_address_as_it_stands_in_a_file_when_it_is_used_then_it_works() -> None:
    with serving(lambda request: request.say(value(request))) as (url, _), holdfast.Client(f" {url}/\n") as client:
        assert client.availability.read("A").sku == "A"


# -- what would be done twice


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("resource", "method", "named"),
    [
        ("outbox", "send_again", {"channel": "shop", "ids": ["ship-1"]}),
        ("sources", "decide", {"source": "erp", "decision": "confirmed"}),
        ("keys", "create", {"scopes": ["read"]}),
        ("keys", "rotate", {"key_id": "a"}),
        ("orders", "add_note", {"channel": "shop", "number": "1", "text": "call back"}),
        ("files", "send", {"kind": "import", "file": "sku", "dry_run": False}),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_given_a_lost_answer_when_a_repeat_would_do_more_then_it_is_sent_once(
    kind: str, resource: str, method: str, named: dict[str, object]
) -> None:
    with serving(lambda request: request.say(b"{", cut=1)) as (url, seen), side_of(kind, url) as side:
        with pytest.raises((holdfast.OutcomeUnknown, AssertionError), match=r"To find out, (list|read) the "):
            side.call(resource, method, named)
        assert len(seen) == 1


@pytest.mark.parametrize("mode", MODES)
def test_given_a_proxy_that_lets_nobody_through_when_something_would_be_added_then_nothing_happened(mode: str) -> None:
    with serving(lambda request: request.say(b"")) as (proxy, _), contextlib.ExitStack() as opened:
        http = httpx.Client(proxy=proxy) if mode == "sync" else httpx.AsyncClient(proxy=proxy)
        client = opened.enter_context(python_client(mode, "https://stock.example", KEY, policy=QUICK, http=http))
        with pytest.raises(holdfast.Unavailable, match="Nothing changed"):
            client.orders.add_note("shop", "1", "call back")
        if isinstance(http, httpx.Client):
            http.close()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", ["stream", "follow"])
def test_given_a_proxy_that_knows_no_such_host_when_changes_are_followed_then_that_is_said(
    mode: str, method: str
) -> None:
    with (
        serving(lambda request: request.say(b"<h1>no such host</h1>", "text/html", status=404)) as (url, _),
        python_client(mode, url, KEY, policy=QUICK) as client,
        pytest.raises(holdfast.Unavailable, match="no such host") as raised,
        getattr(client.changes, method)() as changes,
    ):
        next(iter(changes))
    assert raised.value.outcome == "not_holdfast"


# -- time


@pytest.mark.parametrize("kind", KINDS)
def test_given_an_answer_that_comes_byte_by_byte_when_its_time_is_over_then_it_is_given_up(kind: str) -> None:
    def drips(request: Handler) -> None:
        request.go_on(b" ", "application/json", every_s=0.02, Content_Length=100_000)

    answers = first_then(drips, lambda request: request.say(value(request)))
    with serving(answers) as (url, seen), contextlib.ExitStack() as opened:
        if kind == "js":
            side: Side = opened.enter_context(js_side(url, KEY, **QUICK_MS, tryMs=1_000))
        else:
            policy = holdfast.Policy(deadline_s=20, try_s=1, pause_s=0.01)
            side = PythonSide(opened.enter_context(python_client(kind, url, KEY, policy=policy)))
        assert side.call("availability", "read", {"sku": "A"})["sku"] == "A"
        assert len(seen) > 1


def test_given_a_client_with_time_without_end_when_it_calls_in_javascript_then_no_timer_overflows() -> None:
    answers = first_then(
        lambda request: refusal(request, 503, "overloaded"), lambda request: request.say(value(request))
    )
    with serving(answers) as (url, seen), js_side(url, KEY, deadlineMs=1e12, tryMs=1e12, pauseMs=10) as side:
        assert side.call("availability", "read", {"sku": "A"})["sku"] == "A"
        assert len(seen) == 2


# -- streams


@pytest.mark.parametrize("mode", MODES)
def test_given_a_page_without_end_in_place_of_the_stream_when_it_is_opened_then_it_is_left(mode: str) -> None:
    def endless(request: Handler) -> None:
        request.go_on(b" " * (1 << 20), "text/html")

    answers = first_then(endless, lambda request: request.say(EVENT, "text/event-stream"))
    with (
        serving(answers) as (url, _),
        python_client(mode, url, KEY, policy=QUICK) as client,
        client.changes.stream("0") as changes,
    ):
        assert next(iter(changes)).view.available == 3


def test_given_a_refused_stream_when_it_is_iterated_again_then_it_is_over() -> None:
    with (
        serving(lambda request: refusal(request, 401, "unauthorized")) as (url, seen),
        holdfast.Client(url, KEY, policy=QUICK) as client,
    ):
        changes = client.changes.stream("0")
        with pytest.raises(holdfast.AccessRefused):
            next(changes)
        assert list(changes) == []
        assert len(seen) == 1


async def test_given_a_refused_stream_when_it_is_iterated_again_in_asyncio_then_it_is_over() -> None:
    with serving(lambda request: refusal(request, 401, "unauthorized")) as (url, seen):
        async with holdfast.AsyncClient(url, KEY, policy=QUICK) as client:
            changes = client.changes.stream("0")
            with pytest.raises(holdfast.AccessRefused):
                await anext(changes)
            assert [change async for change in changes] == []
        assert len(seen) == 1


def test_given_values_that_are_ready_when_the_stream_is_closed_then_it_is_over() -> None:
    answer = EVENT + EVENT.replace(b"1-0", b"2-0")
    with serving(lambda request: request.say(answer, "text/event-stream")) as (url, seen):
        with holdfast.Client(url, policy=QUICK) as client, client.changes.stream("0") as changes:
            assert next(changes).position == "1-0"
        assert (list(changes), len(seen)) == ([], 1)


def test_given_a_stream_that_waits_to_come_back_when_it_is_closed_then_it_is_over_at_once() -> None:
    with (
        serving(lambda request: refusal(request, 503, "overloaded", Retry_After="300")) as (url, seen),
        holdfast.Client(url, policy=QUICK) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        changes = client.changes.stream("0")
        iterated = pool.submit(list, changes)
        while not seen:
            time.sleep(0.01)
        changes.close()
        assert iterated.result(60) == []
        assert len(seen) == 1


def test_given_a_client_that_is_closed_when_its_stream_is_iterated_then_that_is_over() -> None:
    with serving(beats) as (url, seen), ThreadPoolExecutor(1) as pool:
        with holdfast.Client(url, policy=QUICK) as client:
            iterated = pool.submit(list, client.changes.stream("0"))
            while not seen:
                time.sleep(0.01)
        assert iterated.result(60) == []
        assert len(seen) == 1


@pytest.mark.parametrize("mode", MODES)
def test_given_a_server_that_is_away_when_all_is_read_then_it_comes_back_until_it_is_there(mode: str) -> None:
    left = [QUICK.tries_max * 3]

    def answers(request: Handler) -> None:
        if left[0]:
            left[0] -= 1
            refusal(request, 503, "overloaded")
        elif "snapshot" in request.path:
            request.say(PAGE)
        else:
            request.say(EVENT, "text/event-stream")

    with (
        serving(answers) as (url, _),
        python_client(mode, url, KEY, policy=QUICK) as client,
        client.changes.follow() as changes,
    ):
        assert next(iter(changes)).view.available == 3


@pytest.mark.parametrize("mode", MODES)
def test_given_a_stream_when_it_is_observed_then_each_try_has_its_seconds(mode: str) -> None:
    tries = list[holdfast.Try]()

    def slow(request: Handler) -> None:
        time.sleep(0.05)
        request.say(EVENT, "text/event-stream")

    with (
        serving(slow) as (url, _),
        python_client(mode, url, policy=QUICK, observe=tries.append) as client,
        client.changes.stream("0") as changes,
    ):
        values = iter(changes)
        next(values)
        next(values)
    opened, broken = tries[:2]
    assert (opened.status, broken.status) == (200, 0)
    assert broken.seconds >= opened.seconds >= 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_given_a_server_that_takes_no_connection_when_called_then_nothing_happened(kind: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with (
            side_of(kind, url) as side,
            pytest.raises((holdfast.Unavailable, AssertionError), match="Nothing changed; try again later"),
        ):
            side.call("orders", "add_note", {"channel": "shop", "number": "1", "text": "call back"})


async def test_given_a_wait_for_a_change_that_is_cancelled_when_the_next_one_comes_then_nothing_was_missed() -> None:
    left = [2]

    def answers(request: Handler) -> None:
        left[0] -= 1
        if left[0]:
            beats(request)
        else:
            request.say(EVENT, "text/event-stream")

    with serving(answers) as (url, seen):
        async with (
            holdfast.AsyncClient(url, policy=QUICK) as client,
            client.changes.stream("0") as changes,
        ):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(changes), 0.1)
            assert (await anext(changes)).position == "1-0"
        assert [path.partition("=")[2] for path in seen] == ["0", "0"]
