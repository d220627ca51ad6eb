"""What was asked, what it changes, and what came of it."""

from dataclasses import dataclass, field
from typing import Any, Final

LOCATION: Final = "main"
_DONE: Final = frozenset({200, 201})
NOT_ENOUGH: Final = frozenset({"out_of_stock", "exceeds_available"})
"""Refusals that are in order: others were faster, or there was never so much."""


@dataclass(frozen=True)
class Move:
    """What a request does to one bucket of a (SKU, location): ``units`` are added, or set where it is ``absolute``."""

    sku: str
    location: str
    bucket: str
    units: int
    absolute: bool = False


@dataclass(frozen=True)
class Ask:
    """One request. ``key`` is its Idempotency-Key; empty where the reservation's own id makes a retry safe.

    ``moves``: what it does to the stock if it is granted, but for what follows from the lines of reservations.
    ``supply``: how many units of which expected receipt came with it. ``may_lack``: it may be refused for want of
    units.
    """

    kind: str
    method: str
    path: str
    body: Any
    key: str = ""
    moves: tuple[Move, ...] = ()
    supply: tuple[str, int] | None = None
    may_lack: bool = False

    @property
    def reservation_id(self) -> str:
        """The id that a new reservation brings along; empty for every other request."""
        return self.body.get("reservation_id", "") if isinstance(self.body, dict) else ""

    @property
    def is_protected(self) -> bool:
        """Whether asking again has no second effect, and is answered as the first time."""
        return bool(self.key or self.reservation_id)


_OF_ONE_RELEASE: Final = {"": frozenset({"unconfigured_channel"}), "notes": frozenset({"parcel"})}
"""Fields that one release shows and the other does not: anywhere, and in fields of a name.

The last release shows every note that stands in a record, also one that this release keeps to itself.
"""


def shown_by_both(value: Any, name: str = "") -> Any:
    """Return what was answered without the fields that only one of the releases shows."""
    if isinstance(value, list):
        return [shown_by_both(each, name) for each in value]
    if not isinstance(value, dict):
        return value
    left_out = _OF_ONE_RELEASE[""] | _OF_ONE_RELEASE.get(name, frozenset())
    return {field: shown_by_both(each, field) for field, each in value.items() if field not in left_out}


@dataclass(frozen=True)
class Reply:
    """One answer: its HTTP status, its decoded body, and whose it was. ``took_s`` is how long it was waited for.

    ``replayed`` is what its header says; an answer about many says so in its body instead: see :attr:`is_replay`.
    """

    status: int
    body: Any
    replayed: bool
    server: str
    release: str
    took_s: float

    @property
    def results(self) -> list[Any]:
        """What became of each, where many were asked for at once; each has a status of its own."""
        return self.body.get("results", []) if isinstance(self.body, dict) else []

    @property
    def granted(self) -> bool:
        """Whether it was done, all of it."""
        return self.status in _DONE and all(each["status"] in _DONE for each in self.results)

    @property
    def is_replay(self) -> bool:
        """Whether it says that it is the answer to something that was done before."""
        return all(each.get("replayed") for each in self.results) if self.results else self.replayed

    @property
    def answer(self) -> Any:
        """What was answered, without what only one of the releases shows.

        Nor with the remark that it was done before, where that stands in the body.
        """
        body = shown_by_both(self.body)
        if not self.results:
            return body
        results = [{name: value for name, value in each.items() if name != "replayed"} for each in body["results"]]
        return body | {"results": results}

    @property
    def outcome(self) -> str:
        """Name the refusal as the server does; empty where there was none."""
        if self.granted or not isinstance(self.body, dict):
            return ""
        refusals = [each for each in self.results if each["status"] not in _DONE]
        return str((refusals or [self.body])[0].get("outcome", ""))


@dataclass(frozen=True)
class Record:
    """A request that was answered, and the first answer to it."""

    ask: Ask
    reply: Reply


@dataclass
class Diary:
    """All that callers saw, in the order in which the answers came.

    ``failed``: requests answered by a 5xx, or not at all. ``odd``: answers that nothing explains. ``unlike``: replays
    through the other release that were not the first answer again. ``asked_again`` counts requests whose first try
    failed, and which were then asked again with the same key.
    """

    records: list[Record] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    unlike: list[str] = field(default_factory=list)
    asked_again: int = 0
