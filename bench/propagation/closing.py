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
from bench.harness.paced import Sold
from bench.harness.processes import ServerProcess, end_gently
from bench.harness.report import Table
from bench.propagation.channels import Arrival
from bench.propagation.setup import Channels, Holdfast, call, start, write_secrets
from server.domain.operations.stock import Count

LOCATION: Final = "store"
HOT_SKUS: Final = 2_000
"""That are sold meanwhile; they lie elsewhere."""
UNITS: Final = 5
SCRIPT_MS_MAX: Final = 8.0
_SLOW_US: Final = 500
"""Commands above this are in the store's log; the longest is what is asked for."""
_LOG_LENGTH: Final = 20_000
_SECONDS: Final = 20
_PATIENCE_S: Final = 600.0
_LOOK_S: Final = 0.5
_US: Final = 1e6
_PRIORITY: Final = -15

_CHANNEL: Final = """
[channels.{name}]
kind = "webhook"
listings = "all"
allow_private = ["127.0.0.1"]
[channels.{name}.options]
url = "http://127.0.0.1:{port}/"
batch_max = 50
[channels.{name}.credentials]
secret = {{ file = "signing-secret" }}
"""


class Stretch(NamedTuple):
    """Some seconds of sales. ``first_s``, ``last_s``: from the change of the location to a first and to the last value.

    ``longest_ms``: of each kind of command in the store, as its slow log has it, the slowest first.
    """

    title: str
    sold: Sold
    first_s: float | None
    last_s: float | None
    longest_ms: dict[str, float]
    busy: float


def main() -> None:
    """Take the figures and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skus", type=int, default=100_000, help="at the location")
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--sales", type=int, default=200, help="a second")
    parser.add_argument("--seconds", type=int, default=_SECONDS, help="of each stretch")
    parser.add_argument("--store-first", action="store_true", help="give the store priority on a busy machine")
    parser.add_argument("--together", action="store_true", help="one process serves orders and publishes")
    asked = parser.parse_args()
    end_gently()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        found = list(measure(Path(folder), asked, console))
    table(asked, found).show(Console())


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
        write_secrets(folder)
        config = folder / "holdfast.toml"
        config.write_text("".join(_CHANNEL.format(name=name, port=channels.ports[name]) for name in names))
        holdfast = start(folder, config, stack, apart=not asked.together)
        stack.callback(holdfast.client.close)
        if asked.store_first and holdfast.store_pid is not None:
            os.setpriority(os.PRIO_PROCESS, holdfast.store_pid, _PRIORITY)
        console.print(f"filling {asked.skus:,} SKUs, and waiting for {len(names)} channels")
        stock.fill_skus(holdfast.socket, HOT_SKUS)
        numbers = range(HOT_SKUS, HOT_SKUS + asked.skus)
        counts = [Count("", "local", "", stock.sku(number), LOCATION, UNITS) for number in numbers]
        drive(holdfast.socket, stock.commands(counts, stock.FILL_BATCH), stock.FILL_BATCH, stock.took_effect)
        _close(holdfast, is_open=True)
        _wait_until_told(channels, asked, UNITS, 0)
        yield holdfast, channels


def stretch(
    holdfast: Holdfast, channels: Channels, asked: argparse.Namespace, title: str, is_open: bool | None
) -> Stretch:
    """Sell for a stretch, and change the location a second after it began, if at all."""
    channels.forget()
    client = holdfast.client
    client.config_set("slowlog-log-slower-than", _SLOW_US)
    client.config_set("slowlog-max-len", _LOG_LENGTH)
    client.slowlog_reset()
    command = [sys.executable, "-m", "bench.harness.paced", holdfast.url, str(asked.sales), str(asked.seconds)]
    told: tuple[float, float] | None = None
    with subprocess.Popen([*command, str(HOT_SKUS)], stdout=subprocess.PIPE, text=True) as seller:
        time.sleep(1.0)
        if is_open is not None:
            at_us = time.time_ns() // 1000
            _close(holdfast, is_open=is_open)
            told = _wait_until_told(channels, asked, UNITS if is_open else 0, at_us)
        output, _ = seller.communicate()
    line = next((line for line in output.splitlines() if line.startswith(paced.RESULT)), None)
    if line is None:
        raise LoadError("the loader printed no result")
    sold = msgspec.json.decode(line[len(paced.RESULT) :], type=Sold)
    first_s, last_s = told or (None, None)
    return Stretch(title, sold, first_s, last_s, _longest(client), os.getloadavg()[0])


def _close(holdfast: Holdfast, *, is_open: bool) -> None:
    call(f"{holdfast.url}/v1/locations/{LOCATION}", {"kind": "store", "open": is_open}, "PUT")


def _wait_until_told(channels: Channels, asked: argparse.Namespace, units: int, since_us: int) -> tuple[float, float]:
    """Wait until every channel has the units of each SKU there; when the first and the last came, in seconds."""
    names, until_s = list(channels.ports), time.monotonic() + _PATIENCE_S
    first_us, last_us = sys.maxsize, 0
    for name in names:
        while True:
            came = _came(channels.arrivals(name)[name], units)
            if len(came) == asked.skus:
                break
            if time.monotonic() > until_s:
                raise TimeoutError(f"{name} has {len(came):,} of {asked.skus:,} values")
            time.sleep(_LOOK_S)
        first_us, last_us = min(first_us, *came.values()), max(last_us, *came.values())
    return (first_us - since_us) / _US, (last_us - since_us) / _US


def _came(arrivals: list[Arrival], units: int) -> dict[int, int]:
    """Return when the value came that a channel shows now, for each SKU at the location where it is the right one."""
    last: dict[int, tuple[int, int]] = {}
    for arrival in arrivals:
        for number, quantity in arrival.items:
            if number >= HOT_SKUS:
                last[number] = quantity, arrival.at_us
    return {number: at_us for number, (quantity, at_us) in last.items() if quantity == units}


def _longest(client: Any) -> dict[str, float]:
    """Read the slow log: the longest of each command, a function by its name without the digest."""
    longest: dict[str, float] = {}
    for each in client.slowlog_get(_LOG_LENGTH):
        words = each["command"].decode("utf-8", "replace").split(" ", 2)
        name = words[1].rpartition("_")[0] if words[0] == "FCALL" else words[0]
        longest[name] = max(longest.get(name, 0.0), each["duration"] / 1000)
    return dict(sorted(longest.items(), key=lambda one: -one[1]))


def table(asked: argparse.Namespace, found: list[Stretch]) -> Table:
    """Lay the figures out."""
    title = f"A location with {asked.skus:,} SKUs, {asked.channels} channels, {asked.sales} sales a second elsewhere"
    columns = ["stretch", "sale p50 ms", "sale p99 ms", "late p99 ms", "first s", "last s", "longest in the store, ms"]
    made = Table(title, [*columns, "load"])
    for each in found:
        slowest = [f"{name} {taken:.1f}" for name, taken in list(each.longest_ms.items())[:4]]
        made.add(
            each.title,
            f"{each.sold.p50_us / 1000:.1f}",
            f"{each.sold.p99_us / 1000:.1f}",
            f"{each.sold.sent_late_p99_us / 1000:.1f}",
            "" if each.first_s is None else f"{each.first_s:.2f}",
            "" if each.last_s is None else f"{each.last_s:.1f}",
            ", ".join(slowest) or f"none above {_SLOW_US / 1000}",
            f"{each.busy:.1f}",
        )
    return made


if __name__ == "__main__":
    main()
