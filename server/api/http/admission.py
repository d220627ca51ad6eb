"""Who is let in by an API key or a browser's token, and to what; sessions of people stand in ``sessions.py``."""

from typing import Any, Final, Protocol

from aiohttp import web
from aiohttp.hdrs import AUTHORIZATION

from server.api.http.auth import Authenticator, is_token
from server.api.http.headers import header_once
from server.api.http.local_only import stranger, why_not_local
from server.api.http.sessions import session_token, why_not
from server.domain.principal import LOCAL, Needs, Principal
from server.service.checks import STORED_NAMES, enter
from server.service.problems import ProblemError, problem

ACCESS_TOKEN: Final = "access_token"  # noqa: S105  # its name
"""In the query of what an ``EventSource`` opens. A query is part of no log and of no message."""
_ROUTE_WITHOUT: Final = (
    "A browser's token opens availability and `GET /v1/changes` alone. Have a server that keeps an API key ask for it."
)
_NOT_GOOD: Final = (
    "The browser's token is none of this server's, its time is over, or its key opens nothing any more. Get a new one."
)


class Door(Protocol):
    """What knows the keys."""

    authenticator: Authenticator


def admit(state: Door, request: web.Request, needs: Needs) -> Principal:
    """Return who asks with a key, as :func:`admit_key`; a session's cookie counts for nothing."""
    if (principal := admit_key(state, request, needs)) is None:
        raise ProblemError(problem("unauthorized"))
    return principal


def admit_key(state: Door, request: web.Request, needs: Needs) -> Principal | None:
    """Return who asks, if they may; None: they have a session's cookie, which :func:`admit_session` looks at.

    Raises
    ------
    ProblemError
        They have no key, come from elsewhere to a server without keys, or lack the scope.
    InvalidError
        They sent several keys.

    """
    principal = state.authenticator.authenticate(header := header_once(request, AUTHORIZATION))
    if principal is None:
        if header is None and session_token(request.headers):
            return None
        raise ProblemError(problem("unauthorized", _ROUTE_WITHOUT if is_token(header) else ""))
    if principal is LOCAL and (reason := why_not_local(request.headers, request.protocol)):
        raise ProblemError(stranger(reason))
    # For most keys no more is asked than the scope: of their limits, only a channel closes a route.
    if not principal.allows(needs.scope, needs.also) or (
        (limits := principal.limits) is not None and limits.channel and not principal.may(needs)
    ):
        raise ProblemError(problem("forbidden", why_not(principal, needs)))
    if STORED_NAMES:
        enter(principal.partition)
    connection: Any = request.protocol  # as note_admitted does, without one more call for every request
    if not connection.admitted:
        connection.admit()
    return principal


def admit_browser(state: Door, request: web.Request, needs: Needs) -> Principal | None:
    """Return who asks, as :func:`admit_key`, or as a browser with a token in place of a key."""
    try:
        principal = admit_key(state, request, needs)
        if principal is not None or ACCESS_TOKEN not in request.query:
            return principal
    except ProblemError:
        if not is_token(bearer(request)):
            raise
    principal = state.authenticator.of_token(bearer(request))
    if principal is None:
        raise ProblemError(problem("unauthorized", _NOT_GOOD))
    if STORED_NAMES:
        enter(principal.partition)
    note_admitted(request)
    return principal


def bearer(request: web.Request) -> str | None:
    """Return the ``Authorization`` header, or one with the token of the query: an EventSource can send no headers."""
    header = header_once(request, AUTHORIZATION)
    if header is None and (token := request.query.get(ACCESS_TOKEN)):
        return f"Bearer {token}"
    return header


def note_admitted(request: web.Request) -> None:
    """Note that a request was let in: its connection is no newcomer any more."""
    connection: Any = request.protocol
    if not connection.admitted:
        connection.admit()
