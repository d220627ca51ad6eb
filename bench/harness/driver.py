"""Drives a store as fast as it will go: commands packed beforehand, several connections, a window of them in flight.

So the measured time is the store's and not Python's: while it runs, the driver only moves bytes and has hiredis, which
is written in C, cut the replies apart. It keeps another core busy by some 5 to 20 %.
"""

import contextlib
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import hiredis

CONNECTIONS: Final = 4
"""More than one, so that the store finds work on each turn of its loop and one fsync serves them all."""
OPERATIONS_IN_FLIGHT: Final = 1024
"""Over all connections. Enough to keep the store's one core busy while an fsync runs; more gains nothing."""
SILENCE_S_MAX: Final = 30.0
_RECEIVE_BYTES: Final = 1 << 18


class WrongAnswerError(Exception):
    """The store answered something else than was expected, so the figure would mean nothing."""


@dataclass
class _Link:
    """One connection, the commands it still has to send, and how many replies are outstanding."""

    socket: socket.socket
    reader: hiredis.Reader
    commands: Sequence[bytes]
    sent: int
    received: int


def drive(path: Path, commands: Sequence[bytes], batch: int, check: Callable[[Any], bool]) -> float:
    """Send all commands and wait for all replies; returns the seconds that took.

    Parameters
    ----------
    path
        The store's Unix socket.
    commands
        Whole commands in the store's protocol, each of ``batch`` operations.
    batch
        Operations in one command, which decides how many may be in flight.
    check
        Whether a reply is what it should be.

    Raises
    ------
    WrongAnswerError
        ``check`` said no.

    """
    window = max(2, OPERATIONS_IN_FLIGHT // CONNECTIONS // batch)
    with contextlib.ExitStack() as opened:
        selector = opened.enter_context(selectors.DefaultSelector())
        links = []
        for first in range(min(CONNECTIONS, len(commands))):
            links.append(_open(path, commands[first::CONNECTIONS]))
            opened.enter_context(links[-1].socket)
            selector.register(links[-1].socket, selectors.EVENT_READ, links[-1])
        started_s = time.perf_counter()
        for link in links:
            _send(link, window)
        unfinished = len(links)
        while unfinished:
            ready = selector.select(SILENCE_S_MAX)
            if not ready:
                raise WrongAnswerError(f"the store has not answered for {SILENCE_S_MAX:g} s")
            for key, _ in ready:
                unfinished -= _exchange(key.data, check)
        return time.perf_counter() - started_s


def _open(path: Path, commands: Sequence[bytes]) -> _Link:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(path))
    return _Link(connection, hiredis.Reader(), commands, 0, 0)


def _send(link: _Link, commands: int) -> None:
    part = link.commands[link.sent : link.sent + commands]
    if part:
        link.socket.sendall(b"".join(part))
        link.sent += len(part)


def _exchange(link: _Link, check: Callable[[Any], bool]) -> bool:
    """Take what has come and send as much again. Returns whether that was the last of this connection."""
    data = link.socket.recv(_RECEIVE_BYTES)
    if not data:
        raise WrongAnswerError("the store closed the connection")
    link.reader.feed(data)
    replies = 0
    while (reply := link.reader.gets()) is not False:
        if not check(reply):
            raise WrongAnswerError(f"unexpected answer: {reply!r:.300}")
        replies += 1
    link.received += replies
    _send(link, replies)
    return link.received == len(link.commands)
