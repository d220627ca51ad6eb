"""Counts the instructions that the publisher takes for each value that it tells a channel, of any checkout.

    python -m bench.propagation.told_items
    python -m bench.propagation.told_items ../holdfast-before --channels 20,100

The publisher is a process of its own and runs under a tool that counts, see :mod:`bench.http.instructions`. Sales come
in waves of one for each SKU, the next when every channel has all values of the one before. So as much goes into a
request as a channel takes, however slow the tool is. What the publisher does by the clock is counted while nothing
changes, before and after, and taken off. That is some seven million instructions a second, as many as a hundred values
take, and under the tool a wave takes long. So a wave is large. What is written behind the last value counts, too. The
checkout is known by its command line and its HTTP API alone.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import click
from rich.console import Console

from bench.harness.black_box import QUIET, ROOT, interpreter
from bench.harness.processes import ServerProcess, end_gently
from bench.harness.report import Table
from bench.http.instructions import CannotCountError, Counter, counter
from bench.propagation.channels import Kind
from bench.propagation.setup import Channels, call, configuration, wait_until_right

SKUS: Final = 400
ON_HAND: Final = 1_000
WAVES: Final = 3
WARM_UP_WAVES: Final = 2
_IDLE_S: Final = 10.0
_BEHIND_S: Final = 3.0
"""How long after a wave all is written that came of it, such as what the channels have confirmed."""
_READY_S: Final = 300.0
_WAVE_S: Final = 900.0
"""Under valgrind, on a machine that others use, too."""
_SETTINGS: Final = QUIET | {
    "PYTHONHASHSEED": "0",
    # Under valgrind everything takes fifty times as long.
    "HOLDFAST_PUBLISHER_LEASE_S": "60",
    "HOLDFAST_STORE_CHECK": "true",
}


class Told(NamedTuple):
    """What was counted: instructions of the publisher, and the values and requests that reached the channels."""

    instructions: float
    items: int
    requests: int

    @property
    def of_one(self) -> float:
        """Instructions for each value."""
        return self.instructions / self.items


class Publishing:
    """A server, its publisher and its channels, as the bench sees them."""

    def __init__(self, url: str, publisher_pid: int, channels: Channels, names: list[str]) -> None:
        self.pid = publisher_pid
        self._url = url
        self._channels = channels
        self._names = names
        self._left = 0

    def fill(self) -> None:
        """List the SKUs on every channel under their numbers, then receive them."""
        listings = [{"sku": _sku(number), "key": str(number)} for number in range(1, SKUS + 1)]
        for name in self._names:
            call(f"{self._url}/v1/channels/{name}/listings", {"listings": listings}, "PUT")
        self.wave(ON_HAND)

    def wave(self, units: int = 1) -> tuple[int, int]:
        """Receive units of each SKU and wait until every channel knows; return how many values and requests came."""
        self._channels.forget()
        movements = [
            {"kind": "receive", "sku": _sku(number), "quantity": units, "reason": "bench"}
            for number in range(1, SKUS + 1)
        ]
        call(f"{self._url}/v1/stock/movements", {"movements": movements})
        self._left += units
        wanted = dict.fromkeys(range(1, SKUS + 1), self._left)
        wait_until_right(self._channels, wanted, *self._names, within_s=_WAVE_S)
        arrived = [each for arrivals in self._channels.arrivals().values() for each in arrivals]
        return sum(len(each.items) for each in arrived), len(arrived)


def _sku(number: int) -> str:
    return f"BENCH-{number:07d}"


@contextlib.contextmanager
def running(checkout: Path, folder: Path, channels: int, tool: Counter) -> Iterator[Publishing]:
    """Start the channels, half of each kind, a server without a publisher, and the publisher under the tool."""
    kinds: dict[str, Kind] = {
        f"channel-{number:03}": "webhook" if number % 2 else "woocommerce" for number in range(1, channels + 1)
    }
    with contextlib.ExitStack() as stack:
        words = [f"{name}={kind}" for name, kind in kinds.items()]
        process = ServerProcess("bench.propagation.channels", *words, log=folder / "channels.log")
        simulated = Channels(stack.enter_context(process))
        config = configuration(folder, simulated.ports, kinds)
        python = interpreter(checkout)
        server = stack.enter_context(_served(checkout, folder, config, "api", (python,)))
        publisher = stack.enter_context(_served(checkout, folder, config, "publisher", tool.python(python)))
        made = Publishing(server.url, publisher.pid, simulated, [*kinds])
        made.fill()
        yield made


def _served(checkout: Path, folder: Path, config: Path, role: str, python: Sequence[str]) -> ServerProcess:
    store = folder / "store"
    where = ("--data-dir", str(store)) if role == "api" else ("--store-url", f"unix://{store / 'store.sock'}")
    words = ("serve", "--host", "127.0.0.1", "--port", "0", "--config", str(config), "--role", role, *where)
    log = folder / f"{role}.log"
    return ServerProcess("server", *words, log=log, settings=_SETTINGS, python=python, cwd=checkout, ready_s=_READY_S)


def measure(checkout: Path, channels: int) -> Told:
    """Count at one number of channels."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as named:
        folder = Path(named)
        tool = counter(folder)
        with running(checkout, folder, channels, tool) as publishing:
            for _ in range(WARM_UP_WAVES):
                publishing.wave()
            time.sleep(_BEHIND_S)
            [idle] = tool.count([publishing.pid], lambda: time.sleep(_IDLE_S))
            items = requests = 0

            def work() -> None:
                nonlocal items, requests
                for _ in range(WAVES):
                    told, asked = publishing.wave()
                    items, requests = items + told, requests + asked
                time.sleep(_BEHIND_S)

            began_s = time.perf_counter()
            [used] = tool.count([publishing.pid], work)
            took_s = time.perf_counter() - began_s
            [idle_after] = tool.count([publishing.pid], lambda: time.sleep(_IDLE_S))
    idle_of_one_s = (idle + idle_after) / (2 * _IDLE_S)
    return Told(used - idle_of_one_s * took_s, items, requests)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.argument("before", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--channels", default="20", help="Numbers of channels.")
def main(*, before: Path | None, channels: str) -> None:
    """Run from the command line."""
    end_gently()
    made = Table(
        "Instructions of the publisher for each value that a channel is told, in thousands",
        ["channels", "checkout", "instructions", "values a request", "of before"],
    )
    checkouts = {"before": before.absolute(), "now": ROOT} if before is not None else {"now": ROOT}
    try:
        for number in map(int, channels.split(",")):
            found = {name: measure(checkout, number) for name, checkout in checkouts.items()}
            first = next(iter(found.values()))
            for name, each in found.items():
                ratio = f"{each.of_one / first.of_one:.2f}"
                row = (f"{each.of_one / 1000:,.1f}", f"{each.items / each.requests:.1f}", ratio)
                made.add(str(number), name, *row)
    except CannotCountError as error:
        raise click.ClickException(str(error)) from None
    made.show(Console(width=110))


if __name__ == "__main__":
    main(prog_name="python -m bench.propagation.told_items")
