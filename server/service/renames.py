"""Other names, and none any more: SKUs are renamed and deleted, listings deleted."""

from collections.abc import Sequence
from typing import Final

from server.domain import limits
from server.domain.channels import KEY_BYTES_MAX
from server.domain.components import known_by
from server.service.caller import Caller
from server.service.channel_states import channel_of, store_of
from server.service.checks import InvalidError, check_name, check_new_name, check_sku
from server.service.current_names import current
from server.service.line_names import stored_listings
from server.service.problems import ProblemError, alike, problem
from server.service.writes import written
from server.store.connection.timeouts import in_time
from server.store.errors import SimilarNameError
from server.store.repositories.renames import AliasStore

_USES: Final = {
    "units": "There are units of it at {where}, or lines that wait or allocations.",
    "expected": "Receipts of it are expected.",
    "listed": "The channel {where} has a listing of it.",
    "component": "The channel {where} has a pack or bundle of it under the key {key}.",
}
"""What a SKU is still used for, in words; the outcome's own detail says the way out."""


async def rename_sku(
    caller: Caller, sku: str, to: str, *, allow_similar: bool = False, reason: str = ""
) -> tuple[str, str]:
    """Rename a SKU; return its old name and its new one. Both mean the same from now on. A second time changes nothing.

    ``allow_similar``: the new name is meant, though another SKU is like it. ``reason``: why; the history keeps it.

    Raises
    ------
    InvalidError
        One cannot be a SKU, or both are the same.
    ProblemError
        It is refused, and nothing changed; or the store did not answer in time, and asking again is safe.

    """
    old, new = check_sku("sku", sku), check_new_name("to", to, limits.SKU_BYTES_MAX)
    if old == new:
        raise InvalidError("to", "is its name already")
    channels = await _channels(caller)
    renaming = _store(caller).rename_sku(old, new, caller.actor, channels, allow_similar=allow_similar, reason=reason)
    try:
        outcome = await written(renaming)
    except SimilarNameError as error:
        raise ProblemError(problem("similar_name", alike("sku", new, error.similar))) from None
    if outcome != "renamed":
        raise ProblemError(problem(outcome))
    return old, new


async def delete_sku(caller: Caller, sku: str) -> str:
    """Delete a SKU that has no units and promises none, and its old names with it; return it.

    Raises
    ------
    InvalidError
        It cannot be a SKU.
    ProblemError
        It is refused, and nothing changed; or the store did not answer in time, and asking again is safe.

    """
    name = check_sku("sku", sku)
    deleted = await written(_store(caller).delete_sku(name, caller.actor, await _channels(caller)))
    if deleted.outcome == "sku_in_use":
        use = _USES[deleted.use].format(where=deleted.where, key=deleted.key)
        raise ProblemError(problem("sku_in_use", f"{use} {problem('sku_in_use').detail}"))
    if deleted.outcome != "deleted":
        raise ProblemError(problem(deleted.outcome))
    return name


async def delete_listing(caller: Caller, channel: str, sku: str) -> None:
    """Delete the listing of a SKU: its key is told 0, and is free. A second time changes nothing.

    Raises
    ------
    InvalidError
        It cannot be a SKU.
    ProblemError
        The channel is not configured; or the store did not answer in time, and asking again is safe.

    """
    name, [found] = channel_of(caller, channel).name, await current(caller, [check_sku("sku", sku)])
    await written(store_of(caller).delete_listing(name, found, caller.actor))


async def delete_pack(caller: Caller, channel: str, key: str) -> None:
    """Delete the pack or bundle that a channel knows by a key, listed or not. A second time changes nothing.

    Raises
    ------
    InvalidError
        It cannot be a key, or it is that of a SKU's own listing.
    ProblemError
        The channel is not configured; or the store did not answer in time, and asking again is safe.

    """
    name, found = channel_of(caller, channel).name, check_name("key", key, KEY_BYTES_MAX)
    if await written(store_of(caller).delete_listing(name, known_by(found), caller.actor)):
        return
    own = (await stored_listings(caller, name, [found])).get(found)
    if own is not None:
        raise InvalidError("key", f"is that of the listing of {own.sku}: delete it by its SKU")


async def _channels(caller: Caller) -> Sequence[str]:
    """Name the channels that may list a SKU: those configured here, and those that have data."""
    return sorted({*caller.partition.channels, *await in_time(store_of(caller).channels())})


def _store(caller: Caller) -> AliasStore:
    partition = caller.partition
    return AliasStore(partition.client, partition.keyspace, partition.limits)
