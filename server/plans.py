"""How each configured channel and webhook endpoint is built; each is checked against its kind."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from adapters.contract.adapter import Adapter
from server.channels.connection import adapter_registry
from server.channels.publisher import ChannelPlan
from server.channels.webhooks.delivery import WebhookPlan
from server.config.channels import ConfiguredChannel
from server.config.settings import ConfigError
from server.config.toml_tables import ChannelConfigError, table_of
from server.config.webhooks import ConfiguredWebhook


def channel_plans(
    path: Path | None, channels: Sequence[ConfiguredChannel], *, check_credentials: bool
) -> dict[str, list[ChannelPlan]]:
    """Check each channel against its kind, and return how it is built; by partition."""
    plans: dict[str, list[ChannelPlan]] = {}
    try:
        for channel in channels:
            adapter_registry.check(channel.settings, channel.credentials.names)
            if check_credentials:
                _adapter(channel)
            plan = ChannelPlan(channel.settings, partial(_adapter, channel), channel.credentials.mask)
            plans.setdefault(channel.settings.partition, []).append(plan)
    except ChannelConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return plans


def _adapter(channel: ConfiguredChannel) -> Adapter:
    return adapter_registry.build(channel.settings, channel.credentials.read())


def webhook_plans(
    path: Path | None, webhooks: Sequence[ConfiguredWebhook], *, check: bool
) -> dict[str, list[WebhookPlan]]:
    """Return how each endpoint for events is built; by partition."""
    plans: dict[str, list[WebhookPlan]] = {}
    try:
        for webhook in webhooks:
            if check:
                _notifier(webhook)
            plan = WebhookPlan(webhook.settings, partial(_notifier, webhook), webhook.credentials.mask)
            plans.setdefault(webhook.settings.partition, []).append(plan)
    except ChannelConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return plans


def _notifier(webhook: ConfiguredWebhook) -> Adapter:
    settings = webhook.settings
    options = {"url": settings.url, "source": settings.source}
    return adapter_registry.notifier(table_of(settings.name, among="webhooks"), options, webhook.credentials.read())
