"""Draws requests of every kind, fitting what a book holds: the choice is that of the model-based test of the ledger."""

import random
from collections import deque
from itertools import count
from typing import Any, Final

from server.domain.operations.reservations import Reserve
from server.domain.operations.stock import StockOperation
from tests.rigs.two_partitions.requests import Request
from tests.rigs.two_partitions.translate import GROUP, body_of_movement, promised, request_of
from tests.support import operations as ops
from tests.support.machine import Intent, LedgerMachine
from tests.support.model import Model, keyed_part
from tests.support.operations import AnOperation

PROMISES: Final = ("reserve", "order", "source", "late")
SETTLEMENTS: Final = ("commit", "release", "cancel", "fulfil", "extend", "return", "relocate", "bind", "exchange")
MOVEMENTS: Final = ("receive", "receive", "adjust", "count", "move", "backorder")
OTHERS: Final = (
    *("allocate", "allocate_move", "await", "await", "come", "unknown", "map", "ship", "arrive"),
    *("expect", "receive_expected", "forgo", "describe", "track", "movements", "batch"),
)
KINDS: Final = (*2 * PROMISES, *2 * SETTLEMENTS, *MOVEMENTS, *OTHERS)
STORES: Final = {"depo": 2, "mağaza": 1}
"""The locations that an assortment closes and opens, and their priority."""
_MAYBE: Final = ("Paket", "¿ 2")
"""SKUs that need no stock now and then."""
_STOCKED: Final = ("A", "B 1/2", "Ç")


class _Machine(LedgerMachine):
    """Only what chooses operations: there is no store behind it, so nothing of the state machine is begun."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.sent: list[AnOperation] = []
        self.numbers = count(1)
        self.journal_id = "1-1"
        self.times_between = deque()  # nothing is counted as of a time: the model has no clock of the server

    def _operation(self, intent: Intent) -> AnOperation:
        """Make an operation, of names as they are: a name is another one with its assortment behind it."""
        return self._sent_or_new(intent)

    def draw(self, intent: Intent) -> tuple[AnOperation, bool]:
        """Choose an operation; also whether it is one that was sent before, to be sent once more."""
        operation = self._operation(intent)
        if any(operation is each for each in self.sent):
            return operation, True
        self.sent.append(operation)
        return operation, False


class Drawing:
    """Draws for one assortment. ``seqs``: the seqs that answers have shown, by place."""

    def __init__(self, model: Model, chance: random.Random) -> None:
        self._chance = chance
        self._machine = _Machine(model)
        self._requests: dict[int, Request] = {}
        self.seqs: dict[tuple[str, str], list[int]] = {}

    def draw(self) -> Request:
        """Make the next request."""
        kind = self._chance.choice(KINDS)
        match kind:
            case "describe":
                return registering(self._chance.choice(tuple(STORES)), is_open=self._chance.random() < 0.6)
            case "track":
                names = {"sku": self._chance.choice((*_MAYBE, "A"))}
                body = {"tracked": self._chance.random() < 0.5}
                return Request("track", "PUT", "/v1/skus/{sku}", names, body, absolute=True)
            case "movements":
                return self._movements()
            case "batch":
                return self._batch()
        operation, is_known = self._machine.draw(self._intent(kind))
        if not is_known:
            self._requests[id(operation)] = self._request(operation)
        return self._requests[id(operation)]

    def _request(self, operation: AnOperation) -> Request:
        key = getattr(keyed_part(operation), "key", "") or self._fresh("k")
        return request_of(operation, key, self._chance, self.seqs)

    def _fresh(self, letter: str) -> str:
        return f"{letter}{next(self._machine.numbers)}"

    def _intent(self, kind: str) -> Intent:
        chance = self._chance
        parts = [(chance.randrange(10), chance.randint(1, 4)) for _ in range(chance.randint(1, 3))]
        return Intent(kind, chance.randrange(8), parts, chance.randrange(8), chance.randrange(10))

    def _movements(self) -> Request:
        """Make several movements at once, each on its own, no two of one SKU.

        Else a movement that was refused could be granted when all are asked again, after one of those behind it.
        """
        kinds = ("receive", "adjust", "count", "move")
        drawn = [self._machine._movement(self._intent(self._chance.choice(kinds)), "") for _ in range(3)]
        of_sku = {each.sku: each for each in drawn if isinstance(each, StockOperation)}
        bodies = [body_of_movement(each, self.seqs) for each in of_sku.values()]
        return Request("movements", "POST", "/v1/stock/movements", {}, {"movements": bodies}, self._fresh("k"))

    def _batch(self) -> Request:
        """Make several reservations at once, no two of one SKU: nothing says in which order they are carried out."""
        bodies: list[dict[str, Any]] = []
        for sku in self._chance.sample(_STOCKED, 3):
            units = self._chance.randint(1, 5)
            wanted: Reserve = ops.reserve(self._fresh("r"), (sku, units, "main"), partial=self._chance.random() < 0.3)
            bodies.append(promised(wanted, self._chance))
        return Request("batch", "POST", "/v1/reservations/batch", {}, {"reservations": bodies}, self._fresh("k"))


def registering(store: str, *, is_open: bool) -> Request:
    """Register a location of an assortment, open or closed."""
    body = {"kind": "store", "priority": STORES[store], "groups": [GROUP], "open": is_open}
    path = "/v1/locations/{name}"
    return Request("describe", "PUT", path, {"name": store}, body, absolute=True)


def first_requests() -> list[Request]:
    """Make the requests with which an assortment begins."""
    found = [registering(store, is_open=True) for store in STORES]
    places = {("A", "main"): 90, ("A", "mağaza"): 60, ("A", "depo"): 60, ("B 1/2", "main"): 60, ("B 1/2", "depo"): 40}
    bodies = [
        {"kind": "receive", "sku": sku, "location": location, "quantity": units}
        for (sku, location), units in places.items()
    ]
    found.append(Request("movements", "POST", "/v1/stock/movements", {}, {"movements": bodies}, "first"))
    for number, (sku, location) in enumerate((*list(places)[:3], ("Ş", "main"))):
        names, body = {"sku": sku, "location": location}, {"mode": "backorder", "limit": 9, "promise_on": "2035-01-01"}
        path = "/v1/stock/{sku}/{location}/backorder"
        found.append(Request("backorder", "PUT", path, names, body, f"first-{number}"))
    return found
