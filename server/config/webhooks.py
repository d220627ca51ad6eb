"""Webhooks of the configuration file: ``[webhooks.NAME]``, endpoints to which alerts are sent."""

from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from server.config.credentials import Credentials, CredentialSource
from server.config.named_tables import Destination, Gathering, Section, check_destination, read_tables
from server.config.toml_tables import ChannelConfigError, convert
from server.domain.alerts import ALERTS, PLACE_ALERTS, Alert
from server.domain.webhooks import SOURCE, WebhookSettings, check_webhook_name

CREDENTIALS: Final[tuple[str, ...]] = ("secret", "previous_secret", "bearer")
"""The first one is required."""


class _Table(Destination, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[webhooks.NAME]``, without its credentials, which stand flat in it."""

    url: str
    events: Annotated[list[Alert], Meta(min_length=1)] = msgspec.field(default_factory=lambda: list(PLACE_ALERTS))
    source: Annotated[str, Meta(min_length=1, max_length=256)] = SOURCE


FIELDS: Final = (*_Table.__struct_fields__, *CREDENTIALS)
"""What may stand in an endpoint's table."""
WEBHOOKS: Final = Section("webhooks", "endpoint", "my-erp", check_webhook_name, FIELDS)


class ConfiguredWebhook(NamedTuple):
    """An endpoint of the configuration file."""

    settings: WebhookSettings
    credentials: Credentials


def read_webhooks(tables: object, source: CredentialSource, faults: Gathering | None = None) -> list[ConfiguredWebhook]:
    """Read ``[webhooks]``; ``faults``: gathers what is wrong, and that is left out; None: it is raised.

    Raises
    ------
    ChannelConfigError
        Something in it is unknown, missing or breaks its rule.

    """

    def read(name: str, where: str, table: dict[str, Any]) -> ConfiguredWebhook:
        own = convert(where, {field: value for field, value in table.items() if field not in CREDENTIALS}, _Table)
        check_destination(where, own)
        if "secret" not in table:
            raise ChannelConfigError(f'{where}: needs secret: secret = {{ env = "…" }} or {{ file = "…" }}.')
        given = {credential: table[credential] for credential in CREDENTIALS if credential in table}
        return ConfiguredWebhook(_settings(name, own), source.credentials(where, given))

    return read_tables(WEBHOOKS, tables, read, faults)


def _settings(name: str, table: _Table) -> WebhookSettings:
    fields = msgspec.structs.asdict(table)
    fields["events"] = tuple(alert for alert in ALERTS if alert in table.events)  # in the order of ALERTS, each once
    return WebhookSettings(name=name, **fields)
