"""A Holdfast server of any checkout, known from the outside alone: its command line and its HTTP API.

Nothing of the checkout is imported here, so one release may be held against another whose modules lie elsewhere.
"""

import asyncio
import secrets
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, cast
from urllib.parse import urlsplit

import msgspec

from bench.harness.http1 import Messages, message
from bench.harness.processes import READY_TIMEOUT_S, ServerProcess

Ask = Callable[[str, tuple[str, int]], bytes]
"""Writes a request, of a name that no other has, to a server's address."""
ROOT: Final = next(each for each in Path(__file__).parents if (each / "pyproject.toml").exists())
"""This checkout."""
SKU: Final = "BENCH-0000000"
ON_HAND: Final = 1_000_000
"""More than any run reserves, so that every reserve is granted."""
RESERVE: Final = "POST /v1/reservations"
_CREATED: Final = b"HTTP/1.1 201 "
_OK: Final = b"HTTP/1.1 200 "
_MOVEMENTS_PER_CALL: Final = 1_000
_SILENCE_S_MAX: Final = 60.0
_RECEIVE_BYTES: Final = 1 << 16

QUIET: Final = {"HOLDFAST_FIGURES_INTERVAL_S": "0", "HOLDFAST_LOG_LEVEL": "warning"}
"""Settings under which a server does little but answer; ``--role api`` leaves the housekeeping out, too."""


class WrongStatusError(Exception):
    """A server gave another answer than the one that was wanted; the message holds it."""


def interpreter(checkout: Path) -> str:
    """Name the Python of a checkout: that of its own ``.venv``, or this one where it has none."""
    own = checkout / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def server(
    checkout: Path,
    folder: Path,
    *,
    python: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    options: Sequence[str] = ("--role", "api"),
    ready_s: float = READY_TIMEOUT_S,
) -> ServerProcess:
    """Prepare ``python -m server serve`` of a checkout, with an embedded store of its own in ``folder``.

    ``python``: the words in front of ``-m``; left out, the checkout's interpreter.
    """
    words = ("serve", "--host", "127.0.0.1", "--port", "0", "--data-dir", str(folder / "store"), *options)
    return ServerProcess(
        "server",
        *words,
        log=folder / "server.log",
        settings=QUIET | dict(settings or {}),
        python=python or (interpreter(checkout),),
        cwd=checkout,
        ready_s=ready_s,
    )


class Caller:
    """One caller on one connection; it sends a request after the answer to the one before. ``token``: with its key."""

    def __init__(self, url: str, token: str = "") -> None:
        self._address = address_of(url)
        self._token = token

    def __enter__(self) -> Self:
        self._socket = socket.create_connection(self._address, timeout=_SILENCE_S_MAX)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._messages = Messages()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call(self, what: str, body: object, wanted: int) -> bytes:
        """Send one request and return the body of its answer. ``what``: method and path.

        Raises
        ------
        WrongStatusError
            The answer has another status than ``wanted``.

        """
        self._socket.sendall(request(what, body, self._address, self._token))
        while True:
            data = self._socket.recv(_RECEIVE_BYTES)
            if not data:
                raise WrongStatusError(f"{what}: the server closed the connection")
            for head, answer in self._messages.feed(data):
                if not head.startswith(b"HTTP/1.1 %d " % wanted):
                    raise WrongStatusError(f"{what}: {(head + b' ' + answer).decode('utf-8', 'replace')[:500]}")
                return answer

    def fill(self, skus: Sequence[str] = (SKU,)) -> None:
        """Receive :data:`ON_HAND` units of each SKU."""
        for first in range(0, len(skus), _MOVEMENTS_PER_CALL):
            part = skus[first : first + _MOVEMENTS_PER_CALL]
            movements = [{"kind": "receive", "sku": sku, "quantity": ON_HAND, "reason": "bench"} for sku in part]
            self.call("POST /v1/stock/movements", {"movements": movements}, 200)

    def reserve(self, reservation_id: str) -> None:
        """Reserve one unit of :data:`SKU`."""
        self.call(RESERVE, one_line(reservation_id), 201)


def address_of(url: str) -> tuple[str, int]:
    """Return host and port of a server's URL."""
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 80)


def request(what: str, body: object, address: tuple[str, int], token: str = "") -> bytes:
    """Write a request as one piece, so that the server finds the body behind the head at once."""
    headers = [f"Host: {address[0]}:{address[1]}", *([f"Authorization: Bearer {token}"] if token else [])]
    return message(f"{what} HTTP/1.1", msgspec.json.encode(body), *headers)


def one_line(reservation_id: str) -> dict[str, Any]:
    """Make the body of a reserve of one unit on one line, as ``reserve.lua`` does; all or nothing by default."""
    return {
        "reservation_id": reservation_id,
        "channel": "web",
        "ttl_s": 86_400,
        "lines": [{"sku": SKU, "quantity": 1}],
    }


def reserve_many(url: str, connections: int, requests: int) -> None:
    """Reserve ``requests`` times in waves; see :func:`ask_many`."""
    ask_many(url, connections, requests, lambda name, address: request(RESERVE, one_line(name), address), _CREATED)


def ask_many(url: str, connections: int, requests: int, ask: Ask, wanted: bytes = _OK) -> None:
    """Ask ``requests`` times in waves: once on each connection, the next wave when all answers have come.

    If each connection went on by itself, how many reserves share a batch would depend on how busy the machine is.

    Raises
    ------
    WrongStatusError
        An answer did not begin with what was ``wanted``.

    """
    asyncio.run(_ask_many(address_of(url), connections, requests, ask, wanted))


async def _ask_many(address: tuple[str, int], connections: int, requests: int, ask: Ask, wanted: bytes) -> None:
    run = secrets.token_hex(4)
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(_Connection, *address) for _ in range(connections)]
    for first in range(0, requests, connections):
        numbers = range(first, min(first + connections, requests))
        answers = [
            connection.send(ask(f"{run}-{number}", address))
            for number, (_, connection) in zip(numbers, made, strict=False)
        ]
        async with asyncio.timeout(_SILENCE_S_MAX):
            heads = await asyncio.gather(*answers)
        if refused := [head for head in heads if not head.startswith(wanted)]:
            raise WrongStatusError(refused[0].decode("utf-8", "replace")[:500])
    for transport, _ in made:
        transport.close()


class _Connection(asyncio.Protocol):
    """One connection of :func:`ask_many`."""

    def __init__(self) -> None:
        self._messages = Messages()
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, data: bytes) -> "asyncio.Future[bytes]":
        """Send a request; the future gives the head and body of its answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return self._answer

    def data_received(self, data: bytes) -> None:
        for head, body in self._messages.feed(data):
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(head + b" " + body)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WrongStatusError(f"the server closed a connection: {exc}"))
