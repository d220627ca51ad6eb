"""All that is configured, read and checked as a whole: by a start, by a reload, and by ``holdfast config check``."""

import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from ssl import SSLContext

import msgspec

from server.access_parts import browser_tokens, cors
from server.api.http.cors import Cors
from server.api.http.tls import TlsError, TlsFiles, tls_context
from server.channels.channel_plan import ChannelPlan
from server.channels.sources.sources import SourcePlan
from server.channels.webhooks.delivery import WebhookPlan
from server.config.config_file import ConfigFile
from server.config.credentials import Credentials
from server.config.faults import ConfigError, Faults
from server.config.settings import Settings, read_file, read_settings, unheeded
from server.domain.browser_tokens import BrowserTokens
from server.domain.channels import ChannelSettings
from server.domain.sources import SourceSettings
from server.domain.webhooks import WebhookSettings
from server.plans import channel_plans, sealer, source_plans, webhook_plans
from server.service.rule_locations import as_stored
from server.store.connection.connect import check_url
from server.store.documents.opening import check_documents_url
from server.store.errors import StoreError
from server.store.repositories.sealing import Sealer

_Published = ChannelSettings | WebhookSettings | SourceSettings
_OF_OTHERS = stat.S_IRGRP | stat.S_IROTH


@dataclass(frozen=True)
class Configuration:
    """What a process is built from. The plans are by partition."""

    file: ConfigFile
    cors: Cors | None
    browser_tokens: BrowserTokens | None
    sealer: Sealer | None
    tls: SSLContext | None
    channels: dict[str, list[ChannelPlan]]
    webhooks: dict[str, list[WebhookPlan]]
    sources: dict[str, list[SourcePlan]]
    fingerprints: Mapping[str, bytes]
    """Of what is published from: by partition, another one where anything of it is otherwise, a credential also."""


def read_configuration(settings: Settings, *, publishes: bool) -> Configuration:
    """Read and check all that is configured. ``publishes``: the process needs the credentials of channels.

    Raises
    ------
    ConfigError
        Something is wrong; it has all that is.

    """
    faults, path = Faults(), settings.config
    _check_settings(settings, faults)
    pages, tokens, seals, certificate = None, None, None, None
    with faults.gathered():
        certificate = _tls(settings)
    with faults.gathered():
        pages = cors(settings)
    with faults.gathered():
        tokens = browser_tokens(settings)
        seals = sealer(settings)
    file, of_file = read_file(path, credentials=publishes)
    faults.found += of_file.found
    channels: dict[str, list[ChannelPlan]] = {}
    webhooks: dict[str, list[WebhookPlan]] = {}
    sources: dict[str, list[SourcePlan]] = {}
    with faults.gathered():
        channels = channel_plans(path, file.channels, publishes, seals)
    with faults.gathered():
        webhooks = webhook_plans(path, file.webhooks, check=publishes)
    with faults.gathered():
        sources = source_plans(path, file.sources, check=publishes)
    faults.raise_if_any()
    fingerprints = _fingerprints(file, seals) if publishes else {}
    return Configuration(file, pages, tokens, seals, certificate, channels, webhooks, sources, fingerprints)


def checked_settings(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read the settings as a start needs them; ``overrides`` are those of the command line.

    Raises
    ------
    ConfigError
        One is wrong; it has all that is, also in the configuration file.

    """
    settings, faults = read_settings(environ, **overrides)
    if faults.found:
        with faults.gathered():
            read_configuration(settings, publishes=settings.role != "api")
        faults.raise_if_any()
    return settings


def _tls(settings: Settings) -> SSLContext | None:
    cert, key = settings.tls_cert, settings.tls_key
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise ConfigError("HOLDFAST_TLS_CERT and HOLDFAST_TLS_KEY go together: set both, or none.")
    try:
        return tls_context(TlsFiles(cert, key))
    except TlsError as error:
        raise ConfigError(f"HOLDFAST_TLS_CERT, HOLDFAST_TLS_KEY: {error}") from None


def _check_settings(settings: Settings, faults: Faults) -> None:
    """Check what no setting says alone."""
    with faults.gathered():
        if settings.metrics_port and settings.metrics_port == settings.port:
            raise ConfigError("HOLDFAST_METRICS_PORT must be another port than HOLDFAST_PORT; 0 gives it none.")
    for check, url in ((check_url, settings.store_url), (check_documents_url, settings.documents_url)):
        with faults.gathered():
            try:
                if url:
                    check(url)
            except StoreError as error:
                raise ConfigError(str(error)) from None


def _fingerprints(file: ConfigFile, seals: Sealer | None) -> dict[str, bytes]:
    found: dict[str, blake2b] = {}
    for settings, credentials in _tables(file):
        told = [type(settings).__name__, msgspec.to_builtins(settings), credentials.read(), repr(seals)]
        found.setdefault(settings.partition, blake2b()).update(msgspec.msgpack.encode(told))
    return {partition: summed.digest() for partition, summed in found.items()}


def _tables(file: ConfigFile) -> Iterator[tuple[_Published, Credentials]]:
    yield from file.channels
    yield from file.webhooks
    yield from file.sources


def as_stored_now(configured: Configuration) -> Configuration:
    """Return it with the locations of its rules named as they are stored; the store's names were read before."""
    channels = {
        partition: [replace(plan, settings=as_stored(plan.settings)) for plan in plans]
        for partition, plans in configured.channels.items()
    }
    return replace(configured, channels=channels)


def warnings(settings: Settings, file: ConfigFile) -> list[str]:
    """Name what stops no start, and is hardly meant."""
    found = [
        f"{name} is a setting of no release, and nothing reads it. Settings begin with HOLDFAST_, in capitals."
        for name in unheeded()
    ]
    secrets = [settings.secret_key_file, settings.key_file, settings.tls_key]
    for _, credentials in _tables(file):
        secrets += credentials.files
    found += [
        f"{path} can be read by other users of this machine: chmod 600 {path}" for path in _open_to_others(secrets)
    ]
    if not settings.store_check:
        found.append("HOLDFAST_STORE_CHECK is false: nobody looks whether the store keeps what it acknowledges.")
    return found


def _open_to_others(paths: Sequence[Path | None]) -> list[Path]:
    return sorted({path for path in paths if path is not None and path.exists() and path.stat().st_mode & _OF_OTHERS})
