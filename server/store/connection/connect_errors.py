"""Why a store cannot be reached: one plain sentence, with the next step, for each way to fail."""

import socket
import ssl
from collections.abc import Iterator
from typing import Final

from redis import exceptions as redis_errors
from redis.asyncio.connection import ConnectionPool

from server.store.errors import StoreUnavailableError

CONNECT_TIMEOUT_S: Final = 2.0
"""A store that does not accept within this is down for our purposes; the caller decides when to try again."""


def address(pool: ConnectionPool) -> str:
    """Return the address of a pool, without user and password."""
    options = pool.connection_kwargs
    if "finder" in options:
        return str(options["finder"].name)
    if "path" in options:
        return str(options["path"])
    return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"


def unavailable(error: BaseException, where: str) -> StoreUnavailableError:
    """Turn an error of redis-py into one sentence with the next step, without any password."""
    return StoreUnavailableError(f"The store at {where} {_reason(error)}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes: redis-py wraps the socket's own error without naming its kind."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _reason(error: BaseException) -> str:  # noqa: PLR0911  # one line per way to fail reads best flat
    chain = list(_chain(error))
    if any(isinstance(cause, ssl.SSLError) for cause in chain):
        return _tls_reason(next(cause for cause in chain if isinstance(cause, ssl.SSLError)))
    if any(isinstance(cause, socket.gaierror) for cause in chain):
        return "has a host name that cannot be resolved. Check the name in HOLDFAST_STORE_URL and the DNS."
    if isinstance(error, redis_errors.AuthenticationError):
        return _login_reason(str(error))
    if isinstance(error, redis_errors.NoPermissionError):
        return f"accepts the user but refuses a command ({error}). Grant it that command, or +@all, with ACL SETUSER."
    if isinstance(error, redis_errors.BusyLoadingError):
        return "is still loading its data. Wait until it is ready, then start again."
    if isinstance(error, (redis_errors.TimeoutError, TimeoutError)):
        return f"did not answer within {CONNECT_TIMEOUT_S:g} s. Check address, firewall, and whether it speaks TLS."
    if any(isinstance(cause, FileNotFoundError) for cause in chain):
        return "is not there: no such socket. Check the path and that the store is up."
    if isinstance(error, (redis_errors.ConnectionError, OSError)):
        return f"cannot be reached ({error}). Check the address, that it is up, and whether it wants TLS (rediss://)."
    if isinstance(error, redis_errors.RedisError):
        return f"refused the command: {error}. Check the store's log."
    return f"failed: {error}. Check the store's log."


def _login_reason(text: str) -> str:
    if "without any password configured" in text:
        return "asks for no password, but HOLDFAST_STORE_URL has one. Set requirepass there, or remove it from the URL."
    if "required" in text.lower():
        return "asks for a password. Put it into HOLDFAST_STORE_URL, as in redis://user:password@host:6379/0."
    return "refuses this user and password. Check both in HOLDFAST_STORE_URL (special characters percent-encoded)."


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"shows a certificate that is not trusted ({error.verify_message}). Name its authority in the URL: "
            "?ssl_ca_certs=/path/to/ca.pem, and use the host name that the certificate is for."
        )
    if "WRONG_VERSION_NUMBER" in str(error):
        return "does not speak TLS on this port. Use redis:// instead of rediss://, or its TLS port."
    return (
        f"broke off TLS ({error.reason or error}). If it wants a client certificate, add ssl_certfile and ssl_keyfile."
    )


def may_be_elsewhere(error: Exception) -> bool:
    """Whether a store answered so because it is not, or no longer, the one to write to: time to look for it anew."""
    readonly = isinstance(error, (redis_errors.ReadOnlyError, redis_errors.MasterDownError))
    return readonly or str(error).startswith("NOREPLICAS")
