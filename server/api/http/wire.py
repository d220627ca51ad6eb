"""Bytes in, bytes out: reading a bounded body within a deadline, and JSON or MessagePack by its headers."""

import asyncio
import re
from collections.abc import Callable, MutableMapping
from functools import lru_cache
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from aiohttp import web
from aiohttp.hdrs import ACCEPT, CONTENT_ENCODING, CONTENT_TYPE
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from yarl import URL

from server.api.http.faulty_requests import (
    faulty_body,
    faulty_query,
    refuse_numbers_for_times,
    repeated,
    unreadable_body,
)
from server.api.http.large_answers import PIECE_BYTES, LargeAnswer
from server.api.http.request_ids import REQUEST_ID, new_request_id, request_id_of
from server.api.http.whole_numbers import read_again
from server.domain.field_faults import Looks
from server.schemas.problems import Problem
from server.service.checks import InvalidError
from server.service.problems import ProblemError, problem

JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"
PROBLEM_TYPE: Final = "application/problem+json"
NOTIFICATIONS: Final = "/v1/notifications/{channel}"
NOTIFICATION_METHODS: Final = ("POST", "PUT", "GET")
"""How channels tell of their orders by themselves; the path goes on as each likes."""
NOTIFICATION_SUMMARY: Final = "A channel tells what has changed of its orders"
NOTIFICATION_REFUSALS: Final = (
    "unauthorized", "forbidden", "unknown_channel", "invalid", "too_large", "request_timeout", "overloaded",
)  # fmt: skip
"""Of a delivery; no key is asked for."""
PROBLEM: Final = web.ResponseKey("problem", Problem)
"""Where an answer of aiohttp's keeps the problem that it has, for the log."""
WHOLE_SERVER: Final = "*"
"""In place of a path: OPTIONS asks what some path takes."""
ANY_METHOD: Final = "DELETE, GET, HEAD, OPTIONS, POST, PUT"
RETRY_AFTER_S: Final = "1"
SERVER_NAME: Final = "Holdfast"
"""What the header Server says: no version, which would tell whose faults to try."""
_CONTENT_TYPE_NAME: Final = str(CONTENT_TYPE)
_REQUEST_ID_NAME: Final = str(REQUEST_ID)
_TLS: Final = "Received HTTPS traffic on an HTTP port"
_TOO_MANY_HEADERS: Final = "Too many headers received"
_TWICE: Final = re.compile(r"Duplicate '([A-Za-z-]+)' header found\.")
"""In the parser's words, of a header that it takes once; the name is one of its own list."""
_REASON_END: Final = ":\n\n"
"""The parser's own words end here; what follows are the caller's bytes."""
_QUERIES_KEPT: Final = 256
_QUERY_KEPT_MAX: Final = 128
"""Characters of a query string that is kept as parsed; what callers ask again and again is short."""
_ENDS_CONNECTION: Final = frozenset({"unauthorized", "local_only", "request_timeout", "malformed", "head_too_large"})


_MEDIA_TYPES: Final = {
    JSON: JSON,
    "application/json; charset=utf-8": JSON,
    "application/json;charset=utf-8": JSON,
    MSGPACK: MSGPACK,
    "application/x-msgpack": MSGPACK,
    "application/vnd.msgpack": MSGPACK,
}


UNDECODED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the library raises of a body that it does not take; one that breaks a rule is among these."""

json_encode: Final = msgspec.json.Encoder().encode
msgpack_encode: Final = msgspec.msgpack.Encoder().encode


class BodyDecoder:
    """Decodes one type of body from either media type. Only what it refuses is looked at a second time."""

    def __init__(self, body_type: Any) -> None:
        self._type = body_type
        self._decoders: dict[str, Callable[[bytes], Any]] = {
            JSON: msgspec.json.Decoder(body_type).decode,
            MSGPACK: msgspec.msgpack.Decoder(body_type).decode,
        }
        self._decoders_of_headers = {header: self._decoders[media_type] for header, media_type in _MEDIA_TYPES.items()}

    def decode(self, request: web.Request, raw: bytes) -> Any:
        """Decode by the request's Content-Type.

        Raises
        ------
        ProblemError
            The media type is not understood, or the body is not what the media type says.
        FaultsError
            Fields break rules.

        """
        try:
            # Most requests need no more, so this calls nothing else.
            return self._decoders_of_headers[request.headers[CONTENT_TYPE]](raw)
        except (KeyError, *UNDECODED):
            return self._look(request, raw)

    def _look(self, request: web.Request, raw: bytes) -> Any:
        try:
            return self.first_look(request, raw)
        except msgspec.ValidationError as error:
            raise self.second_look(request, raw, error) from None

    def first_look(self, request: web.Request, raw: bytes) -> Any:
        """Decode as :meth:`decode`; of a faulty body, only the first fault is known, in the library's words."""
        media_type = _media_type(request.headers.get(CONTENT_TYPE, ""))
        if media_type is None:
            raise ProblemError(problem("unsupported_media_type"))
        decode = self._decoders[media_type]
        try:
            try:
                return decode(raw)
            except msgspec.ValidationError as error:
                return read_again(raw, msgspec.json if media_type == JSON else msgspec.msgpack, decode, error)
        except msgspec.ValidationError:
            raise
        except UNDECODED as error:
            if request.headers.get(CONTENT_ENCODING, "identity") != "identity":
                raise ProblemError(problem("unsupported_media_type")) from None
            raise ProblemError(unreadable_body(raw, is_json=media_type == JSON, why=str(error))) from None

    def second_look(
        self, request: web.Request, raw: bytes, error: msgspec.ValidationError, looks: Looks | None = None
    ) -> Exception:
        """Return all that is wrong with a body whose first fault is known."""
        is_json = _media_type(request.headers.get(CONTENT_TYPE, "")) == JSON
        return faulty_body(raw, self._type, error, is_json=is_json, looks=looks)


def _media_type(header: str) -> str | None:
    if header in _MEDIA_TYPES:
        return _MEDIA_TYPES[header]
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

    @property
    def headers(self) -> MutableMapping[str, str]:
        """Its headers, as far as they are known before it is sent."""
        ...

    def force_close(self) -> None:
        """Have it close its connection."""
        ...


SentT = TypeVar("SentT", bound=Sendable)
Make = Callable[[int, bytes, dict[str, str]], SentT]
"""Makes what is sent of a status, a body and headers."""


def answer_as(
    make: Make[SentT],
    request: web.Request,
    answer: object,
    status: int,
    request_id: str,
    *,
    more: dict[str, str] | None = None,
) -> SentT:
    """Make an answer in the media type that the caller accepts; JSON unless MessagePack is asked for or was sent.

    ``more``: further headers.
    """
    if _wants_msgpack(request):
        media_type, body = MSGPACK, msgpack_encode(answer)
    else:
        media_type, body = JSON, json_encode(answer)
    headers = {_CONTENT_TYPE_NAME: media_type, _REQUEST_ID_NAME: request_id}
    if more:
        headers.update(more)
    return make(status, body, headers)


def respond(
    request: web.Request, answer: object, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """Make an answer for aiohttp; see :func:`answer_as`."""
    return answer_as(response_of, request, answer, status, request_id_of(request.headers), more=headers)


def response_of(status: int, body: bytes, headers: dict[str, str]) -> web.Response:
    """Make what aiohttp sends."""
    if len(body) > PIECE_BYTES:
        return LargeAnswer(status=status, body=body, headers=headers)
    return web.Response(status=status, body=body, headers=headers)


def problem_as(make: Make[SentT], sent: Problem, request_id: str, headers: dict[str, str] | None = None) -> SentT:
    """Make the answer of a problem; always JSON. Who brought no key, or came from elsewhere, is not kept connected."""
    all_headers = {"Content-Type": PROBLEM_TYPE, REQUEST_ID: request_id, **(headers or {})}
    if sent.status == 503:  # noqa: PLR2004  # the status is the word
        all_headers["Retry-After"] = RETRY_AFTER_S
    elif sent.status == 401:  # noqa: PLR2004
        all_headers["WWW-Authenticate"] = 'Bearer realm="holdfast"'
    made = make(sent.status, json_encode(msgspec.structs.replace(sent, request_id=request_id)), all_headers)
    if sent.outcome in _ENDS_CONNECTION:
        made.force_close()
    return made


def respond_problem(
    sent: Problem, headers: dict[str, str] | None = None, *, request: web.BaseRequest | None = None
) -> web.Response:
    """Make the answer of a problem for aiohttp; see :func:`problem_as`. ``request`` None: it could not be read."""
    request_id = new_request_id() if request is None else request_id_of(request.headers)
    made = problem_as(response_of, sent, request_id, headers)
    made[PROBLEM] = sent
    return made


def options_answer(methods: str) -> web.Response:
    """Answer OPTIONS with the methods that are taken."""
    return web.Response(status=204, headers={"Allow": methods})


def _wants_msgpack(request: web.Request) -> bool:
    accepted = request.headers.get(ACCEPT)
    if accepted is None or accepted == "*/*":
        return "msgpack" in request.headers.get(CONTENT_TYPE, "")
    return "msgpack" in accepted


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
    """Check the query string against its type; a repeated name is refused. Those of most requests were seen before."""
    sent = request.rel_url.raw_query_string
    return (_query if len(sent) <= _QUERY_KEPT_MAX else _query.__wrapped__)(sent, query_type)


@lru_cache(maxsize=_QUERIES_KEPT)
def _query(sent: str, query_type: Any) -> Any:
    query = URL.build(query_string=sent, encoded=True).query
    if len(query) != len(set(query)):
        raise repeated(query)
    try:
        found = msgspec.convert(dict(query), query_type, strict=False)
    except msgspec.ValidationError as error:
        raise faulty_query(query, query_type, error) from None
    if query:
        refuse_numbers_for_times(query, query_type)
    return found


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
