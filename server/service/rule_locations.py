"""The locations that the configuration file's rules name: as the store spells them, and whether they are there."""

import asyncio
from collections.abc import Iterable

import msgspec
import structlog

from server.domain.channels import ChannelSettings
from server.service.caller import Partition
from server.service.checks import STORED_NAMES, InvalidError
from server.service.known_locations import check_known
from server.store.errors import StoreError

log = structlog.get_logger("holdfast.channels")


def as_stored(settings: ChannelSettings) -> ChannelSettings:
    """Return a channel whose rules name locations as they are stored, as the door would: see ``service/checks.py``."""
    names = STORED_NAMES.get(settings.partition)
    if names is None or not settings.rules.locations:
        return settings
    locations = [names.spelling("location", each) or each for each in settings.rules.locations]
    return msgspec.structs.replace(settings, rules=msgspec.structs.replace(settings.rules, locations=locations))


async def warn_of_unknown(partitions: Iterable[Partition]) -> None:
    """Log each location that a configured rule names and that is not there; it may come later, so it is no fault."""
    for partition in partitions:
        for channel in partition.channels.values():
            for location in channel.rules.locations:
                await _warn(partition, channel.name, location)
                await asyncio.sleep(0)


async def _warn(partition: Partition, channel: str, location: str) -> None:
    try:
        registered = (await partition.locations.current()).locations
        await check_known(partition.client, partition.keyspace, registered, {"locations": location})
    except InvalidError as error:
        log.warning(
            "rule_location_unknown", partition=partition.keyspace.partition, channel=channel, location=location,
            reason=error.rule,
        )  # fmt: skip
    except StoreError as error:
        log.warning("rule_locations_not_looked_at", partition=partition.keyspace.partition, reason=str(error))
