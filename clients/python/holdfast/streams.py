"""The stream of changes for threads: it goes on where it was after every break, until it is closed."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

import httpx

from holdfast.errors import HoldfastError, Refused, Unavailable
from holdfast.events import SILENCE_MAX_S, Change, Following
from holdfast.transport import Pieces, SyncTransport, too_late, why_of
from holdfast.verdicts import Answer, Lost, Reply

_OK: Final = 200
_CONNECT_S: Final = 10.0
ANSWER_S: Final = 10.0
"""How long what is no stream may take, such as a refusal."""
TIMEOUT: Final = httpx.Timeout(SILENCE_MAX_S, connect=_CONNECT_S)
ENDED: Final = "the stream ended"
OPENED: Final = Answer(_OK, {}, b"")


class ChangeStream:
    """Every change, one after the other: iterate it, and close it with ``with`` or :meth:`close`.

    An error ends it: what is iterated after that is over.
    """

    def __init__(self, transport: SyncTransport, following: Following) -> None:
        self._transport = transport
        self._following = following
        self._ready: deque[Change] = deque()
        self._response: httpx.Response | None = None
        self._over = threading.Event()
        self._began_s = 0.0
        self._chunks: Iterator[bytes]

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Change:
        while not self._over.is_set():
            if self._ready:
                return self._ready.popleft()
            self._step()
        self._leave()  # it may have been opened while another thread closed it
        raise StopIteration

    def __enter__(self) -> Self:
        """Open it, so that nothing is missed of what happens from here on."""
        while not (self._is_open or self._over.is_set()):
            self._step()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration, also one in another thread, which notices when the server says something next."""
        self._over.set()
        self._leave()

    def _leave(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()

    @property
    def _is_open(self) -> bool:
        """Whether it stands at a place, or there is something to say."""
        following = self._following
        return self._response is not None or following.wants_page or following.ending is not None

    def _step(self) -> None:
        """Do the next step, which may bring changes; an error is the last one."""
        try:
            if self._following.ending is not None:
                raise self._following.ending
            self._fill()
        except HoldfastError:
            self.close()
            raise

    def _fill(self) -> None:
        why = ENDED
        try:
            if self._following.wants_page:
                self._read_page()
                return
            if self._response is None:
                why = self._open()
            else:
                self._ready += self._following.take_chunk(next(self._chunks))
            if self._response is not None and not self._following.broke_off:
                return
        except StopIteration:
            pass
        except (httpx.RequestError, httpx.StreamError) as error:
            why = why_of(error)
        self._leave()
        if self._over.is_set():
            return
        self._transport.note(self._following.stream_call(), Lost(why, sent=True), self._began_s)
        if self._transport.connections.last.is_closed:
            self._over.set()
        elif self._following.comes_back:
            self._over.wait(self._following.pause_s())

    def _read_page(self) -> None:
        try:
            self._ready += self._following.take_page(self._transport.run(self._following.page_call()))
        except Refused as refused:
            self._following.page_refused(refused)
        except Unavailable as away:
            self._following.page_away(away)
            self._over.wait(self._following.pause_s())

    def _open(self) -> str:
        """Open the stream; return why it cannot be opened now, where it cannot."""
        call, client = self._following.stream_call(), self._transport.connections.http()
        self._began_s = time.monotonic()
        request = client.build_request(**self._transport.request(call), timeout=TIMEOUT)
        response = client.send(request, stream=True, follow_redirects=False)
        if is_stream(response):
            self._response, self._chunks = response, response.iter_bytes()
            self._following.begin_stream()
            self._transport.note(call, OPENED, self._began_s)
            return ""
        with contextlib.closing(response):
            return self._following.take_answer(_answer(response, time.monotonic() + ANSWER_S))


def _answer(response: httpx.Response, ends_at: float) -> Reply:
    """Read what came in place of a stream: a page without end is none, whether long or slow."""
    pieces = Pieces()
    for piece in response.iter_bytes():
        pieces.take(piece)
        if pieces.is_too_long:
            break
        if time.monotonic() > ends_at:
            return too_late(ANSWER_S)
    return pieces.whole(response)


def is_stream(response: httpx.Response) -> bool:
    """Tell whether the server has opened the stream."""
    return response.status_code == _OK and response.headers.get("content-type", "").startswith("text/event-stream")


class Changes:
    """What changes of what is available: ``GET /v1/changes``."""

    def __init__(self, transport: SyncTransport) -> None:
        self._transport = transport

    def stream(self, after: str = "") -> ChangeStream:
        """Follow every change from a place on: the ``position`` of a change, or ``changes_after`` of a snapshot.

        Without one it begins now; ``0`` is all that the journal has. It comes back after every break, and misses
        nothing in between.

        Raises
        ------
        SnapshotNeeded
            While iterating: changes were missed, so everything has to be read again.
        StreamClosed
            The key was revoked, or the time of a token is over.
        Refused, Unavailable
            The server does not open it, or is not Holdfast.

        """
        return ChangeStream(self._transport, Following(after, self._transport.policy, reads_all=False))

    def follow(self, after: str = "") -> ChangeStream:
        """Read everything that is available, then follow every change, and do so again where changes were missed.

        With ``after`` it goes on from there, and reads everything only if it must. Raises as :meth:`stream`, without
        ``SnapshotNeeded``.
        """
        return ChangeStream(self._transport, Following(after, self._transport.policy, reads_all=True))
