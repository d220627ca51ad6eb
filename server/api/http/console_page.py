"""The page at /console and its files, which the package has: nothing is built, and nothing comes from elsewhere.

The page keeps to the API that every client has. Its files have the hash of all of them in their path, so a browser
may keep them for ever, and asks for none of an older release.
"""

import mimetypes
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from aiohttp import web

from server.api.http.try_page import SAFE_HEADERS
from server.api.http.wire import respond_problem, response_of
from server.service.problems import problem

PATH: Final = "/console"
ASSET_PATH: Final = "/console/assets/{digest}/{name:.+}"
_FOLDER: Final = Path(__file__).parents[2] / "console"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; font-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script';"
    " trusted-types 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    **SAFE_HEADERS,
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK: Final = "no-cache"
_TYPES: Final = {".js": "text/javascript", ".json": "application/json", ".css": "text/css"}
_DIGITS: Final = 16
_KEYS: Final = {True: "none", False: "needed"}


class ConsolePage:
    """Answers the page and its files, which are read once.

    ``is_open`` says whether nobody has to sign in: the page then asks who is there, and else only where somebody was.
    """

    def __init__(self, is_open: Callable[[], bool]) -> None:
        folder = _FOLDER / "assets"
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        self._assets = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        whole = sha256()
        for name, content in self._assets.items():
            whole.update(f"{name}\0{len(content)}\0".encode() + content)
        self._digest = whole.hexdigest()[:_DIGITS]
        self._etag = f'"{self._digest}"'
        page = (_FOLDER / "index.html").read_text("utf-8")
        page = page.replace("{assets}", f"{PATH}/assets/{self._digest}")
        self._pages = {is_open: page.replace("{keys}", keys).encode() for is_open, keys in _KEYS.items()}
        self._is_open = is_open

    async def page(self, request: web.Request) -> web.Response:
        """Answer the page."""
        page = self._pages[self._is_open()]
        tag = f'"{sha256(page).hexdigest()[:_DIGITS]}"'
        return self._answer(request, page, "text/html", tag, _ASK)

    async def asset(self, request: web.Request) -> web.Response:
        """Answer a file. Where its path has another release's hash, as while servers are replaced, nobody keeps it."""
        content = self._assets.get(name := request.match_info["name"])
        if content is None:
            return respond_problem(problem("not_found"), request=request)
        suffix = Path(name).suffix
        media_type = _TYPES.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
        keeps = _FOR_EVER if request.match_info["digest"] == self._digest else _ASK
        return self._answer(request, content, media_type, self._etag, keeps)

    def _answer(self, request: web.Request, content: bytes, media_type: str, tag: str, keeps: str) -> web.Response:
        headers = {**HEADERS, "ETag": tag, "Cache-Control": keeps}
        if tag in (each.strip() for each in request.headers.get("If-None-Match", "").split(",")):
            return web.Response(status=304, headers=headers)
        return response_of(200, content, {"Content-Type": f"{media_type}; charset=utf-8", **headers})
