"""Which channels commands may name: the same as requests may, see ``HOLDFAST_OTHER_CHANNELS``."""

from msgspec import structs

from server.config.settings import Settings, load_config_file
from server.service.caller import Caller, local_caller
from server.store.command_session import OpenStore
from server.store.keys import Keyspace
from server.store.repositories.channels import ChannelStore


async def caller_of(store: OpenStore, settings: Settings, partition: str) -> Caller:
    """Make the caller for a command that names a channel; where any may be named, it knows of none.

    Configured are those of the configuration file. Where the command does not know of one, they are those that a server
    has published to.

    Raises
    ------
    ConfigError
        The configuration file cannot be read.
    StoreUnavailableError
        The store did not answer.

    """
    caller, others = local_caller(store, partition), settings.channels_beside
    if others is None:
        return caller
    file = load_config_file(settings.config, credentials=False)
    channels = {each.settings.name: each.settings for each in file.channels if each.settings.partition == partition}
    if settings.config is None:
        others |= frozenset(await ChannelStore(store.client, Keyspace(partition)).published_channels())
    known = structs.replace(caller.partition, channels=channels, other_channels=others)
    return Caller(caller.principal, known, caller.key)
