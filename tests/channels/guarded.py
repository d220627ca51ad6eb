"""A made-up channel whose requests are let in by tokens, and its adapter."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from aiohttp import web
from msgspec.structs import replace

from adapters.contract.errors import SignedOutError
from adapters.contract.http import Exchange, Request, check_status, json_of
from adapters.contract.stock import Item, Outcomes, StillPending, Ticket
from adapters.contract.tokens import Grant, Tokens
from server.channels.channel_plan import ChannelPlan
from tests.channels.engine import plan
from tests.channels.plain import Plain, PlainChannel
from tests.channels.token_side import CLIENT_ID, CLIENT_SECRET, FORM, TokenSide

T = TypeVar("T")


class GuardedGrant(Grant):
    """How the tokens of the channel come about."""

    def __init__(self, url: str) -> None:
        self._url = url

    def headers(self, values: Mapping[str, str]) -> dict[str, str]:
        return {"Authorization": f"Bearer {values.get('access_token', '')}"}

    def begin(self, what: str, secret: str) -> Exchange[Tokens]:
        if what == "refresh_token":
            return self._asked({"grant_type": what, what: secret})
        uri = "https://merchant.example/callback"
        return self._asked({"grant_type": "authorization_code", "code": secret, "redirect_uri": uri})

    def renew(self, values: Mapping[str, str]) -> Exchange[Tokens]:
        return self.begin("refresh_token", values["refresh_token"])

    def _asked(self, form: Mapping[str, str]) -> Exchange[Tokens]:
        basic = b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": FORM}
        answer = yield Request("POST", f"{self._url}/token", headers, urlencode(form).encode())
        check_status(answer)
        content = json_of(answer)
        if answer.status == 400:
            raise SignedOutError(f"the channel answered {content.get('error')}")
        values = {name: content[name] for name in ("access_token", "refresh_token")}
        return Tokens(values=values, expires_s=content["expires_in"])


class Guarded(Plain):
    """The adapter: that of the plain channel, with tokens."""

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes | Ticket]:
        return _signed(super().push(items, now_s))

    def poll(self, ticket_id: str, keys: Sequence[str]) -> Exchange[Outcomes | StillPending]:
        return _signed(super().poll(ticket_id, keys))

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        return _signed(super().read(keys))


def _signed(exchange: Exchange[T]) -> Exchange[T]:
    try:
        request = next(exchange)
        while True:
            answer = yield replace(request, headers={**request.headers, "Authorization": "Bearer of-old"})
            request = exchange.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


@dataclass
class GuardedChannel(PlainChannel, TokenSide):
    """The channel."""

    def routes(self) -> list[web.RouteDef]:
        return [*super().routes(), *self.token_routes("/token")]

    async def _push(self, request: web.Request) -> web.Response:
        return await super()._push(request) if self.let_in(request) else web.Response(status=401)

    async def _poll(self, request: web.Request) -> web.Response:
        return await super()._poll(request) if self.let_in(request) else web.Response(status=401)

    async def _read(self, request: web.Request) -> web.Response:
        return await super()._read(request) if self.let_in(request) else web.Response(status=401)


def guarded_plan(name: str, channel: GuardedChannel, **more: Any) -> ChannelPlan:
    """Plan the channel."""
    return plan(name, channel, build=lambda: Guarded(channel.url), grant=lambda: GuardedGrant(channel.url), **more)
