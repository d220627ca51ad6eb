"""The settings that a store must have for the guarantees: checked before the first request, watched afterwards."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from server.store.connection.clients import Durability
from server.store.connection.connect_errors import address, unavailable
from server.store.errors import StoreMisconfiguredError, StoreUnavailableError

VERSION_MIN: Final = (7, 0)
"""The first with script flags (allow-oom) and a multi-part AOF."""

_READ: Final = (
    "maxmemory-policy",
    "appendonly",
    "appendfsync",
    "no-appendfsync-on-rewrite",
    "aof-load-truncated",
    "min-replicas-to-write",
)
_OVERRIDE: Final = (
    "If the provider guarantees the settings (see docs/configuration.md), HOLDFAST_STORE_CHECK=false skips this check."
)


async def check_settings(client: Redis, durability: Durability, *, clustered: bool = False) -> None:
    """Refuse a store whose settings do not fit ``durability``. ``clustered``: it must be part of a cluster.

    Raises
    ------
    StoreMisconfiguredError
        At least one setting is wrong; it lists every one, with the command that corrects it.
    StoreUnavailableError
        The store cannot be reached, refuses the password, or is still loading. Try again later.

    """
    _, problems = await examine(client, durability, clustered=clustered)
    if problems:
        raise StoreMisconfiguredError(address(client.connection_pool), problems)


async def examine(
    client: Redis,
    durability: Durability,
    *,
    sections: Sequence[str] = (),
    hidden_is_fine: bool = False,
    clustered: bool = False,
) -> tuple[Mapping[str, Any], list[str]]:
    """Return the store's INFO, and every problem that breaks ``durability``, one sentence each.

    ``sections`` of INFO; none: all. ``hidden_is_fine``: a store that does not show its settings is no problem.
    ``clustered``: it must be part of a cluster.

    Raises
    ------
    StoreMisconfiguredError
        INFO is refused, so nothing can be checked.
    StoreUnavailableError
        The store cannot be reached, refuses the password, or is still loading. Try again later.

    """
    where = address(client.connection_pool)
    try:
        info: Mapping[str, Any] = await client.info(*sections)
    except NoPermissionError as error:
        raise StoreMisconfiguredError(
            where, [f"INFO is refused ({error}), so nothing can be checked. {_OVERRIDE}"]
        ) from None
    except (RedisError, OSError) as error:
        raise unavailable(error, where) from error
    if int(info.get("loading", 0)):
        raise StoreUnavailableError(f"The store at {where} is still loading its data. Wait, then start again.")
    problems = _server_problems(info, clustered=clustered) + (
        _replica_problems(info) if durability == "replicated" else []
    )
    return info, problems + await _config_problems(client, durability, where, hidden_is_fine=hidden_is_fine)


def _version(info: Mapping[str, Any]) -> tuple[int, ...]:
    """Read the version of Redis; Valkey reports the one that it is compatible with."""
    return tuple(int(part) for part in str(info.get("redis_version", "0")).split(".")[:2] if part.isdigit())


def _server_problems(info: Mapping[str, Any], *, clustered: bool) -> list[str]:
    problems = []
    if _version(info) < VERSION_MIN:
        problems.append(
            f"It is version {info.get('redis_version')}; Holdfast needs Redis 7.0 or Valkey. Upgrade the server."
        )
    if info.get("role", "master") != "master":
        primary = f"{info.get('master_host')}:{info.get('master_port')}"
        problems.append(
            f"It is a replica: writes are refused. Connect to its primary, {primary}, or run: REPLICAOF NO ONE"
        )
    if int(info.get("cluster_enabled", 0)) and not clustered:
        problems.append(
            "It runs in cluster mode, but the URL is that of one server. Write the URL as redis+cluster://host:port, "
            "or use a server with: cluster-enabled no"
        )
    if clustered and not int(info.get("cluster_enabled", 0)):
        problems.append("It does not run in cluster mode. Write the URL as redis://host:port/0")
    if info.get("aof_last_write_status", "ok") != "ok":
        problems.append("Its last write to the AOF failed. Read its log, and free space on its disk.")
    return problems


def _replica_problems(info: Mapping[str, Any]) -> list[str]:
    if int(info.get("connected_slaves", 0)):
        return []
    return ["No replica is connected; 'replicated' needs one. On another server run: REPLICAOF <this host> <this port>"]


async def _config_problems(client: Redis, durability: Durability, where: str, *, hidden_is_fine: bool) -> list[str]:
    try:
        answer: Mapping[Any, Any] = await client.config_get(*_READ)
    except (NoPermissionError, ResponseError) as error:
        if hidden_is_fine:
            return []
        return [
            f"Its settings cannot be read: CONFIG is refused ({error}). Permit CONFIG GET to this user. {_OVERRIDE}"
        ]
    except (RedisError, OSError) as error:
        raise unavailable(error, where) from error
    config = {_text(name): _text(value) for name, value in answer.items()}
    return _setting_problems(config, durability)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _setting_problems(config: Mapping[str, str], durability: Durability) -> list[str]:
    problems = []

    def want(name: str, allowed: tuple[str, ...], why: str) -> None:
        value = config.get(name, "unknown")
        if value not in allowed:
            problems.append(
                f"{name} is {value}: {why}. Run: CONFIG SET {name} {allowed[0]} (then CONFIG REWRITE to keep it)"
            )

    want("maxmemory-policy", ("noeviction",), "a full store would evict stock and reservations")
    want("appendonly", ("yes",), "a restart would lose stock and reservations")
    want("aof-load-truncated", ("yes",), "after a power cut it could refuse to start over a half-written last command")
    if durability == "fast":
        want("appendfsync", ("everysec", "always"), "a power cut could lose far more than the last second")
        return problems
    want(
        "appendfsync",
        ("always",),
        f"a power cut would lose acknowledged reservations, and durability is '{durability}'",
    )
    want("no-appendfsync-on-rewrite", ("no",), "each AOF rewrite would switch fsync off while it runs")
    if durability == "replicated" and not int(config.get("min-replicas-to-write", "0") or 0):
        problems.append(
            "min-replicas-to-write is 0: a primary cut off from its replicas would keep selling. "
            "Run: CONFIG SET min-replicas-to-write 1 (then CONFIG REWRITE to keep it)"
        )
    return problems
