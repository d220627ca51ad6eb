"""The command line: ``holdfast serve`` and its friends."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
import uvloop

import server
from server import config, logs
from server.app import Holdfast, StartError
from server.store.errors import StoreError
from server.workers import Workers, worker_command


def setting(name: str, help_text: str, **options: Any) -> Callable[[Any], Any]:
    """Make the command-line option of a setting; left out, the environment or the default decides."""
    return click.option(f"--{name.replace('_', '-')}", name, default=None, help=help_text, **options)


store_options = (
    setting("store_url", "redis://, rediss:// or unix://; without it, the embedded store."),
    setting("data_dir", "Where the embedded store keeps its files [.holdfast].", type=click.Path(path_type=Path)),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(server.__version__, prog_name="holdfast")
def cli() -> None:
    """One stock count for every sales channel, never oversold.

    \b
    Start here:
      holdfast serve --sample     a server with a small catalogue at http://127.0.0.1:8080
      holdfast demo               buyers on several channels fighting over few units
      holdfast import stock.csv   your own stock

    Every option can also be set in the environment: HOLDFAST_PORT=9000 is --port 9000.
    """


@cli.command()
@setting("host", "Address to listen on; anything but loopback needs an API key [127.0.0.1].")
@setting("port", "Port to listen on; 0 chooses a free one [8080].")
@setting("workers", "Serving processes on that port [1].")
@setting("role", "all: serve and keep house; api: only serve [all].")
@setting("durability", "durable, fast or replicated; see docs/configuration.md [durable].")
@setting("config", "A TOML file with API keys.", type=click.Path(path_type=Path))
@setting("store_url", store_options[0].__doc__ or "redis://, rediss:// or unix://; without it, the embedded store.")
@setting("data_dir", "Where the embedded store keeps its files [.holdfast].", type=click.Path(path_type=Path))
@click.option("--sample", is_flag=True, help="Fill an empty store with a small catalogue, and print lines to try.")
@click.option("--worker", type=int, default=None, hidden=True)
def serve(sample: bool, worker: int | None, **overrides: object) -> None:
    """Serve the HTTP API until Ctrl-C or SIGTERM; then answer what is in flight and stop."""
    settings = _settings(**overrides)
    if settings.workers > 1 and worker is None:
        given = [f"--{name}={value}" for name, value in overrides.items() if value is not None and name != "workers"]
        run(_serve_workers(settings, [argument.replace("_", "-", 1) for argument in given]))
    else:
        run(_serve(settings, worker, sample=sample))


async def _serve(settings: config.Settings, worker: int | None, *, sample: bool) -> None:
    holdfast = Holdfast(settings, worker=worker)
    await holdfast.start()
    try:
        click.echo(f"holdfast {server.__version__} at http://{settings.host}:{holdfast.port}", err=True)
        await _asked_to_stop()
    finally:
        await holdfast.drain()


async def _serve_workers(settings: config.Settings, arguments: list[str]) -> None:
    workers = Workers(settings, worker_command(arguments))
    await workers.start()
    try:
        await _asked_to_stop()
    finally:
        await workers.drain()


async def _asked_to_stop() -> None:
    """Wait for SIGINT or SIGTERM; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            sys.exit(130)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    await stop.wait()


def _settings(**overrides: object) -> config.Settings:
    """Read the settings and set up the logs, or end with what is wrong."""
    try:
        settings = config.load(None, **overrides)
    except config.ConfigError as error:
        raise click.ClickException(str(error)) from None
    logs.configure(settings.log_level, settings.log_format)
    return settings


def run(work: Awaitable[None]) -> None:
    """Run on uvloop; an operating error ends the process with its message, not with a traceback."""
    try:
        uvloop.run(work)  # type: ignore[arg-type]
    except (StartError, StoreError, config.ConfigError) as error:
        raise click.ClickException(str(error)) from None


def main() -> None:
    """Enter here."""
    cli(prog_name="holdfast")
