"""Bytes in, bytes out: reading a bounded body within a deadline, and JSON or MessagePack by its headers."""

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from server.api.http.large_answers import PIECE_BYTES, LargeAnswer
from server.domain.allowed_values import with_allowed
from server.schemas.problems import Problem
from server.service.checks import InvalidError
from server.service.problems import ProblemError, invalid, problem

JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"
PROBLEM_TYPE: Final = "application/problem+json"
NOTIFICATIONS: Final = "/v1/notifications/{channel}"
NOTIFICATION_METHODS: Final = ("POST", "PUT", "GET")
"""How channels tell of their orders by themselves; the path goes on as each likes."""
RETRY_AFTER_S: Final = "1"
SERVER_NAME: Final = "Holdfast"
"""What the header Server says: no version, which would tell whose faults to try."""
_SURROGATE: Final = "surrogate"
"""In the words of the JSON library where an escape is half a character."""
_HALF: Final = (
    "has half of a character: an escape \\ud800 to \\udfff without its other half. Send the whole character in UTF-8,"
    " or both halves, as in \\ud83d\\ude00"
)
_TLS: Final = "Received HTTPS traffic on an HTTP port"
_TOO_MANY_HEADERS: Final = "Too many headers received"
_TWICE: Final = re.compile(r"Duplicate '([A-Za-z-]+)' header found\.")
"""In the parser's words, of a header that it takes once; the name is one of its own list."""
_REASON_END: Final = ":\n\n"
"""The parser's own words end here; what follows are the caller's bytes."""
_ENDS_CONNECTION: Final = frozenset({"unauthorized", "local_only", "request_timeout", "malformed", "head_too_large"})


_MEDIA_TYPES: Final = {
    JSON: JSON,
    "application/json; charset=utf-8": JSON,
    "application/json;charset=utf-8": JSON,
    MSGPACK: MSGPACK,
    "application/x-msgpack": MSGPACK,
    "application/vnd.msgpack": MSGPACK,
}


json_encode: Final = msgspec.json.Encoder().encode
msgpack_encode: Final = msgspec.msgpack.Encoder().encode


class BodyDecoder:
    """Decodes one type of body from either media type."""

    def __init__(self, body_type: Any) -> None:
        self._type = body_type
        self._decoders: dict[str, Callable[[bytes], Any]] = {
            JSON: msgspec.json.Decoder(body_type).decode,
            MSGPACK: msgspec.msgpack.Decoder(body_type).decode,
        }

    def decode(self, request: web.Request, raw: bytes) -> Any:
        """Decode by the request's Content-Type.

        Raises
        ------
        ProblemError
            The media type is not understood, or the body is not what the media type says.
        msgspec.ValidationError
            A field breaks a rule.

        """
        media_type = _media_type(request.headers.get("Content-Type"))
        if media_type is None:
            raise ProblemError(problem("unsupported_media_type"))
        try:
            return self._decoders[media_type](raw)
        except msgspec.ValidationError as error:
            raise with_allowed(error, self._type) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if request.headers.get("Content-Encoding", "identity") != "identity":
                raise ProblemError(problem("unsupported_media_type")) from None
            raise ProblemError(invalid("body", _unreadable_body(media_type, str(error)))) from None


def _unreadable_body(media_type: str, why: str) -> str:
    if _SURROGATE in why.lower():
        return _HALF
    return f"is not valid {media_type.rpartition('/')[2]}: {why or 'nested too deeply'}"


def _media_type(header: str | None) -> str | None:
    if header is None:
        return None
    known = _MEDIA_TYPES.get(header)
    if known is not None:
        return known
    name, _, parameters = header.partition(";")
    if "charset" in parameters.lower() and "utf-8" not in parameters.lower():
        return None
    return _MEDIA_TYPES.get(name.strip().lower())


async def read_body(request: web.Request, bytes_max: int, timeout_s: float) -> bytes:
    """Read the whole body.

    Raises
    ------
    ProblemError
        It is longer than ``bytes_max``, is not framed as its headers say, or does not arrive within ``timeout_s``.

    """
    content = request.content
    # Small bodies arrive with the head: nothing to wait for, so no timer.
    if content.is_eof():
        raw = content.read_nowait()
        if len(raw) > bytes_max:
            raise ProblemError(_too_large(bytes_max))
        return raw
    if (request.content_length or 0) > bytes_max:
        raise ProblemError(_too_large(bytes_max))
    parts = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            while chunk := await content.readany():
                parts += chunk
                if len(parts) > bytes_max:
                    raise ProblemError(_too_large(bytes_max))
    except TimeoutError:
        raise ProblemError(problem("request_timeout")) from None
    except ConnectionError:  # the caller is gone: nobody reads this, and it is no fault of the server
        raise ProblemError(problem("request_timeout")) from None
    except HttpProcessingError as error:  # chunks that are none, after a head that was right
        raise ProblemError(unreadable(error)) from None
    return bytes(parts)


def _too_large(bytes_max: int) -> Any:
    return problem("too_large", f"The body may have at most {bytes_max:,} bytes here. Send less at once.")


class Sendable(Protocol):
    """An answer as it is sent: aiohttp's, or the express lane's own."""

    @property
    def status(self) -> int:
        """Its status."""
        ...

    def force_close(self) -> None:
        """Have it close its connection."""
        ...


SentT = TypeVar("SentT", bound=Sendable)
Make = Callable[[int, bytes, dict[str, str]], SentT]
"""Makes what is sent of a status, a body and headers."""


def answer_as(
    make: Make[SentT], request: web.Request, answer: object, status: int = 200, headers: dict[str, str] | None = None
) -> SentT:
    """Make an answer in the media type that the caller accepts; JSON unless MessagePack is asked for or was sent."""
    if _wants_msgpack(request):
        media_type, body = MSGPACK, msgpack_encode(answer)
    else:
        media_type, body = JSON, json_encode(answer)
    all_headers = {"Content-Type": media_type}
    if headers:
        all_headers.update(headers)
    return make(status, body, all_headers)


def respond(
    request: web.Request, answer: object, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """Make an answer for aiohttp; see :func:`answer_as`."""
    return answer_as(response_of, request, answer, status, headers)


def response_of(status: int, body: bytes, headers: dict[str, str]) -> web.Response:
    """Make what aiohttp sends."""
    if len(body) > PIECE_BYTES:
        return LargeAnswer(status=status, body=body, headers=headers)
    return web.Response(status=status, body=body, headers=headers)


def problem_as(make: Make[SentT], sent: Problem, headers: dict[str, str] | None = None) -> SentT:
    """Make the answer of a problem; always JSON. Who brought no key, or came from elsewhere, is not kept connected."""
    all_headers = {"Content-Type": PROBLEM_TYPE, **(headers or {})}
    if sent.status == 503:  # noqa: PLR2004  # the status is the word
        all_headers["Retry-After"] = RETRY_AFTER_S
    elif sent.status == 401:  # noqa: PLR2004
        all_headers["WWW-Authenticate"] = 'Bearer realm="holdfast"'
    made = make(sent.status, json_encode(sent), all_headers)
    if sent.outcome in _ENDS_CONNECTION:
        made.force_close()
    return made


def respond_problem(sent: Problem, headers: dict[str, str] | None = None) -> web.Response:
    """Make the answer of a problem for aiohttp; see :func:`problem_as`."""
    return problem_as(response_of, sent, headers)


def _wants_msgpack(request: web.Request) -> bool:
    accepted = request.headers.get("Accept")
    if accepted is None or accepted == "*/*":
        return "msgpack" in request.headers.get("Content-Type", "")
    return "msgpack" in accepted


def header_once(request: web.BaseRequest, name: str) -> str | None:
    """Return a header; None: it was not sent.

    Raises
    ------
    InvalidError
        It was sent several times: a proxy in front may have looked at another one than this server would. aiohttp
        itself refuses a second ``Host``, ``Content-Type``, ``Content-Length`` and ``Transfer-Encoding``.

    """
    sent = request.headers.getall(name, None)
    if sent is None:
        return None
    if len(sent) > 1:
        raise InvalidError(str(name), f"must be sent once; this request has it {len(sent)} times")
    return sent[0]


def check_utf_8(field: str, raw_path: str) -> None:
    """Refuse a path whose percent-encoded bytes are not UTF-8: it would name something else.

    Raises
    ------
    InvalidError
        They are not.

    """
    try:
        unquote_to_bytes(raw_path).decode()
    except UnicodeError:
        raise InvalidError(field, "must be UTF-8, percent-encoded: ş is %C5%9F") from None


def parse_query(request: web.Request, query_type: Any) -> Any:
    """Check the query string against its type; a repeated name is refused."""
    query = request.query
    if len(query) != len(set(query)):
        repeated = next(name for name in query if len(query.getall(name)) > 1)
        raise InvalidError(repeated, "may stand once in the query")
    try:
        return msgspec.convert(dict(query), query_type, strict=False)
    except msgspec.ValidationError as error:
        raise with_allowed(error, query_type) from None


def unreadable(error: HttpProcessingError) -> Problem:
    """Make the problem of what the parser refused, in the parser's words and none of the caller's."""
    message = error.message
    if isinstance(error, LineTooLong) or message == _TOO_MANY_HEADERS:
        return problem("head_too_large")
    if message == _TLS:
        return problem("malformed", "This port speaks HTTP without TLS. Use http://, or put a TLS proxy in front.")
    twice = _TWICE.fullmatch(message)
    if twice is not None:
        name = f"The header {twice[1]} is sent more than once; send it once."
        return problem("malformed", f"{name} The connection is closed, and nothing happened.")
    words, end, _ = message.partition(_REASON_END)
    if not end:
        return problem("malformed")
    return problem("malformed", f"{' '.join(words.split())}. Send HTTP/1.1. The connection is closed.")
