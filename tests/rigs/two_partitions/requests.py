"""A request as a book knows it, in short names, and the names that go over the wire in their place.

Each assortment ends its names with a suffix of its own, so no two share a SKU, an id or a location. The suffix comes
last, so that names sort as they do without it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from server.domain.limits import DEFAULT_LOCATION

_NAMES: Final = frozenset(
    ("sku", "location", "to", "from", "group", "reservation_id", "transfer_id", "supply_id", "category", "barcode")
)
_LISTS: Final = frozenset(("skus", "groups"))
_SHELVES: Final = frozenset(("from", "to"))
"""In a movement between buckets these are no locations."""
_IN_PATH: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Request:
    """One request. ``path`` is that of its route, with ``names`` for the braces in it.

    ``absolute``: it has no key, sets what it names, and is asked again without harm, unless it comes after another.
    """

    kind: str
    method: str
    path: str
    names: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    key: str = ""
    absolute: bool = False

    @property
    def headers(self) -> dict[str, str]:
        return {"Idempotency-Key": self.key} if self.key else {}


@dataclass(frozen=True)
class Sent:
    """The same over the wire."""

    method: str
    path: str
    body: Any
    headers: Mapping[str, str]


class Names:
    """The names of one assortment. ``seqs``: (SKU, location, seq of the book) -> seq of the server, for counts."""

    def __init__(self, suffix: str) -> None:
        self.suffix = suffix
        self.seqs: dict[tuple[str, str, int], int] = {}

    def outside(self, name: str) -> str:
        """Return a name as the server has it; the default location is everybody's."""
        return name if name.lower() in ("", DEFAULT_LOCATION) else name + self.suffix

    def inside(self, raw: bytes) -> bytes:
        """Take the suffix off every name in an answer."""
        return raw.replace(self.suffix.encode(), b"")

    def path(self, request: Request) -> str:
        """Fill in the path of a request; a channel has one name for all."""

        def name(found: re.Match[str]) -> str:
            given = request.names[found[1]]
            return quote(given if found[1] == "channel" else self.outside(given), safe="")

        return _IN_PATH.sub(name, request.path)

    def sent(self, request: Request) -> Sent:
        """Return a request as it goes over the wire."""
        headers = {"Idempotency-Key": self.outside(request.key)} if request.key else {}
        return Sent(request.method, self.path(request), self._outside(request.body), headers)

    def _outside(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._outside(each) for each in value]
        if not isinstance(value, dict):
            return value
        stays = _SHELVES if value.get("kind") == "move" else frozenset()
        found: dict[str, Any] = {}
        for name, each in value.items():
            if name in _LISTS and all(isinstance(one, str) for one in each):
                found[name] = [self.outside(one) for one in each]
            elif name in _NAMES - stays and isinstance(each, str):
                found[name] = self.outside(each)
            elif name == "baseline_seq":
                found[name] = self.seqs[value["sku"], value["location"], each]
            else:
                found[name] = self._outside(each)
        return found
