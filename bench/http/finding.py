"""How long it takes to find things among very many, and what that costs the orders that come meanwhile.

    python -m bench.http.finding
    python -m bench.http.finding --skus 100000 --reservations 100000 --rounds 2
    python -m bench.http.finding --fill DIR         only fills a server's folder, and keeps it for a day
    python -m bench.http.finding --on DIR           only asks what was filled in there
    python -m bench.http.finding --on DIR --only history --only snapshot

It fills the store of a server, its documents and its index, and then asks each route in turn while orders come at an
even pace. The 99th percentile of the orders is held against that of rounds in which nobody asks. Then each route is
asked alone, for the processor time that a page takes: other work on the machine changes that little.

The history is asked, too. To have one, fill it first: ``python -m bench.store.history --fill DIR/store``.
"""

import asyncio
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import click
import msgspec
from rich.console import Console

from bench.harness import paced
from bench.harness.black_box import ROOT, Caller, WrongStatusError, server
from bench.harness.neighbours import ran_s
from bench.harness.processes import ServerProcess, end_gently
from bench.http.finding_fill import (
    CHANNEL,
    Filled,
    Report,
    fill_kept,
    fill_listings,
    fill_others,
    fill_reservations,
    fill_rules,
    fill_stock,
)
from bench.http.finding_index import fill_index
from bench.http.finding_orders import fill_documents
from bench.http.finding_questions import Question, questions
from bench.http.finding_table import Found, table_of
from bench.propagation.setup import Channels, configuration
from bench.store import history

RATE: Final = 200
"""Orders a second: a busy shop, and far from what the machine can do."""
ROUND_S: Final = 10
WAIT_S: Final = 3_600
PATIENCE: Final = 60
"""Times that a question is asked again while the server is busy."""
NOTE: Final = "filled.json"
"""In a folder that was filled: with how much."""
IDLE_SHARE: Final = 0.1
"""Of a core: a server that takes less has nothing to do."""
IDLE_S: Final = 15
"""Over how long that is measured. What a server does after a start has rests, and the longest is shorter than this."""
ALONE: Final = 60
"""Pages of each route whose processor time is counted."""
PAGES: Final = 3
"""Pages of each list that are read one after the other."""

CONFIG: Final = "HOLDFAST_CONFIG"


class Load(NamedTuple):
    """What is asked of the server in a round: orders a second, for how long, and how many questions meanwhile."""

    rate: int
    seconds: int
    pace: float
    """Questions a second; 0: one after the other."""

    def __str__(self) -> str:
        return f"{self.pace:g} a second" if self.pace else "one after the other"


def wait_for_index(caller: Caller, report: Report) -> float:
    """Wait until the index has all; return how long that took, in seconds."""
    began_s, said_s = time.monotonic(), 0.0
    while time.monotonic() - began_s < WAIT_S:
        index = _index(caller)
        behind_s = time.time() - datetime.fromisoformat(index["as_of"]).timestamp()
        took_s = time.monotonic() - began_s
        if index["complete"] and behind_s < 5:  # seconds
            return took_s
        if took_s - said_s >= 10:  # seconds
            said_s = took_s
            report(f"after {took_s:.0f} s: complete {index['complete']}, {behind_s:.0f} s behind")
        time.sleep(0.5)
    raise click.ClickException(f"the index is incomplete after {WAIT_S} s: see the server's log, or take fewer --skus")


def _index(caller: Caller) -> dict[str, Any]:
    """Read how far the index is; while it is filled, a busy server may not answer in time."""
    for _ in range(PATIENCE):
        with suppress(WrongStatusError):
            found: dict[str, Any] = msgspec.json.decode(caller.call("GET /v1/skus?limit=1", {}, 200))["index"]
            return found
        time.sleep(1)
    raise click.ClickException("the server does not say how far its index is: see its log")


def wait_for_channel(caller: Caller, report: Report, *, is_told: bool = True) -> float:
    """Wait until the channel is served, and has confirmed all that it lists; return how long that took, in seconds."""
    began_s, said_s = time.monotonic(), 0.0
    while time.monotonic() - began_s < WAIT_S:
        status = msgspec.json.decode(caller.call(f"GET /v1/channels/{CHANNEL}/status", {}, 200))
        took_s = time.monotonic() - began_s
        left = status["dirty"] + status["in_flight"] if is_told else 0
        if status["listings"] and not left and not status["publisher_missing"]:
            return took_s
        if took_s - said_s >= 10:  # seconds
            said_s = took_s
            report(f"after {took_s:.0f} s: the channel waits for {left:,} quantities")
        time.sleep(1)
    raise click.ClickException(f"the channel still waits after {WAIT_S} s: see the server's log, or take fewer --skus")


def wait_for_rest(pids: Sequence[int], report: Report) -> None:
    """Wait until server and store have done what they do after a start: they look through all that there is."""
    began_s = said_s = time.monotonic()
    while time.monotonic() - began_s < WAIT_S:
        before_s = sum(map(ran_s, pids))
        time.sleep(IDLE_S)
        share = (sum(map(ran_s, pids)) - before_s) / IDLE_S
        if share < IDLE_SHARE:
            report(f"server and store are at rest after {time.monotonic() - began_s:.0f} s more")
            return
        if time.monotonic() - said_s >= 60:  # seconds
            said_s = time.monotonic()
            report(f"server and store still take {share:.0%} of a core")
    raise click.ClickException(f"server and store are busy after {WAIT_S} s: see the server's log")


class Asker(threading.Thread):
    """Asks until it is told to stop. ``pace``: as in :class:`Load`."""

    def __init__(self, url: str, asked: Iterator[Question], pace: float) -> None:
        super().__init__(daemon=True)
        self.found: dict[str, list[float]] = {}
        self.failed: list[str] = []
        self.stopping = threading.Event()
        self._url = url
        self._asked = asked
        self._pause_s = 1 / pace if pace else 0.0

    def run(self) -> None:
        """Ask."""
        began_s = time.monotonic()
        with Caller(self._url) as caller:
            for number, question in enumerate(self._asked):
                self.stopping.wait(max(0.0, began_s + number * self._pause_s - time.monotonic()))
                try:
                    self._ask(caller, question)
                except WrongStatusError as error:
                    self.failed.append(str(error))
                if self.stopping.is_set():
                    return

    def _ask(self, caller: Caller, question: Question) -> None:
        began_s = time.perf_counter()
        for _ in pages(caller, question):
            now_s = time.perf_counter()
            self.found.setdefault(question.name, []).append((now_s - began_s) * 1000)
            began_s = now_s


def pages(caller: Caller, question: Question) -> Iterator[dict[str, Any]]:
    """Read the first pages of a list, one after the other, or those from its middle on."""
    path, after = question.path, question.after
    for _ in range(PAGES):
        there = f"{path}{'&' if '?' in path else '?'}after={quote(after)}" if after else path
        answer: dict[str, Any] = msgspec.json.decode(caller.call(f"GET /v1/{there}", {}, 200))
        yield answer
        after = str(answer.get("next", ""))
        if not after:
            return


def alone(url: str, pids: Sequence[int], asked: Iterator[Question], found: Found) -> dict[str, list[float]]:
    """Ask without orders, until each has :data:`ALONE` pages; return the processor time of each, in milliseconds."""
    taken: dict[str, list[float]] = {}
    with Caller(url) as caller:
        for question in asked:
            mine = taken.setdefault(question.name, [])
            if all(len(each) >= ALONE for each in taken.values()):
                return taken
            if len(mine) >= ALONE:
                continue
            before_s = sum(map(ran_s, pids))
            try:
                for page in pages(caller, question):
                    now_s = sum(map(ran_s, pids))
                    mine.append(1000 * (now_s - before_s))
                    found.note(question.name, page)
                    before_s = now_s
            except WrongStatusError as error:
                found.failed.append(str(error))
                mine.append(1000 * (sum(map(ran_s, pids)) - before_s))
    return taken


def sell(url: str, skus: int, rate: int, seconds: int) -> paced.Sold:
    """Have a process of its own sell at an even pace."""
    words = ("-m", "bench.harness.paced", url, str(rate), str(seconds), str(skus))
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True, cwd=ROOT)
    line = next(each for each in done.stdout.splitlines() if each.startswith(paced.RESULT))
    return msgspec.json.decode(line.removeprefix(paced.RESULT), type=paced.Sold)


@contextmanager
def _channel(folder: Path) -> Iterator[dict[str, str]]:
    """Be the channel, and return the settings of a server that has it."""
    with ServerProcess("bench.propagation.channels", f"{CHANNEL}=webhook", log=folder / "channels.log") as process:
        yield {CONFIG: str(configuration(folder, Channels(process).ports, {CHANNEL: "webhook"}))}


def _serving(folder: Path, settings: Mapping[str, str]) -> ServerProcess:
    """Prepare the whole server: it follows the journal, and tells the channel."""
    return server(ROOT, folder, settings=settings, options=(), ready_s=WAIT_S)


def fill_folder(folder: Path, size: Filled, report: Report) -> None:
    """Fill a server's folder: its store, its documents, and its index from that. A history that stands there stays."""
    (folder / "store").mkdir(parents=True, exist_ok=True)
    fill_documents(folder / "store" / history.FILE, size, report)
    socket = folder / "store" / "store.sock"
    with _channel(folder) as settings:
        with server(ROOT, folder, settings=settings) as process:
            fill_stock(socket, size, report)
            asyncio.run(fill_listings(socket, size, report))
            size = msgspec.structs.replace(size, filled_ms=fill_reservations(socket, size, report))
            fill_others(socket, size, report)
            with Caller(process.url) as caller:
                fill_rules(caller, size, report)
            asyncio.run(fill_index(socket, folder / "store" / history.FILE, report))
        with _serving(folder, settings) as process:
            with Caller(process.url) as caller:
                took_s = wait_for_index(caller, report)
                report(f"the channel was told after {wait_for_channel(caller, report):.0f} s more")
                # From now on it is told once a day: what is measured here is not how fast a channel takes its news.
                caller.call(f"PUT /v1/channels/{CHANNEL}", {"cadence_s": 86_400, "reconcile_every_s": 0}, 200)
            fill_kept(socket, size, report)
    bytes_taken = sum(each.stat().st_size for each in (folder / "store").glob(f"{history.FILE}*"))
    with closing(sqlite3.connect(folder / "store" / history.FILE)) as database:
        changes = int(database.execute("SELECT COALESCE(MAX(id), 0) FROM history").fetchone()[0])
    report(
        f"the index was filled in {took_s:.0f} s; the database takes {bytes_taken / 1e6:,.0f} MB,"
        f" {changes:,} rows of history"
    )
    (folder / NOTE).write_bytes(msgspec.json.encode(msgspec.structs.replace(size, changes=changes)))


class Rounds:
    """What came of rounds in which nobody asks, and of those with questions."""

    def __init__(self) -> None:
        self.quiet: list[paced.Sold] = []
        self.asked: list[paced.Sold] = []
        self.found: dict[str, list[float]] = {}
        self.failed: list[str] = []

    def run(self, url: str, asked: Iterator[Question], skus: int, load: Load) -> None:
        """Do one of each."""
        self.quiet.append(sell(url, skus, load.rate, load.seconds))
        asker = Asker(url, asked, load.pace)
        asker.start()
        self.asked.append(sell(url, skus, load.rate, load.seconds))
        asker.stopping.set()
        asker.join()
        self.failed += asker.failed
        for question, took_ms in asker.found.items():
            self.found.setdefault(question, []).extend(took_ms)


def measure(folder: Path, only: Sequence[str], report: Report, rounds: int, load: Load) -> None:
    """Ask a server in a folder that was filled, and print what came of it."""
    filled = msgspec.json.decode((folder / NOTE).read_bytes(), type=Filled)
    asked = (each for each in questions(filled) if not only or any(map(each.name.startswith, only)))
    came, found = Rounds(), Found()
    with _channel(folder) as settings, _serving(folder, settings) as process, Caller(process.url) as caller:
        wait_for_index(caller, report)
        wait_for_channel(caller, report, is_told=False)
        pids = [process.pid, int((folder / "store" / "store.pid").read_text("utf-8"))]
        wait_for_rest(pids, report)
        for number in range(1, rounds + 1):
            came.run(process.url, asked, filled.sold, load)
            report(f"round {number}: orders p99 {came.quiet[-1].p99_us} µs, meanwhile {came.asked[-1].p99_us} µs")
        cost = alone(process.url, pids, asked, found)
    table_of(filled, came.found, cost, found).show(Console(width=120))
    for each in [*came.failed, *found.failed]:
        print(f"not answered: {each}")
    if not rounds:
        return
    before, meanwhile = (median(each.p99_us for each in some) for some in (came.quiet, came.asked))
    failed = sum(each.failed for each in (*came.quiet, *came.asked))
    print(
        f"orders at {load.rate}/s: p99 {before:.0f} µs, {meanwhile:.0f} µs while all this was asked, {load}:"
        f" {meanwhile / before:.2f} times; {failed} failed"
    )


@click.command()
@click.option("--skus", default=1_000_000, show_default=True)
@click.option("--reservations", default=1_000_000, show_default=True)
@click.option("--rounds", default=3, show_default=True, help="Rounds without and with questions, in turn.")
@click.option("--rate", default=RATE, show_default=True, help="Orders a second.")
@click.option("--seconds", default=ROUND_S, show_default=True, help="Of each round.")
@click.option("--pace", default=0.0, help="Questions a second, as of people; without it, one after the other.")
@click.option("--fill", "filled", type=click.Path(path_type=Path), help="Only fill this folder, and keep it.")
@click.option("--on", type=click.Path(exists=True, path_type=Path), help="Only ask what was filled in there.")
@click.option("--only", multiple=True, help="Only the questions whose names begin so. Repeatable.")
def main(
    *,
    skus: int,
    reservations: int,
    rounds: int,
    rate: int,
    seconds: int,
    pace: float,
    filled: Path | None,
    on: Path | None,
    only: tuple[str, ...],
) -> None:
    """Measure how things are found among very many."""
    end_gently()
    out = Console(stderr=True)

    def report(text: str) -> None:
        out.print(text)

    size, load = Filled(skus, reservations, 0), Load(rate, seconds, pace)

    if filled is not None:
        if (filled / NOTE).exists():
            raise click.ClickException(f"{filled} is filled already: name another folder, or remove it")
        fill_folder(filled, size, report)
        return
    if on is not None:
        measure(on, only, report, rounds, load)
        return
    with tempfile.TemporaryDirectory(prefix="holdfast-finding-") as name:
        fill_folder(Path(name), size, report)
        measure(Path(name), only, report, rounds, load)


if __name__ == "__main__":
    main()
