"""The page at /docs/try, which sends requests: by a viewer of OpenAPI that is kept in this package.

The key that somebody enters stays in the page. Scripts come from this server alone, and the page can call no other.
"""

import re
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Final

from aiohttp import web

from server.api.http.wire import response_of

PAGE_PATH: Final = "/docs/try"
VIEWER_PATH: Final = "/docs/openapi-explorer.js"
_VIEWER: Final = Path(__file__).parent / "explorer" / "openapi-explorer.min.js"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The viewer writes its styles into the page, so these are allowed; scripts in the page are not."""
SAFE_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_NOT_IN_ADDRESS: Final = re.compile(r"[\s#:?&={}-]+")
"""What the viewer replaces in a path."""
_PAGE: Final = """<!doctype html><html lang=en><meta charset=utf-8><title>Holdfast {version}: send requests</title>
<meta name=viewport content="width=device-width,initial-scale=1">
<style>body{{margin:0}}openapi-explorer:not(:defined){{display:block;padding:2rem;font:16px sans-serif}}</style>
<script src={viewer} type=module></script>
<openapi-explorer spec-url=/openapi.json collapse table hide-server-selection schema-expand-level=2
 primary-color=#0b57d0>This page needs its script; <a href=/docs>/docs</a> does not.</openapi-explorer></html>
"""


class TryPage:
    """Answers the page and its script."""

    def __init__(self, version: str) -> None:
        self._script = _VIEWER.read_bytes()
        digest = sha256(self._script).hexdigest()[:16]
        self._etag = f'"{digest}"'
        # Another release of the viewer has another address, so that no browser keeps the old one.
        self._page = _PAGE.format(version=escape(version), viewer=f"{VIEWER_PATH}?{digest}").encode()

    async def page(self, _request: web.Request) -> web.Response:
        """Answer the page."""
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": _POLICY, **SAFE_HEADERS}
        return response_of(200, self._page, headers)

    async def script(self, request: web.Request) -> web.Response:
        """Answer the viewer."""
        headers = {"ETag": self._etag, "Cache-Control": "public, max-age=86400"}
        if request.headers.get("If-None-Match") == self._etag:
            return web.Response(status=304, headers=headers)
        headers |= {"Content-Type": "text/javascript; charset=utf-8", **SAFE_HEADERS}
        return response_of(200, self._script, headers)


def address_of(method: str, path: str) -> str:
    """Return where the page shows a route."""
    return f"{PAGE_PATH}#?route={method.lower()}-{_NOT_IN_ADDRESS.sub('-', path)}"
