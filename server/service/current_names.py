"""What SKUs are called now: what is kept by SKU, past the scripts that follow old names, is kept under that name."""

from collections.abc import Sequence

from server.service.caller import Caller
from server.store.connection.timeouts import in_time
from server.store.repositories.aliases import current_names


async def current(caller: Caller, skus: Sequence[str]) -> list[str]:
    """Return what SKUs are called now, in order.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    partition = caller.partition
    names = await in_time(current_names(partition.client, partition.keyspace, skus))
    return [names[sku] for sku in skus]
