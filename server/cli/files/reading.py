"""What a person says of a file on the command line, and what is remembered of it for the next one of its kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from server.cli.common import failure
from server.config.settings import Settings
from server.files.file_import import FileImport, ReadFile
from server.files.headings import remembered_of
from server.files.reader import FILE_BYTES_MAX, FileError, HeadingError, Reading, Source
from server.files.sheet import open_file
from server.files.wording import named_columns, pieces_of
from server.service.checks import STORED_NAMES
from server.store.command_session import OpenStore, is_made
from server.store.keys import Keyspace
from server.store.repositories.file_columns import forget_columns, read_columns, remember_columns

T = TypeVar("T")

_SAID: Final = "holdfast.files.reading"
_FORGET: Final = "holdfast.files.forget"


def _say(change: Callable[[Reading, Any], Reading]) -> Callable[[click.Context, click.Parameter, Any], None]:
    """Make what an option says a part of the reading of the command's file."""

    def said(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value:
            context.meta[_SAID] = change(context.meta.get(_SAID, Reading()), value)

    return said


def _pieces(values: tuple[str, ...]) -> list[str]:
    return [piece for value in values for piece in pieces_of(value)]


def _columns(reading: Reading, values: tuple[str, ...]) -> Reading:
    try:
        return reading._replace(columns=named_columns(_pieces(values)))
    except ValueError as error:
        raise click.BadParameter(f'{error.args[0]!r} is not column=heading, such as "sku=Stok Kodu"') from None


_OPTIONS: Final = (
    click.option(
        "--encoding", expose_value=False, metavar="NAME", help="Of a text file, such as windows-1254 [found out].",
        callback=_say(lambda reading, value: reading._replace(encoding=value)),
    ),
    click.option(
        "--sheet", expose_value=False, help="Of an .xlsx file [the only one that is not empty].",
        callback=_say(lambda reading, value: reading._replace(sheet=value)),
    ),
    click.option(
        "--columns", expose_value=False, multiple=True, metavar="COLUMN=HEADING,…",
        help='What columns are called in the file, such as "sku=Stok Kodu,on_hand=Adet". Remembered.',
        callback=_say(_columns),
    ),
    click.option(
        "--ignore-columns", expose_value=False, multiple=True, metavar="HEADING,…",
        help="Columns of the file that do not matter. Remembered.",
        callback=_say(lambda reading, values: reading._replace(ignored=tuple(_pieces(values)))),
    ),
    click.option(
        "--forget-columns", expose_value=False, is_flag=True, help="Forget what was said of columns of earlier files.",
        callback=lambda context, _parameter, value: context.meta.update({_FORGET: value}),
    ),
    click.option(
        "--decimal", expose_value=False, type=click.Choice([".", ","]), help="The mark before decimals, as in 12,00.",
        callback=_say(lambda reading, value: reading._replace(decimal=value)),
    ),
    click.option(
        "--negative", expose_value=False, type=click.Choice(["refuse", "zero"]),
        help="What an ERP's stock below 0 is: refused [this], or 0.",
        callback=_say(lambda reading, value: reading._replace(negative_is_zero=value == "zero")),
    ),
    click.option(
        "--as-written", expose_value=False, is_flag=True,
        help="Names and quantities are meant that look like dates, totals, barcodes or other slips.",
        callback=_say(lambda reading, value: reading._replace(as_written=value)),
    ),
)  # fmt: skip


def reading_options(command: Any) -> Any:
    """Add the options that say how a file is to be read; :func:`read_file` heeds them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def said_of_file() -> Reading:
    """Return what the options of the running command say."""
    found: Reading = click.get_current_context().meta.get(_SAID, Reading())
    return found


def read_file(file: Path, read: Callable[[Source, Reading], T]) -> T:
    """Read a file, or end the command with the reason why it cannot be read."""
    reading = said_of_file()
    try:
        return read(opened_file(file, reading), reading)
    except FileError as error:
        raise failure(f"{file}: {error}") from None


def opened_file(file: Path, reading: Reading) -> Source:
    """Open a file, or end the command with the reason why it cannot be opened; a FileError is about what it holds."""
    try:
        with file.open("rb") as opened:
            return open_file(opened.read(FILE_BYTES_MAX + 1), reading)
    except OSError as error:
        raise failure(f"{file} cannot be read: {error.strerror}.") from None


def first_read(file: Path, read: Callable[[Source, Reading], T], settings: Settings) -> T | None:
    """Read a file before the store is opened. None: what its columns mean may be remembered there."""
    reading = said_of_file()
    try:
        return read(opened_file(file, reading), reading)
    except HeadingError as error:
        if is_made(settings.store_url, settings.data_dir):
            return None
        raise failure(f"{file}: {error}") from None
    except FileError as error:
        raise failure(f"{file}: {error}") from None


async def heed_columns(store: OpenStore, partition: str, kind: str, *, dry_run: bool = False) -> bool:
    """Heed what is remembered of a kind of file; return whether a file that was read before is to be read again."""
    keyspace, context = Keyspace(partition), click.get_current_context()
    if context.meta.get(_FORGET) and not dry_run:
        await forget_columns(store.client, keyspace, kind)
    remembered = {} if context.meta.get(_FORGET) else await read_columns(store.client, keyspace, kind)
    if remembered:
        context.meta[_SAID] = said_of_file()._replace(remembered=remembered)
    return bool(remembered)


async def read_in_store(
    store: OpenStore, partition: str, kind: FileImport[T], file: Path, parsed: ReadFile[T] | None, *, dry_run: bool
) -> ReadFile[T]:
    """Read a file by what the store knows of names and columns, and remember what was said of its columns."""
    remembered = await heed_columns(store, partition, kind.name, dry_run=dry_run)
    if parsed is None or remembered or STORED_NAMES:
        parsed = read_file(file, kind.read)
    if not dry_run:
        await keep_columns(store, partition, kind.name, parsed)
    return parsed


async def keep_columns(store: OpenStore, partition: str, kind: str, parsed: ReadFile[Any]) -> None:
    """Remember what was said of the columns of a file that could be read."""
    said = remembered_of(parsed.sheet.reading)
    await remember_columns(store.client, Keyspace(partition), kind, said)
