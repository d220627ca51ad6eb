"""``holdfast demo``: buyers on several channels fight over few units, before your eyes."""

import asyncio
import contextlib
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from server import config
from server.app import Holdfast
from server.commands.common import console, failure, opened_store, quiet_settings, run
from server.commands.demo_buyers import CHANNELS, DemoError, Shop, open_shop
from server.commands.verify import audited, exit_code, tell
from server.domain.limits import DEFAULT_PARTITION

REFRESH_S: Final = 0.25
PLAIN_S: Final = 1.0
"""Between two lines where there is no terminal."""


class Units(NamedTuple):
    """What the server's stock API says of all demo SKUs together."""

    on_hand: int
    held: int
    sold: int
    left: int
    oversold: int


@click.command()
@click.option("--seconds", type=click.FloatRange(min=0.5), default=15.0, show_default=True, help="How long they buy.")
@click.option("--buyers", type=click.IntRange(1, 1000), default=40, show_default=True, help="How many there are.")
@click.option("--seed", type=int, default=None, help="Makes the buyers decide as in an earlier run.")
@click.option("--url", default="", help="A server that is running; without it, one on a temporary store.")
@click.option("--key", "api_key", default="", help="An API key for --url, with the scopes reserve, read and stock.")
def demo(seconds: float, buyers: int, seed: int | None, url: str, api_key: str) -> None:
    """Watch buyers on several channels fight over few units, over real HTTP.

    They hold baskets, pay, walk away, or forget about them; some send a request twice. Sold never exceeds what
    there was: the exit code is 1 if it does.

    \b
      holdfast demo
      holdfast demo --seconds 30 --buyers 200 --seed 7
      holdfast demo --url http://127.0.0.1:8080
    """  # noqa: D301  # click needs the character, not the two
    quiet_settings()
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    try:
        sys.exit(run(_demo(seconds, buyers, seed, url.rstrip("/"), api_key)))
    except DemoError as error:
        raise failure(str(error)) from None


async def _demo(seconds: float, buyers: int, seed: int, url: str, api_key: str) -> int:
    if url:
        healthy = await _fight(url, api_key, seconds, buyers, seed)
        click.echo("To audit that server's store as well: holdfast verify, with its --data-dir or --store-url")
        return 0 if healthy else 1
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-") as folder:
        data_dir = Path(folder)
        async with _own_server(data_dir) as own_url:
            healthy = await _fight(own_url, "", seconds, buyers, seed)
            async with opened_store(config.Settings(data_dir=data_dir)) as store:
                report = await audited(store, DEFAULT_PARTITION)
    tell("verify", report)
    return max(0 if healthy else 1, exit_code({DEFAULT_PARTITION: report}))


@asynccontextmanager
async def _own_server(data_dir: Path) -> AsyncIterator[str]:
    """Run a server of our own on a free port. Its settings are the defaults, whatever the environment says."""
    holdfast = Holdfast(config.Settings(port=0, data_dir=data_dir))
    await holdfast.start()
    try:
        yield f"http://{holdfast.settings.host}:{holdfast.port}"
    finally:
        await holdfast.drain()


async def _fight(url: str, api_key: str, seconds: float, buyers: int, seed: int) -> bool:
    """Run the buyers and show how it goes; False: something that must not be was seen."""
    async with open_shop(url, api_key, secrets.token_hex(3), buyers) as shop:
        await shop.stock_up()
        click.echo(f"{buyers} buyers on {len(CHANNELS)} channels at {url} for {seconds:g} s, seed {seed}")
        stop = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(buyers):
                    group.create_task(shop.buy_until(stop, number, seed))
                group.create_task(_show(shop, seconds, stop))
        except* DemoError as errors:
            raise errors.exceptions[0] from None
        return _conclude(shop, await _units(shop))


async def _units(shop: Shop) -> Units:
    levels = list((await shop.stock()).values())
    on_hand, held, sold = (sum(int(level[name]) for level in levels) for name in ("on_hand", "held", "committed"))
    left = sum(max(0, int(level["available"])) for level in levels)
    oversold = sum(max(0, int(level["committed"]) + int(level["held"]) - int(level["on_hand"])) for level in levels)
    return Units(on_hand, held, sold, left, oversold)


async def _show(shop: Shop, seconds: float, stop: asyncio.Event) -> None:
    """Show the state of things until the time is over, then tell the buyers to stop."""
    loop = asyncio.get_running_loop()
    out = console()
    began_s = loop.time()
    try:
        with Live(console=out, auto_refresh=False) if out.is_terminal else contextlib.nullcontext() as live:
            while (elapsed_s := loop.time() - began_s) < seconds:
                units = await _units(shop)
                if live is not None:
                    live.update(_table(shop, units, elapsed_s), refresh=True)
                else:
                    click.echo(_line(shop, units, elapsed_s))
                await asyncio.sleep(min(REFRESH_S if live is not None else PLAIN_S, max(0.0, seconds - elapsed_s)))
            if live is not None:
                live.update(_table(shop, await _units(shop), seconds), refresh=True)
    finally:
        stop.set()


def _table(shop: Shop, units: Units, elapsed_s: float) -> Group:
    figures = shop.figures
    channels = Table("channel", title="Sold", title_justify="left")
    channels.add_column("units", justify="right")
    channels.add_column("", min_width=40)
    for channel in CHANNELS:
        channels.add_row(channel, str(figures.sold[channel]), "█" * figures.sold[channel])
    totals = Table.grid(padding=(0, 2))
    totals.add_row("units in all", str(units.on_hand), "requests/s", f"{figures.requests / max(elapsed_s, 0.1):,.0f}")
    totals.add_row("sold", str(units.sold), "p99", f"{figures.p99_ms():.1f} ms")
    totals.add_row("held", str(units.held), "refused", f"{figures.refused:,}")
    totals.add_row("left", str(units.left), "given back", f"{figures.released:,}")
    color = "green" if units.oversold == 0 else "bold red"
    retries = f"{figures.replays:,} of {figures.retries:,}"
    totals.add_row(f"[{color}]oversold", f"[{color}]{units.oversold}", "retries answered as replays", retries)
    return Group(channels, totals)


def _line(shop: Shop, units: Units, elapsed_s: float) -> str:
    figures = shop.figures
    return (
        f"{elapsed_s:5.1f} s  sold {units.sold}  held {units.held}  left {units.left}  refused {figures.refused}"
        f"  replays {figures.replays}  oversold {units.oversold}"
        f"  {figures.requests / max(elapsed_s, 0.1):.0f} requests/s  p99 {figures.p99_ms():.1f} ms"
    )


def _conclude(shop: Shop, units: Units) -> bool:
    figures = shop.figures
    sold = ", ".join(f"{channel} {figures.sold[channel]}" for channel in CHANNELS)
    told = sum(figures.sold.values())
    click.echo(
        f"Sold {units.sold} of {units.on_hand} units ({sold}); {units.left} left, {units.held} held.\n"
        f"{figures.baskets:,} baskets, {figures.refused:,} refused, {figures.released:,} given back,"
        f" {figures.forgotten:,} forgotten until their deadline.\n"
        f"{figures.retries:,} requests sent twice, {figures.replays:,} answered as replays.\n"
        f"{figures.requests:,} requests, p99 {figures.p99_ms():.1f} ms.\n"
        f"Oversold: {units.oversold}"
    )
    faults = list(figures.faults)
    if told != units.sold:
        faults.append(f"the buyers were told of {told} units, the stock says {units.sold}")
    for fault in faults[:10]:
        Console(stderr=True).print(f"Not as it should be: {fault}", markup=False)
    return units.oversold == 0 and not faults
