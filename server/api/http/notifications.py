"""``/v1/notifications/{channel}/…``: what channels send by themselves, each proved by its own signature or secret.

No key of Holdfast's is asked for: a channel cannot send one. What it sends is read up to the channel's limit, and
answered as the channel expects it. Of a delivery that proves nothing, nothing is kept.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from aiohttp import web

from server.api.http.admission import note_admitted
from server.api.http.app_state import AppState
from server.api.http.local_only import why_not_local
from server.api.http.routing import answer_error, leaving
from server.api.http.wire import NOTIFICATION_METHODS, NOTIFICATIONS, check_utf_8, read_body, respond_problem
from server.domain.intake import HeardAnswer
from server.schemas.problems import Problem
from server.service.problems import problem

_ROUTES: Final = ("/v1/notifications/{channel:[^/]+}", "/v1/notifications/{channel:[^/]+}/{rest:.*}")
_UNPROVED: Final = (
    "Deliveries of this kind carry no secret, so they are heard on a server that only this machine can reach, and by"
    " its own programs. Orders are read from the channel all the same."
)
_FORGED: Final = (
    "The signature or the secret of this delivery is not right, or it is too old. Nothing of it was kept. Compare the"
    " secret at the channel with the one that is configured."
)
_PROBLEMS: Final[Mapping[str, tuple[str, str]]] = {
    "forged": ("unauthorized", _FORGED),
    "unreadable": ("invalid", "This delivery is not what the channel's contract says. Nothing of it was kept."),
    "away": ("overloaded", "The delivery could not be kept; send it again. Nothing happened."),
}


class Listener(Protocol):
    """Hears the channels of this process."""

    def body_bytes_max(self, channel: str) -> int | None:
        """Return how long a delivery may be; None: nothing of the channel is heard here."""

    def is_heard(self, channel: str, *, is_local: bool) -> bool:
        """Whether a delivery may be looked at: it carries a secret, or comes from a program of this very machine."""

    async def hear(
        self, channel: str, *, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> HeardAnswer:
        """Hear one delivery."""


def add_notifications(app: web.Application, state: AppState, listener: Listener) -> None:
    """Register the routes on which channels are heard."""

    async def heard(request: web.Request) -> web.StreamResponse:
        try:
            return await _heard(request, state, listener)
        except Exception as error:  # noqa: BLE001  # as for every route: no traceback reaches a caller
            return answer_error(error, NOTIFICATIONS, request)

    for path in _ROUTES:
        for method in NOTIFICATION_METHODS:
            app.router.add_route(method, path, leaving(state, heard))


async def _heard(request: web.Request, state: AppState, listener: Listener) -> web.StreamResponse:
    channel = request.match_info["channel"]
    bytes_max = listener.body_bytes_max(channel)
    if bytes_max is None:
        return respond_problem(problem("unknown_channel"), request=request)
    if not listener.is_heard(channel, is_local=not why_not_local(request.headers, request.protocol)):
        return respond_problem(problem("forbidden", _UNPROVED), request=request)
    check_utf_8("path", request.rel_url.raw_path)
    body = await read_body(request, bytes_max, state.body_timeout_s)
    answer = await listener.hear(
        channel,
        method=request.method,
        path=request.match_info.get("rest", ""),
        query=request.query_string,
        headers={name.lower(): _text(value) for name, value in request.headers.items()},
        body=body,
    )
    if answer.result != "taken":
        return respond_problem(_problem(answer), request=request)
    note_admitted(request)
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


def _text(value: str) -> str:
    """Return the value of a header as a text that can be compared: bytes that are no text are replaced."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _problem(answer: HeardAnswer) -> Problem:
    return problem(*_PROBLEMS[answer.result])
