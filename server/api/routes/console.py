"""The console's session: a key is exchanged for a cookie, looked at, and given up."""

from aiohttp.hdrs import AUTHORIZATION, METH_GET, SET_COOKIE

from server.api.http.answer import Answer
from server.api.http.routing import Call, Route
from server.api.http.sessions import came_by_https, cookie, is_own_page, session_token
from server.domain.console import bound_to, csrf_token, role_of, signed
from server.domain.limits import NAME_BYTES_MAX
from server.domain.principal import LOCAL, Principal, Scope
from server.schemas.common import time_of
from server.schemas.console import SessionView, SignedOutView, SignInBody
from server.service.checks import check_new_name
from server.service.problems import ProblemError, problem

_ELSEWHERE = "Pages of this server alone may begin a session. Send the API key with each request instead."
_WITH_A_KEY = "Sign in with an API key; a session does not open another one."


async def sign_in(call: Call) -> Answer[SessionView]:
    """Begin a session with the key of the request. Its token is new, whatever cookie came along."""
    state, headers, principal = call.state, call.request.headers, call.caller.principal
    if not is_own_page(headers, METH_GET):  # else another page could sign its visitor in as somebody else
        raise ProblemError(problem("forbidden", _ELSEWHERE))
    person = check_new_name("person", call.body.person, NAME_BYTES_MAX)
    if principal is LOCAL or state.sessions is None:
        return Answer(_view(call, principal), headers={"Cache-Control": "no-store"})
    if AUTHORIZATION not in headers:
        raise ProblemError(problem("unauthorized", _WITH_A_KEY))
    digests, _ = state.authenticator.opens(principal.key)
    token, session = await state.sessions.make(principal.key, bound_to(digests[0]), person)
    view = _view(call, signed(principal, person), csrf_token(token), session.until_s)
    life_s = state.sessions.life_s
    set_cookie = cookie(token, secure=came_by_https(headers), max_age_s=life_s)
    return Answer(view, headers={"Cache-Control": "no-store", SET_COOKIE: set_cookie})


async def show(call: Call) -> Answer[SessionView]:
    """Say who asks, and what a page of theirs has to send."""
    state, principal = call.state, call.caller.principal
    token = session_token(call.request.headers) if principal.is_person else ""
    session = await state.sessions.read(token, keeps=False) if token and state.sessions is not None else None
    view = _view(call, principal) if session is None else _view(call, principal, csrf_token(token), session.until_s)
    return Answer(view, headers={"Cache-Control": "no-store"})


async def sign_out(call: Call) -> Answer[SignedOutView]:
    """End the session, in all windows of the browser."""
    state, headers = call.state, call.request.headers
    token = session_token(headers)
    ended = bool(token) and state.sessions is not None and await state.sessions.end(token)
    gone = cookie("", secure=came_by_https(headers), max_age_s=0)
    return Answer(SignedOutView(ended), headers={"Cache-Control": "no-store", SET_COOKIE: gone})


def _view(call: Call, principal: Principal, csrf: str = "", until_s: int = 0) -> SessionView:
    person = principal.actor.removeprefix(f"{principal.key}/") if principal.is_person else ""
    return SessionView(
        key_id=principal.key,
        key_name=call.state.authenticator.name_of(principal.key),
        partition=principal.partition,
        scopes=sorted(principal.scopes),
        role=role_of(principal),
        person=person,
        open=principal is LOCAL,
        csrf_token=csrf,
        expires_at=time_of(until_s * 1000) if until_s else None,
    )


ROUTES = [
    Route(
        "POST", "/v1/console/session", sign_in, Scope.READ, "Sign in at the console: a session for an API key",
        {201: SessionView}, SignInBody,
    ),
    Route("GET", "/v1/console/session", show, Scope.READ, "Read who asks, and what they may do", {200: SessionView}),
    Route("DELETE", "/v1/console/session", sign_out, Scope.READ, "Sign out", {200: SignedOutView}),
]  # fmt: skip
