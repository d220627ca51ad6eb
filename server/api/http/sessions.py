"""Who asks with the console's cookie. It is looked at where no key was sent, so requests with one pay nothing.

A browser adds a cookie by itself, whichever page asks. So a request with one has to come from a page of this server, by
what browsers say of it, and one that changes something has to repeat a token that only such a page can know.
"""

from hmac import compare_digest
from typing import Any, Final, Protocol

from aiohttp import web
from aiohttp.hdrs import AUTHORIZATION, COOKIE, HOST, METH_GET, METH_HEAD, ORIGIN
from multidict import CIMultiDictProxy, istr
from yarl import URL

from server.domain.console import bound_to, csrf_token, signed
from server.domain.principal import Needs, Principal
from server.service.checks import STORED_NAMES, enter
from server.service.problems import ProblemError, problem
from server.store.repositories.console_sessions import ConsoleSessions

PLAIN_COOKIE: Final = "holdfast-console"
SECURE_COOKIE: Final = "__Host-" + PLAIN_COOKIE
"""A browser takes it over https alone, and no other host can set it."""
CSRF: Final = istr("X-CSRF-Token")
UNATTENDED: Final = istr("X-Unattended")
"""What a page asks by itself does not keep a session whose person has left."""
_FETCH_SITE: Final = istr("Sec-Fetch-Site")
_SAFE: Final = frozenset({METH_GET, METH_HEAD})
_ENDED: Final = "The session has ended, or its key opens nothing any more. Sign in anew at /console."
_ELSEWHERE: Final = "A session counts for pages of this server alone. Send an API key instead."
_CSRF: Final = "A request with a session that changes something needs the header X-CSRF-Token of that session."

Headers = CIMultiDictProxy[str]


class Keys(Protocol):
    """What knows the keys."""

    def opens(self, key_id: str) -> tuple[tuple[bytes, ...], Principal | None]:
        """Return the hashes of a key's secrets and whom the key stands for now; None: it opens nothing."""
        ...


class Door(Protocol):
    """What tells who asks: the keys, and the sessions; None: nobody can have one."""

    @property
    def authenticator(self) -> Keys:
        """The keys."""
        ...

    @property
    def sessions(self) -> ConsoleSessions | None:
        """The sessions."""
        ...


def session_token(headers: Headers) -> str:
    """Return the token of the cookie; empty: none was sent, a key was, or the cookie is there twice."""
    if AUTHORIZATION in headers or COOKIE not in headers:
        return ""
    found: dict[str, list[str]] = {}
    for header in headers.getall(COOKIE):
        for part in header.split(";"):
            name, _, value = part.strip().partition("=")
            found.setdefault(name, []).append(value)
    for name in (SECURE_COOKIE, PLAIN_COOKIE):
        if values := found.get(name):
            return values[0] if len(values) == 1 else ""
    return ""


async def admit_session(state: Door, request: web.Request, method: str, needs: Needs) -> Principal:
    """Return who asks with a cookie.

    Raises
    ------
    ProblemError
        The session has ended; the page is another server's; the token that it has to repeat is not there; or the
        session's key lacks the scope.
    StoreUnavailableError
        The store did not answer.

    """
    headers = request.headers
    token = session_token(headers)
    if not is_own_page(headers, method):
        raise ProblemError(problem("forbidden", _ELSEWHERE))
    principal = await principal_of(state, token, keeps=UNATTENDED not in headers)
    if principal is None:
        raise ProblemError(problem("unauthorized", _ENDED))
    sent = headers.get(CSRF, "")
    is_same = compare_digest(sent.encode("utf-8", "surrogatepass"), csrf_token(token).encode())
    if method not in _SAFE and not is_same:
        raise ProblemError(problem("forbidden", _CSRF))
    if not principal.may(needs):
        raise ProblemError(problem("forbidden", why_not(principal, needs)))
    if STORED_NAMES:
        enter(principal.partition)
    connection: Any = request.protocol
    connection.admit()
    return principal


def why_not(principal: Principal, needs: Needs) -> str:
    """Say why a principal may not open a route."""
    if not principal.allows(needs.scope, needs.also):
        return f"This route needs a key with the scope {' or '.join(needs.scopes)}."
    channel = "" if principal.limits is None else principal.limits.channel
    return f"This key is bound to the channel {channel}, and this route is about more. Use a key that is not bound."


async def principal_of(state: Door, token: str, *, keeps: bool = False) -> Principal | None:
    """Return who acts in the session of a token; None: it has ended, or its key opens nothing any more."""
    session = None if state.sessions is None else await state.sessions.read(token, keeps=keeps)
    if session is None:
        return None
    digests, principal = state.authenticator.opens(session.key_id)
    is_bound = session.bound in map(bound_to, digests)
    return signed(principal, session.person) if principal and is_bound else None


def is_own_page(headers: Headers, method: str) -> bool:
    """Whether a browser says that a page of this server asks; an address that somebody typed may read."""
    sites = headers.getall(_FETCH_SITE, ())
    if sites:
        return all(site == "same-origin" or (site == "none" and method in _SAFE) for site in sites)
    origins = headers.getall(ORIGIN, ())
    # Browsers older than Sec-Fetch-Site send Origin wherever something is changed.
    return method in _SAFE if not origins else all(_authority(each) == _authority(headers) for each in origins)


def came_by_https(headers: Headers) -> bool:
    """Whether the page that asks was loaded over https, by what its browser says; a proxy in front ended it."""
    return headers.get(ORIGIN, "").lower().startswith("https://")


def cookie(token: str, *, secure: bool, max_age_s: int) -> str:
    """Write the header that sets the cookie, or with ``max_age_s`` 0 takes it away."""
    name, flag = (SECURE_COOKIE, "; Secure") if secure else (PLAIN_COOKIE, "")
    return f"{name}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{flag}"


def _authority(of: Headers | str) -> str:
    if not isinstance(of, str):
        return of.get(HOST, "").lower().removesuffix(":80").removesuffix(":443")
    try:
        return URL(of).authority.lower().removesuffix(":80").removesuffix(":443")
    except ValueError:
        return ""
