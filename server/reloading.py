"""Takes the configuration file over anew while a server runs. A file in which anything is wrong changes nothing."""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from server.access_parts import configured_keys
from server.api.http.app_state import AppState
from server.api.http.tls import Tls
from server.channels.inbound.hearing import Hearings
from server.config.faults import ConfigError
from server.config.settings import Settings
from server.configuration import Configuration, as_stored_now, read_configuration
from server.plans import hearings, settings_of, sources_of
from server.publishing_parts import Publishing
from server.service.mirrors import settle_locations
from server.telemetry import logs, metrics

log = structlog.get_logger("holdfast")

NOTHING_CHANGED: Final = "nothing has changed: correct it, and send SIGHUP again"


@dataclass
class Reloading:
    """What a reload changes in a process. ``publishes``: whether it has the credentials of the channels."""

    settings: Settings
    state: AppState
    publishing: Publishing
    publishes: bool

    def hear(self, configured: Configuration) -> None:
        """Begin to hear the channels, and with a certificate, if there is one."""
        self.heard = self._hearings(configured)
        self.tls = None if configured.tls is None else Tls(configured.tls)

    async def reload(self) -> bool:
        """Take the file over; return whether that was done. Requests and streams go on meanwhile."""
        try:
            configured = await asyncio.to_thread(read_configuration, self.settings, publishes=self.publishes)
        except ConfigError as error:
            log.error("configuration_not_reloaded", faults=list(error.faults), advice=NOTHING_CHANGED)  # noqa: TRY400
            metrics.CONFIGURATION_RELOADS.labels("refused").inc()
            return False
        await self._take_over(as_stored_now(configured))
        metrics.CONFIGURATION_RELOADS.labels("done").inc()
        return True

    async def _take_over(self, configured: Configuration) -> None:
        state = self.state
        logs.configure(configured.file.settings.log_level or self.settings.log_level, self.settings.log_format)
        if self.tls is not None and configured.tls is not None:
            self.tls.replace(configured.tls)
        state.browser_tokens = configured.browser_tokens
        state.authenticator.configure(configured_keys(configured.file.keys), configured.browser_tokens)
        state.reconfigure(settings_of(configured.channels), sources_of(configured.sources))
        self.heard.take_over(self._hearings(configured))
        changed = await self.publishing.follow(configured) if self.publishes else []
        for partition in changed:
            await settle_locations(state.partition(partition))
        log.info(
            "configuration_reloaded",
            channels=sum(map(len, configured.channels.values())),
            sources=sum(map(len, configured.sources.values())),
            webhooks=sum(map(len, configured.webhooks.values())),
            keys=len(configured.file.keys),
            published_anew=changed,
        )

    def _hearings(self, configured: Configuration) -> Hearings:
        plans = configured.channels if self.settings.role != "publisher" and self.state.documents is not None else {}
        wake, client = self.publishing.wake_intake, self.state.maintenance_client
        return hearings(plans, client, wake, loopback_only=self.settings.loopback_only)
