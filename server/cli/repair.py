"""``holdfast repair``: repair a damaged append-only file of the embedded store."""

from typing import Any

import click

from server.cli.common import data_dir_option, quiet_settings, run
from server.cli.terminal import say
from server.store.embedded import ProgramChoice
from server.store.embedded import repair as repair_store


@click.command()
@data_dir_option
def repair(**overrides: Any) -> None:
    """Repair a damaged file of the embedded store.

    Run it when the store refuses to load its file. It keeps a copy, cuts off the end that cannot be read, and prints
    how much that was. An undamaged file is unchanged. Stop Holdfast first, and audit the store afterwards:

    \b
      holdfast repair --data-dir /var/lib/holdfast
      holdfast verify --data-dir /var/lib/holdfast
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    repaired = run(repair_store(settings.data_dir, program=ProgramChoice(**settings.store_program)))
    say(*repaired.split("\n"))
