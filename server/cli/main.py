"""The command line: ``holdfast serve`` and the other commands, each in a module of ``server/cli``."""

import sys
from importlib import import_module
from typing import Any, Final

import click

import server
from server.telemetry.visible import visible

COMMANDS: Final = {
    "allocate": "server.cli.allocate",
    "backorders": "server.cli.daily.backorders",
    "backup": "server.cli.backup",
    "barcodes": "server.cli.barcodes",
    "channels": "server.cli.channels.channels",
    "config": "server.cli.config",
    "count": "server.cli.count",
    "demo": "server.cli.demo.demo",
    "events": "server.cli.daily.events",
    "history": "server.cli.history",
    "import": "server.cli.import_",
    "inbox": "server.cli.daily.inbox",
    "keys": "server.cli.keys",
    "locations": "server.cli.locations",
    "move": "server.cli.move",
    "orders": "server.cli.daily.orders",
    "outbox": "server.cli.outbox",
    "partitions": "server.cli.partitions.partitions",
    "receive": "server.cli.daily.receive",
    "rename": "server.cli.rename",
    "repair": "server.cli.repair",
    "report": "server.cli.report",
    "restore": "server.cli.restore",
    "return": "server.cli.daily.return_",
    "rules": "server.cli.rules",
    "serve": "server.cli.serve",
    "shortages": "server.cli.daily.shortages",
    "show": "server.cli.show",
    "sources": "server.cli.sources",
    "status": "server.cli.daily.status",
    "supply": "server.cli.daily.supply",
    "time-zone": "server.cli.time_zone",
    "transfers": "server.cli.daily.transfers",
    "undo": "server.cli.undo",
    "verify": "server.cli.verify",
}
"""The module of each command; the function in it has the module's last name."""


class _Commands(click.Group):
    """Loads a command when it is called, so that ``holdfast show`` does not import the HTTP server."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), module.rpartition(".")[2])
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; one that there is not comes with the nearest, which click finds among loaded ones only."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; the message of an error may repeat data, and is shown as text like all that is printed."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = visible(error.message, keep="\n")  # type: ignore[misc]  # click shows the instance's
            raise


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(server.__version__, prog_name="holdfast")
def cli() -> None:
    """One stock count for every sales channel, never oversold.

    \b
    Start here:
      holdfast serve --sample     run a server with a small catalogue at http://127.0.0.1:8080
      holdfast demo               watch buyers on several channels compete for few units
      holdfast import stock.csv   import your own stock

    Every setting can also be set in the environment: HOLDFAST_PORT=9000 is --port 9000. A command with --data-dir works
    while a server runs on that directory, unless its help asks you to stop it.
    """  # noqa: D301  # click needs the character, not the two


def main() -> None:
    """Run the command line."""
    if _platform() == "win32":
        # What follows would fail on the first module that Windows does not have.
        sys.exit(
            "Holdfast runs on Linux and macOS. On Windows use WSL 2 (wsl --install, then follow the README there), "
            "or the container: docker run holdfast."
        )
    cli(prog_name="holdfast")


def _platform() -> str:
    return sys.platform
