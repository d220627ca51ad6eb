"""API keys over the wire: what limits them, and what is shown of them. A secret is shown once, where it is made."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from server.domain import limits
from server.domain.key_limits import REQUESTS_PER_S_MAX
from server.domain.principal import KEY_ID_PATTERN, Scope
from server.schemas.common import PRINTABLE_OR_EMPTY_SCHEMA, Body, Channel, Quantity, TtlS

ROTATION_S_DEFAULT = 86_400
"""How long the secret before is good after a rotation, where the request does not say."""

KeyId = Annotated[str, Meta(pattern=f"^{KEY_ID_PATTERN}$", description="Its second part: hf_ID_secret.")]
Scopes = Annotated[list[Scope], Meta(min_length=1, max_length=len(Scope), description="What the key may do.")]
KeyName = Annotated[
    str, Meta(max_length=limits.NAME_BYTES_MAX, description="Who uses it.", extra_json_schema=PRINTABLE_OR_EMPTY_SCHEMA)
]
RequestsPerS = Annotated[int, Meta(ge=1, le=REQUESTS_PER_S_MAX, description="Requests in a second.")]
ExpiresAt = Annotated[datetime, Meta(tz=True, description="It opens nothing from then on.")]


class KeyBody(Body, frozen=True):
    """A new key. What is left out is not limited.

    ``channel``: its reservations and orders are of that channel, and any other is refused. ``ttl_max_s``: the longest
    time that it holds units. ``requests_per_s``: how many requests it may make in a second, at all servers together.
    ``held_units_max``: how many units it may hold at a time; ``customer_units_max``: the same for each
    ``customer_ref``.
    """

    scopes: Scopes
    name: KeyName = ""
    channel: Channel | None = None
    ttl_max_s: TtlS | None = None
    expires_at: ExpiresAt | None = None
    requests_per_s: RequestsPerS | None = None
    held_units_max: Quantity | None = None
    customer_units_max: Quantity | None = None


class KeyChangeBody(Body, frozen=True):
    """A change of a key: what is left out stays, and null lifts a limit."""

    scopes: Scopes | msgspec.UnsetType = msgspec.UNSET
    name: KeyName | msgspec.UnsetType = msgspec.UNSET
    channel: Channel | msgspec.UnsetType | None = msgspec.UNSET
    ttl_max_s: TtlS | msgspec.UnsetType | None = msgspec.UNSET
    expires_at: ExpiresAt | msgspec.UnsetType | None = msgspec.UNSET
    requests_per_s: RequestsPerS | msgspec.UnsetType | None = msgspec.UNSET
    held_units_max: Quantity | msgspec.UnsetType | None = msgspec.UNSET
    customer_units_max: Quantity | msgspec.UnsetType | None = msgspec.UNSET


class KeyRotationBody(Body, frozen=True):
    """A new secret. ``previous_until``: the one before is good until then; left out: for a day."""

    previous_until: Annotated[datetime, Meta(tz=True)] | None = None


KeyState = Literal["open", "expired", "revoked"]


class KeyView(msgspec.Struct, frozen=True):
    """A key without its secret. ``last_used_at``: the hour in which it was used last, null: it never was.

    ``previous_until``: until then, the secret before the last rotation is good, too.
    """

    id: str
    name: str
    scopes: list[Scope]
    state: KeyState
    created_at: datetime | None
    channel: str | None
    ttl_max_s: int | None
    expires_at: datetime | None
    requests_per_s: int | None
    held_units_max: int | None
    customer_units_max: int | None
    last_used_at: datetime | None
    previous_until: datetime | None
    revoked_at: datetime | None


class NewKeyView(msgspec.Struct, frozen=True):
    """A key, and the token to send with it: this is the only time that it is shown."""

    token: str
    key: KeyView


class KeyList(msgspec.Struct, frozen=True):
    """The keys of a partition, the oldest first, revoked ones too."""

    keys: list[KeyView]
