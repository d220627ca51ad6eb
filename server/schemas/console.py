"""The console's sessions over the wire: what a person signs in with, and what a page has to know of it."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain.console import Role
from server.domain.limits import NAME_BYTES_MAX
from server.domain.principal import Scope
from server.schemas.common import PRINTABLE_SCHEMA, Body

Person = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=NAME_BYTES_MAX,
        description="Who signs in: 1–64 bytes of printable UTF-8.",
        extra_json_schema=PRINTABLE_SCHEMA,
    ),
]


class SignInBody(Body, frozen=True):
    """Who signs in. The history has them beside the key."""

    person: Person


class SessionView(msgspec.Struct, frozen=True):
    """Who asks, and what they may do.

    ``role``: what the console shows of itself, by the scopes. ``person`` empty: a key was sent, or none is needed.
    ``csrf_token``: what requests of this session that change something repeat; empty: there is no session. ``open``:
    the server has no key yet, so nobody has to sign in.
    """

    key_id: str
    key_name: str
    partition: str
    scopes: list[Scope]
    role: Role
    person: str
    open: bool
    csrf_token: str
    expires_at: datetime | None


class SignedOutView(msgspec.Struct, frozen=True):
    """``signed_out`` false: there was no session."""

    signed_out: bool
