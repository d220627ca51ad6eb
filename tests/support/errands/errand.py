"""What an errand is: a sentence, a function that does it, and the routes that it took."""

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, NamedTuple

from server.api.routes import ROUTES
from tests.support.event_streams import CHANGES, Stream, stream
from tests.support.http import Answer, Api

SYSTEM: Final = ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs")
_PATTERNS: Final = sorted(
    ((route.method, route.path) for route in ROUTES), key=lambda each: (each[1].count("{"), -len(each[1]))
)


class Asking:
    """A client of the public API that remembers which routes it has asked."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.taken: dict[str, None] = {}

    async def send(self, method: str, path: str, body: object = None, **options: Any) -> Answer:
        self._note(method, path)
        given: dict[str, Any] = {} if body is None else {"body": body}
        return await self.api.send(method, path, **given, **options)

    async def given(self, *movements: dict[str, object]) -> None:
        """Have stock as it was before the errand, or as somebody else makes it meanwhile: no part of what it takes."""
        results = (await self.api.post("/v1/stock/movements", units(*movements))).ok()["results"]
        assert all(each["status"] == 200 for each in results), results

    async def get(self, path: str, **options: Any) -> Any:
        return (await self.send("GET", path, **options)).ok()

    async def post(self, path: str, body: object, status: int = 200, **options: Any) -> Any:
        return (await self.send("POST", path, body, **options)).ok(status)

    async def put(self, path: str, body: object, **options: Any) -> Any:
        return (await self.send("PUT", path, body, **options)).ok()

    @contextlib.asynccontextmanager
    async def stream(self, query: str = "", *, has_key: bool = True) -> AsyncIterator[Stream]:
        """Follow what changes; a page has no key, and its token in the query."""
        self._note("GET", CHANGES)
        asks = self.api if has_key else Api(self.api._session, self.api._url)
        async with stream(asks, query) as open_stream:
            yield open_stream

    def _note(self, method: str, path: str) -> None:
        path = path.partition("?")[0]
        self.taken[f"{method} {path if path in SYSTEM else _template(method, path)}"] = None


def _template(method: str, path: str) -> str:
    for of, template in _PATTERNS:
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
        if of == method and re.fullmatch(pattern, path):
            return template
    raise AssertionError(f"{method} {path} is no route of the public API")


Do = Callable[[Asking], Awaitable[None]]


class Errand(NamedTuple):
    """One errand of one role."""

    role: str
    title: str
    do: Do


ERRANDS: Final[list[Errand]] = []


def errand(role: str, title: str) -> Callable[[Do], Do]:
    """Add a function to the errands."""

    def added(do: Do) -> Do:
        ERRANDS.append(Errand(role, title, do))
        return do

    return added


def units(*movements: dict[str, object]) -> dict[str, object]:
    """Write the body of movements, of names that are meant."""
    return {"movements": [{**each, "allow_similar": True} for each in movements]}


def counted(sku: str, on_hand: int, location: str = "main") -> dict[str, object]:
    """Write a count."""
    return {"kind": "count", "sku": sku, "on_hand": on_hand, "location": location}


def order_of(sku: str, quantity: int = 1, **fields: object) -> dict[str, object]:
    """Write an order of one line, of the channel of these errands."""
    return {"channel": "trendyol", "lines": [{"sku": sku, "quantity": quantity}], **fields}
