"""``holdfast serve``: the HTTP API, in one process or several, until it is asked to stop."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

import click
import msgspec

import server
from server import config, logs
from server.app import Holdfast
from server.commands import sample
from server.commands.common import (
    INTERRUPTED,
    data_dir_option,
    load_settings,
    opened_store,
    run,
    setting,
    store_url_option,
)
from server.workers import READY, Workers

_STANDARD_INPUT: Final = 0
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
@setting("workers", "Serving processes on that port [1].")
@setting("role", "all: serve and keep house; api: only serve [all].")
@setting("durability", "durable, fast or replicated; see docs/configuration.md [durable].")
@setting("config", "A TOML file with API keys.", type=click.Path(path_type=Path))
@store_url_option
@data_dir_option
@click.option("--sample", "with_sample", is_flag=True, help="Fill an empty store with a small catalogue to try.")
@click.option("--worker", type=int, default=None, hidden=True)
def serve(with_sample: bool, worker: int | None, **overrides: object) -> None:
    """Serve the HTTP API until Ctrl-C or SIGTERM; then answer what is in flight and stop.

    \b
      holdfast serve --sample
      holdfast serve --port 9000 --data-dir /var/lib/holdfast --workers 2
      HOLDFAST_STORE_URL=rediss://user:password@host:6379/0 holdfast serve --host 0.0.0.0
    """  # noqa: D301  # click needs the character, not the two
    settings = load_settings(**overrides)
    logs.configure(settings.log_level, settings.log_format)
    if worker is not None:
        run(_serve_as_worker(settings, worker))
    elif settings.workers > 1:
        run(_serve_workers(settings, with_sample=with_sample))
    else:
        run(_serve(settings, with_sample=with_sample))


async def _serve(settings: config.Settings, *, with_sample: bool) -> None:
    holdfast = Holdfast(settings)
    await holdfast.start()
    try:
        if with_sample:
            await _fill_if_empty(settings, holdfast.store_url)
        _tell(settings, holdfast.port, needs_key=not holdfast.service.authenticator.open, with_sample=with_sample)
        await asked_to_stop()
        click.echo("Stopping.")
    finally:
        await holdfast.drain()


async def _serve_as_worker(settings: config.Settings, number: int) -> None:
    holdfast = Holdfast(settings, worker=number)
    await holdfast.start()
    try:
        click.echo(f"{READY} {OPEN if holdfast.service.authenticator.open else CLOSED}")
        # Our standard input ends when the parent is gone, however it died.
        await asked_to_stop(leashed=True)
    finally:
        await holdfast.drain()


async def _serve_workers(settings: config.Settings, *, with_sample: bool) -> None:
    workers = Workers(settings)
    try:
        await workers.start_store()
        if with_sample:
            await _fill_if_empty(settings, workers.store_url)
        access = await workers.start()
        _tell(settings, workers.port, needs_key=access != OPEN, with_sample=with_sample)
        await asked_to_stop()
        click.echo("Stopping.")
    finally:
        await workers.drain()


async def _fill_if_empty(settings: config.Settings, store_url: str) -> None:
    async with opened_store(msgspec.structs.replace(settings, store_url=store_url)) as store:
        if await store.is_empty(sample.PARTITION):
            await store.register(sample.PARTITION)
            await sample.fill(store.ledger(sample.PARTITION))


def _tell(settings: config.Settings, port: int, *, needs_key: bool, with_sample: bool) -> None:
    """Print where it serves and on what terms; with the sample, the lines to try."""
    if settings.store_url:
        store = config.redact_url(settings.store_url)
    else:
        store = f"embedded, in {settings.data_dir.resolve()}"
    if needs_key:
        access = "callers with an API key: holdfast keys new --scope reserve"
    else:
        access = "this machine only, without a key, until `holdfast keys new` makes the first"
    click.echo(
        f"Holdfast {server.__version__} at {_url(settings.host, port)}\n"
        f"  store       {store}\n"
        f"  durability  {settings.durability}: {DURABILITY[settings.durability]}\n"
        f"  open to     {access}\n"
        "Ctrl-C stops it."
    )
    if with_sample:
        here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
        click.echo("\n" + sample.lines_to_try(_url(here, port), needs_key=needs_key))


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def asked_to_stop(*, leashed: bool = False) -> None:
    """Wait for SIGINT or SIGTERM, or if ``leashed`` for the end of standard input; a second signal ends at once."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            sys.exit(INTERRUPTED)
        stop.set()

    def on_input() -> None:
        if not os.read(_STANDARD_INPUT, _READ_BYTES):
            loop.remove_reader(_STANDARD_INPUT)
            stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    if leashed:
        loop.add_reader(_STANDARD_INPUT, on_input)
    await stop.wait()
