"""What subscribers of ``GET /v1/changes`` cost.

    python -m bench.http.event_streams [--subscribers 1000] [--changes 200]

A real server with its embedded store sells at an even pace while 0, 10, 100 and 1,000 subscribers read its stream of
changes (server-sent events). All of them read the same, so the store need not carry out more commands for more of them.
The subscribers are one process, the sales another, and each row has a server and a store of its own.

- **changes/s**: those that were made while it was measured. A server that cannot keep up makes fewer than are due.
- **commands/s**: how many the store carried out, by its ``INFO commandstats``; those that scripts call are included. A
  second table has them by command.
- **each change**: commands for each change that was made, and this as a multiple of the first row. This figure must not
  grow with the subscribers. Commands a second alone look well where hardly any change is made any more.
- **p50 ms**, **p99 ms**: the delay from the moment of a change, as the store's journal has it, to the event at a
  subscriber that carries its value or a newer one; of a few sampled subscribers. There is none where a value is wrong.
- **events each**: how many each subscriber got, the fewest and the most, of all changes, with those of the warm-up.
  Where a SKU changes again before a stream is served, only its newest value is sent: then there are fewer than changes.
- **wrong**: values at subscribers, over all SKUs, that are not the last ones in the end. It must be 0.
- **server**, **store**, **readers**: how much of a core each process took; the readers are the subscribers' process.
"""

import contextlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from bench.harness import paced, stock
from bench.harness.black_box import ROOT, server
from bench.harness.neighbours import cpu_s
from bench.harness.processes import ServerFailedError, end_gently
from bench.harness.report import Table
from bench.http import event_subscribers
from bench.http.event_subscribers import OPEN_S_MAX, Answer, Question
from bench.propagation.figures import Sale, Values, delays_ms, last_values, percentile
from bench.propagation.setup import Holdfast, number_of

SKUS: Final = 200
_USUAL: Final = (0, 10, 100, 1_000)
_SAMPLED: Final = 20
"""Subscribers whose every event is noted with its time."""
_WARM_UP_S: Final = 2
_SETTLES_S_MAX: Final = 30.0
"""How long after the last sale the last value may take to every subscriber."""
_SOLD_S_MAX: Final = 5.0
"""How long after its time the loader may wait for the answers that are still due."""
_LOOK_S: Final = 0.25
_OTHER_FILES: Final = 256
"""Open files of a process beside its streams."""
_SHOWN_MIN: Final = 2.0
"""A command that is called less often than this, a second, in every row is not shown."""
_PROCESSES: Final = ("server", "store", "readers")
_COLUMNS: Final = (
    "subscribers",
    "changes/s",
    "commands/s",
    "each change",
    "of first",
    "p50 ms",
    "p99 ms",
    "changes",
    "events each",
    "wrong",
)


class StreamsError(Exception):
    """The streams could not be opened or were lost; the message says what happened."""


class Found(msgspec.Struct, frozen=True):
    """What was measured with so many subscribers.

    ``commands``: a second, by name. ``delays_ms``: sorted. ``changes``: all that were made, with those of the warm-up.
    ``settled_s``: how long after the last sale every subscriber had every last value.
    """

    subscribers: int
    changes: int
    changes_per_s: float
    commands_per_s: float
    commands: dict[str, float]
    delays_ms: list[float]
    events: list[int]
    wrong: int
    settled_s: float
    cpu: dict[str, float]

    @property
    def commands_per_change(self) -> float:
        """Commands that the store carried out for each change that was made, whatever asked for them."""
        return self.commands_per_s / self.changes_per_s if self.changes_per_s else 0.0


class Subscribers:
    """The process that reads the streams."""

    def __init__(self, url: str, number: int, token: str = "") -> None:
        command = [sys.executable, "-m", event_subscribers.__name__, url, str(number), str(min(number, _SAMPLED))]
        command += [token] if token else []
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._number = number

    def __enter__(self) -> Self:
        if not self._line():
            self.__exit__()
            raise StreamsError(f"{self._number} streams could not be opened within {OPEN_S_MAX:g} s")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def ask(self, wanted: Mapping[str, int], *, arrivals: bool = False) -> Answer:
        """Ask how far the subscribers are from having these values.

        Raises
        ------
        StreamsError
            The server ended a stream.

        """
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(Question(dict(wanted), arrivals)) + b"\n")
        self._process.stdin.flush()
        answer = msgspec.json.decode(self._line(), type=Answer)
        if answer.closed:
            raise StreamsError(f"{answer.closed} of {self._number} streams ended while they were read")
        return answer

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def rows(subscribers: int) -> list[int]:
    """Choose the numbers of subscribers, up to the one that is asked for."""
    return [*(number for number in _USUAL if number < subscribers), subscribers]


def measure(subscribers: int, changes_per_s: int, seconds: int) -> Found:
    """Take one row, with a server of its own."""
    allow_open_files(subscribers + _OTHER_FILES)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
        settings = {"HOLDFAST_CHANGES_STREAMS_MAX": str(subscribers + 1)}
        process = stack.enter_context(server(ROOT, folder, settings=settings))
        holdfast = Holdfast(process, folder / "store")
        stack.callback(holdfast.client.close)
        stock.fill_skus(holdfast.socket, SKUS)
        after = holdfast.now_id()
        streams = stack.enter_context(Subscribers(process.url, subscribers))
        pids = dict(zip(_PROCESSES, (holdfast.pid, holdfast.store_pid, streams.pid), strict=True))
        window = _sell(holdfast, pids, changes_per_s, seconds)
        sales, answer, settled_s = _settled(holdfast, after, streams)
    return Found(
        subscribers=subscribers,
        changes=len(sales),
        changes_per_s=sum(window.holds(sale) for sale in sales) / window.seconds,
        commands_per_s=sum(window.commands.values()) / window.seconds,
        commands={name: calls / window.seconds for name, calls in window.commands.items()},
        delays_ms=[] if answer.wrong else sorted(_delays(sales, answer, window)),
        events=answer.events,
        wrong=answer.wrong,
        settled_s=settled_s,
        cpu=window.cpu,
    )


def allow_open_files(wanted: int) -> None:
    """Let this process and those that it starts open so many files, each stream being one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise StreamsError(f"{wanted} open files are needed and {hard} are allowed: raise `ulimit -Hn`")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Window(msgspec.Struct, frozen=True):
    """The stretch that is measured: its times since 1970, calls of each command in it, and cores of each process."""

    began_s: float
    ended_s: float
    commands: dict[str, int]
    cpu: dict[str, float]

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended_s - self.began_s

    def holds(self, sale: Sale) -> bool:
        """Whether a sale fell into it."""
        return self.began_s <= sale.at_ms / 1000 < self.ended_s


def _sell(holdfast: Holdfast, pids: Mapping[str, int], changes_per_s: int, seconds: int) -> Window:
    """Sell for so long after a warm-up."""
    command = [sys.executable, "-m", paced.__name__, holdfast.url, str(changes_per_s), str(_WARM_UP_S + seconds)]
    with subprocess.Popen([*command, str(SKUS)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as loader:
        time.sleep(_WARM_UP_S)
        began_s, commands, cpu = time.time(), _calls(holdfast), {name: cpu_s(pid) for name, pid in pids.items()}
        time.sleep(seconds)
        ended_s = time.time()
        made = {name: calls - commands.get(name, 0) for name, calls in _calls(holdfast).items()}
        used = {name: (cpu_s(pid) - cpu[name]) / (ended_s - began_s) for name, pid in pids.items()}
        # Where the server cannot keep up, answers are still due. The journal has the changes that were made.
        try:
            loader.wait(_SOLD_S_MAX)
        except subprocess.TimeoutExpired:
            loader.terminate()
    return Window(began_s, ended_s, {name: calls for name, calls in made.items() if name != "info" and calls}, used)


def _calls(holdfast: Holdfast) -> dict[str, int]:
    """Ask the store how often each command was called since it started."""
    found = holdfast.client.info("commandstats")
    return {name.removeprefix("cmdstat_"): int(each["calls"]) for name, each in found.items()}


def wanted(sales: Sequence[Sale]) -> dict[str, int]:
    """Return the value of each SKU that every subscriber must have in the end."""
    return {stock.sku(number - 1): left for number, left in last_values(sales).items()}


def _settled(holdfast: Holdfast, after: str, streams: Subscribers) -> tuple[list[Sale], Answer, float]:
    """Wait until no more changes come and every subscriber has every last value, for as long as that may take."""
    began_s, sales = time.monotonic(), list(holdfast.sales(after))
    while time.monotonic() - began_s < _SETTLES_S_MAX:
        before, sales = sales, list(holdfast.sales(after))
        if len(before) == len(sales) and not streams.ask(wanted(sales)).wrong:
            break
        time.sleep(_LOOK_S)
    settled_s = time.monotonic() - began_s
    return sales, streams.ask(wanted(sales), arrivals=True), settled_s


def _delays(sales: Sequence[Sale], answer: Answer, window: Window) -> Iterator[float]:
    return (delay_ms for sale, delay_ms in delays_of(sales, answer) if window.holds(sale))


def delays_of(sales: Sequence[Sale], answer: Answer) -> Iterator[tuple[Sale, float]]:
    """Return for each sale and sampled subscriber how long the event took."""
    for arrivals in answer.arrivals:
        values: Values = {}
        for at_us, sku, available in arrivals:
            values.setdefault(number_of(sku), []).append((at_us, available))
        yield from zip(sales, delays_ms(sales, values), strict=True)


def table(found: Sequence[Found]) -> Table:
    """Lay the rows out, with the commands of each as a multiple of the first row's."""
    made = Table("What subscribers of GET /v1/changes cost", [*_COLUMNS, *_PROCESSES])
    for each in found:
        delays = [f"{percentile(each.delays_ms, percent):,.0f}" if each.delays_ms else "–" for percent in (50, 99)]
        events = f"{min(each.events):,} to {max(each.events):,}" if each.events else "–"
        made.add(
            f"{each.subscribers:,}",
            f"{each.changes_per_s:,.0f}",
            f"{each.commands_per_s:,.0f}",
            f"{each.commands_per_change:,.1f}",
            f"{each.commands_per_change / found[0].commands_per_change:.2f}",
            *delays,
            f"{each.changes:,}",
            events,
            str(each.wrong),
            *(f"{each.cpu[name]:.2f}" for name in _PROCESSES),
        )
    return made


def commands_table(found: Sequence[Found]) -> Table:
    """Lay out how often each command was called."""
    made = Table("Commands/s of the store", ["command", *(f"with {each.subscribers:,}" for each in found)])
    for name in sorted({name for each in found for name in each.commands}):
        rates = [each.commands.get(name, 0.0) for each in found]
        if max(rates) >= _SHOWN_MIN:
            made.add(name, *(f"{rate:,.1f}" for rate in rates))
    return made


def verdict(found: Sequence[Found], changes_per_s: int) -> str:
    """Return in one line what the figure is, and whether the server kept up when it was taken."""
    first, last = found[0], found[-1]
    return (
        f"Commands for each change with {last.subscribers:,} subscribers, of those with {first.subscribers:,}: "
        f"{last.commands_per_change / first.commands_per_change:.2f}; "
        f"{last.changes_per_s:,.0f} of {changes_per_s:,} changes/s were made; {last.wrong:,} values are wrong."
    )


def take(numbers: Sequence[int], changes_per_s: int, seconds: int, report: Callable[[str], None]) -> list[Found]:
    """Take all rows."""
    found = []
    for number in numbers:
        report(f"{number:,} subscribers")
        found.append(measure(number, changes_per_s, seconds))
    return found


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--subscribers", type=click.IntRange(1, 20_000), default=1_000, help="Subscribers of the last row.")
@click.option("--changes", type=click.IntRange(1, 5_000), default=200, help="Changes a second.")
@click.option("--seconds", type=click.IntRange(1, 600), default=15, help="Seconds of each row, after a warm-up of two.")
def main(*, subscribers: int, changes: int, seconds: int) -> None:
    """Measure what subscribers of GET /v1/changes cost the store."""
    end_gently()
    numbers = rows(subscribers)
    try:
        with Progress(console=Console(stderr=True), refresh_per_second=2, transient=True) as progress:
            task = progress.add_task("starting", total=len(numbers))
            found = take(numbers, changes, seconds, lambda doing: progress.update(task, advance=1, description=doing))
    except (ServerFailedError, StreamsError) as error:
        raise click.ClickException(str(error)) from None
    console = Console(width=150)
    for each in (table(found), commands_table(found)):
        each.show(console)
    print(verdict(found, changes))


if __name__ == "__main__":
    main(prog_name="python -m bench.http.event_streams")
