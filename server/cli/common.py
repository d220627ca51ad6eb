"""Shared by the commands: options, settings, the store that they work on, and exit codes."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec
import uvloop

from server.config.settings import ConfigError, Settings, load_config_file, load_settings
from server.domain.channels import ChannelSettings
from server.domain.limits import DEFAULT_PARTITION
from server.domain.principal import check_partition
from server.domain.sources import SourceSettings
from server.service.checks import InvalidError, check_reference
from server.service.old_names import heed_stored_names
from server.store.command_session import OpenStore, open_store
from server.store.embedded import ProgramChoice
from server.store.errors import OutcomeUnknownError, OverloadedError, StoreError
from server.store.keys import Keyspace
from server.store.ledger.ledger import Retention
from server.store.maintenance.name_index import index_names, is_indexed
from server.telemetry import logs
from server.workers import WorkersError

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C, as shells have it."""

T = TypeVar("T")
Decorator = Callable[[Any], Any]


def setting(name: str, help_text: str, **options: Any) -> Decorator:
    """Make the command-line option of a setting. Without it, the environment or the default decides."""
    return click.option(f"--{name.replace('_', '-')}", name, default=None, help=help_text, **options)


data_dir_option: Final = setting(
    "data_dir", "Where the embedded store keeps its files [.holdfast].", type=click.Path(path_type=Path)
)
store_url_option: Final = setting(
    "store_url",
    "URL of a store: redis://, unix://, redis+sentinel:// or redis+cluster:// [the embedded store].",
)
json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def store_options(command: Any) -> Any:
    """Add the options that choose the store a command works on."""
    return data_dir_option(store_url_option(command))


def _partition(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        check_partition(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


partition_option: Final = click.option(
    "--partition", default=DEFAULT_PARTITION, show_default=True, callback=_partition, help="The partition to work on."
)


def _reason(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        return check_reference("--reason", value or None)
    except InvalidError as error:
        raise click.BadParameter(error.rule) from None


reason_option: Final = click.option(
    "--reason", metavar="TEXT", default="", callback=_reason, help="Why; the history keeps it."
)


partition_argument: Final = click.argument("partition", callback=_partition)


def settings_or_exit(**overrides: object) -> Settings:
    """Read the settings, or end the command with the reason why they are wrong.

    A store that the command line names comes before a server that the environment names.
    """
    return checked_or_exit(load_settings, overrides)


def checked_or_exit(read: Callable[..., Settings], overrides: Mapping[str, object]) -> Settings:
    """Read the settings with a function of this kind, as :func:`settings_or_exit`."""
    try:
        settings = read(None, **overrides)
        is_named = overrides.get("data_dir") or overrides.get("store_url")
        return msgspec.structs.replace(settings, url="") if is_named else settings
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


def quiet_settings(**overrides: object) -> Settings:
    """Read the settings for a command that prints its own results: of the logs, only warnings are shown."""
    settings = settings_or_exit(**overrides)
    logs.configure("warning" if settings.log_level == "info" else settings.log_level, settings.log_format)
    return settings


def channels_of(settings: Settings, partition: str) -> dict[str, ChannelSettings]:
    """Read which channels the configuration file has for a partition.

    Raises
    ------
    ConfigError
        The file cannot be read.

    """
    configured = load_config_file(settings.config, credentials=False).channels
    return {each.settings.name: each.settings for each in configured if each.settings.partition == partition}


def sources_of(settings: Settings, partition: str) -> dict[str, SourceSettings]:
    """Read which sources the configuration file has for a partition.

    Raises
    ------
    ConfigError
        The file cannot be read.

    """
    configured = load_config_file(settings.config, credentials=False).sources
    return {each.settings.name: each.settings for each in configured if each.settings.partition == partition}


def opened_store(
    settings: Settings, *, create: bool = False, to_restore: bool = False
) -> AbstractAsyncContextManager[OpenStore]:
    """Open the store that the settings name, while a command runs; see :func:`open_store`.

    Raises
    ------
    ConfigError
        They name a server elsewhere, and this command does not work there.

    """
    if settings.url:
        raise ConfigError(
            "HOLDFAST_URL names a server, and this command works on a store. Name the store with --data-dir or"
            " --store-url, or take HOLDFAST_URL out of the environment."
        )
    return open_store(
        store_url=settings.store_url,
        data_dir=settings.data_dir,
        durability=settings.durability,
        program=ProgramChoice(**settings.store_program),
        retention=Retention(**settings.lives_s),
        check=settings.store_check,
        create=create,
        to_restore=to_restore,
    )


async def heed_names(store: OpenStore, partition: str) -> None:
    """Begin to ask about the names of a partition: those that are stored are looked at before, if none has done so."""
    await heed_stored_names(store.client, partition)
    keyspace = Keyspace(partition)
    if not await is_indexed(store.client, keyspace):
        await index_names(store.client, keyspace, store.retention.packed())


async def named(store: OpenStore, partition: str, check: Callable[[], T]) -> T:
    """Make what ``check`` makes of names, as they are meant and stored; a name that cannot be one ends the command."""
    await heed_names(store, partition)
    try:
        return check()
    except InvalidError as error:
        raise click.UsageError(f"{error.field} {error.rule}") from None


def run(work: Coroutine[Any, Any, T], *, failure_code: int = 1) -> T:
    """Run a coroutine on uvloop. An operating error ends the process with its message and ``failure_code``.

    SIGINT and SIGTERM cancel the work, which may clean up; the exit code is then 130.
    """
    try:
        return uvloop.run(_cancelled_by_signals(work))
    except (WorkersError, StoreError, ConfigError) as error:
        raise failure(str(error), failure_code) from None
    except (OverloadedError, OutcomeUnknownError) as error:
        text = str(error) or "The store is overloaded; the request was not processed. Try again."
        raise failure(text, failure_code) from None
    except (asyncio.CancelledError, KeyboardInterrupt):
        sys.exit(INTERRUPTED)


def failure(message: str, code: int = 1) -> click.ClickException:
    """Make the error that ends a command with a message and an exit code."""
    return _FailureError(message, code)


class _FailureError(click.ClickException):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click reads the instance's


async def _cancelled_by_signals(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    return await task
