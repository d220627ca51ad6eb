"""How the console feels to who looks at a large shop, and what it takes from those who reserve.

    python -m bench.http.console                             100,000 SKUs, 10,000 open orders, 50 channels
    python -m bench.http.console --only memory --minutes 60
    python -m bench.http.console --data /tmp/shop            fill it once, and look at it again and again

A real server with its embedded store and its documents has the shop, tells its channels, and keeps its index. Chromium
looks at it without a window.

- **first paint**: when the page first has something on it, in a browser that has nothing of it (*cold*), and in one
  that was there before (*warm*); and when all of Today's lists have been read.
- **search**: from the last key to what is found, once drawn.
- **a change**: from before a unit is reserved over the API until the product's page shows what is left. *Right behind
  another*: the product changed less than a second before.
- **requests**: those that a screen waits for longest, one after the other; and the processor's time of one.
- **memory**: what JavaScript has, the nodes and the listeners of Today and of a product, each minute after all rubbish
  was collected, while there are 20 changes a second; and how much each grows in an hour, by least squares.
- **reserves**: their p99 at an even pace, with nobody there, and with 50 streams of changes and a browser on Today.
  *server*, *store*, *readers* (of the streams) and *browser*: how much of a core each took meanwhile. A browser that
  *yields* takes only what processor nobody else wants, so that its own work is not in the times, but its requests are.
"""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import click
from rich.console import Console

from bench.harness.chromium import INSTALL, find
from bench.harness.neighbours import Neighbours
from bench.harness.processes import ServerFailedError, end_gently
from bench.harness.report import Table
from bench.http import console_memory, console_page, console_requests, console_reserves
from bench.http.console_memory import Kept
from bench.http.console_page import Row
from bench.http.console_requests import Asked
from bench.http.console_reserves import WANTED, Reserved
from bench.http.console_shop import Report, Shop, Size, running

PROCESSES: Final = ("server", "store", "readers", "browser")
PARTS: Final = ("paint", "search", "change", "requests", "memory", "reserves")


class Plan(NamedTuple):
    """What is taken, how often, and how long each round of reserves and the watching of memory is."""

    parts: Sequence[str]
    rounds: int
    seconds: int
    minutes: int


async def measure(path: str, shop: Shop, plan: Plan, report: Report) -> list[Table]:
    """Take the figures."""
    parts, rounds, seconds, minutes = plan
    tables, rows = list[Table](), list[Row]()
    for part, take in (
        ("paint", console_page.paints), ("search", console_page.searches), ("change", console_page.changes)
    ):  # fmt: skip
        if part in parts:
            report(part)
            rows += await take(path, shop, rounds)
    if rows:
        tables.append(page_table(rows))
    if "requests" in parts:
        tables.append(requests_table(console_requests.measure(shop, rounds, report)))
    if "reserves" in parts:
        tables.append(reserves_table(await console_reserves.measure(path, shop, rounds, seconds, report)))
    if "memory" in parts:
        tables.append(memory_table(await console_memory.measure(path, shop, minutes, report)))
    return tables


def page_table(rows: Sequence[Row]) -> Table:
    """Lay out what a person waits for."""
    made = Table("What a person at the console waits for", ["", "wanted", "median ms", "worst ms", "times", "held"])
    for row in rows:
        made.add(*console_page.verdict(row))
    return made


def requests_table(found: Sequence[Asked]) -> Table:
    """Lay out what the requests took, by the median of the rounds."""
    made = Table("What the console's longest requests take", ["request", "p50 ms", "store, ms", "server, ms", "times"])
    for each in found:
        taken = (each.p50_ms, each.store_ms, each.server_ms)
        times = f"{console_requests.TIMES * len(each.p50_ms):,}"
        made.add(f"GET {each.path}", *(f"{median(values):.1f}" for values in taken), times)
    return made


def reserves_table(found: Sequence[Reserved]) -> Table:
    """Lay out what reserves took; the first ones are those with nobody there."""
    made = Table(
        "Reserves while others look on",
        [
            "there are",
            "wanted",
            "p50 ms",
            "p99 ms",
            "rounds' p99",
            "of nobody's",
            *PROCESSES,
            "reserves",
            "failed",
            "held",
        ],
    )
    alone = found[0]
    for each in found:
        times, is_judged = each.times(alone), each.way in console_reserves.JUDGED
        made.add(
            each.way.name,
            f"≤ {WANTED} ×" if is_judged else "",
            f"{each.p50_ms:.1f}",
            f"{each.p99_ms:.1f}",
            "{:.1f} to {:.1f}".format(*each.spread_ms),
            f"{times:.2f} ×",
            *(f"{cores:.2f}" for cores in each.cores),
            f"{sum(taken.sold.sales for taken in each.rounds):,}",
            str(sum(taken.sold.failed for taken in each.rounds)),
            ("yes" if times <= WANTED else "NO") if is_judged else "",
        )
    return made


def memory_table(found: Sequence[Kept]) -> Table:
    """Lay out what the pages kept."""
    minutes = f"{found[0].samples[-1].minute:.0f}"
    made = Table(
        f"The page's memory in {minutes} minutes of {found[0].changes_per_s:.0f} changes a second",
        ["", "first", "last", "most", "grows in an hour"],
    )
    for each in found:
        for row in console_memory.rows(each):
            made.add(*row)
    return made


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--skus", type=click.IntRange(2_000, 1_000_000), default=Size().skus, help="SKUs of the shop.")
@click.option("--orders", type=click.IntRange(100, 1_000_000), default=Size().orders, help="Its open orders.")
@click.option("--channels", type=click.IntRange(1, 99), default=Size().channels, help="Its channels.")
@click.option("--listings", type=click.IntRange(1, 100_000), default=Size().listings, help="SKUs that each lists.")
@click.option("--only", "parts", type=click.Choice(PARTS), multiple=True, help="This part; repeatable.")
@click.option("--rounds", type=click.IntRange(1, 100), default=5, help="How often each figure is taken.")
@click.option("--seconds", type=click.IntRange(1, 600), default=10, help="Of each round of reserves.")
@click.option("--minutes", type=click.IntRange(1, 600), default=10, help="Of watching the page's memory.")
@click.option("--data", type=click.Path(path_type=Path), help="A folder for the shop, which stays; else it goes.")
def main(
    *, skus: int, orders: int, channels: int, listings: int, parts: Sequence[str], rounds: int, seconds: int,
    minutes: int, data: Path | None,
) -> None:  # fmt: skip
    """Measure the console before a large shop."""
    end_gently()
    path, out = find(), Console(stderr=True)
    if path is None:
        raise click.ClickException(f"there is no Chromium: {INSTALL}")

    def report(text: str) -> None:
        out.print(text, highlight=False)

    size = Size(skus, orders, channels, listings)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="holdfast-bench-") as made,
            running(data or Path(made), size, report) as shop,
        ):
            noise = Neighbours()
            tables = asyncio.run(measure(path, shop, Plan(parts or PARTS, rounds, seconds, minutes), report))
            others = noise.cores()
    except ServerFailedError as error:
        raise click.ClickException(str(error)) from None
    for table in tables:
        table.show(Console(width=130))
    if others is not None:
        print(f"Other processes meanwhile: {others:.2f} cores of {os.cpu_count()}")


if __name__ == "__main__":
    main(prog_name="python -m bench.http.console")
