"""How long a channel's items wait between tries, and when Holdfast gives up on one."""

import random
from typing import Final

REFUSALS_MAX: Final = 8
"""Tries of an item that the channel answers with "try again"; then it is a dead letter. With the pauses below they span
two minutes on average and four at most, so a short lock at the channel makes no dead letter."""
RETRY_FIRST_S: Final = 1.0
"""The base of an item's pauses: the first lasts between half of it and twice as long."""
RETRY_LONGEST_S: Final = 300.0
"""The longest pause of an item: bounds how long a channel that takes it again shows the old value."""
RESEND_AFTER_S: Final = 60.0
"""A request without an answer may take effect at the channel after a newer one. A minute is four times the timeout of a
request, so it must be over by then, and the value is sent once more."""
DEAD_LETTER_PAUSE_S: Final = 60.0
"""A dead letter whose stock keeps changing is tried once a minute: more would spend the limits on refusals."""
WAIT_S_MAX: Final = 60.0
"""The longest wait of a channel at one go: its rules or limits may change meanwhile, or it may be revived after a halt,
and nothing else ends the wait."""
COMPANION_WAIT_S: Final = 1.0
"""How long a push waits that would repeat an identical body, until another SKU is free to accompany it."""
_DOUBLINGS_MAX: Final = 20
"""More than the longest pause needs; keeps the power of two small."""


def backoff_s(tries: int) -> float:
    """Return a random pause in seconds after so many tries of one item, doubling up to :data:`RETRY_LONGEST_S`."""
    most_s = min(RETRY_LONGEST_S, RETRY_FIRST_S * 2 ** min(tries, _DOUBLINGS_MAX))
    return random.uniform(RETRY_FIRST_S / 2, most_s)  # noqa: S311  # spreads load, protects nothing


def conflict_wait_s(tries: int) -> float:
    """Return the pause in seconds after the channel showed another value: none at first, since now it is known."""
    return 0.0 if tries < REFUSALS_MAX else backoff_s(tries)


def is_given_up(refusals: int) -> bool:
    """Return whether an item that was refused so often becomes a dead letter."""
    return refusals >= REFUSALS_MAX


def dead_letter_wait_s(last_ms: int, now_ms: int) -> float:
    """Return for how many seconds a dead letter that was last tried at ``last_ms`` is not tried again.

    A time in the future is of a clock that has gone back since: it says nothing.
    """
    since_s = (now_ms - last_ms) / 1000
    return max(0.0, DEAD_LETTER_PAUSE_S - since_s) if since_s >= 0 else 0.0
