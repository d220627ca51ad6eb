"""What a reserve costs with a key that has no limits, a quota, or a rate: instructions, and the processor's time.

    python -m bench.http.key_limits
    python -m bench.http.key_limits --only time --limits "a quota" --rounds 15

All keys ask the same server for the same: each request names one of a few customers. They take turns, and who begins
changes from round to round. Instructions do not depend on what else runs, but leave the kernel out; see
:mod:`bench.http.instructions` for how they are taken. The time is that of the two processes in the kernel and outside,
as the kernel counts it. :mod:`bench.http.before_after` has the instructions without any key.
"""

import contextlib
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import click
from rich.console import Console

from bench.harness.black_box import RESERVE, ROOT, Ask, Caller, ask_many, interpreter, one_line, request, server
from bench.harness.closed_loop import measure
from bench.harness.figures import Figure, figure
from bench.harness.processes import READY_TIMEOUT_S, end_gently
from bench.harness.report import Table, interval
from bench.http import instructions

UNLIMITED: Final = "no limits"
KINDS: Final = {
    UNLIMITED: "",
    "a quota": "held_units_max = 900000\ncustomer_units_max = 900000",
    "a rate": "requests_per_s = 100000",
}
"""What is measured, and the lines of its key; none of the limits is reached."""
_LIMITS: Final = [kind for kind in KINDS if kind != UNLIMITED]
CUSTOMERS: Final = 8
TITLES: Final = {
    "instructions": "Instructions of a reserve by the limits of its key (lower is better)",
    "time": "Processor time of a reserve by the limits of its key, in µs (lower is better)",
}
PROCESSES: Final = (*instructions.PROCESSES, "both")
_CREATED: Final = b"HTTP/1.1 201 "
_BEFORE: Final = 1_000
"""Reserves with each key before the first round of time: a server grows quicker over its first ones."""

One = Callable[[str], Sequence[float]]
"""Takes with the key of a kind what one reserve costs the server, and the store."""
Taken = dict[str, list[Sequence[float]]]
"""The rounds of each kind."""


class Running(NamedTuple):
    """A server with a key of each kind: its processes, and how its keys ask."""

    url: str
    pids: list[int]
    asks: Mapping[str, Ask]


def _key(number: int, terms: str) -> tuple[str, str]:
    """Make a key: its token, and its table in the configuration file."""
    secret, key_id = secrets.token_hex(16), f"bench-{number}"
    digest = sha256(secret.encode()).hexdigest()
    table = f'[[keys]]\nid = "{key_id}"\nsha256 = "{digest}"\nscopes = ["reserve", "stock"]\n{terms}\n'
    return f"hf_{key_id}_{secret}", table


def _ask(token: str) -> Ask:
    def ask(name: str, address: tuple[str, int]) -> bytes:
        body = one_line(name) | {"customer_ref": f"customer-{crc32(name.encode()) % CUSTOMERS}"}
        return request(RESERVE, body, address, token)

    return ask


@contextlib.contextmanager
def running(
    folder: Path, settings: Mapping[str, str], python: Sequence[str] = (), ready_s: float = READY_TIMEOUT_S
) -> Iterator[Running]:
    """Start a server with a key of each kind, and with stock."""
    keys = {kind: _key(number, terms) for number, (kind, terms) in enumerate(KINDS.items())}
    config = folder / "keys.toml"
    config.write_text("\n".join(table for _, table in keys.values()), "utf-8")
    settings = {**settings, "HOLDFAST_CONFIG": str(config)}
    with server(ROOT, folder, python=python, settings=settings, ready_s=ready_s) as process:
        with Caller(process.url, keys[UNLIMITED][0]) as caller:
            caller.fill()
        pids = [process.pid, *instructions.children(process.pid)]
        yield Running(process.url, pids, {kind: _ask(token) for kind, (token, _) in keys.items()})


def in_turn(kinds: Sequence[str], rounds: int, report: Callable[[str], None], one: One) -> Taken:
    """Take the rounds of some kinds, in the other order in every second round."""
    taken: Taken = {kind: [] for kind in kinds}
    for turn in range(rounds):
        for kind in kinds if turn % 2 == 0 else reversed(kinds):
            report(f"round {turn + 1}: {kind}")
            taken[kind].append(one(kind))
    return taken


def count(kinds: Sequence[str], connections: int, rounds: int, report: Callable[[str], None]) -> Taken:
    """Count the instructions of the server and its store for one reserve."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        tool = instructions.counter(Path(name))
        python = tool.python(interpreter(ROOT))
        with running(Path(name), instructions.SETTINGS, python, instructions.READY_S) as found:

            def ask(kind: str, requests: int) -> None:
                ask_many(found.url, connections, requests, found.asks[kind], _CREATED)

            for kind in kinds:
                ask(kind, instructions.WARM_UP)
            return in_turn(
                kinds,
                rounds,
                report,
                lambda kind: instructions.for_one(tool, found.pids, partial(ask, kind, tool.requests)),
            )


def time_of(
    kinds: Sequence[str], connections: int, rounds: int, seconds: float, report: Callable[[str], None]
) -> Taken:
    """Take the processor's time of the server and its store for one reserve, in µs."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name, running(Path(name), {}) as found:

        def one(kind: str) -> Sequence[float]:
            seen = measure(found.url, found.pids, connections, seconds, found.asks[kind])
            return seen.server_us, seen.store_us

        for kind in kinds:
            ask_many(found.url, connections, _BEFORE, found.asks[kind], _CREATED)
        return in_turn(kinds, rounds, report, one)


def column(rounds: Sequence[Sequence[float]], process: str) -> Figure:
    """Pick the rounds of one process, or of both together."""
    place = PROCESSES.index(process)
    return figure(sum(each) if process == "both" else each[place] for each in rounds)


def add_to(made: Table, connections: int, taken: Taken, digits: str) -> None:
    """Add the rows of a number of connections; a ratio is taken within a round."""
    for process in PROCESSES:
        base = column(taken[UNLIMITED], process)
        cells = [f"{base.median:{digits}}"]
        for kind, rounds in taken.items():
            if kind == UNLIMITED:
                continue
            mine = column(rounds, process)
            cells.append(f"{mine.median:{digits}}, {interval(mine.over(base), '.3f')}")
        made.add(str(connections), process, *cells)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.option("--connections", default="1,16,64")
@click.option("--only", "parts", type=click.Choice([*TITLES]), multiple=True, default=tuple(TITLES))
@click.option("--limits", type=click.Choice(_LIMITS), multiple=True, default=_LIMITS, help="Those of the other keys.")
@click.option("--rounds", type=click.IntRange(1, 99), default=3, help="Rounds of each key.")
@click.option("--seconds", type=click.FloatRange(0.5, 600), default=2.0, help="Seconds of load for each time.")
def main(*, connections: str, parts: tuple[str, ...], limits: tuple[str, ...], rounds: int, seconds: float) -> None:
    """Run from the command line."""
    end_gently()
    told, kinds = Console(stderr=True), (UNLIMITED, *(kind for kind in KINDS if kind in limits))
    for part in parts:
        made = Table(TITLES[part], ["connections", "process", *kinds])
        for number in map(int, connections.split(",")):
            report = partial(lambda number, text: told.print(f"{number} connections, {text}"), number)
            if part == "instructions":
                add_to(made, number, count(kinds, number, rounds, report), ",.0f")
            else:
                add_to(made, number, time_of(kinds, number, rounds, seconds, report), ",.1f")
        made.show(Console(width=160))


if __name__ == "__main__":
    main(prog_name="python -m bench.http.key_limits")
