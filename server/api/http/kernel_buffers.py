"""What the system's kernel holds of a connection: how much it may, and how much the caller has not received.

A kernel takes megabytes for a caller that reads nothing, in memory of its own that no process shows. Nothing looks
unread meanwhile: the transport has handed everything over.
"""

import socket
import sys
from contextlib import suppress
from typing import Any, Final

UNSENT_BYTES: Final = 64 * 1024
"""What the kernel may hold of a connection that it could not send yet. What is on its way comes on top."""
STREAM_UNSENT_BYTES: Final = 32 * 1024
"""The same of a change stream: some hundred events. There may be thousands of streams that nobody reads."""
STREAM_BYTES: Final = 128 * 1024
"""What is on its way to the caller of a stream, which the kernel counts double. Linux alone looks at it."""
_UNSENT_OPTION: Final = getattr(socket, "TCP_NOTSENT_LOWAT", None)

if sys.platform == "linux":
    from fcntl import ioctl
    from termios import TIOCOUTQ


def bound_listener(listening: Any) -> None:
    """Bound what the kernel holds of each connection that a listening socket lets in: they take over its options."""
    _bound_unsent(listening, UNSENT_BYTES)


def bound_stream(connection: Any, *, gone_after_s: float) -> None:
    """Bound what the kernel holds of a stream, and how long it waits for a caller who is gone without a word."""
    _bound_unsent(connection, STREAM_UNSENT_BYTES)
    with suppress(OSError, AttributeError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_BYTES)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * gone_after_s))


def unreceived_bytes(connection: Any) -> int:
    """Return how much of what the kernel has got the caller's system has not received; 0 where that cannot be asked.

    A caller who reads has room for it, so within a round trip there is none.
    """
    if sys.platform != "linux":
        return 0
    try:
        return int.from_bytes(ioctl(connection.fileno(), TIOCOUTQ, bytes(4)), sys.byteorder)
    except (OSError, ValueError):  # it is closed
        return 0


def _bound_unsent(connection: Any, bytes_max: int) -> None:
    if _UNSENT_OPTION is not None:
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, _UNSENT_OPTION, bytes_max)
