"""API keys by request: made, listed, changed, rotated and revoked, within the partition of whoever asks."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec.structs import asdict, replace

from server.domain.key_limits import KeyTerms
from server.domain.principal import OF_CHANNELS, ApiKey, Principal, Scope, check_key_name
from server.schemas.api_keys import (
    ROTATION_S_DEFAULT,
    KeyBody,
    KeyChangeBody,
    KeyList,
    KeyRotationBody,
    KeyState,
    KeyView,
    NewKeyView,
)
from server.service.checks import InvalidError, check_channel
from server.service.problems import ProblemError, problem
from server.store.repositories.api_keys import ApiKeyStore, RevokedKeyError

ROTATION_S_MAX: Final = 90 * 86_400
"""A secret that is replaced is not good for ever."""
_TERMS: Final = KeyTerms.__struct_fields__


async def create(store: ApiKeyStore, principal: Principal, body: KeyBody) -> NewKeyView:
    """Make a key in the caller's partition.

    Raises
    ------
    InvalidError
        A field breaks a rule.
    ProblemError
        The caller may not give a scope that is about all partitions.
    StoreUnavailableError
        The store did not answer. A key may have been made whose secret nobody knows.

    """
    _check_scopes(principal, body.scopes)
    name, terms = _named(body.name), _terms({name: getattr(body, name) for name in _TERMS})
    _check_channel(body.scopes, terms.channel)
    token, key = await store.create(body.scopes, principal.partition, name, terms, principal.actor)
    return NewKeyView(token, view_of(key, {}, datetime.now(UTC)))


async def list_keys(store: ApiKeyStore, partition: str) -> KeyList:
    """List the keys of a partition. Raises StoreUnavailableError."""
    used, now = await store.used(), datetime.now(UTC)
    return KeyList([view_of(key, used, now) for key in await store.list() if key.partition == partition])


async def change(store: ApiKeyStore, principal: Principal, key_id: str, body: KeyChangeBody) -> KeyView:
    """Change what a key may do; requests with it heed that within two seconds.

    Raises
    ------
    InvalidError
        A field breaks a rule.
    ProblemError
        There is no such key in the caller's partition, it is revoked, or a scope may not be given.
    StoreUnavailableError
        The store did not answer: it may or may not be changed. Send it again.

    """
    if isinstance(body.scopes, list):
        _check_scopes(principal, body.scopes)
    sent = {name: value for name, value in asdict(body).items() if value is not msgspec.UNSET}
    named = {"name": _named(sent["name"])} if "name" in sent else {}
    terms = {name: sent[name] for name in _TERMS if name in sent}
    _terms(terms)  # before anything is read

    def changed(key: ApiKey) -> ApiKey:
        scopes = frozenset(sent.get("scopes", key.scopes))
        of_key = _terms(asdict(key.terms) | terms, checks_time="expires_at" in terms)
        _check_channel(scopes, of_key.channel)
        return replace(key, scopes=scopes, terms=of_key, **named)

    key = await _known(store.change(key_id, changed, principal.partition, principal.actor))
    return view_of(key, await store.used(), datetime.now(UTC))


async def rotate(store: ApiKeyStore, principal: Principal, key_id: str, body: KeyRotationBody) -> NewKeyView:
    """Give a key a new secret; the one before stays good for a time. Raises as :func:`change`."""
    now = datetime.now(UTC)
    until = now + timedelta(seconds=ROTATION_S_DEFAULT) if body.previous_until is None else body.previous_until
    if until > now + timedelta(seconds=ROTATION_S_MAX):
        raise InvalidError("previous_until", f"must be within {ROTATION_S_MAX // 86_400} days")
    token, key = await _known(store.rotate(key_id, until.astimezone(UTC), principal.partition, principal.actor))
    return NewKeyView(token, view_of(key, await store.used(), now))


async def revoke(store: ApiKeyStore, principal: Principal, key_id: str) -> KeyView:
    """Revoke a key for good; to do it again changes nothing. Raises as :func:`change`."""
    key = await _known(store.revoke(key_id, principal.partition, principal.actor))
    return view_of(key, await store.used(), datetime.now(UTC))


def view_of(key: ApiKey, used: Mapping[str, datetime], now: datetime) -> KeyView:
    """Show a key. ``used``: when keys were used last."""
    state: KeyState = "revoked" if key.revoked else "open" if key.is_open(now) else "expired"
    previous = key.previous
    return KeyView(
        id=key.id,
        name=key.name,
        scopes=sorted(key.scopes),
        state=state,
        created_at=key.created_at,
        last_used_at=used.get(key.id),
        previous_until=None if previous is None or previous.until <= now else previous.until,
        revoked_at=key.revoked_at,
        **{name: value or None for name, value in asdict(key.terms).items()},
    )


async def _known(answer: Any) -> Any:
    try:
        found = await answer
    except RevokedKeyError as error:
        raise ProblemError(problem("api_key_revoked", f"{error} Nothing changed.")) from None
    if found is None:
        raise ProblemError(problem("unknown_api_key"))
    return found


def _named(name: str) -> str:
    try:
        return check_key_name(name)
    except ValueError as error:
        raise InvalidError("name", str(error)) from None


def _terms(fields: Mapping[str, Any], *, checks_time: bool = True) -> KeyTerms:
    """Make the terms of fields, of which None, or the default, is one that is not limited."""
    given = {name: value for name, value in fields.items() if value}
    try:
        if "channel" in given:
            given["channel"] = check_channel("channel", given["channel"])
        terms = KeyTerms(**given)
    except ValueError as error:
        raise InvalidError(str(error).partition(" ")[0], str(error).partition(" ")[2]) from None
    if checks_time and terms.expires_at is not None and terms.expires_at <= datetime.now(UTC):
        raise InvalidError("expires_at", "must lie ahead; to end the key now, revoke it")
    return terms


def _check_scopes(principal: Principal, scopes: Iterable[Scope]) -> None:
    if Scope.METRICS in scopes and not principal.allows(Scope.METRICS):
        detail = "The metrics tell of all partitions: only a key with the scope metrics can give it. Nothing changed."
        raise ProblemError(problem("forbidden", detail))


def _check_channel(scopes: Iterable[Scope], channel: str) -> None:
    others = sorted(set(scopes) - OF_CHANNELS)
    if channel and others:
        raise InvalidError("channel", f"binds keys of single channels; {', '.join(others)} is about all of them")
