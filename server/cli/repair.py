"""``holdfast repair``: mend a damaged append-only file of the embedded store."""

from typing import Any

import click

from server.cli.common import data_dir_option, quiet_settings, run
from server.store.embedded import repair as repair_store


@click.command()
@data_dir_option
def repair(**overrides: Any) -> None:
    """Mend the embedded store's file when it refuses to load it.

    It keeps a copy of what was there, cuts off the end that cannot be read, and says how much that was. A file that
    is sound stays as it is. Stop Holdfast first; afterwards, audit:

    \b
      holdfast repair --data-dir /var/lib/holdfast
      holdfast verify --data-dir /var/lib/holdfast
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    click.echo(run(repair_store(settings.data_dir)))
