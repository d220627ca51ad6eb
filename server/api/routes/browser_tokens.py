"""POST /v1/browser-tokens: what a page may have in place of an API key."""

import time

from server.api.http.answer import Answer
from server.api.http.routing import Call, Route
from server.domain.principal import Scope
from server.schemas.browser_tokens import BrowserTokenBody, BrowserTokenView
from server.schemas.common import time_of
from server.service.browser_tokens import make_token


async def make(call: Call) -> Answer[BrowserTokenView]:
    """Make a token that a browser can read availability and the stream of changes with, for some minutes."""
    made = await make_token(call.caller, call.state.browser_tokens, call.body, time.time())
    view = BrowserTokenView(made.token, time_of(made.until_s * 1000))
    return Answer(view, headers={"Cache-Control": "no-store"})


ROUTES = [
    Route(
        "POST", "/v1/browser-tokens", make, Scope.READ, "Make a short-lived token for a web page",
        {201: BrowserTokenView}, BrowserTokenBody, outcomes=("unknown_channel", "secret_key_missing"), bound=True,
    ),
]  # fmt: skip
