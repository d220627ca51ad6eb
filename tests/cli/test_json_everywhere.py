"""Every command that lists something has --json, and those that ask a server elsewhere stand in docs/commands.md."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from server.cli.main import cli

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
LISTS = re.compile(r"Table\(|_table\(|print_csv\(")
"""What a command calls to show rows."""
WITHOUT = {
    "allocate": "does one thing, and says it",
    "barcodes scan": "says one thing",
    "channels delete-listing": "does one thing",
    "channels reconcile": "asks for one thing",
    "channels remove": "does one thing",
    "channels sign-in": "is a conversation",
    "demo": "is a show",
    "locations delete": "does one thing",
    "locations rename": "does one thing",
    "outbox again": "asks for one thing",
    "outbox cancel": "asks for one thing",
    "outbox done": "asks for one thing",
    "outbox say": "asks for one thing",
    "rename": "does one thing",
    "repair": "does one thing",
    "serve": "serves",
    "sources confirm": "asks for one thing",
    "sources pull": "asks for one thing",
    "sources refuse": "asks for one thing",
    "time-zone": "says one thing",
}
"""Commands without --json, and why that is no loss."""


def commands(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something by itself, also a group that lists without the name of a part."""
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield name.strip(), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from commands(found, f"{name} {each}")


def has(command: click.Command, option: str) -> bool:
    return any(option in each.opts for each in command.params)


def asks_elsewhere(name: str, command: click.Command) -> bool:
    """The demo has buyers there, and asks nothing; --url of ``outbox say`` is a parcel's."""
    return has(command, "--url") and name not in ("demo", "outbox say")


def test_every_command_has_json_or_a_reason_why_not() -> None:
    without = {name for name, command in commands(cli) if not has(command, "--json")}

    assert without == set(WITHOUT)


def test_no_command_without_json_shows_rows() -> None:
    showing = [
        name
        for name, command in commands(cli)
        if name in WITHOUT and command.callback and LISTS.search(inspect.getsource(command.callback))
    ]

    assert showing == []


def test_every_command_that_asks_elsewhere_is_documented_and_every_documented_one_does() -> None:
    elsewhere = {name for name, command in commands(cli) if asks_elsewhere(name, command)}
    _, _, table = PAGE.partition("\n## Daily work\n")
    documented = set(re.findall(r"^\| `holdfast ([a-z -]+?)(?: [A-Z\[].*?)?` \|", table, re.MULTILINE))

    assert documented == elsewhere


def test_who_asks_elsewhere_takes_a_key_from_a_file_and_none_on_the_command_line() -> None:
    for name, command in commands(cli):
        if asks_elsewhere(name, command):
            [key] = [each for each in command.params if "--key" in each.opts]
            assert isinstance(key.type, click.Path), name
