"""What an adapter sends and what it reads: requests, answers, and what an answer says of itself."""

from collections.abc import Generator
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import msgspec

from adapters.contract.errors import ClosedError, CredentialsError, ThrottledError, UnavailableError

T = TypeVar("T")
READ: Final = "read"


WRITE: Final = "write"
"""The two groups of requests that most channels budget apart."""


_HARMLESS: Final = frozenset({"accept", "content-type", "user-agent"})
"""Headers whose values hold no credential on any channel."""


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
