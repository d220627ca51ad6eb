"""Changes of settings: fields of a hash, with an entry of the journal that says who did it, from what and to what."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.store.connection.commands import run_on_keys
from server.store.keys import Keyspace
from server.store.lua_library import library

_pack: Final = msgspec.msgpack.Encoder().encode


class Changer(NamedTuple):
    """Who changes something: the journal's operation, the actor, and the channel that it is about, if any.

    ``is_packed``: the values are MessagePack, which the journal has as JSON.
    """

    operation: str
    actor: str
    channel: str = ""
    is_packed: bool = False


class SettingChange(NamedTuple):
    """One field and its new value, None: it goes. ``notes`` name it in the journal, ``others`` go with it."""

    notes: Sequence[tuple[str, str]]
    field: str
    value: bytes | str | None
    others: Sequence[str] = ()


ANOTHER: Final = -1
"""What is returned in place of a count where a field had another value than was expected."""


async def change_settings(
    client: Redis,
    keyspace: Keyspace,
    key: str,
    changer: Changer,
    changes: Sequence[SettingChange],
    *,
    expected: Sequence[str | None] | None = None,
) -> int:
    """Change a thousand fields at most, all or none; return how many have another value than before.

    ``expected``: what each field must hold, None: nothing. Where one holds something else, nothing changes, and
    :data:`ANOTHER` is returned.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    words: list[bytes | str] = []
    for each in changes:
        verb, value = ("delete", "") if each.value is None else ("set", each.value)
        notes = b"".join(map(_pack, each.notes))
        others = _pack(each.others) if each.others else b""
        words += (str(len(each.notes)), notes, each.field, verb, value, others)
    function = library().function("change_settings")
    head: tuple[object, ...] = tuple(changer)
    if expected is not None:
        head = (*head, [False if each is None else each for each in expected])
    return int(await run_on_keys(client, function, (key, keyspace.journal), _pack(head), *words))
