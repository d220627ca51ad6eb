"""Who may speak to a server without keys: programs of this machine, and neither web pages nor proxies.

A web page that a browser shows on this machine reaches its ports, too. It can send a form anywhere. A name of its own
that resolves to 127.0.0.1 makes the browser take the answers for the page's own (DNS rebinding). Browsers state both:
the name in ``Host``, the page in ``Origin`` and ``Sec-Fetch-Site``. A proxy in front states for whom it asks.
"""

import re
from functools import lru_cache
from typing import Any, Final

from multidict import CIMultiDictProxy, istr

from server.schemas.problems import Problem
from server.service.problems import problem

_LOCAL_AUTHORITY: Final = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_HOST: Final = istr("Host")
_ORIGIN: Final = istr("Origin")
_FETCH_SITE: Final = istr("Sec-Fetch-Site")
_OWN_PAGES: Final = ("same-origin", "none")
"""What a browser says of a request by a page of this server, and of an address that somebody typed."""
_PROXIED: Final = tuple(
    map(istr, ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via"))
)
"""Headers by which a proxy states for whom it asks."""
_TELLING: Final = (_ORIGIN, _FETCH_SITE, *_PROXIED)
_WAY_OUT: Final = (
    "Make a key with `holdfast keys new --scope admin` and send it; with a key, a request is taken from anywhere."
)


def why_not_local(headers: CIMultiDictProxy[str], connection: Any) -> str:
    """Say why a request cannot come from a program of this machine; empty where it can. Nothing of it is echoed.

    ``connection``: aiohttp's, which knows whether this server speaks TLS, and so how its own pages are called.
    """
    host = headers.get(_HOST, "")
    is_local = _is_local(host)
    if is_local and headers.keys().isdisjoint(_TELLING):  # a program, in one call: this runs for every request
        return ""
    if not is_local:
        return "`Host` must be localhost, 127.0.0.1 or [::1]."
    own = f"{'https' if _speaks_tls(connection) else 'http'}://{host.lower()}"
    if any(origin.lower() != own for origin in headers.getall(_ORIGIN, ())):
        return "`Origin` names a web page of another server."
    if any(site not in _OWN_PAGES for site in headers.getall(_FETCH_SITE, ())):
        return "`Sec-Fetch-Site` names a web page of another server."
    for name in _PROXIED:
        if name in headers:
            return f"`{name}` shows that a proxy passed the request on."
    return ""


def stranger(reason: str) -> Problem:
    """Make the problem of a request that a server without keys does not take, for a reason of :func:`why_not_local`."""
    return problem("local_only", f"{reason} {_WAY_OUT}")


def _speaks_tls(connection: Any) -> bool:
    transport = connection.transport
    return transport is not None and transport.get_extra_info("sslcontext") is not None


@lru_cache(maxsize=64)
def _is_local(host: str) -> bool:
    return _LOCAL_AUTHORITY.fullmatch(host) is not None
