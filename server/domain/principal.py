"""Who may do what: scopes, API keys as they are kept, and the principal that a request acts as."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from server.domain.limits import DEFAULT_PARTITION, NAME_BYTES_MAX
from server.domain.spelling import fault, normal

PARTITION_PATTERN: Final = rf"[a-z0-9][a-z0-9_.-]{{0,{NAME_BYTES_MAX - 1}}}"
"""A partition becomes part of a store key, inside ``{…}``: braces in it would move the key to another slot."""
KEY_ID_PATTERN: Final = rf"[a-z0-9-]{{1,{NAME_BYTES_MAX}}}"
"""No underscore: it separates the id from the secret in ``hf_<id>_<secret>``."""
SHA256_PATTERN: Final = "[0-9a-f]{64}"
SYSTEM: Final = "system"
"""The actor of what nobody asked for: maintenance, and what is read for all streams of a partition."""
RESERVED_ACTORS: Final = frozenset({"local", SYSTEM})
"""Names in the journal for every caller of an open server, and for maintenance."""


class Scope(StrEnum):
    """One kind of thing that an API key may do.

    ``admin`` includes the others but ``metrics``, which tells of all partitions and not of the key's own alone. Each
    other one stands alone.
    """

    READ = "read"
    RESERVE = "reserve"
    STOCK = "stock"
    ADMIN = "admin"
    METRICS = "metrics"


ALL_SCOPES: Final = frozenset(Scope)


class Principal(msgspec.Struct, frozen=True):
    """Who a request acts as: ``actor`` goes into the journal, ``partition`` is the stock that it acts on."""

    actor: str
    partition: str
    scopes: frozenset[Scope]

    def allows(self, scope: Scope) -> bool:
        """Whether this principal may do what needs ``scope``."""
        return scope in self.scopes or (Scope.ADMIN in self.scopes and scope is not Scope.METRICS)


LOCAL: Final = Principal(actor="local", partition=DEFAULT_PARTITION, scopes=ALL_SCOPES)
"""Every caller of a server that only this machine can reach and for which no key was ever made."""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as it is kept: the SHA-256 of its secret in hexadecimal, never the secret.

    ``created_at`` is unknown for a key from the configuration file. A revoked key stays as a record, so that
    "no key was ever made" and "all keys were revoked" can be told apart.

    Raises
    ------
    ValueError
        A field breaks its rule; the message names the field and the rule, and shows no digest.

    """

    id: str
    sha256: str
    scopes: frozenset[Scope]
    partition: str = DEFAULT_PARTITION
    name: str = ""
    created_at: datetime | None = None
    revoked_at: datetime | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(KEY_ID_PATTERN, self.id):
            raise ValueError(f"key id {self.id!r} must be 1-{NAME_BYTES_MAX} of a-z, 0-9 and '-'")
        if self.id in RESERVED_ACTORS:
            raise ValueError(f"key id {self.id!r} is a name that the journal uses itself")
        if not re.fullmatch(SHA256_PATTERN, self.sha256):
            raise ValueError(f"key {self.id}: sha256 must be 64 hexadecimal digits in lower case")
        if not self.scopes:
            raise ValueError(f"key {self.id}: scopes must hold at least one of {', '.join(Scope)}")
        check_partition(self.partition)
        check_key_name(self.name)

    @property
    def revoked(self) -> bool:
        """Whether the key no longer opens anything."""
        return self.revoked_at is not None

    @property
    def principal(self) -> Principal:
        """Who a request with this key acts as."""
        return Principal(actor=self.id, partition=self.partition, scopes=self.scopes)


def check_partition(partition: str) -> None:
    """Refuse a partition that cannot be part of a store key.

    Raises
    ------
    ValueError
        It is not 1–64 characters of a-z, 0-9, ``_``, ``.`` and ``-``, or does not start with a letter or digit.

    """
    if not re.fullmatch(PARTITION_PATTERN, partition):
        raise ValueError(
            f"partition {partition!r} must be 1-{NAME_BYTES_MAX} of a-z, 0-9, '_', '.' and '-',"
            " and start with a letter or digit"
        )


def check_key_name(name: str) -> str:
    """Return the name of a key in its normal form; empty is allowed.

    Raises
    ------
    ValueError
        It is longer than 64 bytes, or holds characters that cannot be seen or printed. The message has the rule.

    """
    checked = normal(name)
    if not checked.isprintable() or len(checked.encode("utf-8", "surrogatepass")) > NAME_BYTES_MAX:
        raise ValueError(f"name {name!r} must be at most {NAME_BYTES_MAX} bytes of printable characters")
    reason = fault(checked)
    if reason:
        raise ValueError(f"name {name!r} {reason}")
    return checked
