"""The command line: ``holdfast serve`` and its friends, each in a module of ``server/commands``."""

import click

import server
from server.commands.barcodes import barcodes
from server.commands.channels import channels
from server.commands.count import count
from server.commands.demo import demo
from server.commands.import_ import import_
from server.commands.keys import keys
from server.commands.locations import locations
from server.commands.move import move
from server.commands.repair import repair
from server.commands.report import report
from server.commands.serve import serve
from server.commands.show import show
from server.commands.verify import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(server.__version__, prog_name="holdfast")
def cli() -> None:
    """One stock count for every sales channel, never oversold.

    \b
    Start here:
      holdfast serve --sample     a server with a small catalogue at http://127.0.0.1:8080
      holdfast demo               buyers on several channels fighting over few units
      holdfast import stock.csv   your own stock

    Every setting can also come from the environment: HOLDFAST_PORT=9000 is --port 9000. Where a command takes
    --data-dir, a server that runs there may go on running.
    """  # noqa: D301  # click needs the character, not the two


for command in (serve, demo, import_, count, move, barcodes, channels, locations, show, report, verify, keys, repair):
    cli.add_command(command)


def main() -> None:
    """Enter here."""
    cli(prog_name="holdfast")
