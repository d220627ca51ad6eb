"""Open files of a process: each connection is one, and a server that runs out of them hears nobody any more."""

import resource
from typing import Final

import structlog

log = structlog.get_logger("holdfast")

FILES_KEPT: Final = 200
"""What is kept for everything but callers: the store, channels, logs, files of metrics."""
_FILES_ENOUGH: Final = 1_048_576
"""Where the hard limit is no limit, this much is asked for; some systems refuse more."""


def raise_file_limit() -> tuple[int, int]:
    """Raise the soft limit of open files to the hard one; return the soft limit before and now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_ENOUGH if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # the system has a limit of its own below the hard one
            return soft, soft
    return soft, max(soft, wanted)


def connections_within(wanted: int) -> int:
    """Return how many connections there may be: as many as wanted, or as the limit of open files allows."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(soft - FILES_KEPT, soft // 2))


def connections_allowed(wanted: int) -> int:
    """Return how many connections there may be, and log where that is fewer than wanted."""
    allowed = connections_within(wanted)
    if allowed < wanted:
        log.warning(
            "connections_limited_by_files",
            connections_max=allowed,
            wanted=wanted,
            advice="raise the hard limit of open files: ulimit -Hn, LimitNOFILE of systemd, ulimits of compose",
        )
    return allowed


def streams_within(wanted: int, connections_wanted: int) -> int:
    """Return how many change streams there may be: as many as wanted, with a quarter of the connections left."""
    return max(1, min(wanted, connections_within(connections_wanted) * 3 // 4))
