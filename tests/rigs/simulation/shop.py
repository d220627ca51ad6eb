"""A made-up shop and the way to it: values take effect now, later or never, and answers come, come late or do not."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import msgspec

from adapters.contract.errors import NotSentError, UnknownResultError
from adapters.contract.http import Answer, Request
from server.channels.connection.http_transport import Transport
from tests.channels.plain import OK

URL: Final = "http://shop.simulated"
TIMEOUT_S: Final = 3.0
AFTER_A_KILL_S: Final = 5.0
"""What a process that was killed had on its way can still take effect so much later."""
LATE_S: Final = 30.0
"""As can a request that was given up."""

FAULTS: Final = ("refused", "lost", "late", "unanswered", "busy", "throttled", "html", "unauthorized")
UNKNOWN: Final = frozenset({"lost", "late", "unanswered"})
"""After these it is unknown whether the request was carried out."""
_APPLIED_ALL_THE_SAME: Final = 0.5
_STATUS: Final = {"busy": 503, "throttled": 429, "html": 200, "unauthorized": 401}


class Window(msgspec.Struct, frozen=True):
    """From ``from_s`` to ``until_s`` this share of the requests meets one of the faults."""

    from_s: float
    until_s: float
    share: float
    faults: tuple[str, ...]


class Poison(msgspec.Struct, frozen=True):
    """A key that the shop refuses for a time, or keeps as it is."""

    key: str
    from_s: float
    until_s: float


class ShopPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a shop is like. ``result`` "whole": one bad row refuses all. ``ticket_s``: how long a ticket takes.

    ``keeps`` are keys of which it says yes for a time, and changes nothing. ``left_out`` is when, and what share of the
    rows, its answers do not name, whether they were applied or not. ``bad_prices`` are refused.
    """

    name: str
    result: str = "per_item"
    ticket_s: tuple[float, float] | None = None
    windows: tuple[Window, ...] = ()
    poisons: tuple[Poison, ...] = ()
    keeps: tuple[Poison, ...] = ()
    left_out: tuple[Window, ...] = ()
    bad_prices: tuple[str, ...] = ()
    answer_s: tuple[float, float] = (0.01, 0.2)

    @property
    def may_be_unsure(self) -> bool:
        """Whether any answer of this shop may be lost."""
        return bool(self.left_out) or any(UNKNOWN.intersection(window.faults) for window in self.windows)

    @property
    def kept(self) -> frozenset[str]:
        """The keys of which it says yes at some time, and changes nothing."""
        return frozenset(each.key for each in self.keeps)

    @property
    def keeps_for_ever(self) -> frozenset[str]:
        """The keys that nothing will correct."""
        return frozenset(each.key for each in self.keeps if each.until_s == float("inf"))


@dataclass
class Shop:
    """The shop. ``shown`` is what its buyers see, ``applied`` each value in the order in which it took effect.

    ``priced_falls`` are the keys whose last units were to go together with a price.
    """

    plan: ShopPlan
    random: Random
    now_s: Callable[[], float]
    log: Callable[[str], None]
    shown: dict[str, int] = field(default_factory=dict)
    prices: dict[str, str] = field(default_factory=dict)
    applied: list[tuple[str, int]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    priced_falls: list[str] = field(default_factory=list)
    requests: int = 0
    tickets: dict[str, tuple[float, dict[str, str]]] = field(default_factory=dict)
    later: set[asyncio.Task[None]] = field(default_factory=set)

    def fault(self) -> str:
        """Return what happens to the next request; empty: nothing."""
        now_s = self.now_s()
        for window in self.plan.windows:
            if window.from_s <= now_s < window.until_s and self.random.random() < window.share:
                return self.random.choice(window.faults)
        return ""

    def carry_out(self, request: Request) -> dict[str, Any]:
        """Do what is asked; returns the answer's body."""
        path = request.url.removeprefix(URL)
        if path == "/push":
            return self._push(json.loads(request.body))
        if path == "/read":
            return {key: self.shown[key] for key in json.loads(request.body) if key in self.shown}
        return self._poll(path.rpartition("/")[2])

    def carry_out_later(self, request: Request, within_s: float) -> None:
        """Do it when no caller waits for the answer any more."""
        if request.url.endswith("/push"):
            self._later(self.random.uniform(0, within_s), lambda: self.carry_out(request))

    def _push(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        if len({row["key"] for row in rows}) < len(rows):
            self.complaints.append("one key twice in a push")
        if self.plan.ticket_s is None:
            return self._results(rows)
        ticket, takes_s = f"t{len(self.tickets)}", self.random.uniform(*self.plan.ticket_s)
        self.tickets[ticket] = (self.now_s() + takes_s, {})
        self._later(takes_s, lambda: self._work_off(ticket, rows))
        return {"ticket": ticket}

    def _work_off(self, ticket: str, rows: list[dict[str, Any]]) -> None:
        self.tickets[ticket] = (self.now_s(), self._results(rows))

    def _results(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        if self.plan.result == "whole" and any(self._refuses(row) for row in rows):
            return {"spoiled": "some row is bad"}
        results = {}
        for row in rows:
            if not self._leaves_out():
                results[row["key"]] = self._apply(row)
            elif self.random.random() < _APPLIED_ALL_THE_SAME:
                self._apply(row)
        return {"results": results}

    def _apply(self, row: dict[str, Any]) -> str:
        key, quantity = row["key"], row["quantity"]
        if "price" in row and not quantity and self.shown.get(key):
            self.priced_falls.append(key)
        if self._refuses(row):
            return f"{key} is refused"
        if self._is_in(self.plan.keeps, key):
            return OK
        self.log(f"{self.plan.name} shows {quantity} of {key}")
        self.shown[key] = quantity
        self.applied.append((key, quantity))
        if "price" in row:
            self.prices[key] = row["price"]
        return OK

    def sell(self, key: str, units: int) -> None:
        """Take units off the shop's own number, or with fewer than none give them back."""
        self.log(f"{self.plan.name} sells {units} of {key}")
        self.shown[key] = max(0, self.shown.get(key, 0) - units)

    def _refuses(self, row: dict[str, Any]) -> bool:
        return self._is_in(self.plan.poisons, row["key"]) or row.get("price") in self.plan.bad_prices

    def _is_in(self, spells: tuple[Poison, ...], key: str) -> bool:
        now_s = self.now_s()
        return any(each.key == key and each.from_s <= now_s < each.until_s for each in spells)

    def _leaves_out(self) -> bool:
        now_s = self.now_s()
        return any(
            each.from_s <= now_s < each.until_s and self.random.random() < each.share for each in self.plan.left_out
        )

    def _poll(self, ticket: str) -> dict[str, Any]:
        if ticket not in self.tickets:
            return {}
        due_s, answer = self.tickets[ticket]
        if self.now_s() < due_s or not answer:
            return {"results": {}, "done": False}
        return {**answer, "done": True}

    def _later(self, after_s: float, do: Callable[[], object]) -> None:
        async def wait() -> None:
            await asyncio.sleep(after_s)
            do()

        task = asyncio.create_task(wait())
        self.later.add(task)
        task.add_done_callback(self.later.discard)


class SimulatedTransport(Transport):
    """The way of one process to one shop."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()
        self._shop = shop
        self._flying: set[str] = set()

    async def send(self, request: Request) -> Answer:
        """As the real one: an answer, or an exact word on what became of the request."""
        shop = self._shop
        shop.requests += 1
        keys = {row["key"] for row in json.loads(request.body)} if request.url.endswith("/push") else set()
        if keys & self._flying:
            shop.complaints.append("two pushes on their way with one key")
        self._flying |= keys
        try:
            return await self._send(request)
        except asyncio.CancelledError:
            if shop.random.random() < 0.5:
                shop.carry_out_later(request, AFTER_A_KILL_S)
            raise
        finally:
            self._flying -= keys

    async def _send(self, request: Request) -> Answer:
        shop, fault = self._shop, self._shop.fault()
        there_s, back_s = shop.random.uniform(*shop.plan.answer_s), shop.random.uniform(*shop.plan.answer_s)
        await asyncio.sleep(there_s)
        if fault:
            shop.log(f"{shop.plan.name} {fault}: {request.url.removeprefix(URL)} {request.body.decode()}")
        if fault == "refused":
            raise NotSentError("no connection")
        if fault in UNKNOWN:
            if fault == "late":
                shop.carry_out_later(request, LATE_S)
            elif fault == "unanswered":
                shop.carry_out(request)
            await asyncio.sleep(shop.random.uniform(0, TIMEOUT_S))
            raise UnknownResultError("no whole answer in time")
        if fault:
            return Answer(_STATUS[fault], body=b"<html>")
        body = json.dumps(shop.carry_out(request)).encode()
        await asyncio.sleep(back_s)
        return Answer(200, body=body)

    async def close(self) -> None:
        """There is nothing to close."""
