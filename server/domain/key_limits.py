"""What an API key may do less than its scopes say: its terms, and what follows for its requests."""

from datetime import datetime
from typing import Final

import msgspec

from server.domain.limits import NAME_BYTES_MAX, QUANTITY_MAX, TTL_S_MAX
from server.domain.spelling import fault, normal

REQUESTS_PER_S_MAX: Final = 100_000
"""More than any server answers."""


class KeyTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a key was limited to by whoever made it; what is not limited has its default.

    ``channel``: its reservations and orders are of that channel, and any other is refused. ``ttl_max_s``: the longest
    time that it holds units, counted from when they were reserved. ``expires_at``: it opens nothing from then on.
    ``requests_per_s``: how many requests it may make in a second, at all servers together. ``held_units_max``: how many
    units it may hold at a time; ``customer_units_max``: the same for each ``customer_ref``, which a reserve then names.

    Raises
    ------
    ValueError
        A term breaks its rule; the message names it and the rule.

    """

    channel: str = ""
    ttl_max_s: int = 0
    expires_at: datetime | None = None
    requests_per_s: int = 0
    held_units_max: int = 0
    customer_units_max: int = 0

    def __post_init__(self) -> None:
        if self.channel:
            check_key_text("channel", self.channel)
        if not 0 <= self.ttl_max_s <= TTL_S_MAX:
            raise ValueError(f"ttl_max_s {self.ttl_max_s} must be 1 to {TTL_S_MAX} seconds")
        for name in ("held_units_max", "customer_units_max"):
            if not 0 <= getattr(self, name) <= QUANTITY_MAX:
                raise ValueError(f"{name} {getattr(self, name)} must be 1 to {QUANTITY_MAX} units")
        if not 0 <= self.requests_per_s <= REQUESTS_PER_S_MAX:
            raise ValueError(f"requests_per_s {self.requests_per_s} must be 1 to {REQUESTS_PER_S_MAX}")
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise ValueError(f"expires_at {self.expires_at} must have a time zone, such as a Z behind it for UTC")


NO_TERMS = KeyTerms()


class Quota(msgspec.Struct, frozen=True):
    """How many units may be held with a key at a time, and of them for one customer; 0: as many as there are.

    ``key``: the id under which ``lua/lib/quotas.lua`` counts them. ``text``: how it travels there, made once.
    """

    key: str
    units_max: int
    customer_units_max: int
    text: str = ""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "text", f"{self.units_max} {self.customer_units_max} {self.key}")


class KeyLimits(msgspec.Struct, frozen=True):
    """How a request is narrower than the scopes of its key; what is not limited has its default.

    ``writes_own``, ``reads_own``: of reservations it changes, or reads, those alone that the key has made. The
    others are as of :class:`KeyTerms`.
    """

    writes_own: bool = False
    reads_own: bool = False
    channel: str = ""
    ttl_max_s: int = 0
    requests_per_s: int = 0
    quota: Quota | None = None


NO_LIMITS = KeyLimits()


def check_key_text(what: str, text: str) -> str:
    """Return a name that stands in the record of a key, in its normal form; empty is allowed.

    Raises
    ------
    ValueError
        It is longer than 64 bytes, or holds characters that cannot be seen or printed. The message has the rule.

    """
    checked = normal(text)
    if not checked.isprintable() or len(checked.encode("utf-8", "surrogatepass")) > NAME_BYTES_MAX:
        raise ValueError(f"{what} {text!r} must be at most {NAME_BYTES_MAX} bytes of printable characters")
    reason = fault(checked)
    if reason:
        raise ValueError(f"{what} {text!r} {reason}")
    return checked
