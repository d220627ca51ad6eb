"""The way of one reserve through our own code:  python -m bench.http.reserve_way [--before DIR] [--tree].

How many functions, and how many files, does a reader have to follow from the request to the answer? One
``POST /v1/reservations`` (one line, all or nothing, ``durable``, a ``reservation_id`` of the caller's) goes through a
real ``python -m server serve --role api`` with its embedded store, on one connection, some hundreds of times after a
warm-up. ``DIR`` is the checkout of a release before (``git worktree add --detach DIR v0.1.0``); it needs no ``.venv``
of its own, and is only ever asked through its command line and its HTTP API.

What is counted, for one request:

- **calls**: calls of a function whose file lies in ``server/``, ``lua/`` or ``adapters/``. A coroutine counts once,
  where it first runs; that it goes on after an ``await`` is no call. A comprehension is part of its function.
  Functions of libraries and of the standard library do not count, nor methods that ``dataclass`` writes.
- **calls into another file**: those of the calls whose caller stands in another of our files. The caller is the nearest
  function of ours above, with the libraries' between them left out. What the event loop calls first, such as the
  handler that aiohttp calls, has no caller. The way back is not counted again.
- **files**: the files of ours in which these functions stand.
- **entries**: how often the interpreter enters code of ours, as a profiler counts it. These are the calls, the
  comprehensions (which Python 3.12 no longer enters), and every coroutine that goes on, with all those that await it.
- **changes of file**: how often an entry stands in another file than the entry before it; the first one is one.

The batcher's part counts, too: it runs in a task of its own, but for the request. What other tasks do meanwhile does
not: each request is noted by itself, and the way that most of them took is the one that is shown. Beside it stands a
control, the mean of all requests less the mean of as many stretches of the same length without a request.
"""

import collections
import contextlib
import itertools
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, Final, NamedTuple, Self

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from bench.harness.black_box import ROOT, Caller, WrongStatusError, interpreter, server
from bench.harness.processes import ServerFailedError, end_gently
from bench.harness.report import Table
from bench.http.counted_server import CALL, RESUMED

PROGRAM: Final = Path(__file__).with_name("counted_server.py")
NAMES: Final = ("before", "after")
_WARM_UP: Final = 50
"""Requests before those that count: every slot has its connection by then."""
_REST_S: Final = 0.005
"""So long after an answer the server has done what it does behind it, such as making a slot idle again."""
_CONTROL_TIMEOUT_S: Final = 30.0
_TITLES: Final = {
    "calls": "calls of our own functions",
    "calls_into_others": "calls into another file",
    "files": "files",
    "entries": "entries, as a profiler counts",
    "changes": "changes of file, entry to entry",
}
_CONTROLLED: Final = ("calls", "entries")
"""What adds up; a file of an idle stretch may be on the request's way as well."""
_AGREE_MIN: Final = 0.3
"""Fewer requests on the same way than this share would mean that the way is not known."""


class NoWayError(Exception):
    """The requests of a checkout took too many different ways."""


class Step(NamedTuple):
    """One step, as :mod:`bench.http.counted_server` notes it."""

    kind: str
    depth: int
    caller_file: str
    file: str
    function: str


class Count(msgspec.Struct, frozen=True):
    """What is counted of some steps; see the top of this file for what each is."""

    calls: float
    calls_into_others: float
    files: float
    entries: float
    changes: float


class Way(msgspec.Struct, frozen=True):
    """The way that most requests took.

    ``agreed``: how many of the ``requests`` took exactly it. ``control``: by name, the mean of all less the idle
    stretches.
    """

    steps: list[Step]
    count: Count
    agreed: int
    requests: int
    control: dict[str, float]


def count(steps: Sequence[Step]) -> Count:
    """Count what the top of this file names."""
    calls = [step for step in steps if step.kind == CALL]
    outermost = _outermost(steps)
    return Count(
        calls=len(calls),
        calls_into_others=sum(step.depth > outermost and step.caller_file != step.file for step in calls),
        files=len({step.file for step in calls}),
        entries=len(steps),
        changes=sum(1 for _ in itertools.groupby(step.file for step in steps)),
    )


def _outermost(steps: Sequence[Step]) -> int:
    """Return the depth of what the event loop calls; what lies above it started the server."""
    return min((step.depth for step in steps), default=0)


def way(requests: Sequence[Sequence[Step]], idle: Sequence[Sequence[Step]]) -> Way:
    """Find the way that most requests took.

    Raises
    ------
    NoWayError
        Hardly any two took the same.

    """
    commonest, agreed = collections.Counter(map(tuple, requests)).most_common(1)[0]
    if agreed < _AGREE_MIN * len(requests):
        raise NoWayError(
            f"only {agreed} of {len(requests)} requests took the same way; is the machine very busy? Try again."
        )
    control = {
        name: mean(getattr(count(steps), name) for steps in requests)
        - mean(getattr(count(steps), name) for steps in idle)
        for name in _CONTROLLED
    }
    return Way(list(commonest), count(commonest), agreed, len(requests), control)


class Control:
    """Starts and stops the notes of a counted server."""

    def __init__(self, path: Path) -> None:
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        self._listening.listen(1)
        self._listening.settimeout(_CONTROL_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def accept(self) -> None:
        """Wait for the server."""
        connection, _ = self._listening.accept()
        connection.settimeout(_CONTROL_TIMEOUT_S)
        self._words = connection.makefile("rwb")
        connection.close()  # the file keeps it open

    def noted(self, work: Callable[[], object]) -> list[Step]:
        """Have the server note what it does while something is done, and for a short rest behind it."""
        self._ask(b"begin\n")
        work()
        time.sleep(_REST_S)
        return [Step(*each) for each in self._ask(b"end\n")]

    def _ask(self, word: bytes) -> Any:
        self._words.write(word)
        self._words.flush()
        return msgspec.json.decode(self._words.readline())


@contextlib.contextmanager
def counted(checkout: Path) -> Iterator[tuple[Caller, Control]]:
    """Start a counted server of a checkout and fill its store."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as named:
        folder = Path(named)
        python = (interpreter(checkout), "-c", PROGRAM.read_text("utf-8"), str(folder / "control"))
        with (
            Control(folder / "control") as control,
            server(checkout, folder, python=python) as process,
            Caller(process.url) as caller,
        ):
            control.accept()
            caller.fill()
            yield caller, control


def measure(checkout: Path, requests: int, report: Callable[[str], None]) -> Way:
    """Count the way of a reserve in a checkout."""
    with counted(checkout.resolve()) as (caller, control):
        run = secrets.token_hex(4)
        for number in range(_WARM_UP):
            caller.reserve(f"{run}-warm-{number}")
        began_s, taken = time.perf_counter(), []
        for number in range(requests):
            taken.append(control.noted(lambda: caller.reserve(f"{run}-{number}")))  # noqa: B023  # called at once
            report(f"{checkout.name}: {requests} requests")
        each_s = (time.perf_counter() - began_s) / requests
        idle = [control.noted(lambda: time.sleep(max(0.0, each_s - _REST_S))) for _ in range(requests)]
    return way(taken, idle)


def table(ways: Sequence[Way]) -> Table:
    """Lay the counts out: this checkout alone, or before and after and their ratio."""
    if len(ways) == 1:
        made = Table("The way of one reserve", ["for one request", "now"])
    else:
        made = Table("The way of one reserve", ["for one request", *NAMES, "after / before"])

    def add(title: str, cells: list[str], ratio: str = "") -> None:
        made.add(title, *cells, *([] if len(ways) == 1 else [ratio]))

    for name, title in _TITLES.items():
        each: list[float] = [getattr(found.count, name) for found in ways]
        add(title, [f"{value:.0f}" for value in each], f"{each[-1] / each[0]:.2f}")
    for name in _CONTROLLED:
        add(f"{name}, mean less idle", [f"{found.control[name]:.1f}" for found in ways])
    add("requests that took just this way", [f"{found.agreed} of {found.requests}" for found in ways])
    return made


def tree(found: Way) -> Iterator[str]:
    """Write the way of one request, a line for each call, in order and indented by who calls whom.

    A coroutine that goes on stands in brackets: it is no call. Comprehensions are left out.
    """
    outermost = _outermost(found.steps)
    for step in found.steps:
        indent = "  " * (step.depth - outermost)
        line = f"{step.file}:{step.function}"
        if step.kind == CALL:
            yield indent + line
        elif step.kind == RESUMED and not step.function.endswith(">"):
            yield indent + f"({line} goes on)"


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--before",
    type=click.Path(exists=True, file_okay=False, path_type=Path, resolve_path=True),
    help="A checkout of the release before.",
)
@click.option("--requests", type=click.IntRange(1, 10_000), default=300, help="Requests that count, of each checkout.")
@click.option("--tree", "with_tree", is_flag=True, help="Print the calls of one request of this checkout, too.")
def main(*, before: Path | None, requests: int, with_tree: bool) -> None:
    """Count the calls, files and changes of file on the way of one reserve."""
    end_gently()
    checkouts = [ROOT] if before is None else [before, ROOT]
    try:
        with Progress(console=Console(stderr=True), refresh_per_second=2, transient=True) as progress:
            task = progress.add_task("starting", total=len(checkouts) * requests)

            def report(doing: str) -> None:
                progress.update(task, advance=1, description=doing)

            ways = [measure(checkout, requests, report) for checkout in checkouts]
    except (ServerFailedError, WrongStatusError, NoWayError) as error:
        raise click.ClickException(str(error)) from None
    table(ways).show(Console(width=110))
    if with_tree:
        for line in tree(ways[-1]):
            print(line)


if __name__ == "__main__":
    main(prog_name="python -m bench.http.reserve_way")
