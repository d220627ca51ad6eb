"""Which category a SKU is of, for the rules of safety stock."""

from collections.abc import Mapping

from server.schemas.safety_stock import SkuBody, SkusBody
from server.service.caller import Caller
from server.service.checks import check_category, check_sku
from server.service.rules import safety_store
from server.service.writes import written
from server.store.connection.timeouts import in_time


async def put_categories(caller: Caller, body: SkusBody) -> Mapping[str, str]:
    """Put SKUs into categories, and return them by SKU. Where a SKU is there twice, the last one counts.

    Raises
    ------
    InvalidError
        A field breaks a rule.
    ProblemError
        The store did not answer in time; asking again is safe.

    """
    categories = {
        check_sku(f"skus[{at}].sku", each.sku): check_category(f"skus[{at}].category", each.category)
        for at, each in enumerate(body.skus)
    }
    await written(safety_store(caller).set_categories(categories, caller.actor))
    return categories


async def put_category(caller: Caller, sku: str, body: SkuBody) -> str:
    """Put a SKU into a category, and return it, empty for none; errors as for :func:`put_categories`."""
    checked, category = check_sku("sku", sku), check_category("category", body.category)
    await written(safety_store(caller).set_categories({checked: category}, caller.actor))
    return category


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
