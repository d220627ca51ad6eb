"""Who may do what: scopes, API keys as they are kept, and the principal that a request acts as."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from server.domain.key_limits import NO_LIMITS, NO_TERMS, KeyLimits, KeyTerms, Quota, check_key_text
from server.domain.limits import DEFAULT_PARTITION, NAME_BYTES_MAX

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
    other one stands alone. ``availability`` opens what a browser's token opens, so it may stand in a page.
    ``reserve:own`` reserves, and commits, releases and reads what the key itself has reserved.
    """

    READ = "read"
    RESERVE = "reserve"
    STOCK = "stock"
    ADMIN = "admin"
    METRICS = "metrics"
    AVAILABILITY = "availability"
    RESERVE_OWN = "reserve:own"


ALL_SCOPES: Final = frozenset(Scope)


OF_CHANNELS: Final = frozenset({Scope.READ, Scope.RESERVE, Scope.AVAILABILITY, Scope.RESERVE_OWN})
"""Scopes that a key which is bound to one channel can have: the others are about all channels, or about none."""


class Needs(msgspec.Struct, frozen=True):
    """What a route needs: the scope, or ``also``. ``bound``: a key of one channel may open it, and is kept to that."""

    scope: Scope
    also: Scope | None = None
    bound: bool = False

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Each of them opens it."""
        return (self.scope,) if self.also is None else (self.scope, self.also)


class Reach(msgspec.Struct, frozen=True):
    """To what availability a browser's token narrows its key, until when (seconds since 1970); or a key itself is.

    ``until_s`` 0: it is of a key that is bound to a channel. ``skus`` empty: all of them. ``channel`` empty: what
    everybody can reserve; else what that channel can.
    """

    until_s: int
    channel: str = ""
    skus: frozenset[str] = frozenset()


class Principal(msgspec.Struct, frozen=True):
    """Who a request acts as: ``actor`` goes into the journal, ``partition`` is the stock that it acts on.

    ``reach`` None: it reads of all availability. ``key``: the id of the key, by which turns and shares are
    counted; left out: ``actor``. Where a person signed in with it, the actor is ``KEY/PERSON``. ``limits`` None: it may
    do all that its scopes say.
    """

    actor: str
    partition: str
    scopes: frozenset[Scope]
    reach: Reach | None = None
    key: str = ""
    limits: KeyLimits | None = None

    def __post_init__(self) -> None:
        if not self.key:
            msgspec.structs.force_setattr(self, "key", self.actor)

    def may(self, needs: Needs) -> bool:
        """Whether this principal may open what needs this."""
        if not self.allows(needs.scope, needs.also):
            return False
        return self.limits is None or needs.bound or not self.limits.channel

    @property
    def is_person(self) -> bool:
        """Whether a person signed in with the key."""
        return self.actor != self.key

    def allows(self, scope: Scope, also: Scope | None = None) -> bool:
        """Whether this principal may do what needs ``scope``, or ``also``."""
        scopes = self.scopes
        return scope in scopes or also in scopes or (Scope.ADMIN in scopes and scope is not Scope.METRICS)


LOCAL: Final = Principal(actor="local", partition=DEFAULT_PARTITION, scopes=ALL_SCOPES)
"""Every caller of a server that only this machine can reach and for which no key was ever made."""


class PreviousSecret(msgspec.Struct, frozen=True):
    """The SHA-256 of the secret before the last rotation, in hexadecimal, which is good until a time."""

    sha256: str
    until: datetime

    def __post_init__(self) -> None:
        if not re.fullmatch(SHA256_PATTERN, self.sha256):
            raise ValueError("previous: sha256 must be 64 hexadecimal digits in lower case")


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as it is kept: the SHA-256 of its secret in hexadecimal, never the secret.

    ``created_at`` is unknown for a key from the configuration file. A revoked key stays as a record, so that
    "no key was ever made" and "all keys were revoked" can be told apart. ``previous``: the secret before the last
    rotation.

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
    terms: KeyTerms = NO_TERMS
    previous: PreviousSecret | None = None

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
        if self.terms.channel and not self.scopes <= OF_CHANNELS:
            raise ValueError(
                f"key {self.id}: a key that is bound to a channel has no scopes but {', '.join(sorted(OF_CHANNELS))}"
            )

    def is_open(self, now: datetime) -> bool:
        """Whether the key opens anything at a time."""
        expires_at = self.terms.expires_at
        return not self.revoked and (expires_at is None or now < expires_at)

    @property
    def revoked(self) -> bool:
        """Whether the key no longer opens anything."""
        return self.revoked_at is not None

    @property
    def principal(self) -> Principal:
        """Who a request with this key acts as."""
        limits, channel = _limits_of(self.id, self.scopes, self.terms), self.terms.channel
        return Principal(
            actor=self.id,
            partition=self.partition,
            scopes=self.scopes,
            reach=Reach(0, channel) if channel else None,
            limits=None if limits == NO_LIMITS else limits,
        )


def _limits_of(key_id: str, scopes: frozenset[Scope], terms: KeyTerms) -> KeyLimits:
    """Return the limits of a key; a scope for its own reservations is one where no other scope opens more."""
    own = Scope.RESERVE_OWN in scopes and Scope.ADMIN not in scopes
    has_quota = terms.held_units_max or terms.customer_units_max
    return KeyLimits(
        writes_own=own and Scope.RESERVE not in scopes,
        reads_own=own and Scope.READ not in scopes,
        channel=terms.channel,
        ttl_max_s=terms.ttl_max_s,
        requests_per_s=terms.requests_per_s,
        quota=Quota(key_id, terms.held_units_max, terms.customer_units_max) if has_quota else None,
    )


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
    """Return the name of a key in its normal form; empty is allowed. Raises ValueError, whose message has the rule."""
    return check_key_text("name", name)
