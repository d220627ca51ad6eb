"""What the store's slow log says: which of our functions, or which command, took how long inside the store.

Only the store knows that. The time of a batch includes the queue, the network and the fsync, and a script cannot
measure itself: its clock stands still while it runs.
"""

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

LOGGED_FROM_US: Final = 1_000
"""From so many microseconds on a store should note its commands: a script that has little to do takes a tenth of it."""
KEPT_MAX: Final = 512
"""Entries that a store should keep: those of some seconds."""
LIMIT_US: Final = 8_000
"""No call should take longer on a machine that has nothing else to do: all others wait for it."""

_DIGEST: Final = re.compile(rb"_[0-9a-f]{12}$")
_CALLS: Final = frozenset({b"FCALL", b"FCALL_RO"})


class SlowCall(NamedTuple):
    """One entry; ``id`` grows by one for each. ``name``: of the function, without its digest, or of the command.

    ``is_ours``: it is a call of one of our functions.
    """

    id: int
    name: str
    microseconds: int
    is_ours: bool


def slow_calls(entries: Iterable[Any]) -> list[SlowCall]:
    """Read the reply of SLOWLOG GET, whether redis-py has taken it apart or not."""
    found = []
    for entry in entries:
        if isinstance(entry, dict):
            number, microseconds, words = entry["id"], entry["duration"], entry["command"].split(b" ", 2)
        else:
            number, _, microseconds, words, *_ = entry
        found.append(_slow_call(int(number), int(microseconds), words))
    return found


def _slow_call(number: int, microseconds: int, words: list[bytes]) -> SlowCall:
    command = words[0].upper()
    is_ours = command in _CALLS and len(words) > 1 and _DIGEST.search(words[1]) is not None
    name = _DIGEST.sub(b"", words[1]) if is_ours else command
    return SlowCall(number, name.decode("utf-8", "replace"), microseconds, is_ours)
