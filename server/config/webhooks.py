"""Endpoints of the configuration file that are told of events: where they are, what they want, where the secret is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from server.config.channels import TIMEOUT_S_MAX, Credentials, check_hosts, reference_of
from server.config.toml_tables import ChannelConfigError, convert, refuse_unknown, table_of
from server.domain.alerts import ALERTS, Alert
from server.domain.limits import DEFAULT_PARTITION
from server.domain.principal import check_partition
from server.domain.webhooks import SOURCE, WebhookSettings, check_webhook_name

CREDENTIALS: Final = ("secret", "previous_secret", "bearer")
"""The first one must be there."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[webhooks.NAME]``, without its credentials."""

    url: str
    partition: str = DEFAULT_PARTITION
    events: Annotated[list[Alert], Meta(min_length=1)] = msgspec.field(default_factory=lambda: list(ALERTS))
    source: Annotated[str, Meta(min_length=1, max_length=256)] = SOURCE
    allow_private: list[str] = []
    timeout_s: Annotated[float, Meta(gt=0, le=TIMEOUT_S_MAX)] = 15.0


FIELDS: Final = (*_Table.__struct_fields__, *CREDENTIALS)
"""What may stand in an endpoint's table."""


class ConfiguredWebhook(NamedTuple):
    """An endpoint of the configuration file."""

    settings: WebhookSettings
    credentials: Credentials


def read_webhooks(
    tables: object, environ: Mapping[str, str], folder: Path, *, reserved_prefix: str
) -> list[ConfiguredWebhook]:
    """Read ``[webhooks]``. Variables that begin with ``reserved_prefix`` are settings and cannot be secrets.

    Raises
    ------
    ChannelConfigError
        Something in it is unknown, missing or breaks its rule.

    """
    if not isinstance(tables, dict):
        raise ChannelConfigError("webhooks must be tables, one for each endpoint: [webhooks.my-erp]")
    return [_webhook(name, table, environ, folder, reserved_prefix) for name, table in tables.items()]


def _webhook(
    name: str, table: object, environ: Mapping[str, str], folder: Path, reserved_prefix: str
) -> ConfiguredWebhook:
    where = table_of(name, among="webhooks")
    if not isinstance(table, dict):
        raise ChannelConfigError(f"{where}: webhooks.{name} must be a table.")
    refuse_unknown(where, table, FIELDS)
    own = convert(where, _without_credentials(table), _Table)
    try:
        check_webhook_name(name)
        check_partition(own.partition)
    except ValueError as error:
        raise ChannelConfigError(f"{where}: {error}.") from None
    check_hosts(where, own.allow_private)
    if "secret" not in table:
        raise ChannelConfigError(f'{where}: needs secret: secret = {{ env = "…" }} or {{ file = "…" }}.')
    references = {
        credential: reference_of(where, credential, table[credential], reserved_prefix)
        for credential in CREDENTIALS
        if credential in table
    }
    settings = WebhookSettings(
        name=name,
        url=own.url,
        partition=own.partition,
        # In the order in which they are told, each once.
        events=tuple(alert for alert in ALERTS if alert in own.events),
        source=own.source,
        allow_private=own.allow_private,
        timeout_s=own.timeout_s,
    )
    return ConfiguredWebhook(settings, Credentials(where, references, environ, folder))


def _without_credentials(table: Mapping[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in table.items() if field not in CREDENTIALS}
