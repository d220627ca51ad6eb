"""The console's sessions and roles: what a person gets for an API key, and what they may do by its scopes."""

import hmac
from hashlib import sha256
from typing import Final, Literal

import msgspec

from server.domain.principal import Principal, Scope

Role = Literal["owner", "counter", "stock", "orders", "read"]
SESSION_BYTES: Final = 32
_BOUND_DIGITS: Final = 16
_PURPOSE: Final = b"hf-console-csrf"


class ConsoleSession(msgspec.Struct, array_like=True, frozen=True):
    """A person at a page: signed in with the key ``key_id``, as ``person``, until ``until_s`` at the latest.

    ``bound``: the beginning of the key's hash, so that another key under the same id does not take the session over.
    """

    version: int
    key_id: str
    bound: str
    person: str
    until_s: int


def bound_to(digest: bytes) -> str:
    """Return what binds a session to the key with this hash."""
    return digest.hex()[:_BOUND_DIGITS]


def csrf_token(token: str) -> str:
    """Return what a page sends beside its session's cookie, which another page cannot know."""
    return hmac.digest(token.encode(), _PURPOSE, sha256).hex()


def role_of(principal: Principal) -> Role:
    """Return the role of whoever has these scopes: which screens are of use to them. The API decides what they may."""
    if principal.allows(Scope.ADMIN):
        return "owner"
    if principal.allows(Scope.STOCK):
        return "counter" if principal.allows(Scope.RESERVE) else "stock"
    return "orders" if principal.allows(Scope.RESERVE) else "read"


def signed(principal: Principal, person: str) -> Principal:
    """Return who acts in a session: the key's principal, under the name ``KEY/PERSON`` in the journal."""
    return msgspec.structs.replace(principal, actor=f"{principal.key}/{person}")
