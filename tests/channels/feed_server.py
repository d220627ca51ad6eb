"""A supplier's server: one feed at one address, and the ways in which it goes wrong."""

import hashlib
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from adapters.testing.simulator import Simulator

USER: Final = "made-up-user"
PASSWORD: Final = "made-up-password"
CONDITIONS: Final = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}


@dataclass
class FeedServer(Simulator):
    """``body`` is the feed. ``cut``: so many bytes of it come, and the connection ends; ``headers`` come with it.

    ``tags``: it names each version by an ETag. ``asked``: the conditions of each request; ``unchanged``: how often it
    answered that it is the same still. ``is_stuck``: it answers so whenever it is asked.
    """

    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    protected: bool = False
    tags: bool = False
    is_stuck: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    downloads: int = 0
    unchanged: int = 0

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/feed", self._feed)]

    @property
    def tag(self) -> str:
        """The ETag of what the feed is now."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'

    def _is_unchanged(self, conditions: dict[str, str], headers: dict[str, str]) -> bool:
        if self.is_stuck:
            return bool(conditions)
        return any(value == headers.get(CONDITIONS[name]) for name, value in conditions.items())

    async def _feed(self, request: web.Request) -> web.StreamResponse:
        basic = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.protected and request.headers.get("Authorization") != basic:
            return web.Response(status=401, text="who are you")
        headers = {**self.headers, "ETag": self.tag} if self.tags else self.headers
        conditions = {name: request.headers[name] for name in CONDITIONS if name in request.headers}
        self.asked.append(conditions)
        if self._is_unchanged(conditions, headers):
            self.unchanged += 1
            return web.Response(status=304, headers=headers)
        self.downloads += 1
        if self.cut is None:
            return web.Response(body=self.body, headers=headers)
        answer = web.StreamResponse(headers={**headers, "Content-Length": str(len(self.body))})
        await answer.prepare(request)
        await answer.write(self.body[: self.cut])
        if request.transport is not None:
            request.transport.close()
        return answer
