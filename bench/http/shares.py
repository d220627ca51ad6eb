"""Where the server's time goes: shares of a profile of reserves, of availability, and of a handler that does nothing.

    python -m bench.http.shares                             all of them, some two minutes
    python -m bench.http.shares --spy /tmp/spy/bin/py-spy   with the py-spy of another environment

Each server is looked at two hundred times a second while it is under load; what it waits for does not count. A share
belongs to the innermost system call or part of the code. Times would need a quiet machine, shares hardly do.

The profiler is py-spy, which is no part of this project, and may have to run as root:
``python -m venv /tmp/spy && /tmp/spy/bin/pip install py-spy``.
"""

import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from bench.harness.black_box import Ask
from bench.harness.closed_loop import measure, reserve
from bench.harness.processes import end_gently
from bench.harness.report import Table
from bench.http import from_memory, two_ways

RATE_HZ: Final = 200
_AROUND_S: Final = 3.0
"""How much longer the load lasts than the profile, for the profiler's own start."""
_IDLE: Final = "SimpleQueue"
"""In the stack of a thread of the pool that waits for work: its wait looks like work from outside."""
_STORE: Final = re.compile(r"server/store/connection|hiredis|redis/")
_PARTS: Final = {
    "HTTP: the lane and the routes": re.compile(r"\(server/api/"),
    "checks and answers": re.compile(r"\(server/(service|schemas|domain)/"),
    "batcher, packing, copies": re.compile(r"\(server/store/(ledger|copies)/"),
    "the connection to the store": _STORE,
    "metrics and logs": re.compile(r"\(server/telemetry/|prometheus"),
    "aiohttp": re.compile(r"aiohttp|_http_parser"),
}
_REST: Final = "the event loop"
_CALLS: Final = {"epoll": "wait for what comes next", "read": "read", "recv": "read"}


def part_of(stack: list[str]) -> str:
    """Name the part that a stack belongs to, the outermost frame first."""
    call = stack[-1]
    if call.startswith(("write", "send")):
        return "write to the store" if any(map(_STORE.search, stack)) else "write to callers"
    for begin, name in _CALLS.items():
        if call.startswith(begin):
            return name
    found = (name for frame in reversed(stack) for name, part in _PARTS.items() if part.search(frame))
    return next(found, _REST)


def shares(profile: Iterable[str]) -> dict[str, float]:
    """Add up a profile in py-spy's ``raw`` format: a stack and how often it was seen on each line."""
    seen: Counter[str] = Counter()
    for line in profile:
        stack, _, times = line.rpartition(" ")
        if _IDLE not in stack:
            seen[part_of(stack.split(";"))] += int(times)
    return {part: times / seen.total() for part, times in seen.items()}


def look(spy: str, pid: int, seconds: int, folder: Path) -> dict[str, float]:
    """Profile a process.

    Raises
    ------
    click.ClickException
        The profiler failed.

    """
    output = folder / "profile"
    words = [spy, "record", "--native", "--format", "raw", "--rate", str(RATE_HZ), "--duration", str(seconds)]
    words += ["--output", str(output), "--pid", str(pid)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not output.exists():
        raise click.ClickException(f"py-spy failed; it may have to run as root: {done.stderr.strip()[-300:]}")
    with output.open(encoding="utf-8") as profile:
        return shares(profile)


def take(spy: str, seconds: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Profile each server under load, in turn."""

    def profiled(url: str, pid: int, connections: int, ask: Ask) -> dict[str, float]:
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder, ThreadPoolExecutor(1) as beside:
            found = beside.submit(look, spy, pid, seconds, Path(folder))
            measure(url, [pid], connections, seconds + _AROUND_S, ask)
            return found.result()

    for connections in (1, 32):
        with two_ways.started(two_ways.EXPRESS, "durable") as server:
            yield f"reserve, {connections}", profiled(server.url, server.pids[0], connections, reserve)
    for way in from_memory.WAYS:
        with from_memory.started(way) as (url, pids):
            title = f"availability {way}, 32" if way != from_memory.NOOP else f"{way}, 32"
            yield title, profiled(url, pids[0], 32, from_memory.one(way))


def table(taken: dict[str, dict[str, float]]) -> Table:
    """Lay the shares out, the largest part first."""
    made = Table("Shares of the server's time, in per cent", ["part", *taken])
    total: Counter[str] = Counter()
    for each in taken.values():
        total.update(each)
    for part, _ in total.most_common():
        made.add(part, *[f"{100 * each.get(part, 0):.0f}" for each in taken.values()])
    return made


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.option("--spy", default="py-spy", help="The profiler.")
@click.option("--seconds", type=click.IntRange(2, 600), default=12, help="Of each profile.")
def main(*, spy: str, seconds: int) -> None:
    """Run from the command line."""
    end_gently()
    if shutil.which(spy) is None:
        mend = "python -m venv /tmp/spy && /tmp/spy/bin/pip install py-spy, then --spy /tmp/spy/bin/py-spy"
        raise click.UsageError(f"{spy} is missing: {mend}")
    table(dict(take(spy, seconds))).show(Console(width=160))


if __name__ == "__main__":
    main(prog_name="python -m bench.http.shares")
