"""``holdfast config``: what a start would find wrong with the settings and the configuration file, without starting."""

import sys
from pathlib import Path
from typing import Final

import click

from server.cli.common import json_option
from server.cli.terminal import print_json, say
from server.config.faults import ConfigError
from server.config.settings import Settings, read_file, read_settings
from server.configuration import read_configuration, warnings
from server.files.wording import counted

FINE: Final = 0
FAULTY: Final = 1


@click.group()
def config() -> None:
    """Look at the settings and the configuration file."""


@config.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--without-credentials",
    is_flag=True,
    help="Do not look whether credentials are there, as on a machine that has none.",
)
@json_option
def check(file: Path | None, *, without_credentials: bool, as_json: bool) -> None:
    """Check the settings and the configuration file as a start does, and name all that is wrong.

    FILE is the configuration file, by default that of HOLDFAST_CONFIG. Settings come from the environment. Nothing is
    started, and no store is asked.

    \b
      holdfast config check
      holdfast config check /etc/holdfast/holdfast.toml
      holdfast config check new.toml --without-credentials --json

    The exit code is 0 if a start would take it, 1 if not, and 2 for an option that cannot be. Warnings change nothing.
    """  # noqa: D301  # click needs the character, not the two
    settings, found = read_settings(config=file)
    try:
        read_configuration(settings, publishes=not without_credentials)
    except ConfigError as error:
        found.found += error.faults
    faults = list(dict.fromkeys(found.found))
    told = warnings(settings, read_file(settings.config, credentials=False)[0])
    if as_json:
        print_json({"faults": faults, "warnings": told})
    else:
        _print(settings, faults, told)
    sys.exit(FAULTY if faults else FINE)


def _print(settings: Settings, faults: list[str], told: list[str]) -> None:
    for fault in faults:
        say(f"wrong: {fault}")
    for warning in told:
        say(f"warning: {warning}")
    if faults:
        say(f"{counted(len(faults), 'fault')}. A server would not start.")
        return
    file, _ = read_file(settings.config, credentials=False)
    parts = [
        counted(len(some), noun)
        for some, noun in (
            (file.channels, "channel"), (file.sources, "source"), (file.webhooks, "webhook"), (file.keys, "key"),
        )
    ]  # fmt: skip
    where = f"{settings.config}: {', '.join(parts)}" if settings.config else "No configuration file"
    say(f"{where}. A server would start with it.")
