"""``holdfast status``: whether it answers, and what waits for a person."""

import sys
from collections.abc import Mapping
from typing import Any, Final

import click

from server.cli.daily.asking import PAGE, Api, api_options, asked
from server.cli.daily.tables import print_table
from server.cli.terminal import print_json, say

FINE: Final = 0
TROUBLE: Final = 1
UNDECIDED: Final = 2

LISTINGS: Final = {
    "shortages": ("/v1/shortages", "shortages", "holdfast shortages"),
    "inbox": ("/v1/inbox", "entries", "holdfast inbox"),
    "backorders": ("/v1/backorders", "backorders", "holdfast backorders"),
    "transfers": ("/v1/transfers", "transfers", "holdfast transfers list"),
}
"""What is counted: where it is listed, under which name, and with which command."""
_FOR_A_PERSON: Final = ("shortages", "inbox")
_MISSING: Final = "documents_missing"
_UNTIL: Final = "nothing is published or taken in until `holdfast restore --release`"


@click.command()
@api_options
def status(*, as_json: bool, **where: Any) -> None:
    """Show whether Holdfast answers, how channels and sources stand, and what waits for a person.

    \b
      holdfast status
      holdfast status --url https://stock.example --key stock.key --json

    The exit code is 0 if all works and nothing waits for a person, 1 if not, and 2 if nobody answered.
    """  # noqa: D301  # click needs the character, not the two
    found = asked(_look, failure_code=UNDECIDED, **where)
    if as_json:
        print_json(found)
    else:
        _print(found)
    sys.exit(TROUBLE if found["trouble"] else FINE)


async def _look(api: Api) -> dict[str, Any]:
    channels = (await api.ask("GET", "/v1/channels"))["channels"]
    sources = (await api.ask("GET", "/v1/sources"))["sources"]
    counts = {name: await _count(api, path, field) for name, (path, field, _) in LISTINGS.items()}
    halted = (await api.ask("GET", "/v1/today", query={"limit": 1})).get("halted")  # a release before has no such field
    trouble = [f"restored from a backup of {halted['taken_at']}, and {_UNTIL}"] if halted else []
    trouble += [f"{each['channel']}: {why}" for each in channels if (why := _why_channel(each))]
    trouble += [f"{each['source']}: {why}" for each in sources if (why := _why_source(each))]
    trouble += [f"{_shown(counts[name])} in `{LISTINGS[name][2]}`" for name in _FOR_A_PERSON if _number(counts[name])]
    return {"trouble": trouble, "halted": halted, "channels": channels, "sources": sources, **counts}


async def _count(api: Api, path: str, field: str) -> dict[str, Any] | None:
    """Count one page: whoever has more than that has to look anyway. None: there is no database that has them."""
    page = await api.ask("GET", path, query={"limit": PAGE}, unless=_MISSING)
    if page is None:
        return None
    return {"counted": len(page[field]), "more": bool(page["next"])}


def _number(count: Mapping[str, Any] | None) -> int:
    return int(count["counted"]) if count is not None else 0


def _shown(count: Mapping[str, Any] | None) -> str:
    if count is None:
        return "not kept here"
    return f"{count['counted']:,}" + (" and more" if count["more"] else "")


def _why_channel(channel: Mapping[str, Any]) -> str:
    return _why(channel) or (f"{channel['dead_letters']:,} dead letters" if channel["dead_letters"] else "")


def _why_source(source: Mapping[str, Any]) -> str:
    return _why(source) or (f"{source['waiting']:,} numbers wait for a person" if source["waiting"] else "")


def _why(stands: Mapping[str, Any]) -> str:
    if stands["publisher_missing"]:
        return "no server publishes"
    return f"its circuit is {stands['circuit']}: {stands['reason']}" if stands["circuit"] != "closed" else ""


def _print(found: dict[str, Any]) -> None:
    rows = [(name, _shown(found[name]), command) for name, (_, _, command) in LISTINGS.items()]
    rows[:0] = [
        (name, f"{len(found[name]):,}", f"holdfast {name} status") for name in ("channels", "sources") if found[name]
    ]
    print_table(("", "there are", "see"), rows)
    for each in found["trouble"]:
        say(each)
    if not found["trouble"]:
        say("All works, and nothing waits for a person.")
