"""API keys: created, limited, given a new secret, revoked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import UNSET, UnsetType

from holdfast.binding import ModeT, Resource, operation
from holdfast.calls import Call, adds, fields, name_in_path, read, sets
from holdfast.types import KeyList, KeyView, NewKeyView

Scope = Literal["admin", "availability", "metrics", "read", "reserve", "reserve:own", "stock"]


class Keys(Resource[ModeT]):
    """API keys of a partition."""

    @operation
    def create(
        self,
        *,
        scopes: Sequence[Scope],
        name: str | None = None,
        channel: str | None = None,
        ttl_max_s: int | None = None,
        expires_at: datetime | None = None,
        requests_per_s: int | None = None,
        held_units_max: int | None = None,
        customer_units_max: int | None = None,
    ) -> Call[NewKeyView]:
        """Create a key, whose token is shown this once. ``POST /v1/keys``.

        It is not sent again after a lost answer: the token of the key that was created then is lost.
        """
        find_out = "list the keys; if a new one is there whose token you never received, revoke it and create another"
        body = fields(
            scopes=scopes,
            name=name,
            channel=channel,
            ttl_max_s=ttl_max_s,
            expires_at=expires_at,
            requests_per_s=requests_per_s,
            held_units_max=held_units_max,
            customer_units_max=customer_units_max,
        )
        return adds("POST", "/v1/keys", NewKeyView, body, find_out=find_out)

    @operation
    def read_many(self) -> Call[KeyList]:
        """Read every key, and when it was used last. ``GET /v1/keys``."""
        return read("/v1/keys", KeyList)

    @operation
    def update(
        self,
        key_id: str,
        *,
        scopes: Sequence[Scope] | None = None,
        name: str | None = None,
        channel: str | UnsetType | None = UNSET,
        ttl_max_s: int | UnsetType | None = UNSET,
        expires_at: datetime | UnsetType | None = UNSET,
        requests_per_s: int | UnsetType | None = UNSET,
        held_units_max: int | UnsetType | None = UNSET,
        customer_units_max: int | UnsetType | None = UNSET,
    ) -> Call[KeyView]:
        """Change what a key may do. ``PUT /v1/keys/{key_id}``. What is left out stays, and None lifts a limit.

        Raises ``NotFound`` (unknown_api_key) and ``Refused`` (api_key_revoked).
        """
        limits = {
            "channel": channel,
            "ttl_max_s": ttl_max_s,
            "expires_at": expires_at,
            "requests_per_s": requests_per_s,
            "held_units_max": held_units_max,
            "customer_units_max": customer_units_max,
        }
        given = {limit: value for limit, value in limits.items() if value is not UNSET}
        return sets("PUT", _key(key_id), KeyView, fields(scopes=scopes, name=name) | given)

    @operation
    def rotate(self, key_id: str, *, previous_until: datetime | None = None) -> Call[NewKeyView]:
        """Give a key a new secret; the one before is good for some time. ``POST /v1/keys/{key_id}/rotate``.

        It is not sent again after a lost answer: a second one would end the secret that you have.

        Raises ``NotFound`` (unknown_api_key) and ``Refused`` (api_key_revoked).
        """
        find_out = (
            "list the keys; if `previous_until` is set, the key was rotated and its new secret is lost,"
            " so rotate it again"
        )
        return adds(
            "POST", f"{_key(key_id)}/rotate", NewKeyView, fields(previous_until=previous_until), find_out=find_out
        )

    @operation
    def revoke(self, key_id: str) -> Call[KeyView]:
        """Revoke a key for good. ``DELETE /v1/keys/{key_id}``.

        Raises ``NotFound`` (unknown_api_key).
        """
        return sets("DELETE", _key(key_id), KeyView)


def _key(key_id: str) -> str:
    return f"/v1/keys/{name_in_path(key_id)}"
