"""A made-up channel that can be of any shape: results by item or as a whole, at once or under tickets, all limits.

The tests of the engine use it where it matters what the engine does, not how one marketplace writes it down.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from adapters.contract.adapter import Adapter, Capabilities
from adapters.contract.errors import SpoiledError, TicketLostError
from adapters.contract.http import READ, Exchange, Request, check_status, json_of
from adapters.contract.stock import Applied, Item, Outcome, Outcomes, Rejected, StillPending, Ticket
from adapters.contract.warehouse import HeldUnits, WarehousePage
from adapters.testing.simulator import Simulator

OK = "ok"
HELD_PAGE = 2
_VERSIONS_MAX = 50
"""Of a push: they go in a header, so that two pushes of the same values have the same body."""


class Plain(Adapter):
    """The adapter; its capabilities are a parameter."""

    def __init__(self, url: str, **capabilities: Any) -> None:
        self._url = url
        self._capabilities = Capabilities(**{"items_max": 1000, "takes_price": True, **capabilities})

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes | Ticket]:  # noqa: ARG002
        rows = [
            {"key": item.key, "quantity": item.quantity, **({"price": item.price} if item.price else {})}
            for item in items
        ]
        versions = json.dumps({item.key: item.version for item in items[:_VERSIONS_MAX]})
        answer = yield Request("POST", f"{self._url}/push", {"X-Versions": versions}, json.dumps(rows).encode())
        check_status(answer)
        reported = json_of(answer)
        if "ticket" in reported:
            return Ticket(reported["ticket"])
        if "spoiled" in reported:
            raise SpoiledError("spoiled", reported["spoiled"])
        return {key: _outcome(reason) for key, reason in reported["results"].items()}

    def poll(self, ticket_id: str, keys: Sequence[str]) -> Exchange[Outcomes | StillPending]:  # noqa: ARG002
        answer = yield Request("GET", f"{self._url}/tickets/{ticket_id}", group=READ)
        check_status(answer)
        reported = json_of(answer)
        if "spoiled" in reported:
            raise SpoiledError("spoiled", reported["spoiled"])
        if "results" not in reported:
            raise TicketLostError("no such ticket")
        outcomes = {key: _outcome(reason) for key, reason in reported["results"].items()}
        return outcomes if reported["done"] else StillPending(outcomes)

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        answer = yield Request("POST", f"{self._url}/read", body=json.dumps(list(keys)).encode(), group=READ)
        check_status(answer)
        shown: dict[str, int] = json_of(answer)
        return shown

    def pull_warehouse(self, cursor: str) -> Exchange[WarehousePage]:
        answer = yield Request("GET", f"{self._url}/held?from={cursor or 0}", group=READ)
        check_status(answer)
        page = json_of(answer)
        units = tuple(HeldUnits(*each) for each in page["units"])
        return WarehousePage(units, page["next"], page["more"], page["unreadable"])


def _outcome(reason: str) -> Outcome:
    return Applied() if reason == OK else Rejected("refused", reason)


@dataclass
class PlainChannel(Simulator):
    """The channel. ``whole``: one bad row refuses all, and is not named. ``tickets``: results come later.

    ``slow_polls``: so many polls find a ticket pending. ``open_to_all``: it knows every key. ``poisoned`` keys are
    refused, and so are rows with one of the ``refused_prices``, whole. ``remembers_bodies``: an identical body is
    refused. ``spoils_late``: a ticket with a bad row is refused whole, when it is asked about. ``keeps`` are keys that
    are answered with yes and stay as they are; ``unnamed`` those that a finished answer leaves out. ``versions`` are
    those of each key's values, in the order in which they came. ``held``: what it holds itself, two keys a page;
    ``unreadable`` rows are on the first page of them.
    """

    whole: bool = False
    tickets: bool = False
    slow_polls: int = 0
    open_to_all: bool = True
    remembers_bodies: bool = False
    spoils_late: bool = False
    poisoned: set[str] = field(default_factory=set)
    refused_prices: set[str] = field(default_factory=set)
    keeps: set[str] = field(default_factory=set)
    unnamed: set[str] = field(default_factory=set)
    open_tickets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    polls: dict[str, int] = field(default_factory=dict)
    pushed_items: int = 0
    pushed_at_s: dict[str, float] = field(default_factory=dict)
    bodies: set[bytes] = field(default_factory=set)
    in_flight: dict[str, int] = field(default_factory=dict)
    versions: dict[str, list[int]] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0
    readings: int = 0

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/push", self._push),
            web.get("/tickets/{id}", self._poll),
            web.post("/read", self._read),
            web.get("/held", self._held),
        ]

    async def _push(self, request: web.Request) -> web.Response:
        body = await request.read()
        rows = json.loads(body)
        now_s = asyncio.get_running_loop().time()
        self.pushed_items += len(rows)
        for key, version in json.loads(request.headers["X-Versions"]).items():
            self.versions.setdefault(key, []).append(version)
        self.pushed_at_s.update({row["key"]: now_s for row in rows})
        if len({row["key"] for row in rows}) < len(rows):
            self.complain("one key twice in a push")
        if self.remembers_bodies and body in self.bodies:
            self.complain("an identical body")
        self.bodies.add(body)
        if self.whole and any(self._refusal(row) for row in rows):
            return web.json_response({"spoiled": "some row is bad"})
        if self.tickets:
            return self._accept(rows)
        return web.json_response({"results": self._results(rows)})

    def _accept(self, rows: list[dict[str, Any]]) -> web.Response:
        ticket = f"t{len(self.polls)}"
        busy = {row["key"] for rows in self.open_tickets.values() for row in rows}
        if busy & {row["key"] for row in rows}:
            self.complain("two pushes on their way with one key")
        self.open_tickets[ticket], self.polls[ticket] = rows, 0
        return web.json_response({"ticket": ticket})

    async def _poll(self, request: web.Request) -> web.Response:
        ticket = request.match_info["id"]
        rows = self.open_tickets.get(ticket)
        if rows is None:
            return web.json_response({})
        self.polls[ticket] += 1
        if self.polls[ticket] <= self.slow_polls:
            return web.json_response({"results": {}, "done": False})
        del self.open_tickets[ticket]
        if self.spoils_late and any(self._refusal(row) for row in rows):
            return web.json_response({"spoiled": "some row is bad"})
        return web.json_response({"results": self._results(rows), "done": True})

    async def _read(self, request: web.Request) -> web.Response:
        keys = await request.json()
        return web.json_response({key: self.shown[key] for key in keys if key in self.shown})

    async def _held(self, request: web.Request) -> web.Response:
        first = int(request.query["from"])
        rows = list(self.held.items())
        more = first + HELD_PAGE < len(rows)
        self.readings += not more
        unreadable = 0 if first else self.unreadable
        units = [[key, quantity, key] for key, quantity in rows[first : first + HELD_PAGE]]
        following = str(first + HELD_PAGE)
        return web.json_response({"units": units, "next": following, "more": more, "unreadable": unreadable})

    def _results(self, rows: list[dict[str, Any]]) -> dict[str, str]:
        return {row["key"]: self._apply(row) for row in rows if row["key"] not in self.unnamed}

    def _apply(self, row: dict[str, Any]) -> str:
        refusal = self._refusal(row)
        if refusal or row["key"] in self.keeps:
            return refusal or OK
        self.show(row["key"], row["quantity"], row.get("price"))
        return OK

    def _refusal(self, row: dict[str, Any]) -> str:
        if row["key"] in self.poisoned:
            return f"{row['key']} is poisoned"
        if row.get("price") in self.refused_prices:
            return f"a price of {row['price']} is not possible"
        if not self.open_to_all and row["key"] not in self.shown:
            return f"{row['key']} is not known here"
        return ""
