"""``holdfast demo``: a sale that all channels show at once, then buyers who compete for few units."""

import asyncio
import contextlib
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import click
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from server.app import Holdfast
from server.cli.api_key import key_option, read_key
from server.cli.common import failure, opened_store, quiet_settings, run
from server.cli.demo.buyers import CHANNELS, DemoError, Shop, open_shop
from server.cli.demo.market_sales import sell_everywhere
from server.cli.demo.one_sale import (
    SKU,
    UNITS,
    Channels,
    count_and_wait,
    disagreements,
    drop_line,
    sale_faults,
    sell_one,
)
from server.cli.demo.simulated_channels import SimulatedChannel
from server.cli.demo.stage import open_stage, sellers_of
from server.cli.terminal import console, progress_console, say
from server.cli.verify import audited, exit_code, print_report
from server.config.settings import ConfigError, Settings
from server.domain.limits import DEFAULT_PARTITION
from server.files.wording import counted

REFRESH_S: Final = 0.25
PLAIN_S: Final = 1.0
"""Between two lines where there is no terminal."""
TICKETS: Final = "The marketplaces lag: a ticket is open for 3 s, and until it is settled its SKUs get no newer value."


class Contest(NamedTuple):
    """How many buyers buy for how long. The same ``seed`` makes the same decisions."""

    seconds: float
    buyers: int
    seed: int


class Units(NamedTuple):
    """The buckets of all demo SKUs together, from the server's stock API."""

    on_hand: int
    held: int
    sold: int
    left: int
    oversold: int


@click.command()
@click.option("--seconds", type=click.FloatRange(min=0.5), default=15.0, show_default=True, help="How long they buy.")
@click.option("--buyers", type=click.IntRange(1, 1000), default=40, show_default=True, help="How many buy.")
@click.option("--seed", type=int, default=None, help="Repeat the decisions of an earlier run.")
@click.option("--url", default="", help="A running server [a server of its own on a temporary store].")
@key_option
def demo(seconds: float, buyers: int, seed: int | None, url: str, key_file: Path | None) -> None:
    """Watch one sale reach every channel, marketplaces sell, then buyers compete.

    All of it runs over real HTTP. Holdfast publishes to two simulated marketplaces, a simulated shop and a webhook
    receiver; each shows its quantity. The marketplaces and the shop sell: their orders come in by themselves, and
    what is shipped is told to them.

    The buyers reserve, then pay, release, or let the hold expire; some send a request twice. If more is sold than
    there was, or a channel shows a wrong quantity in the end, the exit code is 1.

    \b
      holdfast demo
      holdfast demo --seconds 30 --buyers 200 --seed 7
      holdfast demo --url http://127.0.0.1:8080

    A key for --url needs the scopes reserve, read and stock.
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(key_file=key_file)
    if key_file is not None and not url:
        raise click.UsageError("A key is for a server. Name it with --url.")
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    try:
        api_key = read_key(settings) if url else ""
        sys.exit(run(_demo(Contest(seconds, buyers, seed), url.rstrip("/"), api_key)))
    except (ConfigError, DemoError) as error:
        raise failure(str(error)) from None


async def _demo(contest: Contest, url: str, api_key: str) -> int:
    if url:
        say("Leave out --url to see simulated channels as well.")
        healthy = await _run(url, api_key, [], contest)
        say("To audit that server's store, run holdfast verify with its --data-dir or --store-url.")
        return 0 if healthy else 1
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-") as folder:
        data_dir = Path(folder, "data")
        async with open_stage(Path(folder)) as stage, _own_server(data_dir, stage.config) as own_url:
            healthy = await _run(own_url, "", stage.channels, contest)
            async with opened_store(Settings(data_dir=data_dir)) as store:
                report = await audited(store, DEFAULT_PARTITION)
    print_report("verify", report)
    return max(0 if healthy else 1, exit_code({DEFAULT_PARTITION: report}))


@asynccontextmanager
async def _own_server(data_dir: Path, channels: Path) -> AsyncIterator[str]:
    """Run a server on a free port, with default settings whatever the environment has; its log says warnings alone."""
    holdfast = Holdfast(Settings(port=0, data_dir=data_dir, config=channels, log_level="warning", access_log="off"))
    await holdfast.start()
    try:
        yield f"http://{holdfast.settings.host}:{holdfast.port}"
    finally:
        await holdfast.drain()


async def _run(url: str, api_key: str, channels: Channels, contest: Contest) -> bool:
    """Make one sale, then let the buyers compete; False if something was wrong."""
    async with open_shop(url, api_key, secrets.token_hex(3), contest.buyers) as shop:
        await shop.stock_up()
        faults = await _one_sale(shop, channels) if channels else []
        faults += await sell_everywhere(shop, channels, sellers_of(channels, url)) if channels else []
        buyers = f"{counted(contest.buyers, 'buyer')} on {len(CHANNELS)} channels"
        say(f"{buyers} at {url} for {contest.seconds:g} s, seed {contest.seed}")
        if channels:
            say(TICKETS)
        await _compete(shop, channels, contest)
        healthy = _conclude(shop, await _units(shop))
        if channels:
            faults += await _compare(shop, channels)
        _print_faults(faults)
        return healthy and not faults


async def _one_sale(shop: Shop, channels: Channels) -> list[str]:
    """Show one sale reaching every channel; return what was wrong."""
    say(f"{UNITS} units of {SKU} are counted; waiting until {_names(channels)} have confirmed them.")
    await count_and_wait(shop, channels)
    drops = await sell_one(shop, channels)
    say(f"One sale: {SKU} {UNITS} → {UNITS - 1}")
    say(*map(drop_line, drops))
    return sale_faults(drops)


async def _compare(shop: Shop, channels: Channels) -> list[str]:
    faults = await disagreements(shop, channels)
    say(f"Channels: {'not all' if faults else f'all {len(channels)}'} show what is left")
    return faults


def _names(channels: Channels) -> str:
    *others, last = (channel.name for channel in channels)
    return f"{', '.join(others)} and {last}"


async def _compete(shop: Shop, channels: Channels, contest: Contest) -> None:
    """Run the buyers and show their progress."""
    stop = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(contest.buyers):
                group.create_task(shop.buy_until(stop, number, contest.seed))
            group.create_task(_show(shop, channels, contest.seconds, stop))
    except* DemoError as errors:
        raise errors.exceptions[0] from None


async def _units(shop: Shop) -> Units:
    levels = list((await shop.stock()).values())
    on_hand, held, sold = (sum(int(level[name]) for level in levels) for name in ("on_hand", "held", "committed"))
    left = sum(max(0, int(level["available"])) for level in levels)
    oversold = sum(max(0, int(level["committed"]) + int(level["held"]) - int(level["on_hand"])) for level in levels)
    return Units(on_hand, held, sold, left, oversold)


async def _show(shop: Shop, channels: Channels, seconds: float, stop: asyncio.Event) -> None:
    """Show the figures until the time is over, then stop the buyers."""
    loop = asyncio.get_running_loop()
    out = console()
    began_s = loop.time()
    try:
        with Live(console=out, auto_refresh=False) if out.is_terminal else contextlib.nullcontext() as live:
            while (elapsed_s := loop.time() - began_s) < seconds:
                units = await _units(shop)
                if live is not None:
                    live.update(_table(shop, channels, units, elapsed_s), refresh=True)
                else:
                    say(_line(shop, channels, units, elapsed_s))
                await asyncio.sleep(min(REFRESH_S if live is not None else PLAIN_S, max(0.0, seconds - elapsed_s)))
            if live is not None:
                live.update(_table(shop, channels, await _units(shop), seconds), refresh=True)
    finally:
        stop.set()


def _table(shop: Shop, channels: Channels, units: Units, elapsed_s: float) -> Group:
    figures = shop.figures
    sold = Table("channel", title="Sold", title_justify="left")
    sold.add_column("units", justify="right")
    sold.add_column("", min_width=40)
    for name in CHANNELS:
        sold.add_row(name, str(figures.sold[name]), "█" * figures.sold[name])
    totals = Table.grid(padding=(0, 2))
    totals.add_row("units in all", str(units.on_hand), "requests/s", f"{figures.requests / max(elapsed_s, 0.1):,.0f}")
    totals.add_row("sold", str(units.sold), "p99", f"{figures.p99_ms():.1f} ms")
    totals.add_row("held", str(units.held), "refused", f"{figures.refused:,}")
    totals.add_row("left", str(units.left), "released", f"{figures.released:,}")
    color = "green" if units.oversold == 0 else "bold red"
    retries = f"{figures.replays:,} of {figures.retries:,}"
    oversold = (Text("oversold", style=color), Text(str(units.oversold), style=color))
    totals.add_row(*oversold, "retries answered as replays", retries)
    for channel in channels:
        totals.add_row(f"{channel.name} shows", str(_shown(shop, channel)))
    return Group(sold, totals)


def _shown(shop: Shop, channel: SimulatedChannel) -> int:
    """Return how many of the contested units a channel shows."""
    return sum(channel.shown.get(sku, 0) for sku in shop.skus)


def _line(shop: Shop, channels: Channels, units: Units, elapsed_s: float) -> str:
    figures = shop.figures
    shown = f"  channels show {' '.join(str(_shown(shop, channel)) for channel in channels)}" if channels else ""
    return (
        f"{elapsed_s:5.1f} s  sold {units.sold}  held {units.held}  left {units.left}{shown}  refused {figures.refused}"
        f"  replays {figures.replays}  oversold {units.oversold}"
        f"  {figures.requests / max(elapsed_s, 0.1):.0f} requests/s  p99 {figures.p99_ms():.1f} ms"
    )


def _conclude(shop: Shop, units: Units) -> bool:
    figures = shop.figures
    sold = ", ".join(f"{channel} {figures.sold[channel]}" for channel in CHANNELS)
    confirmed = sum(figures.sold.values())
    say(
        f"Sold {units.sold} of {units.on_hand} units ({sold}); {units.left} left, {units.held} held.",
        f"{figures.baskets:,} baskets, {figures.refused:,} refused, {figures.released:,} released,"
        f" {figures.forgotten:,} left to expire.",
        f"{figures.retries:,} requests sent twice, {figures.replays:,} answered as replays.",
        f"{figures.requests:,} requests, p99 {figures.p99_ms():.1f} ms.",
        f"Oversold: {units.oversold}",
    )
    faults = list(figures.faults)
    if confirmed != units.sold:
        faults.append(f"the buyers' answers add up to {confirmed} units sold, the stock API to {units.sold}")
    _print_faults(faults)
    return units.oversold == 0 and not faults


def _print_faults(faults: Sequence[str]) -> None:
    for fault in faults[:10]:
        progress_console().print(f"Wrong: {fault}", soft_wrap=True)
