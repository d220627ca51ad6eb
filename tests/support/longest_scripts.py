"""The longest calls of our functions inside the stores of a run, printed at its end.

Every store that a test starts keeps a slow log, which is read before it ends. On a machine that has nothing else to do
no call may take longer than :data:`LIMIT_US`; on a busy one the figures say little, so this asserts nothing.
"""

import contextlib
from collections.abc import Mapping
from typing import Any, Final

import redis

from server.store.connection.slow_calls import LIMIT_US, slow_calls

SETTINGS: Final = {"slowlog-log-slower-than": "2000", "slowlog-max-len": "10000"}
"""Microseconds: shorter calls need not be told."""
_SHOWN: Final = 8
longest_us: dict[str, int] = {}
"""The longest call of each function, over all stores of this process."""


def take(client: Any) -> None:
    """Read a store's slow log; one that gives no answer has none."""
    with contextlib.suppress(redis.RedisError, OSError):
        for call in slow_calls(client.slowlog_get(10_000)):
            if call.is_ours:
                merge({call.name: call.microseconds})


def merge(more_us: Mapping[str, int]) -> None:
    """Take in what another process has found."""
    for name, microseconds in more_us.items():
        longest_us[name] = max(longest_us.get(name, 0), microseconds)


def summary() -> str:
    """Say what the longest calls were."""
    if not longest_us:
        return "longest scripts: none of 2 ms"
    ordered = sorted(longest_us.items(), key=lambda each: -each[1])[:_SHOWN]
    shown = ", ".join(f"{name} {microseconds / 1000:.1f} ms" for name, microseconds in ordered)
    beyond = sum(microseconds > LIMIT_US for microseconds in longest_us.values())
    return f"longest scripts: {shown}; functions beyond {LIMIT_US / 1000:g} ms: {beyond}"
