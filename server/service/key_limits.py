"""What the limits of a key mean for a request: which channel it names, and how long it holds."""

from typing import Final

from server.domain.key_limits import KeyLimits, Quota
from server.domain.spelling import normal
from server.service.checks import InvalidError
from server.service.problems import ProblemError, problem

_OTHER_CHANNEL: Final = "This key is bound to the channel {}. Send that one, or use another key. Nothing changed."


def check_channel_of_key(limits: KeyLimits, channel: str) -> None:
    """Refuse a channel that a key is not bound to.

    Raises
    ------
    ProblemError
        It is bound to another one.

    """
    if limits.channel and normal(channel) != limits.channel:
        raise ProblemError(problem("forbidden", _OTHER_CHANNEL.format(limits.channel)))


def check_customer(quota: Quota) -> None:
    """Refuse a reserve that names no customer, where a key has a quota for each.

    Raises
    ------
    InvalidError
        It has one.

    """
    if quota.customer_units_max:
        raise InvalidError("customer_ref", "is required: this key may hold so many units for each customer")


def held_s(limits: KeyLimits, asked_s: int | None, default_s: int) -> int:
    """Return for how many seconds a key holds; ``asked_s`` None: as long as all do, or as it may.

    Raises
    ------
    InvalidError
        It asks for longer than it may.

    """
    if not limits.ttl_max_s:
        return default_s if asked_s is None else asked_s
    if asked_s is not None and asked_s > limits.ttl_max_s:
        raise InvalidError("ttl_s", f"must be at most {limits.ttl_max_s:,}: this key holds no longer")
    return min(default_s if asked_s is None else asked_s, limits.ttl_max_s)
