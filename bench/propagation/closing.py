"""How long a location that closes takes to every channel, and what those who order notice of it meanwhile.

``python -m bench.propagation.closing`` puts 100,000 SKUs at one location, publishes them to several channels, and sells
others at an even pace: first undisturbed, then while that location closes, then while it opens.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from rich.console import Console

from bench.harness import paced, stock
from bench.harness.driver import drive
from bench.harness.load import LoadError
from bench.harness.neighbours import cpu_s
from bench.harness.paced import Sold
from bench.harness.processes import ServerProcess, end_gently
from bench.harness.report import Table
from bench.propagation.channels import Arrival
from bench.propagation.figures import percentile
from bench.propagation.setup import Channels, Holdfast, call, configuration, start
from server.domain.operations.stock import Count
from server.store.connection.slow_calls import slow_calls

LOCATION: Final = "store"
HOT_SKUS: Final = 2_000
"""That are sold meanwhile; they lie elsewhere."""
UNITS: Final = 5
_LOG_LENGTH: Final = 200_000
"""Of the store's slow log, which notes every command here: the longest is what is asked for."""
_SECONDS: Final = 20
_PATIENCE_S: Final = 600.0
_LOOK_S: Final = 1.1
"""The status of a channel is a second old at most."""
_US: Final = 1e6
_SLOWEST: Final = 6
_WIDTH: Final = 130


class Stretch(NamedTuple):
    """Some seconds of sales. ``first_s``, ``last_s``: from the change of the location to a first and to the last value.

    ``cpu_s``: what each process used until then, or in all. ``taken_ms``: how long each command took in the store.
    """

    title: str
    sold: Sold
    first_s: float | None
    last_s: float | None
    cpu_s: dict[str, float]
    taken_ms: dict[str, list[float]]
    busy: float


def main() -> None:
    """Take the figures and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skus", type=int, default=100_000, help="at the location")
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--sales", type=int, default=200, help="a second")
    parser.add_argument("--seconds", type=int, default=_SECONDS, help="of each stretch")
    parser.add_argument("--together", action="store_true", help="one process serves orders and publishes")
    asked = parser.parse_args()
    end_gently()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        found = list(measure(Path(folder), asked, console))
    for each in tables(asked, found):
        each.show(Console(width=_WIDTH))


def measure(folder: Path, asked: argparse.Namespace, console: Console) -> Iterator[Stretch]:
    """Sell undisturbed, while the location closes, while it opens, and undisturbed once more."""
    with running(folder, asked, console) as (holdfast, channels):
        for title, is_open in (("undisturbed", None), ("closes", False), ("opens", True), ("undisturbed", None)):
            console.print(f"{asked.sales} sales a second: {title}")
            yield stretch(holdfast, channels, asked, title, is_open)


@contextlib.contextmanager
def running(folder: Path, asked: argparse.Namespace, console: Console) -> Iterator[tuple[Holdfast, Channels]]:
    """Start everything, fill the store, and wait until all channels have all."""
    names = [f"hook-{number}" for number in range(1, asked.channels + 1)]
    with contextlib.ExitStack() as stack:
        words = [f"{name}=webhook" for name in names]
        process = ServerProcess("bench.propagation.channels", *words, log=folder / "channels.log")
        channels = Channels(stack.enter_context(process))
        config = configuration(folder, channels.ports, dict.fromkeys(names, "webhook"), listings="all")
        holdfast = start(folder, config, stack, apart=not asked.together)
        stack.callback(holdfast.client.close)
        console.print(f"filling {asked.skus:,} SKUs, and waiting for {len(names)} channels")
        stock.fill_skus(holdfast.socket, HOT_SKUS)
        numbers = range(HOT_SKUS, HOT_SKUS + asked.skus)
        counts = [Count("", "local", "", stock.sku(number), LOCATION, UNITS) for number in numbers]
        drive(holdfast.socket, stock.commands(counts, stock.FILL_BATCH), stock.FILL_BATCH, stock.took_effect)
        _close(holdfast, is_open=True)
        _wait_until_told(holdfast, channels, asked, UNITS, 0)
        yield holdfast, channels


def stretch(
    holdfast: Holdfast, channels: Channels, asked: argparse.Namespace, title: str, is_open: bool | None
) -> Stretch:
    """Sell for a stretch, and change the location a second after it began, if at all."""
    channels.forget()
    client = holdfast.client
    client.config_set("slowlog-log-slower-than", 0)
    client.config_set("slowlog-max-len", _LOG_LENGTH)
    client.slowlog_reset()
    pids = {"server": holdfast.pid, "publisher": holdfast.publisher_pid, "store": holdfast.store_pid}
    used_s = {name: cpu_s(pid) for name, pid in pids.items() if pid is not None}
    command = [sys.executable, "-m", "bench.harness.paced", holdfast.url, str(asked.sales), str(asked.seconds)]
    told: tuple[float, float] | None = None
    with subprocess.Popen([*command, str(HOT_SKUS)], stdout=subprocess.PIPE, text=True) as seller:
        time.sleep(1.0)
        if is_open is not None:
            at_us = time.time_ns() // 1000
            _close(holdfast, is_open=is_open)
            told = _wait_until_told(holdfast, channels, asked, UNITS if is_open else 0, at_us)
            used_s = {name: cpu_s(pid) - used_s[name] for name, pid in pids.items() if pid is not None}
        output, _ = seller.communicate()
    line = next((line for line in output.splitlines() if line.startswith(paced.RESULT)), None)
    if line is None:
        raise LoadError("the loader printed no result")
    sold = msgspec.json.decode(line[len(paced.RESULT) :], type=Sold)
    if told is None:
        used_s = {name: cpu_s(pid) - used_s[name] for name, pid in pids.items() if pid is not None}
    first_s, last_s = told or (None, None)
    return Stretch(title, sold, first_s, last_s, used_s, _taken(client), os.getloadavg()[0])


def _close(holdfast: Holdfast, *, is_open: bool) -> None:
    call(f"{holdfast.url}/v1/locations/{LOCATION}", {"kind": "store", "open": is_open}, "PUT")


def _wait_until_told(
    holdfast: Holdfast, channels: Channels, asked: argparse.Namespace, units: int, since_us: int
) -> tuple[float, float]:
    """Wait until every channel has the units of each SKU there; when the first and the last came, in seconds."""
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        # What arrived is read only when all may be there: that takes the channels' time.
        if not any(_pending(holdfast)):
            times = [_came(channels.arrivals(name)[name], units) for name in channels.ports]
            if all(len(came) == asked.skus for came in times):
                first_us, last_us = min(min(came.values()) for came in times), max(max(came.values()) for came in times)
                return (first_us - since_us) / _US, (last_us - since_us) / _US
        if time.monotonic() > until_s:
            raise TimeoutError(f"the channels have not all of {asked.skus:,} values; pending: {_pending(holdfast)}")
        time.sleep(_LOOK_S)


def _pending(holdfast: Holdfast) -> list[int]:
    """Read how many SKUs wait for each channel, as of the last second; those that are sold meanwhile are a few."""
    read = msgspec.json.decode(call(f"{holdfast.url}/v1/channels", method="GET"))
    return [max(0, channel["dirty"] - HOT_SKUS) for channel in read["channels"]]


def _came(arrivals: list[Arrival], units: int) -> dict[int, int]:
    """Return when the value came that a channel shows now, for each SKU at the location where it is the right one."""
    last: dict[int, tuple[int, int]] = {}
    for arrival in arrivals:
        for number, quantity in arrival.items:
            if number >= HOT_SKUS:
                last[number] = quantity, arrival.at_us
    return {number: at_us for number, (quantity, at_us) in last.items() if quantity == units}


def _taken(client: Any) -> dict[str, list[float]]:
    """Read the slow log: how long each command took, sorted; a function by its name without the digest."""
    taken: dict[str, list[float]] = {}
    for each in slow_calls(client.slowlog_get(_LOG_LENGTH)):
        taken.setdefault(each.name, []).append(each.microseconds / 1000)
    return {name: sorted(each) for name, each in taken.items()}


def tables(asked: argparse.Namespace, found: list[Stretch]) -> Iterator[Table]:
    """Lay the figures out."""
    title = f"A location with {asked.skus:,} SKUs, {asked.channels} channels, {asked.sales} sales a second elsewhere"
    used = list(found[0].cpu_s)
    made = Table(title, ["stretch", "sale p50 ms", "p99 ms", "late p99 ms", "first s", "last s", *used, "load"])
    for each in found:
        made.add(
            each.title,
            f"{each.sold.p50_us / 1000:.1f}",
            f"{each.sold.p99_us / 1000:.1f}",
            f"{each.sold.sent_late_p99_us / 1000:.1f}",
            "" if each.first_s is None else f"{each.first_s:.2f}",
            "" if each.last_s is None else f"{each.last_s:.1f}",
            *(f"{each.cpu_s[name]:.1f}" for name in used),
            f"{each.busy:.1f}",
        )
    yield made
    made = Table("In the store, ms", ["stretch", "command", "calls", "p50", "p99", "longest"])
    for each in found:
        slowest = sorted(each.taken_ms.items(), key=lambda one: -one[1][-1])[:_SLOWEST]
        for name, taken in slowest:
            p50, p99 = (f"{percentile(taken, percent):.2f}" for percent in (50, 99))
            made.add(each.title, name, f"{len(taken):,}", p50, p99, f"{taken[-1]:.2f}")
        made.end_section()
    yield made


if __name__ == "__main__":
    main()
