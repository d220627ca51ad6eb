"""What a server must answer: the API's own handlers, over the plain Python model in place of the store.

So a book needs no second description of the API. What it holds against the server is what the server adds to it:
scripts, batches, processes, the store, and everything that faults do to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, cast

import msgspec

from server.api.http.answer import Answer
from server.api.http.routing import Call, Route
from server.api.routes import ROUTES
from server.domain import limits
from server.domain.locations import Directory, Location
from server.domain.operations.allocations import Allocate, AllocateMove
from server.domain.principal import ALL_SCOPES, Principal
from server.domain.reservation import FoundReservation
from server.domain.stock import FoundPlaces
from server.schemas.problems import Problem
from server.schemas.reservations import ReservationView, reservation_view
from server.schemas.safety_stock import SkuView
from server.service.caller import Caller, Partition
from server.service.problems import of_error, problem
from server.store.keys import Keyspace
from tests.rigs.two_partitions.requests import Request
from tests.support.model import Model
from tests.support.operations import AnAnswer, AnOperation

LOG_MAX: Final = 200
"""How many changes of on_hand the scripts keep of each place."""
_ROUTES: Final = {(route.method, route.path): route for route in ROUTES}
_COUNTED: Final = "1-1"
"""Stands for a journal that was read to its end: the model knows at once what a channel has reserved."""


@dataclass(frozen=True)
class Expected:
    """An answer as it must be. ``replayed``: it repeats an earlier one."""

    status: int
    body: Any
    replayed: bool


class ModelLedger:
    """Carries operations out in the model, at a time that only :attr:`now_ms` tells."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.keyspace = Keyspace("model")
        self.now_ms = 1_000_000_000

    def of(self, _key: str) -> Self:
        """Return the ledger of a key: here nobody waits for a turn."""
        return self

    async def run(self, operation: AnOperation) -> AnAnswer:
        if isinstance(operation, Allocate | AllocateMove):
            channel = operation.channel if isinstance(operation, Allocate) else operation.taker
            used = self.model.used((operation.sku, operation.location), channel)
            operation = msgspec.structs.replace(operation, seen_id=_COUNTED, used=used)
        [answer] = self.model.apply([operation], self.now_ms)
        return answer

    async def places(self, skus: list[str], *, weight: int = 0) -> FoundPlaces:  # noqa: ARG002  # the model has no queue
        return FoundPlaces(self.now_ms, [self.model.names_of(sku) for sku in skus])

    async def reservation(self, reservation_id: str) -> FoundReservation:
        known = self.model.reservations.get(reservation_id)
        return FoundReservation(self.now_ms, known.shown() if known else None)


class ModelLocations:
    """The locations of an assortment, which the model must know of only if they are closed."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: dict[str, Location] = {}

    def known(self) -> Directory:
        return Directory(self._known.values())

    async def current(self) -> Directory:
        return self.known()

    async def put(
        self, locations: Sequence[Location], _actor: str, *, allow_similar: bool = False
    ) -> Mapping[str, str]:
        assert not allow_similar, "the rig names no place otherwise"
        for each in locations:
            assert not self._model.describe(each.name), "no place is like another one"
            self._known[each.name] = each
            (self._model.closed.discard if each.open else self._model.closed.add)(each.name)
        return {}


class NoOldNames:
    """What handlers read past the ledger: which locations were renamed, or are filled by a channel. Here none is."""

    async def execute_command(self, *words: str) -> list[None] | None:
        match (words[0], *words[2:]):
            case ("HMGET", "location_names", "moving_locations"):
                return [None, None]
            case ("HGET", "mirrored"):
                return None
        raise AssertionError(words)


@dataclass
class _Call:
    """What a handler sees of a request."""

    caller: Caller
    body: Any
    names: Mapping[str, str]
    reservation_id: str = ""

    def named(self, name: str) -> str:
        return self.names[name]

    def query(self, query_type: Any) -> Any:
        """Give what a request without a query string says: no request of a book has one."""
        return msgspec.convert({}, query_type)


class Oracle:
    """Answers requests about one assortment as a server must, and remembers what they do."""

    def __init__(self) -> None:
        self.model = Model(1_000 * limits.LIFE_S_MAX, LOG_MAX)
        self.ledger = ModelLedger(self.model)
        parts = Partition(
            ledger=self.ledger,  # type: ignore[arg-type]  # the part of it that handlers of changes use
            client=cast(Any, NoOldNames()),
            limits=b"",
            locations=ModelLocations(self.model),  # type: ignore[arg-type]  # the same
            new_id=_no_id,
        )
        self._caller = Caller(Principal("model", "model", ALL_SCOPES), parts)

    async def answer(self, request: Request) -> Expected:
        """Carry a request out in the model."""
        if request.kind == "track":
            return self._tracked(request)
        route = _ROUTES[request.method, request.path]
        body = None if route.body is None else msgspec.json.decode(msgspec.json.encode(request.body), type=route.body)
        call = _Call(self._caller.with_key(request.key), body, request.names)
        try:
            answer = await route.handler(cast(Call, call))
        except Exception as error:
            refused = of_error(error, call.reservation_id)
            if refused is None:
                raise
            answer = refused
        return _expected(route, answer)

    def view(self, reservation_id: str) -> ReservationView:
        """Show a reservation as a read of it must."""
        return reservation_view(reservation_id, self.model.reservations[reservation_id].shown())

    def lapse(self, until_ms: int) -> None:
        """Let time pass: holds that are due by then end."""
        self.ledger.now_ms = max(self.ledger.now_ms, until_ms)
        self.model.expire(self.ledger.now_ms)

    def next_to_lapse_ms(self, within_ms: int) -> int | None:
        """Return the deadline of the last hold that ends so soon, on the model's clock."""
        soon = self.ledger.now_ms + within_ms
        deadlines = [each.deadline_ms for each in self.model.reservations.values()]
        return max((each for each in deadlines if 0 < each <= soon), default=None)

    def _tracked(self, request: Request) -> Expected:
        sku, tracked = request.names["sku"], request.body["tracked"]
        if not self.model.track(sku, tracked=tracked):
            return _expected(None, problem("sku_has_stock"))
        return Expected(200, msgspec.to_builtins(SkuView(sku, None, sku not in self.model.untracked)), replayed=False)


def _expected(route: Route | None, answer: object) -> Expected:
    if isinstance(answer, Problem):
        return Expected(answer.status, shown(answer), replayed=False)
    assert route is not None
    status = next(iter(route.answers))
    if isinstance(answer, Answer):
        return Expected(status, shown(answer.view), answer.replayed)
    return Expected(status, shown(answer), replayed=False)


def shown(view: object) -> Any:
    """Return a view as a caller reads it."""
    return msgspec.json.decode(msgspec.json.encode(view))


def _no_id() -> str:
    raise AssertionError("every request of a book brings its own id")
