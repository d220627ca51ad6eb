"""``holdfast transfers``: transfers that are on their way; one is received, and one that never left is cancelled."""

from typing import Any, Final

import click

from server.cli.daily.asking import Api, api_options, asked, key_of, once_option
from server.cli.daily.listing import as_page, limit_option
from server.cli.daily.tables import minute, print_table, say_there_is_more
from server.cli.terminal import print_json, say
from server.files.wording import counted

_ONE: Final = "/v1/transfers/{transfer_id}"


@click.group()
def transfers() -> None:
    """Show transfers that are on their way, receive one, and cancel one that never left.

    \b
      holdfast transfers list
      holdfast transfers receive t-12
      holdfast transfers cancel t-12 --reason "the van broke down"
    """  # noqa: D301  # click needs the character, not the two


@transfers.command("list")
@limit_option
@api_options
def list_(*, limit: int, as_json: bool, **where: Any) -> None:
    """List the transfers that are on their way, in no order.

    \b
      holdfast transfers list
    """  # noqa: D301  # click needs the character, not the two

    async def work(api: Api) -> tuple[list[Any], str]:
        return await api.pages("/v1/transfers", "transfers", limit=limit)

    found, following = asked(work, **where)
    if as_json:
        print_json(as_page("transfers", found, following))
        return
    if not found:
        say("Nothing is on its way.")
        return
    rows = [
        (
            each["transfer_id"],
            each["from"],
            each["to"],
            _in_transit(each),
            len(each["lines"]),
            minute(each["shipped_at"]),
        )
        for each in found
    ]
    print_table(("transfer", "from", "to", "in transit", "lines", "since"), rows)
    say_there_is_more(following, limit)


def _in_transit(transfer: dict[str, Any]) -> int:
    return sum(int(line["in_transit"]) for line in transfer["lines"])


@transfers.command()
@click.argument("transfer_id", metavar="ID")
@click.option("--close", is_flag=True, help="What has not arrived never will.")
@click.option("--nothing", is_flag=True, help="With --close: nothing arrived.")
@click.option("--reason", default="", help="With --close: why.")
@once_option
@api_options
def receive(
    *, transfer_id: str, close: bool, nothing: bool, reason: str, once: str, as_json: bool, **where: Any
) -> None:  # fmt: skip
    """Receive a transfer: all that is still on its way has arrived.

    \b
      holdfast transfers receive t-12
      holdfast transfers receive t-12 --close --nothing --reason "stolen from the van"
    """  # noqa: D301  # click needs the character, not the two
    body: dict[str, Any] = {"close": True} if close else {}
    body |= ({"lines": []} if nothing else {}) | ({"reason": reason} if reason else {})
    found = _changed("receive", transfer_id, body, once, where)
    if as_json:
        print_json(found)
        return
    received, lost = (sum(int(line[name]) for line in found["lines"]) for name in ("received", "lost"))
    lost_too = f", {lost:,} lost" if lost else ""
    say(f"{transfer_id}: {counted(received, 'unit')} received at {found['to']}{lost_too}")


@transfers.command()
@click.argument("transfer_id", metavar="ID")
@click.option("--reason", default="", help="A reason, kept in the journal.")
@once_option
@api_options
def cancel(*, transfer_id: str, reason: str, once: str, as_json: bool, **where: Any) -> None:
    """Cancel a transfer that never left: its units are at the source again.

    One of which units have arrived cannot be cancelled. Cancelling again changes nothing.

    \b
      holdfast transfers cancel t-12 --reason "the van broke down"
    """  # noqa: D301  # click needs the character, not the two
    found = _changed("cancel", transfer_id, {"reason": reason} if reason else {}, once, where)
    if as_json:
        print_json(found)
        return
    units = sum(int(line.get("cancelled", 0)) for line in found["lines"])
    say(f"{transfer_id} is cancelled: {counted(units, 'unit')} at {found['from']}")


def _changed(verb: str, transfer_id: str, body: object, once: str, where: dict[str, Any]) -> dict[str, Any]:
    names, key = {"transfer_id": transfer_id}, key_of(once)

    async def work(api: Api) -> dict[str, Any]:
        found: dict[str, Any] = await api.ask("POST", f"{_ONE}/{verb}", names=names, body=body, key=key)
        return found

    return asked(work, **where)
