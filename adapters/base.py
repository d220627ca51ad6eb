"""The contract of a channel adapter: what it is given, what it may answer, and how it says what the channel allows.

An adapter turns values into requests and answers into outcomes. It holds no queue, no clock and no socket: those are
the engine's (``server/fanout``), one for all channels. A conversation with the channel is a generator that yields a
:class:`Request`, is sent the :class:`Answer`, and returns what came of it::

    def push(self, items, now_s):
        answer = yield Request("POST", self._url, body=...)
        return {item.key: Applied() for item in items}

A new adapter is one file in this folder, with ``ADAPTER = Kind(...)`` in it, and its test.
"""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, TypeVar

import msgspec

T = TypeVar("T")

READ: Final = "read"
WRITE: Final = "write"
"""The two groups of requests that most channels budget apart."""

_HARMLESS: Final = frozenset({"accept", "content-type", "user-agent"})
"""Headers whose values hold no credential on any channel."""


# -- what goes out


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One value for one listing: always absolute, always the newest when it is sent.

    ``key`` is the channel's own name of the listing, unique in a push. ``version`` grows with each change of the SKU.
    ``previous`` is what the channel was last known to show, None where nobody knows. ``price`` and ``list_price`` are
    decimal text, None: leave as it is. ``attempt`` counts the definite answers that this very value has had before, so
    that a request whose fate is unknown can carry the same idempotency key again, and one that was refused a new one.
    """

    key: str
    sku: str
    quantity: int
    version: int
    changed_ms: int = 0
    attempt: int = 0
    previous: int | None = None
    price: str | None = None
    list_price: str | None = None
    currency: str | None = None
    attributes: dict[str, str] = {}


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One event that is told in its turn and never replaced. ``id`` is the same each time that it is tried."""

    id: str
    type: str
    subject: str
    at_ms: int
    data: dict[str, Any]


class Request(msgspec.Struct, frozen=True):
    """One HTTP request. ``group`` and ``cost`` say which budget it uses and how much of it."""

    method: str
    url: str
    headers: dict[str, str] = {}
    body: bytes = b""
    group: str = WRITE
    cost: float = 1.0

    def __repr__(self) -> str:
        """Describe it without what may be secret, should it ever stand in a log or a traceback."""
        headers = {name: value if name.lower() in _HARMLESS else "***" for name, value in self.headers.items()}
        url = self.url.partition("?")[0]
        return f"Request({self.method} {url} {headers} {len(self.body)} bytes, {self.group}, cost {self.cost:g})"


class Answer(msgspec.Struct, frozen=True):
    """One HTTP answer; the names of the headers are in lower case."""

    status: int
    headers: dict[str, str] = {}
    body: bytes = b""


Exchange = Generator[Request, Answer, T]
"""A conversation that ends in a ``T``. The engine raises :class:`ChannelError` inside where no answer came."""


# -- what came of one item


class Applied(msgspec.Struct, frozen=True):
    """The channel has said that it shows this value now."""


class Rejected(msgspec.Struct, frozen=True):
    """The channel will not take this value, however often it is sent. ``reason`` in the channel's own words."""

    code: str
    reason: str


class Retry(msgspec.Struct, frozen=True):
    """Not now: try again, where the channel named a time after ``after_s``.

    ``after_s`` 0: nothing is wrong with this one, another spoiled the push; it is not held against it.
    """

    code: str
    reason: str
    after_s: float | None = None


class Conflict(msgspec.Struct, frozen=True):
    """The channel holds another value than ``previous`` said; ``remote`` is that value where it was told."""

    remote: int | None = None


class Unknown(msgspec.Struct, frozen=True):
    """It may or may not have been applied."""

    reason: str = ""


Outcome = Applied | Rejected | Retry | Conflict | Unknown
Outcomes = dict[str, Outcome]
"""By the item's key. An item that is missing counts as :class:`Unknown`."""


class Ticket(msgspec.Struct, frozen=True):
    """The channel took the whole push for later; ask with :meth:`Adapter.poll` what came of it."""

    id: str


class StillPending(msgspec.Struct, frozen=True):
    """The channel has not finished with a ticket. ``settled``: the items that it has finished with already."""

    settled: Outcomes = {}


# -- what came of a whole call


class ChannelError(Exception):
    """The channel did not do what it was asked. ``reason`` holds no credential; ``after_s`` is the channel's wish."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_s = after_s


class NotSentError(ChannelError):
    """Nothing reached the channel: no name, no route, refused, or an address that must not be called."""


class UnknownResultError(ChannelError):
    """The request may have reached the channel and no answer came: it may or may not have been carried out."""


class UnavailableError(ChannelError):
    """The channel answered that it cannot now, or something that nobody can read; nothing was applied that counts."""


class ThrottledError(ChannelError):
    """Too much at once; nothing was applied."""


class CredentialsError(ChannelError):
    """The channel does not accept who we say we are; nothing was applied."""


class ClosedError(ChannelError):
    """The channel has closed this way of talking to it (410, 426). Asking again is of no use before somebody acts."""


class TicketLostError(ChannelError):
    """The channel knows the ticket no more; what became of its items is unknown."""


class SpoiledError(ChannelError):
    """The channel refused the whole push because of some item that it did not name; nothing was applied."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


# -- what a channel allows


class Window(msgspec.Struct, frozen=True):
    """At most ``count`` requests (or items) of a group in any ``per_s`` seconds. A daily quota is a window of a day."""

    count: int
    per_s: float
    group: str = WRITE
    of: Literal["requests", "items"] = "requests"


class TokenBucket(msgspec.Struct, frozen=True):
    """``per_s`` requests a second, after a pause up to ``burst`` at once."""

    per_s: float
    burst: float
    group: str = WRITE


class CostPoints(msgspec.Struct, frozen=True):
    """A bucket whose level the channel itself reports, see :meth:`Adapter.cost_left`; until then these figures hold."""

    maximum: float
    restore_per_s: float
    group: str = WRITE


class PerItem(msgspec.Struct, frozen=True):
    """At most ``count`` updates of one item in any ``per_s`` seconds; ``priced``: only those that carry a price."""

    count: int
    per_s: float
    priced: bool = False


Limit = Window | TokenBucket | CostPoints | PerItem


class CostLeft(msgspec.Struct, frozen=True):
    """What a channel said is left of its cost points."""

    available: float
    maximum: float
    restore_per_s: float


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel can do and how much of it; the engine keeps to it.

    ``result``: "per_item", or "whole" where one bad item refuses all. ``requests_in_flight_max`` pushes may be on their
    way at once, never two with one item. ``jobs_pending_max`` tickets may be open. A body identical to one sent within
    ``identical_body_window_s`` is refused by the channel. ``read_items_max`` 0: the channel cannot be read back.
    ``quantity_max``: what lies above is shown as this.
    """

    items_max: int
    result: Literal["per_item", "whole"] = "per_item"
    requests_in_flight_max: int = 1
    jobs_pending_max: int | None = None
    poll_every_s: float = 3.0
    ticket_life_s: float = 4 * 3600.0
    identical_body_window_s: float = 0.0
    read_items_max: int = 0
    quantity_max: int | None = None
    takes_price: bool = False
    limits: tuple[Limit, ...] = ()


class Adapter(ABC):
    """One channel's wire contract. Built from its options and credentials; keeps nothing but what speeds it up."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What the channel can do; constant for the life of the adapter."""

    @abstractmethod
    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes | Ticket]:
        """Send values, ``items_max`` at most. ``now_s``: seconds since 1970, for what is signed with a time.

        Raises :class:`ChannelError` where the call as a whole did not do what it was asked.
        """

    def poll(self, ticket_id: str, keys: Sequence[str]) -> Exchange[Outcomes | StillPending]:  # noqa: ARG002
        """Ask what came of a ticket that carried these keys. Raises :class:`TicketLostError` among others."""
        raise TypeError(f"{type(self).__name__} gives tickets and cannot be asked about them")

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:  # noqa: ARG002
        """Read what the channel shows, ``read_items_max`` keys at most; keys that it does not know are left out."""
        raise TypeError(f"{type(self).__name__} says that it can be read back, and has no way to")

    def notify(self, notice: Notice, now_s: float) -> Exchange[Outcome]:  # noqa: ARG002
        """Send an event; only few kinds can. Raises :class:`ChannelError` as :meth:`push` does."""
        raise TypeError(f"{type(self).__name__} carries values only")

    def cost_left(self, answer: Answer) -> CostLeft | None:  # noqa: ARG002
        """Read from an answer what is left of the cost points."""
        return None


class Kind(msgspec.Struct, frozen=True):
    """One kind of adapter: its name, the type of its options, its credentials, how it is built.

    ``options`` is a msgspec type that forbids unknown fields. ``credentials`` are the names of those that must be
    there, ``optional_credentials`` of those that may. ``build(options, credentials)`` makes the adapter.
    """

    name: str
    summary: str
    options: type[msgspec.Struct]
    credentials: tuple[str, ...]
    build: Callable[[Any, Mapping[str, str]], Adapter]
    optional_credentials: tuple[str, ...] = ()


def kinds() -> dict[str, Kind]:
    """Find every kind of adapter in this folder: each module but this one has an ``ADAPTER``."""
    package = importlib.import_module("adapters")
    modules = [name for _, name, _ in pkgutil.iter_modules(package.__path__) if name != "base"]
    found: list[Kind] = [importlib.import_module(f"adapters.{name}").ADAPTER for name in sorted(modules)]
    return {kind.name: kind for kind in found}


# -- what most adapters need


REASON_CHARACTERS_MAX: Final = 300
_UNAUTHORIZED: Final = (401, 403)
_GONE: Final = (410, 426)
_TOO_MANY: Final = 429


def json_of(answer: Answer) -> Any:
    """Read a JSON body.

    Raises
    ------
    UnavailableError
        It is not JSON: an error page, a proxy's word, nothing at all.

    """
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnavailableError(f"HTTP {answer.status} with a body that is not JSON: {excerpt(answer.body)}") from None


def json_as(kind: type[T], answer: Answer) -> T:
    """Read a JSON body that has a known form.

    Raises
    ------
    UnavailableError
        It is not JSON, or of another form.

    """
    try:
        return msgspec.convert(json_of(answer), kind)
    except msgspec.ValidationError as error:
        raise UnavailableError(f"an answer of another form ({error}): {excerpt(answer.body)}") from None


def check_status(answer: Answer) -> None:
    """Let pass what was answered with 2xx, or with a 4xx that is about the items; raise for the rest.

    Raises
    ------
    ThrottledError, CredentialsError, ClosedError, UnavailableError
        By the status, for 429, 401 and 403, 410 and 426, and for 5xx and redirects.

    """
    status, reason = answer.status, f"HTTP {answer.status}: {excerpt(answer.body)}"
    if status == _TOO_MANY:
        raise ThrottledError(reason, retry_after_s(answer))
    if status in _UNAUTHORIZED:
        raise CredentialsError(reason)
    if status in _GONE:
        raise ClosedError(reason)
    if status >= 500 or 300 <= status < 400 or status < 200:  # noqa: PLR2004  # the classes of HTTP
        raise UnavailableError(reason, retry_after_s(answer))


def retry_after_s(answer: Answer) -> float | None:
    """Read ``Retry-After``: seconds, or a date, which is held against the answer's own ``Date``."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until, now = (parsedate_to_datetime(each) for each in (text, answer.headers.get("date", "")))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None


def excerpt(body: bytes) -> str:
    """Cut a body short for a message, on one line."""
    text = " ".join(body[: 4 * REASON_CHARACTERS_MAX].decode("utf-8", "replace").split())
    return text[:REASON_CHARACTERS_MAX] or "(empty)"
