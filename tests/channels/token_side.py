"""The side of a simulated channel that gives tokens: they live for a while, and a refresh token is good for once."""

import asyncio
from base64 import b64encode
from dataclasses import dataclass, field
from itertools import count
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from adapters.testing.simulator import Simulator

CLIENT_ID: Final = "made-up-client-id"
CLIENT_SECRET: Final = "made-up-client-secret"
CODE: Final = "made-up-sign-in-code"
FORM: Final = "application/x-www-form-urlencoded"


@dataclass
class TokenSide(Simulator):
    """The tokens of one account, by the OAuth 2.0 grants ``authorization_code`` and ``refresh_token``.

    ``life_s``: how long an access token lives by its answer. ``codes``: what a person can sign in with, once.
    ``stale``: requests that came with an older access token after a newer one was on its way. ``keeps_old``: older
    ones are taken on, so that nothing but ``stale`` tells. ``rotates`` False: a refresh token is good for ever.
    ``go_on``: new tokens are answered once it is set.
    ``names_client``: the application stands in the form, in place of a header.
    """

    life_s: float = 3_600.0
    rotates: bool = True
    keeps_old: bool = True
    names_client: bool = False
    go_on: asyncio.Event | None = None
    codes: set[str] = field(default_factory=lambda: {CODE})
    redirect_uri: str = "https://merchant.example/callback"
    access: str = ""
    refresh: str = ""
    given: list[str] = field(default_factory=list)
    taken_back: set[str] = field(default_factory=set)
    renewals: int = 0
    refused_renewals: int = 0
    stale: int = 0
    not_let_in: int = 0
    _tokens: count = field(default_factory=lambda: count(1))  # type: ignore[type-arg]

    def token_routes(self, path: str) -> list[web.RouteDef]:
        return [web.post(path, self._token)]

    def issue(self) -> tuple[str, str]:
        """Make the next pair; the refresh token of before is good no more."""
        number = next(self._tokens)
        self.access = f"access-token-{number:04}-made-up"
        if self.rotates or not self.refresh:
            self.refresh = f"refresh-token-{number:04}-made-up"
        self.given += [self.access, self.refresh]
        return self.access, self.refresh

    def revoke(self) -> None:
        """Take everything back, as a merchant does in the panel."""
        self.taken_back |= {self.access}
        self.access = self.refresh = ""

    def bearer(self, request: web.Request) -> str:
        """The access token that a request came with."""
        return request.headers.get("Authorization", "").removeprefix("Bearer ")

    def let_in(self, request: web.Request) -> bool:
        """Whether a request is let in; what is stale is counted."""
        token = self.bearer(request)
        if token in self.given[::2] and self.access and token != self.access:
            self.stale += 1
        is_good = token == self.access or (self.keeps_old and token in self.given[::2])
        if not token or not is_good or token in self.taken_back:
            self.not_let_in += 1
            return False
        return True

    async def _token(self, request: web.Request) -> web.Response:
        if request.query_string or request.content_type != FORM:
            self.complain("tokens are asked for in a form, and never in the address")
            return web.json_response({"error": "invalid_request"}, status=400)
        asked = dict(parse_qsl((await request.read()).decode(), strict_parsing=True))
        if not self._is_client(request, asked):
            return web.json_response({"error": "invalid_client", "error_description": "who are you"}, status=401)
        match asked:
            case {"grant_type": "authorization_code", "code": code, "redirect_uri": uri, **rest} if not rest:
                is_good = code in self.codes and uri == self.redirect_uri
                self.codes.discard(code)
            case {"grant_type": "refresh_token", "refresh_token": token, **rest} if not set(rest) - {"redirect_uri"}:
                is_good = bool(token) and token == self.refresh
                self.renewals += is_good
                self.refused_renewals += not is_good
            case _:
                self.complain(f"tokens are asked for with {sorted(asked)}")
                return web.json_response({"error": "unsupported_grant_type"}, status=400)
        if not is_good:
            return web.json_response({"error": "invalid_grant", "error_description": "no such grant"}, status=400)
        access, refresh = self.issue()
        if self.go_on is not None:
            await self.go_on.wait()
        return web.json_response(
            {"access_token": access, "refresh_token": refresh, "token_type": "bearer", "expires_in": self.life_s}
        )

    def _is_client(self, request: web.Request, asked: dict[str, str]) -> bool:
        if self.names_client:
            return (asked.pop("client_id", ""), asked.pop("client_secret", "")) == (CLIENT_ID, CLIENT_SECRET)
        basic = "Basic " + b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        return request.headers.get("Authorization") == basic
