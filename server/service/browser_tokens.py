"""Tokens for browsers: made for whoever has a key that reads, good for less than the key."""

from typing import NamedTuple

from server.domain.browser_tokens import TEXT_MAX, BrowserTokens
from server.schemas.browser_tokens import BrowserTokenBody
from server.service.caller import Caller
from server.service.checks import InvalidError, check_channel, check_sku
from server.service.current_names import current
from server.service.order_channels import check_allowed
from server.service.problems import ProblemError, problem
from server.service.reach import in_reach


class Made(NamedTuple):
    """A token, and until when it counts, in seconds since 1970."""

    token: str
    until_s: int


async def make_token(caller: Caller, tokens: BrowserTokens | None, body: BrowserTokenBody, now_s: float) -> Made:
    """Make a token that reads what is available within the reach that the body names.

    A SKU that was renamed is named by its old name and by its new one: what changes is told by the new one.

    Raises
    ------
    InvalidError
        A field breaks a rule, or the SKUs have no room in a token.
    ProblemError
        There is no secret to sign with, or orders of the channel are refused.
    StoreUnavailableError
        What the SKUs are called now could not be looked up.

    """
    if tokens is None:
        raise ProblemError(problem("secret_key_missing"))
    body = in_reach(caller.principal, body)
    channel = "" if body.channel is None else check_channel("channel", body.channel)
    check_allowed(caller, channel)
    asked = [check_sku(f"skus[{i}]", sku) for i, sku in enumerate(body.skus or ())]
    skus = dict.fromkeys([*asked, *(await current(caller, asked) if asked else ())])
    until_s = int(now_s) + body.ttl_s
    token = tokens.make(caller.principal.key, caller.principal.partition, until_s, channel=channel, skus=list(skus))
    if len(token) > TEXT_MAX:
        raise InvalidError("skus", "have names too long for one token; name fewer")
    return Made(token, until_s)
