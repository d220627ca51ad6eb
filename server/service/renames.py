"""Other names, and none any more: SKUs are renamed and deleted, listings deleted."""

from collections.abc import Sequence
from typing import Final

from server.domain import limits
from server.service.caller import Caller
from server.service.channels import channel_of, store_of
from server.service.checks import InvalidError, check_new_name, check_sku
from server.service.current_names import current
from server.service.problems import ProblemError, alike, problem
from server.service.writes import written
from server.store.connection.timeouts import in_time
from server.store.errors import SimilarNameError
from server.store.repositories.renames import AliasStore

_IN_USE: Final = "expected"
"""What the script names where receipts of the SKU are expected."""


async def rename_sku(caller: Caller, sku: str, to: str, *, allow_similar: bool = False) -> tuple[str, str]:
    """Rename a SKU; return its old name and its new one. Both mean the same from now on. A second time changes nothing.

    ``allow_similar``: the new name is meant, though another SKU is like it.

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
    renaming = _store(caller).rename_sku(old, new, caller.actor, channels, allow_similar=allow_similar)
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
        what = "Receipts of it are expected" if deleted.use == _IN_USE else f"It is in use: {deleted.use}"
        raise ProblemError(problem("sku_in_use", f"{what}. {problem('sku_in_use').detail}"))
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


async def _channels(caller: Caller) -> Sequence[str]:
    """Name the channels that may list a SKU: those configured here, and those that have data."""
    return sorted({*caller.partition.channels, *await in_time(store_of(caller).channels())})


def _store(caller: Caller) -> AliasStore:
    partition = caller.partition
    return AliasStore(partition.client, partition.keyspace, partition.limits)
