"""A simulated Acme: strict where Acme is, and it shows what its buyers would see."""

import hmac
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import Any, Final

import msgspec
from aiohttp import web

from adapters.contract.orders import Delivery
from adapters.testing.order_side import BUYER, PHONE, STREET, OrderSide, Truth
from holdfast_acme.orders import PAGE, SIGNATURE
from holdfast_acme.stock import ITEMS_MAX

TOKEN: Final = "an-invented-token"
SECRET: Final = "an-invented-secret"


@dataclass
class AcmeSimulator(OrderSide):
    """One account. ``orders`` are by number, in the order in which they were placed."""

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)
    tells_twice: bool = False

    def __post_init__(self) -> None:
        self._numbers = count(1_000)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.put("/stock", self._put),
            web.get("/stock", self._stock),
            web.get("/orders", self._list),
            web.get("/orders/{number}", self._order),
            web.post("/orders/{number}/{what:parcels|cancels}", self._said),
        ]

    # -- what buyers do

    def place(self, *lines: tuple[str, int], paid: bool = True) -> str:
        number, now = str(next(self._numbers)), self.tick()
        self.truth[number] = {f"{number}-{at}": Truth(key, pieces) for at, (key, pieces) in enumerate(lines)}
        self.orders[number] = {"placed": now, "changed": now, "unpaid": not paid, "parcels": []}
        for key, pieces in lines:
            self.sell(key, pieces)
        return number

    def pay(self, number: str) -> None:
        self.orders[number].update(unpaid=False, changed=self.tick())

    def cancel(self, number: str, key: str, pieces: int) -> None:
        self.truth[number][key].cancelled += pieces
        self.orders[number]["changed"] = self.tick()

    def send_off(self, number: str) -> None:
        self._ship(number, {key: line.living for key, line in self.truth[number].items() if line.living}, "")

    def spoil(self, number: str) -> None:
        self.spoiled.add(number)

    def misbehave(self, chance: random.Random) -> None:
        self.tells_twice = chance.random() < 0.5

    def _ship(self, number: str, lines: dict[str, int], tracking: str) -> None:
        parcels = self.orders[number]["parcels"]
        for key, pieces in lines.items():
            self.truth[number][key].shipped += pieces
        parcels.append({"id": f"{number}-P{len(parcels)}", "lines": lines, "tracking": tracking})
        self.orders[number]["changed"] = self.tick()

    # -- what it sends

    def deliveries(self, number: str) -> Sequence[Delivery]:
        delivery = self.signed(json.dumps(self.row(number)).encode())
        return [delivery, delivery] if self.tells_twice else [delivery]

    def signed(self, body: bytes) -> Delivery:
        signature = hmac.new(SECRET.encode(), body, sha256).hexdigest()
        return Delivery(method="POST", path="", query="", headers={SIGNATURE: signature}, body=body)

    def forged(self, delivery: Delivery) -> Sequence[Delivery]:
        signature = delivery.headers[SIGNATURE]
        headers: list[dict[str, str]] = [{}, {SIGNATURE: ""}, {SIGNATURE: signature[:-1]}, {SIGNATURE: "ü" * 64}]
        others = [msgspec.structs.replace(delivery, headers=each) for each in headers]
        return [*others, msgspec.structs.replace(delivery, body=delivery.body + b" ")]

    # -- its interface

    def row(self, number: str) -> dict[str, Any]:
        order, lines = self.orders[number], self.truth[number]
        return {
            "number": number,
            "placed": order["placed"],
            "changed": order["changed"],
            "state": self._state(number),
            "lines": "none" if number in self.spoiled else [self._line(key, each) for key, each in lines.items()],
            "parcels": order["parcels"],
            "buyer": {"name": BUYER, "street": STREET, "phone": PHONE},
        }

    def _state(self, number: str) -> str:
        lines = self.truth[number].values()
        if all(each.cancelled == each.ordered for each in lines):
            return "cancelled"
        if not any(each.living for each in lines):
            return "done"
        return "unpaid" if self.orders[number]["unpaid"] else "open"

    def _line(self, key: str, line: Truth) -> dict[str, Any]:
        told = {"ordered": line.ordered, "cancelled": line.cancelled, "shipped": line.shipped}
        return {"id": key, "article": line.listing, **told}

    def _stranger(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") == f"Bearer {TOKEN}":
            return None
        return web.json_response({"message": "who are you"}, status=401)

    async def _put(self, request: web.Request) -> web.Response:
        stranger = self._stranger(request)
        if stranger is not None:
            return stranger
        sent: dict[str, int] = json.loads(await request.read())
        if len(sent) > ITEMS_MAX:
            self.complain(f"{len(sent)} articles")
        for key in sent.keys() & self.shown.keys():
            self.show(key, sent[key])
        return web.json_response({"refused": dict.fromkeys(sent.keys() - self.shown.keys(), "no such article")})

    async def _stock(self, request: web.Request) -> web.Response:
        stranger = self._stranger(request)
        if stranger is not None:
            return stranger
        keys = request.query.getall("key", [])
        if not 1 <= len(keys) <= ITEMS_MAX:
            self.complain(f"{len(keys)} articles were asked for")
        return web.json_response({"stock": {key: self.shown[key] for key in keys if key in self.shown}})

    async def _list(self, request: web.Request) -> web.Response:
        stranger = self._stranger(request)
        if stranger is not None:
            return stranger
        since, skip, limit = (int(request.query[name]) for name in ("since", "skip", "limit"))
        if set(request.query) != {"since", "skip", "limit"} or limit > PAGE or skip < 0:
            self.complain(f"orders by {dict(request.query)}")
        found = sorted((order["changed"], number) for number, order in self.orders.items() if order["changed"] >= since)
        return web.json_response({"orders": [self.row(number) for _, number in found[skip : skip + limit]]})

    async def _order(self, request: web.Request) -> web.Response:
        stranger = self._stranger(request)
        if stranger is not None:
            return stranger
        number = request.match_info["number"]
        if number not in self.orders:
            return web.json_response({"message": "no such order"}, status=404)
        return web.json_response(self.row(number))

    async def _said(self, request: web.Request) -> web.Response:
        stranger = self._stranger(request)
        if stranger is not None:
            return stranger
        number, what = request.match_info["number"], request.match_info["what"]
        said = await request.json()
        lines, there = said["lines"], self.truth.get(number, {})
        if any(key not in there or not 0 < pieces <= there[key].living for key, pieces in lines.items()):
            return web.json_response({"message": "not so many pieces are left"}, status=409)
        if not self.lying:
            self._carry_out(number, what, said)
        return web.json_response({}, status=201)

    def _carry_out(self, number: str, what: str, said: dict[str, Any]) -> None:
        if what == "parcels":
            self._ship(number, said["lines"], said["tracking"])
        else:
            for key, pieces in said["lines"].items():
                self.cancel(number, key, pieces)
        self.taken(f"{what} of {number}: {sorted(said['lines'].items())}")
