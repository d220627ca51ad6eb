"""Bazaar, a marketplace that is made up: it lists what it is told, sells, and tells of its orders, oldest first.

    python bazaar.py --port 8090

PUT /listings/{sku} {"quantity": 3} · GET /listings · GET /orders?after=0 · POST /buy {"sku": …, "quantity": 1}
POST /cancel {"order": …} · POST /ship {"order": …, "tracking": …}
"""

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class Bazaar:
    """What the marketplace knows: quantities by SKU, and what happened to orders."""

    def __init__(self) -> None:
        self.listings: dict[str, int] = {}
        self.events: list[dict[str, Any]] = []
        self._lock = Lock()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> Any:
        """Return what a request gets; None: there is no such thing."""
        with self._lock:
            match method, path.strip("/").split("/"):
                case "PUT", ["listings", sku]:
                    self.listings[unquote(sku)] = body["quantity"]
                    return {}
                case "GET", ["listings"]:
                    return self.listings
                case "GET", ["orders"]:
                    return {"events": self.events[int(query.get("after", ["0"])[0]) :][:10]}
                case "POST", ["buy"]:
                    # As real ones do: it sells what it believes to have, and counts down itself.
                    self.listings[body["sku"]] = self.listings.get(body["sku"], 0) - body["quantity"]
                    return self._event("placed", str(1001 + len(self.events)), **body)
                case "POST", [("cancel" | "ship") as step]:
                    return self._event({"cancel": "cancelled", "ship": "shipped"}[step], **body)
        return None

    def _event(self, kind: str, order: str, **more: Any) -> dict[str, Any]:
        event = {"id": len(self.events) + 1, "kind": kind, "order": order, **more}
        self.events.append(event)
        return event


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP for a Bazaar."""

    bazaar: Bazaar

    def _answer(self) -> None:
        url = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        answer = self.bazaar.answer(self.command, url.path, parse_qs(url.query), json.loads(raw or b"{}"))
        sent = json.dumps(answer, ensure_ascii=False).encode() + b"\n"
        self.send_response(404 if answer is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815  # the names are the library's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the library's
        """Say nothing."""


def main() -> None:
    """Serve until the process is told to end."""
    parser = argparse.ArgumentParser(description="A marketplace that is made up.")
    parser.add_argument("--port", type=int, default=8090)
    Handler.bazaar = Bazaar()
    ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler).serve_forever()


if __name__ == "__main__":
    main()
