"""What many streams of many merchants cost, and what they take from others.

    python -m bench.http.merchant_streams [--streams 10000] [--merchants 10] [--changes 200]

A real server with its embedded store has so many streams of ``GET /v1/changes`` open, a like number of each merchant,
while orders of all merchants come in evenly. Each merchant's subscribers are a process, the orders are another.

- **changes/s**, **commands/s**: made, and carried out by the store for all that was asked.
- **order p50**, **p99**: how long an order took from the moment it was due, in milliseconds.
- **event p50**, **p99**: the delay from a change, by the store's clock, to the event at a sampled subscriber.
- **events each**: how many each subscriber got. What changes again before it is sent comes once.
- **wrong**: values at subscribers that are not the last ones in the end. It must be 0.
- **server**, **store**, **readers**: how much of a core each took. **others**: what everybody else on the machine did.
- **MB**: the server's memory; **KB each**: what it grew by with each stream.

The second table has a neighbour: a merchant with fifty orders a second, while another one imports rows in batches of
500 on four connections, without streams of its own and with so many.
"""

import contextlib
import hashlib
import http.client
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from bench.harness import paced, stock
from bench.harness.black_box import ROOT, address_of, server
from bench.harness.neighbours import Neighbours, cpu_s
from bench.harness.paced import RESULT, Sold
from bench.harness.processes import ServerFailedError, end_gently
from bench.harness.report import Table
from bench.http.event_streams import StreamsError, Subscribers, allow_open_files, delays_of, wanted
from bench.http.event_subscribers import Answer
from bench.propagation.figures import Sale, percentile
from bench.propagation.setup import Holdfast

SKUS: Final = 100
"""Of each merchant."""
_WARM_UP_S: Final = 3
_SETTLES_S_MAX: Final = 60.0
_LOOK_S: Final = 0.5
_OTHER_FILES: Final = 512
_IMPORTERS: Final = 4
_BATCH: Final = 500
_NEIGHBOUR_RATE: Final = 50
_IMPORTED_S: Final = 20
_PROCESSES: Final = ("server", "store", "readers")
_COLUMNS: Final = (
    "streams", "changes/s", "commands/s", "order p50", "p99", "event p50", "p99 ", "events each", "wrong",
    *_PROCESSES, "others", "MB", "KB each",
)  # fmt: skip


class Found(msgspec.Struct, frozen=True):
    """One row: see the top of this file. ``empty_mb``: the server's memory before the first stream."""

    streams: int
    changes_per_s: float
    commands_per_s: float
    sold: Sold
    delays_ms: list[float]
    events: list[int]
    wrong: int
    cpu: dict[str, float]
    others: float | None
    memory_mb: float
    empty_mb: float


class Neighbour(msgspec.Struct, frozen=True):
    """What a neighbour's orders took while another merchant imported ``rows`` and had so many streams."""

    streams: int
    rows: int
    sold: Sold
    others: float | None


class Merchants:
    """A server for some merchants, each with a key."""

    def __init__(self, number: int, streams: int, stack: contextlib.ExitStack) -> None:
        allow_open_files(streams + _OTHER_FILES)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
        self.names = [f"t{each}" for each in range(number)]
        config = folder / "holdfast.toml"
        config.write_text("".join(_key(name) for name in self.names))
        settings = {"HOLDFAST_CHANGES_STREAMS_MAX": str(streams + 1), "HOLDFAST_CONFIG": str(config)}
        process = stack.enter_context(server(ROOT, folder, settings=settings))
        self.holdfast = Holdfast(process, folder / "store")
        stack.callback(self.holdfast.client.close)
        with contextlib.closing(_connection(process.url)) as connection:
            for name in self.names:
                _post(connection, name, _counts(range(SKUS)))
        self.after = {name: self._newest(name) for name in self.names}

    def _newest(self, name: str) -> str:
        return str(self.holdfast.client.xinfo_stream(f"hf:{{{name}}}:journal")["last-generated-id"].decode())

    def sales(self, name: str) -> list[Sale]:
        """Read what was sold of a merchant's stock."""
        return list(self.holdfast.sales(self.after[name], name))

    def paced(self, rate: int, seconds: int, names: Sequence[str]) -> "subprocess.Popen[bytes]":
        """Start orders at an even pace, of each of these merchants in turn."""
        command = [sys.executable, "-m", paced.__name__, self.holdfast.url, str(rate), str(seconds), str(SKUS)]
        return subprocess.Popen([*command, *map(_token, names)], stdout=subprocess.PIPE)


def _token(name: str) -> str:
    return f"hf_{name}_secret"


def _key(name: str) -> str:
    digest = hashlib.sha256(b"secret").hexdigest()
    return f'[[keys]]\nid = "{name}"\nsha256 = "{digest}"\nscopes = ["admin"]\npartition = "{name}"\n\n'


def _counts(numbers: range) -> bytes:
    counts = [{"kind": "count", "sku": stock.sku(each), "on_hand": 1_000_000} for each in numbers]
    return msgspec.json.encode({"movements": counts})


def _connection(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(*address_of(url), timeout=60)


def _post(connection: http.client.HTTPConnection, name: str, body: bytes) -> None:
    """Post movements with a merchant's key."""
    headers = {"Authorization": f"Bearer {_token(name)}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/stock/movements", body, headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status not in {200, 503}:
        raise StreamsError(f"the import was answered {answer.status}: {said[:200]!r}")


def _sold(loader: "subprocess.Popen[bytes]") -> Sold:
    said, _ = loader.communicate()
    lines = [line for line in said.decode().splitlines() if line.startswith(RESULT)]
    if not lines:
        raise StreamsError("the orders were not answered in time")
    return msgspec.convert(json.loads(lines[-1].removeprefix(RESULT)), Sold)


def _memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def measure(streams: int, merchants: int, changes_per_s: int, seconds: int) -> Found:
    """Take one row of the first table."""
    with contextlib.ExitStack() as stack:
        made = Merchants(merchants, streams, stack)
        holdfast, empty_mb = made.holdfast, _memory_mb(made.holdfast.pid)
        readers = {
            name: stack.enter_context(Subscribers(holdfast.url, streams // merchants, _token(name)))
            for name in (made.names if streams else [])
        }
        pids = [[holdfast.pid], [holdfast.store_pid], [each.pid for each in readers.values()]]
        loader = made.paced(changes_per_s, _WARM_UP_S + seconds, made.names)
        time.sleep(_WARM_UP_S)
        noise, began_s, calls = Neighbours(), time.time(), _calls(holdfast)
        before = [sum(map(cpu_s, some)) for some in pids]
        time.sleep(seconds)
        took_s = time.time() - began_s
        after, calls = [sum(map(cpu_s, some)) for some in pids], _calls(holdfast) - calls
        others, memory_mb, sold = noise.cores(), _memory_mb(holdfast.pid), _sold(loader)
        sales = {name: made.sales(name) for name in made.names}
        answers = {name: _settled(reader, sales[name]) for name, reader in readers.items()}
        within = [sale for each in sales.values() for sale in each if began_s <= sale.at_ms / 1000 < began_s + took_s]
        kept = set(within)
        delays = [
            delay_ms
            for name, answer in answers.items()
            for sale, delay_ms in ([] if answer.wrong else delays_of(sales[name], answer))
            if sale in kept
        ]
    return Found(
        streams=streams,
        changes_per_s=len(within) / took_s,
        commands_per_s=calls / took_s,
        sold=sold,
        delays_ms=sorted(delays),
        events=[number for answer in answers.values() for number in answer.events],
        wrong=sum(answer.wrong for answer in answers.values()),
        cpu={name: (b - a) / took_s for name, a, b in zip(_PROCESSES, before, after, strict=True)},
        others=others,
        memory_mb=memory_mb,
        empty_mb=empty_mb,
    )


def _calls(holdfast: Holdfast) -> int:
    return sum(int(each["calls"]) for each in holdfast.client.info("commandstats").values())


def _settled(reader: Subscribers, sales: Sequence[Sale]) -> Answer:
    """Wait until each subscriber has every last value, for as long as that may take."""
    until_s = time.monotonic() + _SETTLES_S_MAX
    while reader.ask(wanted(sales)).wrong and time.monotonic() < until_s:
        time.sleep(_LOOK_S)
    return reader.ask(wanted(sales), arrivals=True)


def neighbour(streams: int, rows: int) -> Neighbour:
    """Take one row of the second table."""
    with contextlib.ExitStack() as stack:
        made = Merchants(2, streams, stack)
        importing, beside = made.names
        if streams:
            stack.enter_context(Subscribers(made.holdfast.url, streams, _token(importing)))
        done = [0] * _IMPORTERS
        with _importing(made.holdfast.url, importing, rows, done):
            noise, loader = Neighbours(), made.paced(_NEIGHBOUR_RATE, _IMPORTED_S, [beside])
            sold = _sold(loader)
            imported = sum(done)
        return Neighbour(streams, imported, sold, noise.cores())


@contextlib.contextmanager
def _importing(url: str, name: str, rows: int, done: list[int]) -> Iterator[None]:
    """Import over and over meanwhile; ``done``: how many rows each connection has imported."""
    ended = threading.Event()

    def run(number: int) -> None:
        starts = range(number * _BATCH, rows, _IMPORTERS * _BATCH)
        with contextlib.closing(_connection(url)) as connection:
            for start in itertools.cycle(starts):
                if ended.is_set():
                    break
                _post(connection, name, _counts(range(start, start + _BATCH)))
                done[number] += _BATCH

    threads = [threading.Thread(target=run, args=(number,)) for number in range(_IMPORTERS)]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        ended.set()
        for each in threads:
            each.join()


def table(found: Sequence[Found]) -> Table:
    """Lay out the first table."""
    made = Table("Streams of many merchants", list(_COLUMNS))
    for each in found:
        delays = [f"{percentile(each.delays_ms, percent):,.0f}" if each.delays_ms else "–" for percent in (50, 99)]
        events = f"{min(each.events):,} to {max(each.events):,}" if each.events else "–"
        grown_kb = (each.memory_mb - each.empty_mb) * 1024 / each.streams if each.streams else 0.0
        made.add(
            f"{each.streams:,}",
            f"{each.changes_per_s:,.0f}",
            f"{each.commands_per_s:,.0f}",
            *_times(each.sold),
            *delays,
            events,
            str(each.wrong),
            *(f"{each.cpu[name]:.2f}" for name in _PROCESSES),
            _cores(each.others),
            f"{each.memory_mb:,.0f}",
            f"{grown_kb:,.0f}" if each.streams else "–",
        )
    return made


def neighbours_table(found: Sequence[Neighbour]) -> Table:
    """Lay out the second table."""
    columns = ["streams", "rows/s imported", "order p50", "p99", "orders", "refused", "others"]
    made = Table("A neighbour's orders while another merchant imports", columns)
    for each in found:
        rows = f"{each.rows / _IMPORTED_S:,.0f}"
        made.add(
            f"{each.streams:,}", rows, *_times(each.sold), f"{each.sold.sales:,}", f"{each.sold.failed:,}",
            _cores(each.others),
        )  # fmt: skip
    return made


def _times(sold: Sold) -> tuple[str, str]:
    return f"{sold.p50_us / 1000:,.1f}", f"{sold.p99_us / 1000:,.1f}"


def _cores(others: float | None) -> str:
    return "–" if others is None else f"{others:.2f}"


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--streams", type=click.IntRange(10, 50_000), default=10_000, help="Streams of the last row.")
@click.option("--merchants", type=click.IntRange(1, 100), default=10, help="Merchants that share them.")
@click.option("--changes", type=click.IntRange(1, 5_000), default=200, help="Changes a second, of all merchants.")
@click.option("--seconds", type=click.IntRange(1, 600), default=15, help="Seconds of each row, after a warm-up.")
@click.option("--imported", type=click.IntRange(0, 1_000_000), default=100_000, help="Rows of the import; 0: none.")
def main(*, streams: int, merchants: int, changes: int, seconds: int, imported: int) -> None:
    """Measure what many streams of many merchants cost, and what they take from others."""
    end_gently()
    numbers = sorted({0, min(1_000, streams), streams // merchants * merchants})
    beside = [(0, 0), (0, imported), (256, imported), (1_000, imported)] if imported else []
    console = Console(width=170)
    try:
        with Progress(console=Console(stderr=True), refresh_per_second=2, transient=True) as progress:
            task = progress.add_task("starting", total=len(numbers) + len(beside))
            found, others = [], []
            for number in numbers:
                progress.update(task, advance=1, description=f"{number:,} streams")
                found.append(measure(number, merchants, changes, seconds))
            for number, rows in beside:
                progress.update(task, advance=1, description=f"{number:,} streams, {rows:,} rows")
                others.append(neighbour(number, rows))
    except (ServerFailedError, StreamsError) as error:
        raise click.ClickException(str(error)) from None
    table(found).show(console)
    if others:
        neighbours_table(others).show(console)
    if any(each.wrong for each in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main(prog_name="python -m bench.http.merchant_streams")
