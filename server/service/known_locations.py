"""Whether locations that a rule names are there: a rule for a mistyped one would be kept, and apply to nothing."""

from collections.abc import Collection, Iterable, Mapping

from server.domain.limits import DEFAULT_LOCATION
from server.domain.similar_names import did_you_mean
from server.service.checks import InvalidError
from server.store.connection.connect import StoreClient
from server.store.connection.timeouts import in_report_time
from server.store.keys import Keyspace
from server.store.repositories.location_names import read_location_names
from server.store.repositories.locations import places_of_stock


async def check_known(
    client: StoreClient, keyspace: Keyspace, registered: Iterable[str], named: Mapping[str, str]
) -> None:
    """Refuse locations that were never registered and never had stock; the default one is always there.

    ``registered``: the registered locations. ``named``: those to be checked, by their fields.

    Raises
    ------
    InvalidError
        One is not there; the rule names the most similar one and says what to do.
    StoreUnavailableError
        The store did not answer in time.

    """
    known = {*registered, DEFAULT_LOCATION, *(await in_report_time(read_location_names(client, keyspace))).newest}
    unknown = set(named.values()) - known
    if unknown:
        known |= await in_report_time(_stocked(client, keyspace, unknown))
    for field, name in named.items():
        if name not in known:
            raise InvalidError(
                field,
                f"names {name}, which is not registered and never had stock{did_you_mean(name, known) or '.'}"
                " Correct it, or register it first with PUT /v1/locations/…",
            )


async def _stocked(client: StoreClient, keyspace: Keyspace, wanted: Collection[str]) -> set[str]:
    """Find locations with stock, until all that are wanted were met."""
    found: set[str] = set()
    async for places in places_of_stock(client, keyspace):
        found |= places
        if found.issuperset(wanted):
            break
    return found
