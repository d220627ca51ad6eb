"""How each configured channel, source and webhook endpoint is built; each is checked against its kind."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import structlog

from adapters.contract.adapter import Adapter
from adapters.contract.installed import shadowed
from adapters.contract.source import Source, source_kinds
from adapters.contract.tokens import Grant
from server.channels.channel_plan import ChannelPlan
from server.channels.connection import adapter_registry
from server.channels.inbound.hearing import Hearing, Hearings
from server.channels.sources.sources import SourcePlan
from server.channels.tokens.keepers import NO_KEY
from server.channels.webhooks.delivery import WebhookPlan
from server.config.channels import ConfiguredChannel
from server.config.faults import Faults
from server.config.secret_keys import secret_keys
from server.config.settings import Settings
from server.config.sources import ConfiguredSource
from server.config.toml_tables import ChannelConfigError, table_of
from server.config.webhooks import ConfiguredWebhook
from server.domain.channels import ChannelSettings
from server.domain.sources import SourceSettings
from server.store.connection.connect import StoreClient
from server.store.keys import Keyspace
from server.store.repositories.intake import IntakeStore
from server.store.repositories.sealing import Sealer

log = structlog.get_logger("holdfast")


def sealer(settings: Settings) -> Sealer | None:
    """Make what encrypts credentials that change; None: no key is set."""
    keys = secret_keys(settings)
    return Sealer(keys) if keys else None


def channel_plans(
    path: Path | None, channels: Sequence[ConfiguredChannel], publishes: bool, seals: Sealer | None
) -> dict[str, list[ChannelPlan]]:
    """Check each channel against its kind, and return how it is built; by partition.

    ``publishes``: this process needs their credentials. ``seals``: encrypts those that change; None: there is no key.
    """
    plans, faults = dict[str, list[ChannelPlan]](), Faults(f"{path}: ")
    for problem in shadowed() if channels and publishes else ():
        log.warning("kind_not_used", reason=problem)
    for channel in channels:
        with faults.gathered():
            plan = _channel_plan(channel, publishes, seals)
            plans.setdefault(channel.settings.partition, []).append(plan)
    faults.raise_if_any()
    return plans


def _channel_plan(channel: ConfiguredChannel, publishes: bool, seals: Sealer | None) -> ChannelPlan:
    adapter_registry.check(channel.settings, channel.credentials.names)
    changes = bool(adapter_registry.sign_in_with(channel.settings))
    if publishes:
        adapter = _adapter(channel)
        _check_orders(channel.settings, adapter)
        _check_mirror(channel.settings, adapter)
        _check_key(channel.settings, changes=changes, seals=seals)
    grant = partial(_grant, channel) if changes else None
    return ChannelPlan(channel.settings, partial(_adapter, channel), channel.credentials.mask, grant)


def _check_key(settings: ChannelSettings, *, changes: bool, seals: Sealer | None) -> None:
    """Check that credentials which change can be encrypted.

    Raises
    ------
    ChannelConfigError
        There is no key.

    """
    if changes and seals is None:
        raise ChannelConfigError(f"{table_of(settings.name)}: {settings.kind} {NO_KEY}.")


def _check_orders(settings: ChannelSettings, adapter: Adapter) -> None:
    """Check that the orders of a channel can come in, and that its rules can be carried out.

    Raises
    ------
    ChannelConfigError
        Its kind has no orders, or does not know what a rule says.

    """
    orders, intake = settings.orders, adapter.capabilities.intake
    if not orders.enabled:
        return
    where = table_of(settings.name, "orders")
    if intake is None:
        raise ChannelConfigError(f"{where}: {settings.kind} takes no orders; set enabled = false.")
    for rule, name, is_on in (
        ("acknowledge", "acknowledge", orders.acknowledge != "never"),
        ("refuse_after_s", "refuse", orders.refuse_after_s > 0),
        ("ship", "ship", orders.ship != "never"),
    ):
        if is_on and name not in intake.commands:
            raise ChannelConfigError(f"{where}: {rule} cannot be used, since {settings.kind} does not take {name}.")


def _check_mirror(settings: ChannelSettings, adapter: Adapter) -> None:
    """Check that what a channel holds itself can be read.

    Raises
    ------
    ChannelConfigError
        Its kind has no warehouse, or its options do not name it.

    """
    if settings.mirror is not None and adapter.capabilities.warehouse is None:
        where = table_of(settings.name, "mirror")
        raise ChannelConfigError(
            f"{where}: with these options, {settings.kind} does not tell what it holds in a warehouse of its own. Leave"
            " this table out, or see docs/channels.md for the options of the kind."
        )


def hearings(
    plans: Mapping[str, Sequence[ChannelPlan]],
    client: StoreClient,
    on_news: Callable[[str], None],
    *,
    loopback_only: bool,
) -> Hearings:
    """Return what hears the channels whose orders come in. One that cannot be built is not heard, and is read."""
    heard: dict[str, Hearing] = {}
    for partition, each in plans.items():
        for plan in each:
            if plan.settings.orders.enabled:
                name = plan.settings.name
                store = IntakeStore(client, Keyspace(partition), name)
                try:
                    heard[name] = Hearing(name, plan.build, store, now_ms=_now_ms, on_news=on_news)
                except ChannelConfigError as error:
                    log.error("channel_not_heard", channel=name, reason=str(error), advice="correct it, restart")  # noqa: TRY400
    return Hearings(heard, loopback_only=loopback_only)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _adapter(channel: ConfiguredChannel) -> Adapter:
    return adapter_registry.build(channel.settings, channel.credentials.read())


def _grant(channel: ConfiguredChannel) -> Grant:
    return adapter_registry.grant(channel.settings, channel.credentials.read())


def source_plans(path: Path | None, sources: Sequence[ConfiguredSource], *, check: bool) -> dict[str, list[SourcePlan]]:
    """Check each source against its kind, and return how it is built; by partition."""
    plans, faults = dict[str, list[SourcePlan]](), Faults(f"{path}: ")
    for source in sources:
        with faults.gathered():
            adapter_registry.check_source(source.settings, source.credentials.names, source_kinds())
            if check:
                _check_groups(source.settings, _source(source))
            plan = SourcePlan(source.settings, partial(_source, source), source.credentials.mask)
            plans.setdefault(source.settings.partition, []).append(plan)
    faults.raise_if_any()
    return plans


def _check_groups(settings: SourceSettings, adapter: Adapter) -> None:
    """Check that the groups of a source are those of a location that it fills alone.

    Raises
    ------
    ChannelConfigError
        Its locations are the merchant's own.

    """
    if settings.rules.groups and isinstance(adapter, Source) and adapter.is_told:
        where = table_of(settings.name, among="sources")
        raise ChannelConfigError(
            f"{where}: groups are for a location that a source fills alone, and those of {settings.kind} are your own."
            " Leave groups out, and register the locations with them."
        )


def _source(source: ConfiguredSource) -> Adapter:
    return adapter_registry.build_source(source.settings, source.credentials.read(), source_kinds())


def settings_of(plans: Mapping[str, Sequence[ChannelPlan]]) -> dict[str, dict[str, ChannelSettings]]:
    """Return the settings of the channels, by partition and name."""
    return {partition: {plan.settings.name: plan.settings for plan in each} for partition, each in plans.items()}


def sources_of(plans: Mapping[str, Sequence[SourcePlan]]) -> dict[str, dict[str, SourceSettings]]:
    """Return the settings of the sources, by partition and name."""
    return {partition: {plan.settings.name: plan.settings for plan in each} for partition, each in plans.items()}


def webhook_plans(
    path: Path | None, webhooks: Sequence[ConfiguredWebhook], *, check: bool
) -> dict[str, list[WebhookPlan]]:
    """Return how each endpoint for events is built; by partition."""
    plans, faults = dict[str, list[WebhookPlan]](), Faults(f"{path}: ")
    for webhook in webhooks:
        with faults.gathered():
            if check:
                _notifier(webhook)
            plan = WebhookPlan(webhook.settings, partial(_notifier, webhook), webhook.credentials.mask)
            plans.setdefault(webhook.settings.partition, []).append(plan)
    faults.raise_if_any()
    return plans


def _notifier(webhook: ConfiguredWebhook) -> Adapter:
    settings = webhook.settings
    options = {"url": settings.url, "source": settings.source}
    return adapter_registry.notifier(table_of(settings.name, among="webhooks"), options, webhook.credentials.read())
