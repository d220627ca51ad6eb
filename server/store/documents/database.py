"""What a documents database is to its users: transactions of statements, whichever product runs them."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol, TypeVar

T = TypeVar("T")

Row = tuple[Any, ...]

REPLACEMENT: Final = "\ufffd"


class Session(Protocol):
    """One transaction. Statements have ``?`` for their values, and are understood by each product."""

    async def fetch(self, statement: str, *values: Any) -> list[Row]:
        """Run a query and return its rows."""

    async def execute(self, statement: str, *values: Any) -> int:
        """Run a statement and return how many rows it changed."""

    async def lock(self, name: str) -> None:
        """Keep other transactions that lock this name waiting until this one ends."""


Work = Callable[[Session], Coroutine[Any, Any, T]]
"""What is done in one transaction. It may wait for its session and for nothing else: it may run in another thread."""

Spend = Callable[[float], None]
"""Is told the processor time, in seconds, that a transaction took of another thread."""


class Database(Protocol):
    """A documents database. It connects when it is first used, and again after a failure."""

    async def run(self, work: Work[T], *, reads: bool = False, spend: Spend | None = None) -> T:
        """Do work in a transaction: committed at its end, rolled back after an error.

        ``reads``: it only reads, all of it as it is at one moment. ``spend``: is told what another thread took for it;
        not what this one takes.
        """

    async def scrub(self) -> None:
        """See to it that what was deleted does not lie about in a log of the database, as far as that can be done."""

    async def close(self) -> None:
        """Close the connections; the next use opens them again."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """The exceptions of the product that mean: it does not work now."""

    given_ids: str
    """What an INSERT says behind its columns that has values of those which are counted up."""

    async def count_on(self, session: Session, serials: Mapping[str, str]) -> None:
        """Have columns that are counted up go on behind what they have, by table, after such an INSERT."""


def plain(text: str) -> str:
    """Return a text that each product can keep: no NUL, no half of a surrogate pair."""
    return text.replace("\0", REPLACEMENT).encode("utf-8", "replace").decode()
