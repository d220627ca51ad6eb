"""What was configured when a server started last, so that the journal says when the configuration file has changed."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.history import CONFIGURED
from server.domain.principal import SYSTEM
from server.store.connection.commands import command
from server.store.keys import Keyspace, stored_text
from server.store.repositories.settings_changes import Changer, SettingChange, change_settings

_encode = msgspec.json.Encoder(order="deterministic").encode
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(?:[^/?#]*@)?([^?#]*)(?s:.*)")
"""The scheme of an address, its login, its host and path, and what stands behind: a key, where a supplier gives one."""

Configured = Mapping[tuple[str, str], msgspec.Struct]
"""What is configured, by what it is ("channel", "source") and its name, without credentials."""


async def note_configuration(client: Redis, keyspace: Keyspace, configured: Configured) -> int:
    """Have the journal say what is configured otherwise than when this was asked last; return how much that is.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    stored = await command(client, "HGETALL", keyspace.configured)
    before = {stored_text(field): value for field, value in stored.items()}
    now = {f"{what}\0{name}": _encode(_shown(msgspec.to_builtins(each))) for (what, name), each in configured.items()}
    changes = [
        _change(field, now.get(field)) for field in sorted({*before, *now}) if before.get(field) != now.get(field)
    ]
    if changes:
        await change_settings(client, keyspace, keyspace.configured, Changer(CONFIGURED, SYSTEM), changes)
    return len(changes)


def _shown(value: object) -> object:
    """Return what is configured; of an address without its login and its query, which may be secret."""
    if isinstance(value, str):
        address = _ADDRESS.fullmatch(value)
        return value if address is None else address[1] + address[2]
    if isinstance(value, dict):
        return {name: _shown(each) for name, each in value.items()}
    return [_shown(each) for each in value] if isinstance(value, list) else value


def _change(field: str, value: bytes | None) -> SettingChange:
    what, _, name = field.partition("\0")
    return SettingChange([("about", what), (what, name)], field, value)
