"""The settings of the embedded store, each with its reason, written as ``store.conf``."""

import os
from typing import Final

from server.store.connection.clients import Durability
from server.store.connection.slow_calls import KEPT_MAX, LOGGED_FROM_US
from server.store.embedded.files import DataDirectory

_FSYNC: Final[dict[Durability, str]] = {"durable": "always", "replicated": "always", "fast": "everysec"}


def fsync_policy(durability: Durability) -> str:
    """Return the ``appendfsync`` of a durability."""
    return _FSYNC[durability]


def enforced(durability: Durability) -> dict[str, str]:
    """The settings that the guarantees need; an adopted store gets them, too."""
    return {
        "appendfsync": fsync_policy(durability),
        # "yes" would switch fsync off during each rewrite of the AOF, and break the guarantee.
        "no-appendfsync-on-rewrite": "no",
        # An evicted key would sell the same unit twice.
        "maxmemory-policy": "noeviction",
    }


def render(directory: DataDirectory, durability: Durability) -> bytes:
    """Write the whole configuration file for a store in ``directory``."""
    settings = {
        # Only this machine and this user: no TCP, and a socket that no other user can open.
        "port": "0",
        "unixsocket": os.fspath(directory.socket),
        "unixsocketperm": "700",
        "protected-mode": "yes",
        "enable-debug-command": "no",
        "enable-module-command": "no",
        "daemonize": "no",
        "supervised": "no",
        "databases": "1",
        "dir": os.fspath(directory.path),
        "pidfile": os.fspath(directory.pid),
        "logfile": os.fspath(directory.log),
        "loglevel": "notice",
        # The AOF is the one truth; an RDB snapshot beside it would only cost a fork now and then.
        "save": "",
        "appendonly": "yes",
        "appenddirname": directory.append_only.name,
        "appendfilename": "appendonly.aof",
        # A power cut may leave a half-written last script. It was never acknowledged: drop it and start.
        "aof-load-truncated": "yes",
        # The base as RDB loads several times faster than the commands it stands for.
        "aof-use-rdb-preamble": "yes",
        # A restart replays at most about the data's own size and this floor, which is a few seconds. The default
        # of 64 MB would have a busy shop fork every few seconds while it is still small.
        "auto-aof-rewrite-percentage": "100",
        "auto-aof-rewrite-min-size": "256mb",
        # During a rewrite, flush every 4 MB: one flush of a whole file would stall the fsyncs of the sales.
        "aof-rewrite-incremental-fsync": "yes",
        # Large values (old journal nodes, ended reservations) are freed by a thread, not between two sales.
        "lazyfree-lazy-expire": "yes",
        "lazyfree-lazy-server-del": "yes",
        "lazyfree-lazy-user-del": "yes",
        "lazyfree-lazy-user-flush": "yes",
        # A (SKU, location) is a hash of a few short integers: kept in one compact block of memory. Larger
        # hashes (records of reservations) are true hash tables, where a field costs the same at any size.
        "hash-max-listpack-entries": "128",
        "hash-max-listpack-value": "64",
        # Rehash a growing table in idle time (1 ms in 100), so that fewer sales carry the move of a bucket.
        "activerehashing": "yes",
        # Huge pages make the first write after a fork copy 2 MB instead of 4 kB.
        "disable-thp": "yes",
        # What holdfast_script_seconds is made of: calls that take a millisecond, of the last seconds.
        # A backup asks for a snapshot as a replica does; no second one comes that it would be worth waiting for.
        "repl-diskless-sync-delay": "0",
        "slowlog-log-slower-than": str(LOGGED_FROM_US),
        "slowlog-max-len": str(KEPT_MAX),
        # No limit: the operator's container has one, and a full store must refuse, never evict.
        "maxmemory": "0",
        # The server keeps idle connections open on purpose.
        "timeout": "0",
        **enforced(durability),
    }
    head = b"# Written by Holdfast at each start: changes made here are lost.\n"
    return head + b"".join(b"%s %s\n" % (name.encode(), _quoted(value)) for name, value in settings.items())


def _quoted(value: str) -> bytes:
    """Quote a value for the configuration file; a path may hold spaces, quotes, any byte."""
    raw = os.fsencode(value)
    return b'"' + b"".join(bytes([byte]) if _is_plain(byte) else b"\\x%02x" % byte for byte in raw) + b'"'


def _is_plain(byte: int) -> bool:
    return chr(byte).isascii() and chr(byte).isprintable() and byte not in b'"\\'
