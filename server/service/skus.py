"""What a SKU is: its category, and whether it has stock at all."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from server.schemas.safety_stock import SkuBody, SkusBody
from server.service.caller import Caller
from server.service.checks import InvalidError, check_category, check_sku
from server.service.current_names import current
from server.service.likeness import is_allowed
from server.service.problems import ProblemError, alike, problem
from server.service.rules import safety_store
from server.service.writes import written
from server.store.connection.timeouts import in_time
from server.store.errors import SimilarNameError
from server.store.repositories.aliases import names_of
from server.store.repositories.skus import SkuStore


class SkuDetails(NamedTuple):
    """A SKU. ``category`` empty: it is of none. ``is_tracked`` False: it has no stock, and can always be ordered.

    ``former_names``: those that it had before.
    """

    sku: str
    category: str
    is_tracked: bool
    former_names: Sequence[str] = ()


async def find_sku(caller: Caller, sku: str) -> SkuDetails:
    """Read what a SKU is; one that nobody knows has no category, and would be tracked.

    Raises
    ------
    InvalidError
        It cannot be a SKU.
    StoreUnavailableError
        The store did not answer in time.

    """
    partition = caller.partition
    name, *former = await in_time(names_of(partition.client, partition.keyspace, check_sku("sku", sku)))
    category = await category_of(caller, name)
    return SkuDetails(name, category, not await in_time(_store(caller).is_untracked(name)), former)


async def put_sku(caller: Caller, sku: str, body: SkuBody) -> SkuDetails:
    """Set what the body names, and read what the SKU is.

    Raises
    ------
    InvalidError
        A field breaks a rule, or there is none.
    ProblemError
        It has stock records, so it stays tracked; it would be new, and a known SKU is like it; or the store did not
        answer in time, and asking again is safe.

    """
    [sku] = await current(caller, [check_sku("sku", sku)])
    if body.category is msgspec.UNSET and body.tracked is msgspec.UNSET:
        raise InvalidError("category", "is required where tracked is left out")
    # Everything is checked before anything is set.
    categories = {} if body.category is msgspec.UNSET else {sku: check_category("category", body.category)}
    if body.tracked is not msgspec.UNSET:
        await _track(caller, sku, tracked=body.tracked, allow_similar=is_allowed(body))
    if categories:
        await _put_categories(caller, categories)
    return await find_sku(caller, sku)


async def put_categories(caller: Caller, body: SkusBody) -> Mapping[str, str]:
    """Put SKUs into categories, and return them by SKU. Where a SKU is there twice, the last one counts.

    Raises
    ------
    InvalidError
        A field breaks a rule.
    ProblemError
        The store did not answer in time; asking again is safe.

    """
    given = [
        (check_sku(f"skus[{at}].sku", each.sku), check_category(f"skus[{at}].category", each.category))
        for at, each in enumerate(body.skus)
    ]
    names = await current(caller, [sku for sku, _ in given])
    categories = {name: category for name, (_, category) in zip(names, given, strict=True)}
    await _put_categories(caller, categories)
    return categories


async def _put_categories(caller: Caller, categories: Mapping[str, str]) -> None:
    await written(safety_store(caller).set_categories(categories, caller.actor))


async def category_of(caller: Caller, sku: str) -> str:
    """Read the category of a SKU, empty for none.

    Raises
    ------
    InvalidError
        It cannot be a SKU.
    StoreUnavailableError
        The store did not answer in time.

    """
    [category] = await in_time(safety_store(caller).categories([check_sku("sku", sku)]))
    return category


async def _track(caller: Caller, sku: str, *, tracked: bool, allow_similar: bool) -> None:
    async def write() -> None:
        if not await _store(caller).track(sku, caller.actor, tracked=tracked, allow_similar=allow_similar):
            raise ProblemError(problem("sku_has_stock"))

    try:
        await written(write())
    except SimilarNameError as error:
        raise ProblemError(problem("similar_name", alike("sku", sku, error.similar))) from None


def _store(caller: Caller) -> SkuStore:
    partition = caller.partition
    return SkuStore(partition.client, partition.keyspace, partition.limits)
