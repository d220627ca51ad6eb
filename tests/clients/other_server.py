"""A server that is not Holdfast: it answers as a test has it, over real connections."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

Answers = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as the test has it."""

    protocol_version = "HTTP/1.1"
    answers: Answers

    def do_GET(self) -> None:
        """Note the request, and answer it."""
        self.body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        with self.server.lock:  # type: ignore[attr-defined]  # a test's own
            self.server.seen.append(self.path)  # type: ignore[attr-defined]
        type(self).answers(self)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  # the names are the library's

    def do_CONNECT(self) -> None:
        """Let nobody through, as a proxy does that does not know them."""
        self.say(b"", status=502, Connection="close")

    def say(
        self, body: bytes, content_type: str = "application/json", *, cut: int = 0, status: int = 200, **headers: object
    ) -> None:
        """Send an answer; ``cut``: how many bytes of it are missing; headers with underscores for hyphens."""
        self._begin(status, content_type, Content_Length=len(body), **headers)
        self.wfile.write(body[: len(body) - cut])
        self.close_connection = cut > 0

    def end_after(self, body: bytes) -> None:
        """Send an answer that ends with its connection, as proxies of old do."""
        self._begin(200, "application/json", Connection="close")
        self.wfile.write(body)
        self.close_connection = True

    def go_on(self, piece: bytes, content_type: str, *, every_s: float = 0.0, **headers: object) -> None:
        """Send an answer without end: one piece after the other, until the caller leaves."""
        self._begin(200, content_type, Connection="close", **headers)
        self.close_connection = True
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(piece)
                time.sleep(every_s)

    def _begin(self, status: int, content_type: str, **headers: object) -> None:
        """Send what stands before a body; headers with underscores for hyphens."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, each in headers.items():
            self.send_header(name.replace("_", "-"), str(each))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the library's
        """Say nothing."""


def value(request: Handler) -> bytes:
    """Return what Holdfast says of the SKU in the path."""
    sku = unquote(request.path.rpartition("/")[2])
    return json.dumps({"sku": sku, "available": len(sku), "seq": 1, "as_of": "2026-11-30T12:00:00Z"}).encode()


class Server(ThreadingHTTPServer):
    """Says nothing of callers who have gone."""

    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(answers: Answers) -> Iterator[tuple[str, list[str]]]:
    """Serve on a free port; yields the address, and the paths that were asked for."""
    handler = type("AsTold", (Handler,), {"answers": staticmethod(answers)})
    with Server(("127.0.0.1", 0), handler) as server:
        server.lock, server.seen = threading.Lock(), []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, name="not Holdfast")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server.seen  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


def first_then(first: Answers, then: Answers) -> Answers:
    """Answer the first request in another way than the rest."""
    left = [first]
    return lambda request: left.pop()(request) if left else then(request)


def beats(request: Handler) -> None:
    """Answer with a stream in which nothing happens."""
    request.go_on(b": still here\n\n", "text/event-stream", every_s=0.02)


def refusal(request: Handler, status: int, outcome: str, **headers: Any) -> None:
    """Refuse as Holdfast does."""
    problem = {"type": "", "title": "T", "status": status, "detail": "D", "outcome": outcome, "retryable": False}
    request.say(json.dumps(problem).encode(), "application/problem+json", status=status, **headers)
