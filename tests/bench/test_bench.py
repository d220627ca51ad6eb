"""The bench itself: it counts right, judges right, and finds a server that answers wrongly."""

import asyncio
import contextlib
import importlib.util
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as bench
from bench.harness import load, pages, stock
from bench.harness.bars import Bar
from bench.harness.black_box import ROOT
from bench.harness.driver import WrongAnswerError, drive
from bench.harness.figures import Figure, figure
from bench.harness.http1 import Messages, message
from bench.harness.load import LoadError, Result
from bench.harness.neighbours import _ours_s
from bench.harness.report import Table, bars_table
from bench.harness.stores import Store, connect
from bench.http import (
    before_after,
    contestants,
    event_streams,
    event_subscribers,
    http_table,
    instructions,
    lateness,
    one_round,
    reserve_way,
)
from bench.http.before_after import Checkout, OtherCheckoutError
from bench.http.contestants import Contestant, MiscountError, Server
from bench.http.counted_server import CALL, COMPREHENSION, RESUMED, Recorder
from bench.http.event_subscribers import Question, Subscriber
from bench.http.reserve_way import NoWayError, Step
from bench.propagation import figures, propagation, setup
from bench.propagation.channels import Arrival
from bench.propagation.figures import NeverReceivedError, Sale
from bench.store import sourcing_table, store_table
from server.store.embedded.binary import find_binary
from server.store.embedded.files import DataDirectory
from tests.support.stores import wait_until


@pytest.fixture(scope="module")
def bench_store() -> Iterator[Store]:
    with Store(find_binary()) as store:
        yield store


@pytest.fixture
def empty_store(bench_store: Store) -> Store:
    bench_store.client.flushdb()
    return bench_store


@pytest.fixture
def holdfast(tmp_path: Path) -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        server = contestants.start("fast", tmp_path, stack)
        server.fill()
        yield server


def result(rate: float, p50_us: int = 100) -> Result:
    return Result(int(rate), 1_000_000, p50_us, 2 * p50_us, 0, 0)


def cells_where(rates: dict[Contestant, float], p50_us: dict[Contestant, int]) -> http_table.Cells:
    return {
        (number, each): [result(rates.get(each, 1000.0), p50_us.get(each, 100))]
        for number in (1, 32, 128)
        for each in contestants.ALL
    }


# -- figures and bars


def test_the_median_of_the_rounds_counts_and_their_extremes_are_kept() -> None:
    rounds = figure([30.0, 10.0, 20.0])

    assert (rounds.low, rounds.median, rounds.high) == (10.0, 20.0, 30.0)


def test_ratios_are_taken_round_by_round() -> None:
    # given a machine that was twice as slow in the second round
    ratio = figure([75.0, 37.5]).over(figure([100.0, 50.0]))

    assert ratio.rounds == [0.75, 0.75]


@pytest.mark.parametrize(
    ("sense", "limit", "measured", "reached"),
    [("≥", 0.75, 0.75, True), ("≥", 0.75, 0.74, False), ("≤", 2.0, 2.0, True), ("≤", 2.0, 2.01, False)],
)
def test_a_bar_is_reached_on_its_own_side(sense: str, limit: float, measured: float, reached: bool) -> None:
    assert Bar("a bar", sense, limit, Figure([measured])).reached is reached  # type: ignore[arg-type]  # its two senses


def test_bars_over_http_are_judged_against_the_no_op_of_the_same_connections() -> None:
    # given a server with 80 % of the no-op's rate and three times its p50
    cells = cells_where({contestants.DURABLE: 800.0}, {contestants.FAST: 300, contestants.DURABLE: 300})

    reached = {bar.title: bar.reached for bar in http_table.bars(cells)}

    assert reached["Holdfast durable, hot, 32 connections: requests/s of the no-op's"]
    assert reached["Holdfast durable, hot, 1 connection: p50 of the no-op's"]
    assert not reached["Holdfast fast, hot, 1 connection: p50 of the no-op's"]


def test_a_missed_bar_is_reported_in_capitals() -> None:
    table = bars_table([Bar("speed", "≥", 2.0, Figure([1.0]))])

    assert table.rows == [("speed", "≥ 2.00 ×", "1.00 ×", "NO")]


def test_a_table_is_the_same_in_markdown() -> None:
    table = Table("Speed", ["server", "per s"])
    table.add("ours", "1,000")

    assert table.markdown() == "**Speed**\n\n| server | per s |\n| :-- | --: |\n| ours | 1,000 |\n"


# -- load


def test_the_result_of_wrk_is_read_from_its_own_output() -> None:
    found = '{"requests":7,"duration_us":1000000,"p50_us":1,"p99_us":2,"failed":0,"socket_errors":0}'
    output = f"Running 1s test\nRESULT {found}\n"

    assert load.parse(output) == Result(7, 1_000_000, 1, 2, 0, 0)


def test_a_loader_without_a_result_is_an_error() -> None:
    with pytest.raises(LoadError):
        load.parse("unable to connect to 127.0.0.1:1\n")


@pytest.mark.parametrize("with_wrk", [True, False], ids=["wrk", "aiohttp"])
@pytest.mark.soak
def test_every_reservation_of_the_load_is_held_afterwards(
    holdfast: Server, with_wrk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if with_wrk and load.loader() != "wrk":
        pytest.skip("wrk is not installed: apt-get install wrk")
    if not with_wrk:
        monkeypatch.setattr(load, "loader", lambda: "aiohttp client")

    found = load.load(holdfast.url, connections=4, seconds=1, skus=100)
    holdfast.count(found.requests, 4)

    assert found.requests > 0
    holdfast.check()


@pytest.mark.soak
def test_a_server_that_refuses_gives_no_figure(tmp_path: Path) -> None:
    # given a server without any stock
    with contextlib.ExitStack() as stack:
        server = contestants.start("fast", tmp_path, stack)

        with pytest.raises(LoadError, match="not a success"):
            load.load(server.url, connections=1, seconds=1, skus=1)


@pytest.mark.soak
def test_an_acknowledged_reservation_that_is_not_held_is_found(holdfast: Server) -> None:
    holdfast.count(acknowledged=1, connections=0)

    with pytest.raises(MiscountError):
        holdfast.check()


# -- the machine


def test_work_of_another_process_is_kept_apart_from_the_bench_s_own() -> None:
    # given a child of ours that has burnt a known time, and was waited for
    before_s = _ours_s(100)

    subprocess.run([sys.executable, "-c", _BURN_A_FIFTH_OF_A_SECOND], check=True)

    assert _ours_s(100) - before_s >= 0.2


_BURN_A_FIFTH_OF_A_SECOND = "import time\nwhile time.process_time() < 0.25: pass"


# -- inside the store


def test_what_the_driver_sends_is_what_the_store_holds(empty_store: Store) -> None:
    stock.fill_skus(empty_store.socket, 10)
    stock.fill_reservations(empty_store.socket, 1_000, 10)

    store_table.check(empty_store, 1_000)


def test_an_unexpected_answer_gives_no_figure(empty_store: Store) -> None:
    # given no stock at all
    refused = stock.commands(stock.reserves([0]), 1)

    with pytest.raises(WrongAnswerError):
        drive(empty_store.socket, refused, 1, stock.took_effect)


def test_a_measured_store_is_left_as_it_was(empty_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(store_table.OPERATIONS, 16, 320)
    stock.fill_skus(empty_store.socket, 10)

    store_table.rate(empty_store, store_table.Case(store_table.State(10, 0), 10, 16))

    assert empty_store.client.hlen(stock.keyspace().reservations) == 0
    assert empty_store.client.zcard(stock.keyspace().deadlines) == 0


# -- how late a hold ends


def test_latenesses_are_summed_up() -> None:
    found = lateness.summary([*range(99), -5], holds=100)

    assert (found.p50_ms, found.p99_ms, found.max_ms, found.early) == (49, 98, 98, 1)


def test_a_hold_that_never_ended_is_found() -> None:
    with pytest.raises(AssertionError, match="2 holds were made"):
        lateness.summary([1], holds=2)


# -- from a sale to the channels


def arrived(*arrivals: tuple[int, int, int]) -> figures.Values:
    return figures.values([Arrival(at_us, [(key, quantity)]) for at_us, key, quantity in arrivals])


def test_a_change_counts_as_published_by_its_own_value_or_a_newer_one() -> None:
    # given two sales of one SKU, of which only the second's value was published to the channel
    sales = [Sale(1, 9, at_ms=1_000), Sale(1, 8, at_ms=1_005)]

    delays_ms = list(figures.delays_ms(sales, arrived((1_010_500, 1, 8))))

    assert delays_ms == [10.5, 5.5]


def test_an_older_value_does_not_report_a_change() -> None:
    sales = [Sale(1, 8, at_ms=1_000)]

    delays_ms = list(figures.delays_ms(sales, arrived((1_001_000, 1, 9), (1_007_000, 1, 8))))

    assert delays_ms == [7.0]


def test_a_change_that_was_never_published_gives_no_figure() -> None:
    with pytest.raises(NeverReceivedError):
        list(figures.delays_ms([Sale(1, 8, at_ms=1_000)], arrived((1_001_000, 1, 9))))


def test_a_value_that_arrives_after_a_newer_one_is_counted() -> None:
    assert figures.backwards(arrived((1, 7, 5), (2, 7, 4), (3, 7, 5), (4, 8, 9))) == 1


def test_a_channel_is_right_when_the_last_value_it_got_is_the_newest() -> None:
    wanted = figures.last_values([Sale(1, 9, 0), Sale(1, 8, 0)])

    assert figures.is_right(arrived((1, 1, 9), (2, 1, 8)), wanted)
    assert not figures.is_right(arrived((1, 1, 8), (2, 1, 9)), wanted)


def test_messages_are_cut_out_however_they_are_split() -> None:
    sent = message("POST / HTTP/1.1", b'{"n":1}', "Host: here") + message("POST / HTTP/1.1", b"{}", "Host: here")

    for size in (1, 7, len(sent)):
        messages = Messages()
        parts = (sent[first : first + size] for first in range(0, len(sent), size))
        found = [body for part in parts for _, body in messages.feed(part)]
        assert found == [b'{"n":1}', b"{}"]


@pytest.mark.soak  # twenty channels and a loader, to see one figure
def test_sales_at_a_pace_reach_every_channel(tmp_path: Path) -> None:
    # given the server and the channels of the bench
    with setup.running(tmp_path) as (server, channels):
        found = propagation.stretch(server, channels, 1, list(setup.CHANNELS), sales_per_s=20)

    assert found.sold.failed == 0
    assert 0 < found.p50_ms <= found.p99_ms <= found.max_ms


# -- sourcing


@pytest.mark.parametrize("case", [sourcing_table.CASES[1], sourcing_table.CASES[-2]], ids=["one line", "ten lines"])
def test_orders_that_are_sourced_hold_as_many_units_as_they_name(
    case: sourcing_table.Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sourcing_table, "ORDERS", 40)

    with sourcing_table.filled(find_binary(), case.stocked_percent) as store:
        assert sourcing_table.rate(store, case) > 0


# -- the whole run


@pytest.mark.soak
def test_a_short_run_prints_the_table_and_the_bars() -> None:
    command = [sys.executable, "-m", "bench", "--only", "http", "--connections", "1", "--rounds", "1", "--seconds", "1"]

    wide = os.environ | {"COLUMNS": "200"}  # so that no title is broken in two
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False, env=wide)

    assert done.returncode == 0, done.stderr
    for each in contestants.ALL:
        assert each.title in done.stdout
    assert "One round only" in done.stdout


@pytest.mark.parametrize("group", ["results", "peers", "scaling"])
def test_the_report_has_a_place_for_the_results(group: str) -> None:
    text = pages.REPORT.read_text("utf-8")

    assert text.index(pages.begin(group)) < text.index(pages.END, text.index(pages.begin(group)))


def test_results_are_saved_in_the_place_of_their_group_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a report that holds the results of another group, too
    report = tmp_path / "report.md"
    other = f"{pages.begin('peers')}\nof peers\n{pages.END}\n"
    report.write_text(f"{other}{pages.begin('results')}\nold\n{pages.END}\nrest\n")
    monkeypatch.setattr(pages, "REPORT", report)
    table = Table("Speed", ["server", "per s"])

    bench.save("results", [("machine", "this one")], bench.Findings(), [table])

    text = report.read_text()
    assert text.startswith(other)
    assert "**Speed**" in text
    assert "old" not in text
    assert text.endswith(f"{pages.END}\nrest\n")


# -- the real mix


def mix(server: Server, *options: str) -> subprocess.CompletedProcess[str]:
    if importlib.util.find_spec("locust") is None:
        pytest.skip("locust is not installed: pip install 'holdfast[bench]'")
    command = [sys.executable, "-m", "locust", "-f", "bench/http/locustfile.py", "--headless", "--only-summary"]
    load_options = ["--host", server.url, "--users", "10", "--spawn-rate", "10", "--run-time", "3s"]
    return subprocess.run(
        [*command, *load_options, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


@pytest.mark.soak
def test_the_real_mix_runs_without_a_failure(holdfast: Server) -> None:
    done = mix(holdfast)

    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("availability", "reserve", "commit", "release"):
        assert name in done.stderr + done.stdout


@pytest.mark.soak
def test_the_real_mix_takes_out_of_stock_for_an_answer(holdfast: Server) -> None:
    done = mix(holdfast, "--on-hand", "5")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.soak
def test_the_real_mix_finds_units_that_somebody_else_took(holdfast: Server, tmp_path: Path) -> None:
    # given somebody else who sells one unit as soon as the mix has sold its first
    socket = DataDirectory(tmp_path / "fast").socket

    def sell_one() -> None:
        with connect(socket) as client:
            wait_until(lambda: client.hlen(stock.keyspace().reservations) > 0, "the mix sells")
        drive(socket, stock.commands(stock.reserves([0]), 1), 1, stock.took_effect)

    with ThreadPoolExecutor(1) as somebody:
        sold = somebody.submit(sell_one)
        done = mix(holdfast, "--skus", f"{stock.sku(0)}|{stock.sku(1)}", "--on-hand", "0")
        sold.result()

    assert done.returncode == 1
    assert "units were reserved, and" in done.stdout + done.stderr


def test_given_two_checkouts_when_taken_in_turn_then_each_round_is_its_own_and_the_ratio_is_the_median() -> None:
    program = "import os, json; print(json.dumps({'rate': float(os.environ['RATE'])}))"
    slow, fast = Checkout(ROOT, {"RATE": "100"}), Checkout(ROOT, {"RATE": "150"})
    lines: list[str] = []

    before, after = before_after.in_turn((slow, fast), (), 2, lines.append, program)

    assert (before, after) == ([{"rate": 100.0}] * 2, [{"rate": 150.0}] * 2)
    assert lines == ["round 1: before", "round 1: after", "round 2: after", "round 2: before"]
    assert before_after.table("http", before, after).rows == [
        ("rate", "100 (100 – 100)", "150 (150 – 150)", "1.50 (1.50 – 1.50)")
    ]


def test_given_a_checkout_whose_bench_fails_when_taken_then_its_output_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OtherCheckoutError, match="no such luck"):
        before_after.take(Checkout(ROOT, {}), (), "raise SystemExit('no such luck')")
    with pytest.raises(OtherCheckoutError, match="make -C"):
        before_after.take(Checkout(tmp_path, {}), ())


def test_given_a_module_that_moved_when_a_round_looks_for_it_then_its_name_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy" / "deep").mkdir(parents=True)
    (tmp_path / "toy" / "deep" / "moved_module.py").write_text("FOUND = True\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    assert one_round.module("moved_module", "toy").FOUND
    with pytest.raises(ImportError, match="0 modules in toy/ are called other"):
        one_round.module("other", "toy")


# -- instructions


class KnownCounter:
    """Says that a server takes 100 instructions for 10 requests and none while idle, and its store none at all."""

    requests = 10

    def __init__(self) -> None:
        self._readings = iter([[0, 0], [100, 0]])

    def python(self, interpreter: str) -> Sequence[str]:
        return (interpreter,)

    def count(self, pids: Sequence[int], work: Callable[[], object]) -> list[int]:
        assert len(pids) == len(instructions.PROCESSES)
        work()
        return next(self._readings)


def test_given_a_counter_when_a_checkout_is_counted_then_the_figure_is_of_one_reserve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(instructions, "counter", lambda _: KnownCounter())
    monkeypatch.setattr(instructions, "_IDLE_S", 0.01)

    found = instructions.measure(ROOT, [2], {})

    assert found == {"2 connections, server": 10.0, "2 connections, its store": 0.0}


# -- the way of a reserve

FRONT = """
async def handle(ask):
    numbers = [each for each in range(_checked(2))]
    return await ask(numbers)

def _checked(number):
    return number
"""
BACK = """
from asyncio import sleep

async def ask(numbers):
    await sleep(0)
    return _packed(numbers)

def _packed(numbers):
    return sum(number for number in numbers)
"""


def toy(root: Path, name: str, text: str) -> dict[str, Any]:
    """Write a file of a toy checkout, and run it."""
    path = root / "server" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    names: dict[str, Any] = {}
    exec(compile(text, str(path), "exec"), names)  # noqa: S102  # a text of our own
    return names


def recorded(root: Path) -> list[Step]:
    """Note the way of the toy."""
    handle, ask = toy(root, "front.py", FRONT)["handle"], toy(root, "back.py", BACK)["ask"]
    recorder = Recorder(root)

    async def main() -> None:
        recorder.begin()
        assert await handle(ask) == 1

    before = sys.getprofile()
    sys.setprofile(recorder.profile)
    try:
        asyncio.run(main())
    finally:
        sys.setprofile(before)
    return [Step(*step) for step in recorder.end()]


def test_given_a_toy_when_its_way_is_noted_then_calls_files_and_changes_are_the_known_ones(tmp_path: Path) -> None:
    steps = recorded(tmp_path)

    assert [step.function for step in steps if step.kind == CALL] == ["handle", "_checked", "ask", "_packed"]
    found = reserve_way.count(steps)
    assert (found.calls, found.calls_into_others, found.files) == (4, 1, 2)
    # front, back, front where the handler goes on, back
    assert found.changes == 4
    comprehensions = sum(step.kind == COMPREHENSION for step in steps)
    assert [step.function for step in steps if step.kind == RESUMED and ">" not in step.function] == ["handle", "ask"]
    # The generator goes on once for each number, and once to end.
    assert found.entries == 4 + 2 + comprehensions + 2


def test_given_a_toy_when_its_way_is_written_then_it_is_indented_by_who_calls_whom(tmp_path: Path) -> None:
    found = reserve_way.way([recorded(tmp_path)], [[]])

    assert list(reserve_way.tree(found)) == [
        "server/front.py:handle",
        "  server/front.py:_checked",
        "  server/back.py:ask",
        "(server/front.py:handle goes on)",
        "  (server/back.py:ask goes on)",
        "    server/back.py:_packed",
    ]


def step_of(function: str) -> Step:
    return Step(CALL, 0, "", "server/app.py", function)


def test_the_way_that_most_requests_took_counts_and_the_control_is_without_what_runs_anyway() -> None:
    usual, disturbed = [step_of("reserve")], [step_of("reserve"), step_of("watch")]

    found = reserve_way.way([usual, disturbed, usual, usual], [[], [step_of("watch")], [], []])

    assert (found.count.calls, found.agreed, found.requests) == (1, 3, 4)
    assert found.control["calls"] == 1.0


def test_requests_that_all_took_other_ways_give_no_figure() -> None:
    with pytest.raises(NoWayError):
        reserve_way.way([[step_of(str(number))] for number in range(10)], [[]])


def test_a_reserve_of_this_checkout_is_followed_through_the_server() -> None:
    lines: list[str] = []

    found = reserve_way.measure(ROOT, 30, lines.append)

    assert len(lines) == 30
    assert found.count.calls > found.count.files > 1
    assert {step.file for step in found.steps} <= {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py")}
    rows = dict(zip(("calls", "into", "files"), reserve_way.table([found, found]).rows, strict=False))
    assert rows["calls"][1:] == (f"{found.count.calls:.0f}", f"{found.count.calls:.0f}", "1.00")


# -- subscribers of the stream of changes


def test_events_are_counted_however_they_are_split() -> None:
    # given what a server sends, in chunks of HTTP
    events = [b'event: availability\ndata: {"sku":"A","available":%d,"seq":1}\n\n' % left for left in (9, 8, -1)]
    parts = [b"HTTP/1.1 200 OK\r\n\r\n", *(b"%x\r\n%b\r\n" % (len(each), each) for each in (b"retry: 1\n\n", *events))]
    sent = b"".join(parts)
    cut = random.Random(5)

    for _ in range(50):
        subscriber, rest = Subscriber(b"", sampled=True), sent
        while rest:
            size = cut.randint(1, len(rest))
            subscriber.data_received(rest[:size])
            rest = rest[size:]
        assert (subscriber.opened, subscriber.events, subscriber.last) == (True, 3, {b"A": b"-1"})


def test_values_that_are_not_the_last_ones_are_wrong() -> None:
    right, late = Subscriber(b"", sampled=False), Subscriber(b"", sampled=False)
    right.last = {b"A": b"1", b"B": b"2"}
    late.last = {b"A": b"2"}

    assert event_subscribers.answer(Question({"A": 1, "B": 2}), [right, late]).wrong == 2


def test_every_subscriber_has_the_last_value_of_every_sku_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "_WARM_UP_S", 1)

    found = event_streams.measure(3, changes_per_s=20, seconds=1)

    assert (found.wrong, found.changes, len(found.events)) == (0, 40, 3)
    # A SKU that changed twice before a stream was served comes once, with its newest value.
    assert 0 < min(found.events) <= max(found.events) <= found.changes
    assert found.commands
    assert event_streams.table([found]).rows[0][0] == "3"


def test_the_rows_end_with_the_subscribers_that_are_asked_for() -> None:
    assert event_streams.rows(1_000) == [0, 10, 100, 1_000]
    assert event_streams.rows(50) == [0, 10, 50]
