"""What is sent and answered: keys.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from datetime import datetime

import msgspec


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret. ``last_used_at``: the hour in which it was used last, null: it never was.

    ``previous_until``: until then, the secret before the last rotation is good, too.
    """

    id: str
    name: str
    scopes: list[str]
    state: str
    """One of: expired, open, revoked."""
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


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a partition, the oldest first, revoked ones too."""

    keys: list[KeyView]


class NewKeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key, and the token to send with it: this is the only time that it is shown."""

    token: str
    key: KeyView
