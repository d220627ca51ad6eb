"""The books of one assortment: what its one caller was answered, and what must be there.

An assortment is some SKUs at some locations that only one caller touches, one request after the other. So every
answer follows from those before it, whatever other callers do meanwhile, and each can be compared to the last field.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tests.rigs.rolling_upgrade.desk import difference
from tests.rigs.two_partitions.desk import Reply
from tests.rigs.two_partitions.drawing import Drawing
from tests.rigs.two_partitions.oracle import Expected, Oracle
from tests.rigs.two_partitions.requests import Names, Request
from tests.rigs.two_partitions.tally import Tally

KEPT_MAX: Final = 30
"""So many first answers are kept of each assortment, to ask for them again at the end."""
_VOLATILE: Final = frozenset(
    (
        "seq", "as_of", "created_at", "shipped_at", "replayed", "locations_version", "unconfigured_channel", "similar",
        "request_id",
    )
)  # fmt: skip
"""What the store's clock and the changes of other callers decide."""
_HINT: Final = re.compile(r"; did you mean [^?]*\?")
"""The nearest name: names are longer in the store, where each assortment has its own."""
_THERE: Final = frozenset(("expires_at", "closed_at"))
"""Times that need only be there, or not."""


@dataclass
class Unconfirmed:
    """A request that is not decided yet. ``lost``: how many times it was sent without an answer that decides it.

    ``waits``: it was refused after such a time, and what was sent before may still be carried out. So it is asked again
    when nothing is on its way any more.
    """

    request: Request
    lost: int = 0
    waits: bool = False


@dataclass
class Book:
    """``broken``: it differs from the server, so that nothing which follows can be compared."""

    name: str
    names: Names
    chance: random.Random
    tally: Tally
    oracle: Oracle = field(default_factory=Oracle)
    unconfirmed: Unconfirmed | None = None
    kept: list[tuple[Request, Reply]] = field(default_factory=list)
    broken: bool = False
    rests_until_s: float = 0.0

    def __post_init__(self) -> None:
        self.drawing = Drawing(self.oracle.model, self.chance)

    async def decide(self, unconfirmed: Unconfirmed, reply: Reply) -> None:
        """Enter an answer, and compare it."""
        request, self.unconfirmed = unconfirmed.request, None
        wanted = await self.oracle.answer(request)
        kind = request.kind
        for outcome in reply.outcomes:
            self.tally.outcomes[kind, outcome] += 1
        if unconfirmed.lost:
            self.tally.resolved["done before" if reply.replayed else "done now" if reply.granted else "refused"] += 1
        self.tally.compared["answers"] += 1
        found = self._compared(unconfirmed, wanted, reply)
        if found:
            self.differs(f"{request.method} {self.names.path(request)} {request.key}: {found}; sent {request.body}")
            return
        self._learn(request, wanted, reply)

    def differs(self, what: str) -> None:
        """Note that the server and this book differ, once: what follows would only repeat it."""
        self.broken = True
        self.tally.findings.differing.append(f"{self.name}: {what}")

    def _compared(self, unconfirmed: Unconfirmed, wanted: Expected, reply: Reply) -> str:
        if reply.status != wanted.status:
            return f"answered {reply.status} {reply.body}, must be {wanted.status} {wanted.body}"
        mine, theirs = plain(wanted.body), plain(reply.body)
        if mine != theirs:
            return f"answered otherwise than it must be: {difference(mine, theirs)}"
        was = wanted.replayed or bool(wanted.body and "results" in wanted.body and _all_replayed(wanted.body))
        now = reply.replayed or _all_replayed(reply.body)
        if was and not now and not unconfirmed.request.absolute:
            return "done once more, although it was done before"
        if now and not was and not unconfirmed.lost:
            return "said to be a replay, and it was never sent before"
        return ""

    def _learn(self, request: Request, wanted: Expected, reply: Reply) -> None:
        for mine, theirs in _levels(wanted.body, reply.body):
            place = mine["sku"], mine["location"]
            if (*place, mine["seq"]) not in self.names.seqs:
                self.names.seqs[*place, mine["seq"]] = theirs["seq"]
                self.drawing.seqs.setdefault(place, []).append(mine["seq"])
        if not reply.granted or request.absolute or (not request.key and "reservation_id" not in request.body):
            return
        if len(self.kept) < KEPT_MAX:
            self.kept.append((request, reply))
        elif self.chance.random() < 0.2:
            self.kept[self.chance.randrange(KEPT_MAX)] = (request, reply)


def plain(value: Any) -> Any:
    """Take out of an answer what the store's clock and other callers decide."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, str):
        return _HINT.sub(".", value)
    if not isinstance(value, dict):
        return value
    kept = {name: each for name, each in value.items() if name not in _VOLATILE}
    return {name: True if name in _THERE else plain(each) for name, each in kept.items()}


def _all_replayed(body: Any) -> bool:
    results = body.get("results", []) if isinstance(body, dict) else []
    done = [each for each in results if each["status"] < 300]
    return bool(done) and all(each.get("replayed") for each in done)


def _levels(mine: Any, theirs: Any) -> Iterator[tuple[Any, Any]]:
    """Pair the levels of stock that two equal answers show."""
    if isinstance(mine, dict):
        if "seq" in mine and "on_hand" in mine and "sku" in mine:
            yield mine, theirs
        for name, each in mine.items():
            yield from _levels(each, theirs.get(name))
    elif isinstance(mine, list):
        for each, other in zip(mine, theirs, strict=True):
            yield from _levels(each, other)
