"""API keys: made, listed, changed, rotated and revoked by an administrator of the same partition."""

from server.api.http.answer import Answer
from server.api.http.routing import Call, Route
from server.domain.principal import Scope
from server.schemas.api_keys import KeyBody, KeyChangeBody, KeyList, KeyRotationBody, KeyView, NewKeyView
from server.service import api_keys as service

_NOT_KEPT = {"Cache-Control": "no-store"}


async def create(call: Call) -> Answer[NewKeyView]:
    """Make a key. Its token is shown here and never again; a lost answer leaves a key that nobody can use."""
    made = await service.create(call.state.api_keys, call.caller.principal, call.body)
    return Answer(made, headers=_NOT_KEPT)


async def read_many(call: Call) -> KeyList:
    """List the keys of the store, revoked ones too. Those of a configuration file are not listed."""
    return await service.list_keys(call.state.api_keys, call.caller.principal.partition)


async def change(call: Call) -> KeyView:
    """Change what a key may do and what limits it; servers heed it within two seconds."""
    return await service.change(call.state.api_keys, call.caller.principal, call.named("key_id"), call.body)


async def rotate(call: Call) -> Answer[NewKeyView]:
    """Give a key a new secret. The one before is good for some time, so that nobody has to stop."""
    made = await service.rotate(call.state.api_keys, call.caller.principal, call.named("key_id"), call.body)
    return Answer(made, headers=_NOT_KEPT)


async def revoke(call: Call) -> KeyView:
    """Revoke a key for good; servers refuse it within two seconds."""
    return await service.revoke(call.state.api_keys, call.caller.principal, call.named("key_id"))


_ONE = "/v1/keys/{key_id}"

ROUTES = [
    Route("POST", "/v1/keys", create, Scope.ADMIN, "Make an API key", {201: NewKeyView}, KeyBody),
    Route("GET", "/v1/keys", read_many, Scope.ADMIN, "Every API key, and when it was used last", {200: KeyList}),
    Route(
        "PUT", _ONE, change, Scope.ADMIN, "Change what an API key may do", {200: KeyView}, KeyChangeBody,
        outcomes=("unknown_api_key", "api_key_revoked"),
    ),
    Route(
        "POST", _ONE + "/rotate", rotate, Scope.ADMIN, "Give an API key a new secret", {200: NewKeyView},
        KeyRotationBody, outcomes=("unknown_api_key", "api_key_revoked"),
    ),
    Route(
        "DELETE", _ONE, revoke, Scope.ADMIN, "Revoke an API key for good", {200: KeyView},
        outcomes=("invalid", "unknown_api_key"),
    ),
]  # fmt: skip
