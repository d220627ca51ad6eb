"""One caller with ids of its own, who writes down every request and every answer.

What was asked and not answered is asked again, with the same key, when the server is back: :meth:`Loader.resolve`.
"""

import asyncio
import random
from typing import Any, Final

import aiohttp
import msgspec

from tests.support.http import Answer, Api

NO_ANSWER: Final = "no answer"
UNDECIDED: Final = {NO_ANSWER, "outcome_unknown"}
"""It may or may not have happened."""
NOT_DONE: Final = {"overloaded", "store_unavailable"}
REACHED: Final = {"reserve": "held", "order": "committed", "commit": "committed", "release": "released",
                  "fulfil": "fulfilled"}  # fmt: skip
"""The state that each operation leads to."""
QUANTITY_MAX: Final = 3
PAUSE_S: Final = (0.02, 0.32)
"""After a request that was not done, and at most after many of them in a row: all of it has to be asked again."""


class Request(msgspec.Struct):
    """One request and what came of it. ``outcome`` is a state, or the problem's outcome, or ``no answer``."""

    operation: str
    reservation_id: str
    path: str
    body: Any
    key: str
    outcome: str = NO_ANSWER
    replayed: bool = False
    asked_again: int = 0

    @property
    def done(self) -> bool:
        """Whether it was acknowledged."""
        return self.outcome in {"held", "committed", "released", "fulfilled"}


class Loader:
    """Reserves, orders, commits, releases and ships, one request at a time.

    ``requests`` holds all that it ever asked, in order; ``mixed_up`` names the answers that were about something else.
    """

    def __init__(self, name: str, api: Api, skus: list[str], seed: str) -> None:
        self.requests: list[Request] = []
        self.mixed_up: list[str] = []
        self.running = True
        self.pause_s = 0.0
        """How long it rests after each answer."""
        self._name = name
        self._api = api
        self._skus = skus
        self._random = random.Random(seed)
        self._number = 0
        self._held: list[str] = []
        self._committed: list[str] = []

    async def run(self) -> None:
        """Ask until stopped; while no server answers, ask more slowly."""
        pause_s, longest_s = PAUSE_S
        while self.running:
            request = self._next()
            self.requests.append(request)
            await self._ask(request)
            if request.outcome in UNDECIDED | NOT_DONE:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, longest_s)
                continue
            pause_s = PAUSE_S[0]
            if request.done:
                self._learn(request)
            if self.pause_s:
                await asyncio.sleep(self.pause_s)

    async def resolve(self) -> list[Request]:
        """Ask again for all that is undecided, until it is decided; returns those."""
        undecided = [request for request in self.requests if request.outcome in UNDECIDED]
        for request in undecided:
            while request.outcome in UNDECIDED | NOT_DONE:
                request.asked_again += 1
                await self._ask(request)
                if not request.done:
                    await asyncio.sleep(0.01)
            if request.done:
                self._learn(request)
        return undecided

    def _next(self) -> Request:
        self._number += 1
        chance = self._random.random()
        if chance < 0.3 and self._held:
            return self._settle("commit" if chance < 0.2 else "release", self._held)
        if chance < 0.4 and self._committed:
            return self._settle("fulfil", self._committed)
        operation = "order" if chance > 0.8 else "reserve"
        reservation_id = f"{self._name}-{self._number}"
        lines = [
            {"sku": sku, "quantity": self._random.randint(1, QUANTITY_MAX)}
            for sku in self._random.sample(self._skus, self._random.randint(1, 3))
        ]
        body = {"reservation_id": reservation_id, "channel": "crash", "lines": lines}
        if operation == "order":
            return Request(operation, reservation_id, "/v1/orders", body, "")
        return Request(operation, reservation_id, "/v1/reservations", {**body, "ttl_s": 86_400}, "")

    def _settle(self, operation: str, candidates: list[str]) -> Request:
        """Take the id out, so that no other request about it is sent before this one is decided."""
        reservation_id = candidates.pop(self._random.randrange(len(candidates)))
        path = f"/v1/reservations/{reservation_id}/{operation}"
        return Request(operation, reservation_id, path, {}, f"{operation}-{reservation_id}")

    async def _ask(self, request: Request) -> None:
        headers = {"Idempotency-Key": request.key} if request.key else {}
        try:
            answer = await self._api.post(request.path, request.body, headers=headers)
        except (aiohttp.ClientError, TimeoutError, OSError):
            request.outcome = NO_ANSWER
            return
        request.outcome = answer.body["state"] if answer.status < 300 else answer.body["outcome"]
        self._compare(request, answer)
        request.replayed = "Idempotent-Replayed" in answer.headers

    def _compare(self, request: Request, answer: Answer) -> None:
        """Note an answer that is about something else than what was asked."""
        body = answer.body
        if body.get("reservation_id", request.reservation_id) != request.reservation_id:
            self.mixed_up.append(f"{request.reservation_id} was answered about {body['reservation_id']}")
        if answer.status < 300 and body["state"] != REACHED[request.operation]:
            self.mixed_up.append(f"{request.reservation_id}: {request.operation} was answered {body['state']}")
        if answer.status < 300 and request.operation in ("reserve", "order"):
            lines = [(line["sku"], line["quantity"]) for line in body["lines"]]
            if lines != [(line["sku"], line["quantity"]) for line in request.body["lines"]]:
                self.mixed_up.append(f"{request.reservation_id} was answered with the lines {lines}")

    def _learn(self, request: Request) -> None:
        if request.operation == "reserve":
            self._held.append(request.reservation_id)
        elif request.operation in ("order", "commit"):
            self._committed.append(request.reservation_id)
