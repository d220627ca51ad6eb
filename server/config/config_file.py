"""The configuration file: API keys, channels, webhooks and sources, read as a whole, with all that is wrong in it."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from server.config.channels import ConfiguredChannel, read_channels
from server.config.credentials import Credentials, CredentialSource
from server.config.faults import ConfigError, Faults
from server.config.sources import ConfiguredSource, read_sources
from server.config.toml_tables import ChannelConfigError, convert, refuse_unknown
from server.config.webhooks import ConfiguredWebhook, read_webhooks
from server.domain.key_limits import REQUESTS_PER_S_MAX, KeyTerms
from server.domain.limits import QUANTITY_MAX, TTL_S_MAX
from server.domain.principal import ApiKey, Scope
from server.domain.spelling import normal

SETTINGS_PREFIX: Final = "HOLDFAST_"
"""How variables begin that are settings, and so no credentials."""
_KEYS: Final = "[[keys]]"
_SETTINGS: Final = "[settings]"


class ConfiguredKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An API key of the TOML file: the SHA-256 of its secret, never the secret."""

    id: str
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    scopes: list[Literal["read", "reserve", "stock", "admin", "metrics", "availability", "reserve:own"]]
    partition: str = "default"
    name: str = ""
    channel: str = ""
    ttl_max_s: Annotated[int, Meta(ge=0, le=TTL_S_MAX)] = 0
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    requests_per_s: Annotated[int, Meta(ge=0, le=REQUESTS_PER_S_MAX)] = 0
    held_units_max: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)] = 0
    customer_units_max: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)] = 0

    @property
    def key(self) -> ApiKey:
        """The key. Raises ValueError where a field breaks its rule."""
        return ApiKey(
            id=self.id,
            sha256=self.sha256,
            scopes=frozenset(Scope(scope) for scope in self.scopes),
            partition=self.partition,
            name=self.name,
            terms=KeyTerms(
                channel=normal(self.channel),
                ttl_max_s=self.ttl_max_s,
                expires_at=self.expires_at,
                requests_per_s=self.requests_per_s,
                held_units_max=self.held_units_max,
                customer_units_max=self.customer_units_max,
            ),
        )


class FileSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings that change while a server runs, so they may stand in the file. None: the environment decides."""

    log_level: Literal["debug", "info", "warning", "error"] | None = None


class ConfigFile(msgspec.Struct, frozen=True):
    """The TOML file that ``HOLDFAST_CONFIG`` names."""

    keys: list[ConfiguredKey] = []
    channels: list[ConfiguredChannel] = []
    webhooks: list[ConfiguredWebhook] = []
    sources: list[ConfiguredSource] = []
    settings: FileSettings = FileSettings()


class _Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: list[ConfiguredKey] = []


def read_config_file(
    path: Path | None, environ: Mapping[str, str], variables: Mapping[str, str], *, credentials: bool
) -> tuple[ConfigFile, Faults]:
    """Read the TOML file and all that is wrong in it; what is wrong is left out. Without a path, nothing is.

    ``variables``: those of the settings, by the setting. ``credentials``: see whether they can be read.
    """
    faults = Faults(f"{path}: ")
    file = ConfigFile()
    if path is None:
        return file, faults
    with faults.gathered():
        tables = _tables(path)
        with faults.gathered():
            refuse_unknown("the file", tables, ConfigFile.__struct_fields__, "table")
        source = CredentialSource(environ, path.absolute().parent, SETTINGS_PREFIX)
        settings = _read_settings(tables.get("settings", {}), variables, faults)
        keys = _read_keys(tables.get("keys", []), faults)
        channels = read_channels(tables.get("channels", {}), source, faults)
        webhooks = read_webhooks(tables.get("webhooks", {}), source, faults)
        sources = read_sources(tables.get("sources", {}), source, faults)
        if credentials:
            for each in (channels, webhooks, sources):
                _check_credentials([credentials for _, credentials in each], faults)
        file = ConfigFile(keys, channels, webhooks, sources, settings)
    return file, faults


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None


def _read_settings(table: object, variables: Mapping[str, str], faults: Faults) -> FileSettings:
    settings = FileSettings()
    with faults.gathered():
        if not isinstance(table, dict):
            raise ChannelConfigError(f"{_SETTINGS} must be a table.")
        fixed = table.keys() & variables.keys() - set(FileSettings.__struct_fields__)
        for name in sorted(fixed):
            with faults.gathered():
                raise ChannelConfigError(
                    f"{_SETTINGS}: {name} does not change while a server runs. Set {variables[name]}, and restart."
                )
        others = {name: value for name, value in table.items() if name not in fixed}
        settings = convert(_SETTINGS, others, FileSettings)
    return settings  # noqa: RET504  # what is gathered leaves it


def _read_keys(tables: object, faults: Faults) -> list[ConfiguredKey]:
    found: list[ConfiguredKey] = []
    if not isinstance(tables, list):
        with faults.gathered():
            convert(_KEYS, {"keys": tables}, _Keys)
        return found
    for number, table in enumerate(tables):
        with faults.gathered():
            found += _read_key(number, table)
    for at, key in enumerate(found):
        if key.id in {each.id for each in found[:at]}:
            with faults.gathered():
                raise ChannelConfigError(f"{_KEYS}: two keys have the id {key.id!r}. Give one another id.")
    return found


def _read_key(number: int, table: object) -> Sequence[ConfiguredKey]:
    try:
        keys = convert(_KEYS, {"keys": [table]}, _Keys).keys
        _ = [each.key for each in keys]
    except ChannelConfigError as error:
        raise ChannelConfigError(str(error).replace("keys[0]", f"keys[{number}]")) from None
    except ValueError as error:
        raise ChannelConfigError(f"{_KEYS}: keys[{number}]: {error}.") from None
    return keys


def _check_credentials(tables: Sequence[Credentials], faults: Faults) -> None:
    for credentials in tables:
        for name in credentials.names:
            with faults.gathered():
                credentials.check(name)
