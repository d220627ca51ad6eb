"""``holdfast serve``: the HTTP API, in one process or several, until it is asked to stop."""

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import msgspec
import structlog

import server
from server.app import Holdfast
from server.cli.common import (
    INTERRUPTED,
    checked_or_exit,
    data_dir_option,
    opened_store,
    run,
    setting,
    store_url_option,
)
from server.cli.demo import sample
from server.cli.demo.simulated_channels import SimulatedChannel
from server.cli.demo.stage import NAMES, sellers_of
from server.cli.reloads import Reloads
from server.cli.terminal import say
from server.config.file_limit import raise_file_limit
from server.config.settings import ConfigError, Settings, redact_url
from server.configuration import checked_settings, read_configuration
from server.order_parts import opened_documents
from server.reloading import NOTHING_CHANGED
from server.store.keys import Keyspace
from server.store.repositories.channels import ChannelStore
from server.telemetry import logs, metrics
from server.telemetry.worker_files import WORKER_OPTION
from server.workers import READY, Workers, beat

log = structlog.get_logger("holdfast")

_STANDARD_INPUT: Final = 0
_STANDARD_OUTPUT: Final = 1
_READ_BYTES: Final = 4096
DURABILITY: Final = {
    "durable": "an answer leaves after the fsync",
    "fast": "fsync each second; power loss may take the last one",
    "replicated": "an answer leaves after the fsync, and one replica has it too",
}
OPEN: Final = "open"
CLOSED: Final = "keys"


@click.command()
@setting("host", "Address to listen on; anything but loopback needs an API key [127.0.0.1].")
@setting("port", "Port to listen on; 0 chooses a free one [8080].")
@setting("workers", "Processes that serve that port; with 2 or more, one more process publishes [1].")
@setting("role", "all: serve, run maintenance, publish; api: serve only; publisher: all but serving [all].")
@setting("durability", "durable, fast or replicated; see docs/configuration.md [durable].")
@setting("config", "A TOML file with API keys, channels and webhooks.", type=click.Path(path_type=Path))
@store_url_option
@data_dir_option
@click.option(
    "--sample",
    "with_sample",
    is_flag=True,
    help="Fill an empty store with a small catalogue; simulate channels unless --config is given.",
)
@click.option(WORKER_OPTION, type=int, default=None, hidden=True)
@click.option("--replaces", default="", hidden=True)
def serve(with_sample: bool, worker: int | None, replaces: str, **overrides: object) -> None:
    """Serve the HTTP API.

    Ctrl-C or SIGTERM stops it, after the requests in flight.

    \b
      holdfast serve --sample
      holdfast serve --port 9000 --data-dir /var/lib/holdfast --workers 2
      HOLDFAST_STORE_URL=rediss://user:password@host:6379/0 holdfast serve --host 0.0.0.0
    """  # noqa: D301  # click needs the character, not the two
    settings = checked_or_exit(checked_settings, overrides)
    logs.configure(settings.log_level, settings.log_format)
    before, now = raise_file_limit()
    if now != before and worker is None:
        log.info("file_limit_raised", before=before, now=now)
    if worker is not None:
        run(_serve_as_worker(settings, worker, replaces))
    elif settings.workers > 1:
        run(_serve_workers(settings, with_sample=with_sample))
    else:
        run(_serve(settings, with_sample=with_sample))


async def _serve(settings: Settings, *, with_sample: bool) -> None:
    reloads = Reloads()
    async with _sampled(settings, with_sample=with_sample) as sampled:
        holdfast = Holdfast(sampled.settings)
        await holdfast.start()
        notice = False
        reloads.begin(holdfast.reload)
        try:
            await sampled.prepare(holdfast.store_url)
            sampled.print_banner(holdfast.port, needs_key=not holdfast.state.authenticator.open)
            notice = await asked_to_stop()
            say("Stopping.")
        finally:
            reloads.end()
            await holdfast.drain(notice=notice)


async def _serve_as_worker(settings: Settings, number: int, replaces: str) -> None:
    """Serve as one of several. ``replaces``: what became of the worker before; empty: this is the first one."""
    if replaces:
        metrics.WORKER_RESTARTS.labels(replaces).inc()
    holdfast, reloads = Holdfast(settings, worker=number), Reloads()
    notice, beating = False, asyncio.create_task(beat(_STANDARD_OUTPUT, settings.worker_hang_s), name="heartbeat")
    try:
        await holdfast.start()
        try:
            say(f"{READY} {OPEN if holdfast.state.authenticator.open else CLOSED}")
            reloads.begin(holdfast.reload)
            # Standard input ends when the parent process is gone, however it ended.
            notice = await asked_to_stop(leashed=True)
        finally:
            reloads.end()
            await holdfast.drain(notice=notice)
    finally:
        beating.cancel()


async def _serve_workers(settings: Settings, *, with_sample: bool) -> None:
    reloads = Reloads()
    async with _sampled(settings, with_sample=with_sample) as sampled:
        workers, notice = Workers(sampled.settings), False
        try:
            await workers.start_store()
            await sampled.prepare(workers.store_url)
            access = await workers.start()
            sampled.print_banner(workers.port, needs_key=access != OPEN)
            reloads.begin(lambda: _reload_workers(sampled.settings, workers))
            notice = await asked_to_stop()
            say("Stopping.")
        finally:
            reloads.end()
            await workers.drain(notice=notice)


async def _reload_workers(settings: Settings, workers: Workers) -> None:
    """Have the workers take the configuration file over, if nothing is wrong with it."""
    try:
        configured = await asyncio.to_thread(read_configuration, settings, publishes=settings.role != "api")
    except ConfigError as error:
        log.error("configuration_not_reloaded", faults=list(error.faults), advice=NOTHING_CHANGED)  # noqa: TRY400
        return
    logs.configure(configured.file.settings.log_level or settings.log_level, settings.log_format)
    await workers.reload(publishes=bool(configured.channels or configured.webhooks or configured.sources))


@dataclass(frozen=True)
class _Sampled:
    """What is served, and the sample beside it: a catalogue, and simulated channels unless there are others."""

    settings: Settings
    with_sample: bool
    channels: Sequence[SimulatedChannel]
    remark: str = ""

    async def prepare(self, store_url: str) -> None:
        """Fill an empty store, and restore what the simulated channels showed and sold before."""
        if not self.with_sample:
            return
        settings = msgspec.structs.replace(self.settings, store_url=store_url)
        async with AsyncExitStack() as opened:
            store = await opened.enter_async_context(opened_store(settings))
            await sample.fill_if_empty(store)
            await sample.recall(store, self.channels)
            await sample.recall_orders(opened_documents(settings, store.client, opened), self.channels)

    def print_banner(self, port: int, *, needs_key: bool) -> None:
        """Print the address and who may call it; with the sample, also lines to try."""
        parts = [_banner(self.settings, port, needs_key=needs_key)]
        if self.with_sample:
            parts += self._to_try(_url(self.settings, port, _reachable(self.settings.host)), needs_key=needs_key)
        say(*(line for part in parts for line in part.split("\n")))

    def _to_try(self, here: str, *, needs_key: bool) -> Iterator[str]:
        yield ""
        yield sample.lines_to_try(here, needs_key=needs_key)
        if self.channels:
            options = _options_of_store(self.settings)
            yield sample.channels_to_see(here, self.channels, needs_key=needs_key, options=options)
            yield sample.sales_to_try(sellers_of(self.channels, here), options=options)
        if self.remark:
            yield self.remark


@asynccontextmanager
async def _sampled(settings: Settings, *, with_sample: bool) -> AsyncIterator[_Sampled]:
    """Open the simulated channels of the sample, unless this server or another one has real channels."""
    if not with_sample or settings.config is not None or settings.role == "api":
        yield _Sampled(settings, with_sample, ())
        return
    others = await _other_channels(settings)
    if others:
        remark = f"No simulated channels: another server publishes the channels of this store ({', '.join(others)})."
        yield _Sampled(settings, with_sample, (), remark)
        return
    async with sample.open_channels() as stage:
        yield _Sampled(msgspec.structs.replace(settings, config=stage.config), with_sample, stage.channels)


async def _other_channels(settings: Settings) -> list[str]:
    """Name the real channels of a shared store: a publisher that is not configured for them would remove them."""
    if not settings.store_url:
        return []
    async with opened_store(settings) as store:
        kept = await ChannelStore(store.client, Keyspace(sample.PARTITION)).channels()
    return [name for name in kept if name not in NAMES]


def _banner(settings: Settings, port: int, *, needs_key: bool) -> str:
    store = redact_url(settings.store_url) if settings.store_url else f"embedded, in {settings.data_dir.resolve()}"
    if needs_key:
        access = "callers with an API key: holdfast keys new --scope reserve"
    else:
        access = "this machine only, without a key, until `holdfast keys new` creates the first"
    here = _url(settings, port, _reachable(settings.host))
    console = "" if settings.role == "publisher" else f"  console     {here}/console\n"
    return (
        f"Holdfast {server.__version__} at {_url(settings, port, settings.host)}\n"
        f"{console}"
        f"  store       {store}\n"
        f"  durability  {settings.durability}: {DURABILITY[settings.durability]}\n"
        f"  open to     {access}\n"
        "Ctrl-C stops it."
    )


def _options_of_store(settings: Settings) -> str:
    """Return the options that make another command use the same store."""
    if settings.store_url:
        return f" --store-url {redact_url(settings.store_url)}"
    return "" if settings.data_dir == Settings().data_dir else f" --data-dir {shlex.quote(str(settings.data_dir))}"


def _reachable(host: str) -> str:
    """Return where this machine reaches what listens at an address that may stand for all of its own."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _url(settings: Settings, port: int, host: str) -> str:
    scheme = "http" if settings.tls_cert is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


async def asked_to_stop(*, leashed: bool = False) -> bool:
    """Wait for SIGINT or SIGTERM, or if ``leashed`` for the end of standard input; a second signal ends at once.

    Returns whether callers are to be told before the port closes: a supervisor sends SIGTERM, a person Ctrl-C.
    """
    loop = asyncio.get_running_loop()
    stop, notice = asyncio.Event(), False

    def on_signal(number: signal.Signals) -> None:
        nonlocal notice
        if stop.is_set():
            sys.exit(INTERRUPTED)
        notice = number is signal.SIGTERM
        stop.set()

    def on_input() -> None:
        if not os.read(_STANDARD_INPUT, _READ_BYTES):
            loop.remove_reader(_STANDARD_INPUT)
            stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    if leashed:
        loop.add_reader(_STANDARD_INPUT, on_input)
    await stop.wait()
    return notice
