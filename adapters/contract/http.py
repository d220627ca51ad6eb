"""What an adapter sends and reads: requests, answers, and the meaning of an answer's status and headers."""

from collections.abc import Generator
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import msgspec

from adapters.contract.errors import (
    ClosedError,
    CredentialsError,
    ThrottledError,
    UnavailableError,
    UnknownResultError,
)

T = TypeVar("T")
READ: Final = "read"


WRITE: Final = "write"
"""The two groups of requests that most channels limit separately."""
ORDERS: Final = "orders"
"""Reading orders, where a channel limits that separately."""
COMMANDS: Final = "commands"
"""What is said about orders, where a channel limits that separately."""


_HARMLESS: Final = frozenset({"accept", "content-type", "user-agent"})
"""Headers whose values hold no credential on any channel."""


class Request(msgspec.Struct, frozen=True):
    """One HTTP request. ``group`` and ``cost``: which limits it uses and how much of them.

    ``answer_bytes_max``: how long its answer may be, decompressed; None: as long as any.
    """

    method: str
    url: str
    headers: dict[str, str] = {}
    body: bytes = b""
    group: str = WRITE
    cost: float = 1.0
    answer_bytes_max: int | None = None

    def __repr__(self) -> str:
        """Describe it without what may be secret, since it may appear in a log or a traceback."""
        headers = {name: value if name.lower() in _HARMLESS else "***" for name, value in self.headers.items()}
        url = self.url.partition("?")[0]
        return f"Request({self.method} {url} {headers} {len(self.body)} bytes, {self.group}, cost {self.cost:g})"


class Answer(msgspec.Struct, frozen=True):
    """One HTTP answer; the names of the headers are in lower case."""

    status: int
    headers: dict[str, str] = {}
    body: bytes = b""


Exchange = Generator[Request, Answer, T]
"""An exchange that returns a ``T``. A :class:`ChannelError` is raised inside it where no answer came."""


REASON_CHARACTERS_MAX: Final = 300
"""Of a message kept or logged: enough for a sentence, too little for a page of HTML."""
_UNAUTHORIZED: Final = (401, 403)
_GONE: Final = (410, 426)
_TOO_MANY: Final = 429


def json_of(answer: Answer) -> Any:
    """Read a JSON body.

    Raises
    ------
    UnavailableError
        It is not JSON, but an error page, a proxy's answer, or empty.

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


def read_private(kind: type[T], answer: Answer) -> T:
    """Read an answer of 200 that may hold personal data: what is raised quotes nothing of it.

    Raises
    ------
    ChannelError
        As :func:`check_status`; UnavailableError where it is no JSON, or of another form.

    """
    check_status(answer)
    if answer.status != 200:  # noqa: PLR2004  # OK
        raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.ValidationError as error:
        raise UnavailableError(f"an answer of another form: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnavailableError(f"HTTP 200 with {len(answer.body)} bytes that are not JSON") from None


def check_status(answer: Answer) -> None:
    """Accept 2xx, and a 4xx that is about the items; raise for the rest.

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


def check_command(answer: Answer) -> None:
    """Accept 2xx and a 4xx to a command, as :func:`check_status`; after a 5xx it may have been carried out.

    So it may where a page in HTML comes with 2xx.

    Raises
    ------
    ThrottledError, CredentialsError, ClosedError, UnavailableError
        Nothing was carried out.
    UnknownResultError
        A proxy has answered, it may be, in place of a channel that goes on working.

    """
    is_page = answer.status < 300 and answer.body.lstrip().startswith(b"<")  # noqa: PLR2004  # the classes of HTTP
    if is_page or answer.status >= 500:  # noqa: PLR2004  # as above
        raise UnknownResultError(f"HTTP {answer.status}: {excerpt(answer.body)}", retry_after_s(answer))
    check_status(answer)


def retry_after_s(answer: Answer) -> float | None:
    """Read ``Retry-After``: seconds, or a date, which is compared with the answer's own ``Date``."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until, now = (parsedate_to_datetime(each) for each in (text, answer.headers.get("date", "")))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None


def excerpt(body: bytes) -> str:
    """Return the beginning of a body on one line, for a message."""
    text = " ".join(body[: 4 * REASON_CHARACTERS_MAX].decode("utf-8", "replace").split())
    return text[:REASON_CHARACTERS_MAX] or "(empty)"
