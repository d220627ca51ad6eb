"""Browsers' tokens over the wire: what a shop's server asks for, and what it hands to its pages."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain import browser_tokens
from server.schemas.common import Body, Channel, Sku

LifeS = Annotated[
    int,
    Meta(
        ge=browser_tokens.LIFE_S_MIN,
        le=browser_tokens.LIFE_S_MAX,
        description="Seconds; from a minute to an hour.",
    ),
]


class BrowserTokenBody(Body, frozen=True):
    """For how long, for which SKUs (left out: all), and for which channel (left out: what everybody can reserve)."""

    ttl_s: LifeS = browser_tokens.LIFE_S_DEFAULT
    channel: Channel | None = None
    skus: Annotated[list[Sku], Meta(min_length=1, max_length=browser_tokens.SKUS_MAX)] | None = None


class BrowserTokenView(msgspec.Struct, frozen=True):
    """A token, and until when it counts."""

    token: str
    expires_at: datetime
