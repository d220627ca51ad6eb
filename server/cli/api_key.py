"""The API key for a server elsewhere: from a file or the environment, and never on a command line.

Everybody on the machine can read a command line, as ``ps`` shows it.
"""

from pathlib import Path
from typing import Final

import click

from server.config.settings import ConfigError, Settings

KEY_BYTES_MAX: Final = 4_096


def _key_file(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and str(value).startswith("hf_"):
        raise click.BadParameter(
            "name a file that has the key, or set HOLDFAST_KEY. Everybody on this machine can read a command line, so"
            " revoke this key, and make a new one."
        )
    return value


key_option: Final = click.option(
    "--key", "key_file", type=click.Path(path_type=Path), default=None, callback=_key_file, metavar="FILE",
    help="A file with the API key for --url [HOLDFAST_KEY].",
)  # fmt: skip


def read_key(settings: Settings) -> str:
    """Read the API key for a server elsewhere; empty: none is set.

    Raises
    ------
    ConfigError
        The file cannot be read, or what stands there is no key; the message shows nothing of it.

    """
    if settings.key_file is None:
        key, where = str(settings.key), "HOLDFAST_KEY"
    else:
        where = f"the file {settings.key_file}"
        try:
            with settings.key_file.open("rb") as file:
                key = file.read(KEY_BYTES_MAX).decode("ascii")
        except OSError as error:
            raise ConfigError(f"{settings.key_file} cannot be read: {error.strerror}.") from None
        except ValueError:
            raise ConfigError(f"{where} has no API key. `holdfast keys new` prints one.") from None
    key = key.strip()
    if (key or settings.key_file is not None) and (not key.startswith("hf_") or not key.isprintable() or " " in key):
        raise ConfigError(f"{where} has no API key. `holdfast keys new` prints one: hf_, its id, and its secret.")
    return key
