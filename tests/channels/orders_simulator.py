"""A made-up marketplace that sells: its own order book behind a real socket, and the adapter that reads it.

The tests of the intake use it where it matters what the engine does, not how one marketplace writes it down.
"""

import hashlib
import hmac
import io
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from aiohttp import ClientError, ClientSession, web

from adapters.contract.errors import CursorRefusedError, UnreadableOrderError
from adapters.contract.http import COMMANDS, ORDERS, Answer, Exchange, Request, check_status, json_of
from adapters.contract.orders import (
    Acknowledge,
    Buyer,
    Command,
    CommandOutcome,
    Confirmation,
    Delivery,
    Done,
    ForgedError,
    Heard,
    Intake,
    NotDone,
    Order,
    OrderLine,
    Package,
    Pulled,
    Refuse,
    Refused,
    ReturnCase,
    Ship,
    Superseded,
    Unreadable,
    UnreadableError,
)
from tests.channels.plain import Plain, PlainChannel

SECRET: Final = "a-secret-of-the-market"
SIGNATURE: Final = "x-market-signature"
COMMANDS_TAKEN: Final = frozenset({"acknowledge", "refuse", "ship"})
PAGE: Final = 50


def signed(body: bytes, secret: str = SECRET) -> str:
    """Sign a delivery as the marketplace does."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class PlainOrders(Plain):
    """The adapter of the marketplace."""

    def __init__(
        self, url: str, *, intake: dict[str, Any] | None = None, secret: str = SECRET, **capabilities: Any
    ) -> None:
        wanted = {
            "pull_every_s": 0.2, "pull_floor_s": 0.02, "hears": True, "authentic_by": "hmac", "second_look_s": 0.3,
            "commands": COMMANDS_TAKEN, **(intake or {}),
        }  # fmt: skip
        super().__init__(url, intake=Intake(**wanted), **capabilities)
        self._secret = secret

    def first_cursor(self, since_ms: int) -> str:
        return f"{since_ms}:"

    def pull_orders(self, cursor: str, now_s: float) -> Exchange[Pulled]:  # noqa: ARG002
        since_ms, _, after = cursor.partition(":")
        answer = yield Request("GET", f"{self._url}/orders?since={since_ms}&after={after}", group=ORDERS)
        if answer.status == 410:
            raise CursorRefusedError("the cursor is too old")
        check_status(answer)
        page = json_of(answer)
        orders, unreadable = _read(page["orders"])
        if page["more"]:
            return Pulled(cursor=f"{since_ms}:{page['after']}", orders=orders, unreadable=unreadable, more=True)
        # The next walk overlaps this one: what changed while it was read comes again.
        return Pulled(cursor=f"{page['now_ms'] - 2_000}:", orders=orders, unreadable=unreadable)

    def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:  # noqa: ARG002
        answer = yield Request("GET", f"{self._url}/orders/{key}", group=ORDERS)
        if answer.status == 404:
            return None
        check_status(answer)
        try:
            return order_of(json_of(answer))
        except TypeError:
            raise UnreadableOrderError("lines: not a list of lines") from None

    def hear(self, delivery: Delivery, now_s: float) -> Heard:  # noqa: ARG002
        if not hmac.compare_digest(delivery.headers.get(SIGNATURE, ""), signed(delivery.body, self._secret)):
            raise ForgedError("wrong signature")
        try:
            told = json.loads(delivery.body)
            orders = (order_of(told["order"]),) if "order" in told else ()
            returns = msgspec.convert(told.get("returns", ()), tuple[ReturnCase, ...])
            return Heard(
                orders=orders,
                returns=returns,
                hints=tuple(told.get("hints", ())),
                id=told.get("id", ""),
                answer=Answer(202),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnreadableError(f"not an order: {type(error).__name__}") from error

    def command(self, command: Command, order: Order, now_s: float) -> Exchange[CommandOutcome]:  # noqa: ARG002
        body = json.dumps(_said(command) | {"revision": order.revision}).encode()
        answer = yield Request("POST", f"{self._url}/orders/{order.key}/commands", body=body, group=COMMANDS)
        if answer.status == 409:
            return Superseded(reason="another revision")
        if answer.status == 422:
            return Refused(code="impossible", reason=json_of(answer)["reason"])
        check_status(answer)
        return Done(remote_id=json_of(answer)["id"])

    def confirm(self, command: Command, order: Order) -> Confirmation:
        match command:
            case Acknowledge():
                return Done() if order.status == "acknowledged" else NotDone()
            case Ship():
                return Done() if any(each.tracking == command.tracking for each in order.packages) else NotDone()
            case Refuse():
                there = {line.key: line.cancelled for line in order.lines}
                return Done() if all(there[line] >= pieces for line, pieces in command.lines) else NotDone()
            case _:
                raise TypeError(command)


def _read(rows: list[dict[str, Any]]) -> tuple[tuple[Order, ...], tuple[Unreadable, ...]]:
    orders, unreadable = [], []
    for row in rows:
        try:
            orders.append(order_of(row))
        except TypeError:
            unreadable.append(Unreadable(key=row["key"], reason="lines: not a list of lines"))
    return tuple(orders), tuple(unreadable)


def _said(command: Command) -> dict[str, Any]:
    lines = dict(getattr(command, "lines", ()))
    return {"what": type(command).__struct_config__.tag, "lines": lines, "tracking": getattr(command, "tracking", "")}


def order_of(row: dict[str, Any]) -> Order:
    """Read an order as the marketplace writes it."""
    return Order(
        key=row["key"],
        changed_ms=row["changed_ms"],
        placed_ms=row["placed_ms"],
        complete=row.get("complete", True),
        state=row["state"],
        status="acknowledged" if row["acknowledged"] else "",
        revision=str(row["revision"]),
        gone_is_certain=row.get("gone_is_certain", True),
        pay_by_ms=row.get("pay_by_ms", 0),
        lines=tuple(OrderLine(**line) for line in row["lines"]),
        packages=tuple(
            Package(key=each["tracking"], state="shipped", tracking=each["tracking"]) for each in row["packages"]
        ),
        buyer=Buyer(**row["buyer"]) if row["buyer"] else None,
    )


@dataclass
class Market(PlainChannel):
    """The marketplace. ``webhook`` is where it tells of orders, empty: nowhere. ``seed`` decides how it misbehaves.

    ``said`` counts what it was told and did: an order, a command, and what it was about. ``doubles``, ``loses`` and
    ``delays`` are the shares of deliveries that come twice, never, or before an older one. ``refuses_cursors``: so many
    pulls are refused. ``unknown_at_first``: so many reads of an order find nothing.
    ``refuses_with``: more words of a refusal. ``refuses_all``: it takes no command. ``overtakes``: so many commands
    find an order that its buyer has changed since it was read.
    """

    webhook: str = ""
    seed: int = 0
    doubles: float = 0.0
    loses: float = 0.0
    delays: float = 0.0
    refuses_cursors: int = 0
    unknown_at_first: int = 0
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    said: Counter[tuple[str, ...]] = field(default_factory=Counter)
    pulls: int = 0
    reads: Counter[str] = field(default_factory=Counter)
    refuses_with: str = ""
    refuses_all: bool = False
    overtakes: int = 0

    def routes(self) -> list[web.RouteDef]:
        return [
            *super().routes(),
            web.get("/orders", self._pull),
            web.get("/orders/{key}", self._fetch),
            web.post("/orders/{key}/commands", self._command),
        ]

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._waiting: list[bytes] = []
        self._last_ms = 0

    # -- buyers

    def place(
        self, key: str, lines: dict[str, int], *, state: str = "open", at_ms: int = 0, **more: Any
    ) -> dict[str, Any]:
        """Let a buyer order pieces by listing; the line's key is the listing's with a letter in front."""
        rows = [{"key": f"L{listing}", "listing": listing, "ordered": pieces} for listing, pieces in lines.items()]
        order = {
            "key": key, "placed_ms": at_ms or self._now_ms(), "state": state, "acknowledged": False, "revision": 0,
            "lines": rows, "packages": [], "buyer": {"id": f"B{key}", "name": "Marked Person"}, **more,
        }  # fmt: skip
        for listing, pieces in lines.items():
            if listing in self.shown:
                self.sell(listing, pieces)
        self.orders[key] = order
        self.changed(order, at_ms)
        return order

    def cancel(self, key: str, listing: str, pieces: int) -> None:
        """Let a buyer cancel some pieces."""
        line = self.line(key, listing)
        line["cancelled"] = line.get("cancelled", 0) + pieces
        line["cancelled_by"] = "buyer"
        if all(each.get("cancelled", 0) >= each["ordered"] for each in self.orders[key]["lines"]):
            self.orders[key]["state"] = "cancelled"
        self.changed(self.orders[key])

    def line(self, key: str, listing: str) -> dict[str, Any]:
        return next(line for line in self.orders[key]["lines"] if line["listing"] == listing)

    def changed(self, order: dict[str, Any], at_ms: int = 0) -> None:
        """Give an order a time of change of its own, so that what changed since a time is one thing."""
        self._last_ms = at_ms or max(self._last_ms + 1, self._now_ms())
        order["changed_ms"] = self._last_ms
        order["revision"] += 1

    def _now_ms(self) -> int:
        return int(time.time() * 1000)

    # -- what it tells by itself

    async def tell(self, key: str, *, hint: bool = False, secret: str = SECRET) -> list[int]:
        """Tell of an order as it stands, doubled, late or not at all as the seed has it; return the answers."""
        order = self.orders[key]
        told = {"hints": [key]} if hint else {"order": order}
        body = json.dumps({**told, "id": f"{key}-{order['revision']}"}).encode()
        draw = self._random.random
        if draw() < self.loses:
            return []
        if draw() < self.delays:
            self._waiting.append(body)
            return []
        bodies = [body, *([body] if draw() < self.doubles else []), *self._waiting]
        self._waiting = []
        return [await self.deliver(each, secret=secret) for each in bodies]

    async def deliver(self, body: bytes, *, secret: str = SECRET, path: str = "/orders", method: str = "POST") -> int:
        """Send one delivery; return the status of the answer, 0 where none came."""
        try:
            async with (
                ClientSession() as session,
                session.request(
                    method, self.webhook + path, data=io.BytesIO(body), headers={SIGNATURE: signed(body, secret)}
                ) as answer,
            ):
                return answer.status
        except (ClientError, OSError):
            return 0

    # -- its interface

    async def _pull(self, request: web.Request) -> web.Response:
        self.pulls += 1
        if self.refuses_cursors:
            self.refuses_cursors -= 1
            return web.Response(status=410)
        since_ms, after = int(request.query["since"]), request.query["after"]
        now_ms = self._now_ms()
        found = sorted(
            (each["changed_ms"], each["key"]) for each in self.orders.values() if each["changed_ms"] >= since_ms
        )
        if after:
            at_ms, _, key = after.partition("~")
            found = [each for each in found if each > (int(at_ms), key)]
        page, more = found[:PAGE], len(found) > PAGE
        last = f"{page[-1][0]}~{page[-1][1]}" if page else ""
        orders = [self.orders[key] for _, key in page]
        return web.json_response({"orders": orders, "more": more, "after": last, "now_ms": now_ms})

    async def _fetch(self, request: web.Request) -> web.Response:
        self.reads[request.match_info["key"]] += 1
        order = self.orders.get(request.match_info["key"])
        if order is None or self.unknown_at_first:
            self.unknown_at_first = max(0, self.unknown_at_first - 1)
            return web.Response(status=404)
        return web.json_response(order)

    async def _command(self, request: web.Request) -> web.Response:
        key, said = request.match_info["key"], await request.json()
        order = self.orders[key]
        if self.overtakes:
            self.overtakes -= 1
            self.changed(order)
        if said["revision"] != str(order["revision"]):
            return web.json_response({}, status=409)
        if self.refuses_all:
            self.said[key, said["what"], "refused"] += 1
            return web.json_response({"reason": "closed for today"}, status=422)
        lines = {line["key"]: line for line in order["lines"]}
        for line_key, pieces in said["lines"].items():
            line = lines[line_key]
            left = line["ordered"] - line.get("cancelled", 0) - line.get("shipped", 0)
            if pieces > left:
                self.said[(key, said["what"], "too many")] += 1
                return web.json_response(
                    {"reason": f"{left} pieces are left of {line_key}{self.refuses_with}"}, status=422
                )
        self.said[(key, said["what"], json.dumps(said["lines"], sort_keys=True))] += 1
        self._carry_out(order, said, lines)
        return web.json_response({"id": f"{key}-{order['revision']}"})

    def _carry_out(self, order: dict[str, Any], said: dict[str, Any], lines: dict[str, dict[str, Any]]) -> None:
        counter = {"ship": "shipped", "refuse": "cancelled"}.get(said["what"])
        if counter is None:
            order["acknowledged"] = True
        else:
            for line_key, pieces in said["lines"].items():
                lines[line_key][counter] = lines[line_key].get(counter, 0) + pieces
        if said["what"] == "ship":
            order["packages"].append({"tracking": said["tracking"]})
        done = all(each.get("cancelled", 0) + each.get("shipped", 0) >= each["ordered"] for each in order["lines"])
        order["state"] = "closed" if done else order["state"]
        self.changed(order)
