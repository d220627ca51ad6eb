"""The mirrors of a partition: one for each channel that is configured with one, and a fault in one affects no other."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from server.channels.connection.circuit_breaker import CircuitBreaker
from server.channels.connection.clock import Clock
from server.channels.inbound.mirror import Mirror
from server.channels.outbound.sender import Sender
from server.channels.running import keep_running
from server.domain.channels import ChannelSettings, ChannelStatus
from server.domain.mirrors import MirrorStatus
from server.domain.principal import ALL_SCOPES, Principal
from server.service.caller import Caller, Partition
from server.service.mirrors import actor_of
from server.telemetry.channel_metrics import MirrorMetrics, forget_mirror

log = structlog.get_logger("holdfast.mirror")


@dataclass(frozen=True)
class MirrorParts:
    """What mirrors need beside the channels: where they count."""

    partition: Partition


class Mirrors:
    """What fills the mirrored locations of one partition, while its publisher acts; nothing without ``parts``."""

    def __init__(self, settings: Mapping[str, ChannelSettings], *, parts: MirrorParts | None, clock: Clock) -> None:
        self._settings = settings
        self._parts = parts
        self._clock = clock
        self._mirrors: dict[str, Mirror] = {}

    def open(self, channels: Sequence[Sender], statuses: Mapping[str, ChannelStatus]) -> None:
        """Make the mirror of each channel that has one."""
        parts = self._parts
        for channel in channels if parts is not None else ():
            settings = self._settings[channel.name]
            if settings.mirror is None or parts is None:
                continue
            if channel.client.capabilities.warehouse is None:
                log.error("mirror_not_opened", channel=channel.name, reason="its kind does not tell what it holds")
                continue
            before = statuses.get(channel.name)
            self._mirrors[channel.name] = Mirror(
                settings,
                channel.client.beside(CircuitBreaker(random=random.random)),
                listing=channel.state.listing,
                keys=channel.state.keys,
                caller=Caller(Principal(actor_of(channel.name), settings.partition, ALL_SCOPES), parts.partition),
                clock=self._clock,
                metrics=MirrorMetrics(channel.name),
                before=before.mirror if before is not None else None,
            )

    def start(self, group: asyncio.TaskGroup) -> None:
        """Fill each location in a task of its own."""
        for mirror in self._mirrors.values():
            group.create_task(keep_running(mirror.name, mirror.run, lambda: None), name=f"mirror-{mirror.name}")

    async def finish(self) -> None:
        """Let what is on its way be answered, and begin with nothing more."""
        await asyncio.gather(*(mirror.finish() for mirror in self._mirrors.values()))

    def close(self) -> None:
        """Forget all."""
        for name in self._mirrors:
            forget_mirror(name)
        self._mirrors = {}

    def status(self, channel: str) -> MirrorStatus | None:
        """Return how the mirror of a channel stands; None: it has none."""
        mirror = self._mirrors.get(channel)
        return mirror.status() if mirror is not None else None
