"""Connections to any store by its URL: each command sent once on the hot path, patient off it."""

from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from server.store.connection.address_discovery import FollowingPool
from server.store.connection.clients import CONNECTIONS_MAX, ConfirmingClient, StoreClient
from server.store.connection.connect_errors import CONNECT_TIMEOUT_S, address, unavailable
from server.store.connection.multi_host_url import SeveralHosts, is_several, take_apart
from server.store.connection.sentinels import Sentinels
from server.store.errors import StoreUrlError

__all__ = [
    "CLIENT_NAME",
    "SCHEMES",
    "ConfirmingClient",
    "StoreClient",
    "address",
    "client",
    "connection_pool",
    "pool_beside",
    "unavailable",
]


SCHEMES: Final = ("redis", "rediss", "unix")
SCHEMES_OF_SEVERAL: Final = ("redis+sentinel", "redis+cluster")
"""Of several servers, see ``server/store/connection/multi_host_url.py``; with TLS they begin with rediss."""
CONNECTION_WAIT_S: Final = 5.0
"""How long a call off the hot path queues for a free connection before it fails as unavailable."""
CLIENT_NAME: Final = "holdfast"

_URL_OPTIONS: Final = frozenset({"db", "client_name", "socket_connect_timeout", "socket_keepalive"})
"""What a URL may set beside ``ssl_…``. In redis-py the URL wins over arguments, so anything else could
bring back a retry or a timeout in mid-write, and with it two effects of one request."""


def connection_pool(url: str) -> ConnectionPool:
    """Make the pool for a store at any URL but a cluster's; nothing connects yet.

    ``pool.make_connection()`` returns a connection outside the pool's count for the hot path: it sends each
    command exactly once and never times out by itself, so a write once sent is never silently sent again.

    Raises
    ------
    StoreUrlError
        The URL has another scheme, no host or path, or an option that would break exactly-once sending.

    """
    if is_several(url):
        return sentinel_pool(take_apart(url))
    scheme = _checked_scheme(url)
    try:
        return BlockingConnectionPool.from_url(url, **_options(keepalive=scheme != "unix"))
    except (ValueError, TypeError):
        raise _unreadable(scheme) from None


def check_url(url: str) -> None:
    """Check that a URL can be used, as far as that shows without a connection.

    Raises
    ------
    StoreUrlError
        It cannot.

    """
    if is_several(url):
        following_options(take_apart(url))
        return
    scheme = _checked_scheme(url)
    try:
        parse_url(url)
    except (ValueError, TypeError):
        raise _unreadable(scheme) from None


def _unreadable(scheme: str) -> StoreUrlError:
    # The library's own text may quote a piece of the password.
    return StoreUrlError(f"The store URL {_sample(scheme)} has a part that cannot be read. Correct it.")


def pool_beside(pool: ConnectionPool, connections_max: int) -> ConnectionPool:
    """Make another pool for the same store; with sentinels, both follow the primary that one finder knows."""
    options = {**pool.connection_kwargs, "max_connections": connections_max, "timeout": CONNECTION_WAIT_S}
    if isinstance(pool, FollowingPool):
        beside = FollowingPool(tls=pool.tls, **options)
        if isinstance(pool.finder, Sentinels):
            pool.finder.watch_for(beside)
        return beside
    return BlockingConnectionPool(connection_class=pool.connection_class, **options)


def sentinel_pool(given: SeveralHosts) -> FollowingPool:
    """Make the pool for the primary that sentinels know; close its ``finder`` with it.

    Raises
    ------
    StoreUrlError
        As for :func:`connection_pool`.

    """
    if given.kind != "sentinel":
        raise StoreUrlError(
            "A command that works on one store cannot use a cluster's URL. Name one node: redis://host:port/0"
        )
    options = following_options(given)
    # The sentinels speak TLS where the store does; they have users of their own.
    shared = {name: value for name, value in options.items() if name not in ("username", "password", "db")}
    connection_class = SSLConnection if given.tls else Connection
    connect = [
        partial(connection_class, **{**_unpooled(shared), **given.sentinel_login, "host": host, "port": port})
        for host, port in given.hosts
    ]
    finder = Sentinels(connect, given.service, given.name)
    pool = FollowingPool(finder, tls=given.tls, **options)
    finder.watch_for(pool)
    return pool


def following_options(given: SeveralHosts) -> dict[str, Any]:
    """Read the options of a pool whose connections find their address themselves.

    Raises
    ------
    StoreUrlError
        One cannot be read, or would break exactly-once sending.

    """
    _checked_scheme(given.store_url)
    try:
        options = {**_options(keepalive=True), **parse_url(given.store_url)}
    except (ValueError, TypeError):
        raise StoreUrlError(
            "The store URL has a part that cannot be read. Write it as redis://user:password@host:6379/0."
        ) from None
    return {name: value for name, value in options.items() if name not in ("host", "port", "connection_class")}


def _unpooled(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in _OF_THE_POOL}


_OF_THE_POOL: Final = frozenset({"max_connections", "timeout"})


def _options(*, keepalive: bool) -> dict[str, Any]:
    options: dict[str, Any] = {
        # A late answer is better than none; each caller has its own deadline. A timeout here would cost a
        # wait_for per send and drop connections whose write is in flight.
        "socket_timeout": None,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        # By default redis-py 8 retries ten times, also commands that had run.
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "health_check_interval": 0,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        # Both protocols carry our answers as the same bytes; RESP2 needs no HELLO and no push handling.
        "protocol": 2,
        "decode_responses": False,
        "client_name": CLIENT_NAME,
        # Saves two round trips per connection, and managed stores with narrow ACLs refuse CLIENT SETINFO.
        "driver_info": None,
        "max_connections": CONNECTIONS_MAX["requests"],
        "timeout": CONNECTION_WAIT_S,
    }
    if keepalive:
        # A primary that lost power sends no FIN: without keepalive we would wait for it for ever.
        options["socket_keepalive"] = True
    return options


def client(pool: ConnectionPool) -> ConfirmingClient:
    """Make the client for everything off the hot path; callers queue for a connection instead of failing.

    The pool stays the caller's: close it with ``await pool.aclose()``.
    """
    made = ConfirmingClient(connection_pool=pool, single_connection_client=False)
    made.set_response_callback("XRANGE", _entries)  # type: ignore[arg-type]  # it wants an async one, too
    return made


def _entries(reply: list[list[Any]], **_: object) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Read entries of a stream in redis-py's own shape; its parser takes longer than decoding the entries."""
    return [(entry_id, dict(zip(fields[::2], fields[1::2], strict=True))) for entry_id, fields in reply]


def _checked_scheme(url: str) -> str:
    """Refuse a URL that redis-py would ignore or misread. No message repeats it: it may hold a password."""
    known = ", ".join(f"{scheme}://" for scheme in (*SCHEMES, *SCHEMES_OF_SEVERAL))
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise StoreUrlError(
            "The store URL cannot be read. Percent-encode special characters of the password (/ is %2F, # is %23, "
            "@ is %40), and check the port."
        ) from None
    if parts.scheme not in SCHEMES:
        given = f"{parts.scheme}://" if parts.scheme and "://" in url else "no scheme"
        raise StoreUrlError(f"The store URL has {given}; Holdfast takes {known}.")
    if parts.fragment:
        raise StoreUrlError("The store URL holds a bare #. Write it as %23.")
    if parts.scheme == "unix" and not parts.path:
        raise StoreUrlError("The store URL names no socket. Write it as unix:///path/to/store.sock.")
    if parts.scheme != "unix" and not parts.hostname:
        raise StoreUrlError(f"The store URL names no host. Write it as {_sample(parts.scheme)}.")
    if parts.scheme != "unix" and not (parts.path in ("", "/") or parts.path.removeprefix("/").isdigit()):
        raise StoreUrlError("The path of the store URL is the number of a database, as in redis://host:6379/0.")
    _check_options(parts.query)
    return parts.scheme


def _check_options(query: str) -> None:
    for name in parse_qs(query, keep_blank_values=True):
        if name not in _URL_OPTIONS and not name.startswith("ssl_"):
            allowed = ", ".join(sorted(_URL_OPTIONS))
            raise StoreUrlError(
                f"The store URL sets {name!r}, which Holdfast decides itself (a retry could sell twice). "
                f"Remove it; allowed are {allowed}, and ssl_ca_certs and the other ssl_ options."
            )


def _sample(scheme: str) -> str:
    return f"{scheme}:///path/to/store.sock" if scheme == "unix" else f"{scheme}://user:password@host:6379/0"
