"""The Python client over real connections to a server that is not Holdfast: it tells what each answer is to."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import httpx
import pytest

import holdfast
from holdfast.transport import ANSWER_BYTES_MAX
from tests.clients.other_server import Answers, Handler, beats, first_then, serving, value
from tests.clients.sides import MODES, python_client
from tests.support.http import ROOT

THREADS: Final = 120
"""More than httpx has connections."""
QUICK: Final = holdfast.Policy(deadline_s=20, pause_s=0.01, pause_max_s=0.05)
ONCE: Final = holdfast.Policy(deadline_s=20, tries_max=1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "spoiled",
    [
        lambda request: request.end_after(value(request)[:-9]),
        lambda request: request.say(value(request), cut=9),
        lambda request: request.say(b"<h1>Sign in to this network</h1>", "text/html"),
        lambda request: request.say(b"{}"),
    ],
    ids=["cut at the end of the connection", "cut", "a page", "another server"],
)
def test_given_an_answer_that_is_none_when_a_value_is_read_then_it_is_asked_for_again(
    mode: str, spoiled: Answers
) -> None:
    answers = first_then(spoiled, lambda request: request.say(value(request)))
    with serving(answers) as (url, seen), python_client(mode, url, policy=QUICK) as client:
        assert client.availability.read("Çay").available == 3
        assert len(seen) == 2


@pytest.mark.parametrize("mode", MODES)
def test_given_an_answer_without_end_when_it_is_read_then_the_memory_stays_bounded(mode: str) -> None:
    piece = b" " * (1 << 20)

    def endless(request: Handler) -> None:
        request.send_response(200)
        request.send_header("Connection", "close")
        request.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(4 * ANSWER_BYTES_MAX // len(piece)):
                request.wfile.write(piece)
        request.close_connection = True

    with (
        serving(endless) as (url, _),
        python_client(mode, url, policy=ONCE) as client,
        pytest.raises(holdfast.Unavailable, match="more than 64 MiB"),
    ):
        client.availability.read("A")


def test_given_many_threads_when_they_share_a_client_then_each_gets_its_own_answers() -> None:
    def reads(number: int) -> None:
        for each in range(5):
            sku = f"{'x' * number}-{each}"
            assert client.availability.read(sku).sku == sku

    with (
        serving(lambda request: request.say(value(request))) as (url, _),
        holdfast.Client(url, policy=QUICK) as client,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        for done in [pool.submit(reads, number) for number in range(THREADS)]:
            done.result()


FORKS: Final = """
import os, sys
import holdfast

client = holdfast.Client(sys.argv[1])
quick = client.with_options(deadline_s=15)
assert client.availability.read("before").sku == "before"
children = []
for child in range(4):
    pid = os.fork()
    if not pid:
        skus = [f"{child}-{number}" for number in range(100)]
        fine = all(one.availability.read(sku).sku == sku for sku in skus for one in (client, quick))
        os._exit(0 if fine else 1)
    children.append(pid)
skus = [f"parent-{number}" for number in range(100)]
assert all(client.availability.read(sku).sku == sku for sku in skus)
print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children])
"""


def ran(program: str, url: str) -> str:
    """Run a program beside, and return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    done = subprocess.run(
        [sys.executable, "-c", program, url], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_given_a_fork_when_parent_and_children_use_the_client_then_each_gets_its_own_answers() -> None:
    with serving(lambda request: request.say(value(request))) as (url, _):
        assert ran(FORKS, url) == "[0, 0, 0, 0]\n"


TRIES: Final = """
        try:
            client.availability.read("A")
        except RuntimeError as error:
            os._exit(3 if "fork" in str(error) else 4)
"""


def test_given_connections_of_the_callers_own_when_they_were_used_before_a_fork_then_the_child_is_told() -> None:
    program = FORKS.replace("import holdfast\n", "import holdfast, httpx\n")
    program = program.replace("Client(sys.argv[1])", "Client(sys.argv[1], http=httpx.Client())")
    program = program.replace("        skus = [f", TRIES + "        skus = [f", 1)
    with serving(lambda request: request.say(value(request))) as (url, _):
        assert ran(program, url) == "[3, 3, 3, 3]\n"


async def test_given_tasks_that_are_cancelled_on_their_way_when_others_follow_then_the_client_works_as_before() -> None:
    slow, cancelled = threading.Event(), 150

    def answers(request: Handler) -> None:
        if "slow" in request.path:
            slow.wait(20)
        request.say(value(request))

    with serving(answers) as (url, seen):
        async with holdfast.AsyncClient(url, policy=QUICK) as client:
            tasks = [asyncio.create_task(client.availability.read(f"slow-{number}")) for number in range(cancelled)]
            while len(seen) < 50:
                await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(each) for each in ended} == {asyncio.CancelledError}
            slow.set()
            skus = [f"quick-{number}" for number in range(cancelled)]
            assert [each.sku for each in await asyncio.gather(*map(client.availability.read, skus))] == skus


LOOPS: Final = """
import asyncio, sys
import holdfast

client = holdfast.AsyncClient(sys.argv[1])

async def reads():
    return (await client.availability.read("abc")).available

print([asyncio.run(reads()) for _ in range(3)])
"""


def test_given_one_event_loop_after_another_when_a_client_is_used_in_both_then_it_works_in_both() -> None:
    with serving(lambda request: request.say(value(request))) as (url, _):
        assert ran(LOOPS, url) == "[3, 3, 3]\n"


@pytest.mark.parametrize("mode", MODES)
def test_given_a_page_in_place_of_the_stream_when_changes_are_followed_then_it_counts_as_not_open(mode: str) -> None:
    event = b'id: 1-0\nevent: availability\ndata: {"sku":"A","available":3,"seq":1,"as_of":"2026-11-30T12:00:00Z"}\n\n'
    answers = first_then(
        lambda request: request.say(b"<h1>Sign in</h1>", "text/html"),
        lambda request: request.say(event, "text/event-stream"),
    )
    with (
        serving(answers) as (url, seen),
        python_client(mode, url, policy=QUICK) as client,
        client.changes.stream("0") as changes,
    ):
        assert len(seen) == 2
        assert next(iter(changes)).view.available == 3


def test_given_a_stream_that_another_thread_closes_when_it_is_iterated_then_it_is_over() -> None:
    with serving(beats) as (url, seen), holdfast.Client(url, policy=QUICK) as client:
        changes = client.changes.stream("0")
        with ThreadPoolExecutor(1) as pool:
            iterated = pool.submit(list, changes)
            while not seen:
                time.sleep(0.01)
            changes.close()
            assert iterated.result(20) == []
        assert len(seen) == 1


async def test_given_a_stream_that_another_task_closes_when_it_is_iterated_then_it_is_over() -> None:
    with serving(beats) as (url, seen):
        async with holdfast.AsyncClient(url, policy=QUICK) as client:
            changes = client.changes.stream("0")

            async def iterates() -> list[holdfast.Change]:
                return [change async for change in changes]

            iterated = asyncio.create_task(iterates())
            while not seen:
                await asyncio.sleep(0.01)
            await changes.aclose()
            assert await asyncio.wait_for(iterated, 20) == []
        assert len(seen) == 1


@pytest.mark.parametrize("key", ["hf_a_b\n", " hf_a_b "])
def test_given_a_key_as_it_stands_in_a_file_when_it_is_used_then_the_space_around_it_is_none_of_it(key: str) -> None:
    keys = list[str]()

    def answers(request: Handler) -> None:
        keys.append(request.headers["Authorization"])
        request.say(value(request))

    with serving(answers) as (url, _), holdfast.Client(url, key, policy=QUICK) as client:
        client.availability.read("A")
    assert keys == ["Bearer hf_a_b"]


@pytest.mark.parametrize("key", ["hf_a\nb", "hf_ş", "hf_a b"])
def test_given_what_no_key_can_be_when_a_client_is_made_then_that_is_said(key: str) -> None:
    with pytest.raises(ValueError, match="the key of a client is"):
        holdfast.Client("http://127.0.0.1:8080", key)


@pytest.mark.parametrize("url", ["", "stock.example", "ftp://stock.example", "http://", "http://h?a=b", "http://h/#x"])
def test_given_what_is_no_address_when_a_client_is_made_then_that_is_said(url: str) -> None:
    with pytest.raises(ValueError, match="the url of a server"):
        holdfast.Client(url)


def test_connections_of_the_callers_own_stay_open() -> None:
    with serving(lambda request: request.say(value(request))) as (url, _), httpx.Client() as http:
        with holdfast.Client(url, http=http) as client:
            client.availability.read("A")
        assert not http.is_closed
