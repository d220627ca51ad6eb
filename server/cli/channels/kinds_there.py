"""``holdfast channels kinds``: the kinds that a channel may be of, and where each comes from."""

import sys
from typing import Final

import click
import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from server.channels.connection.adapter_registry import KindThere, kinds_there
from server.cli.common import json_option
from server.cli.terminal import console, print_json

_TROUBLE: Final = 1


@click.command("kinds")
@json_option
def kinds(as_json: bool) -> None:
    """Show the kinds that a channel may be of, and the package that each comes from.

    \b
      holdfast channels kinds

    The exit code is 1 if another package has a kind that cannot be used; below the table stands why.
    """  # noqa: D301  # click needs the character, not the two
    found = kinds_there()
    if as_json:
        print_json([msgspec.to_builtins(each) for each in found])
    else:
        console().print(_shown(found))
    sys.exit(_TROUBLE if any(each.problem for each in found) else 0)


def _shown(found: list[KindThere]) -> Group:
    table = Table("kind", "from", "what it is")
    for each in found:
        cells = (each.kind, each.origin, each.summary or "cannot be used")
        table.add_row(*map(Text, cells), style="red" if each.problem else None)
    return Group(table, *(Text(each.problem, style="red", overflow="fold") for each in found if each.problem))
