"""``holdfast channels pause`` and ``resume``: send a channel nothing for a while."""

from typing import Any

import click

from server.cli.common import reason_option
from server.cli.daily.asking import Api, api_options, asked
from server.cli.terminal import print_json, say


@click.command()
@click.argument("channel")
@reason_option
@api_options
def pause(channel: str, reason: str, **options: Any) -> None:
    """Send a channel nothing until it is resumed.

    It goes on showing its old quantities, also of what is sold out, and may sell what is not there. Its orders still
    come in. The other rules of the channel stay.

    \b
      holdfast channels pause my-shop --reason "the shop moves to another host"
      holdfast channels resume my-shop
    """  # noqa: D301  # click needs the character, not the two
    said = f"{channel} is paused: nothing is sent to it. To go on: holdfast channels resume {channel}"
    _ask("pause", channel, reason, said, **options)


@click.command()
@click.argument("channel")
@reason_option
@api_options
def resume(channel: str, reason: str, **options: Any) -> None:
    """Send a channel what has changed while it was paused, and what changes from now on.

    \b
      holdfast channels resume my-shop
      holdfast channels resume my-shop --reason "the move is done"
    """  # noqa: D301  # click needs the character, not the two
    _ask("resume", channel, reason, f"{channel} is sent what has changed, and what changes.", **options)


def _ask(verb: str, channel: str, reason: str, said: str, *, as_json: bool, **where: Any) -> None:
    async def work(api: Api) -> Any:
        body = {"reason": reason} if reason else {}
        return await api.ask("POST", f"/v1/channels/{{channel}}/{verb}", names={"channel": channel}, body=body)

    found = asked(work, **where)
    if as_json:
        print_json(found)
    else:
        say(said)
