"""How the record of an API key is written and read: JSON, which an operator can read, and safely by other releases.

A release that does not know a limit must not give a key without it. ``scopes`` is what every release reads, and a word
there that it does not know makes the record unreadable: the key opens nothing. So a record with limits has one more
word among its scopes. A release that adds a kind of limit adds a word of its own for keys that have one.
"""

from typing import Any, Final

import msgspec

from server.domain.key_limits import NO_TERMS
from server.domain.principal import ApiKey

LIMITED: Final = "limited"
"""Among the scopes of a record: it has limits that 0.1.0 does not know."""
_OF_TERMS: Final = {"requests_per_s": "rated", "held_units_max": "quota", "customer_units_max": "quota"}
"""The further words, by the term that is another kind of limit than those which came first."""
_WORDS: Final = frozenset({LIMITED, *_OF_TERMS.values()})
_LATER: Final = frozenset({"terms", "previous"})
"""Fields that are left out where a key has nothing of the kind, so that its record is as 0.1.0 writes it."""


def encoded(key: ApiKey) -> bytes:
    """Write the record of a key."""
    record = {name: value for name, value in msgspec.to_builtins(key).items() if name not in _LATER or value}
    if key.terms != NO_TERMS:
        further = {word for term, word in _OF_TERMS.items() if getattr(key.terms, term)}
        record["scopes"] = [*record["scopes"], LIMITED, *sorted(further)]
    return msgspec.json.encode(record)


def decoded(key_id: str, record: bytes | str) -> ApiKey | None:
    """Read the record of a key; None: it cannot be read, or is another key's."""
    try:
        fields = msgspec.json.decode(record, type=dict[str, Any])
        scopes = fields.get("scopes")
        if isinstance(scopes, list):
            fields["scopes"] = [each for each in scopes if each not in _WORDS]
        key = msgspec.convert(fields, ApiKey)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return key if key.id == key_id else None


def shown(key: ApiKey) -> str:
    """Write what a key may do, without its hashes, for the journal."""
    said: dict[str, Any] = {"name": key.name, "scopes": sorted(key.scopes)}
    if key.terms != NO_TERMS:
        said |= msgspec.to_builtins(key.terms)
    if key.previous is not None:
        said["previous_until"] = key.previous.until
    return msgspec.json.encode(said).decode()
