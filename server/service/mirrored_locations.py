"""What may not be done to a location while somebody else fills it: the configuration says what it is."""

from server.service.caller import Caller
from server.service.problems import ProblemError, problem
from server.store.connection.timeouts import in_time
from server.store.repositories.mirrors import read_mirrored


async def refuse_change(caller: Caller, location: str) -> None:
    """Refuse a change of a location itself that a channel or a source fills.

    Raises
    ------
    ProblemError
        It is filled from outside.
    StoreUnavailableError
        The store did not answer in time.

    """
    partition = caller.partition
    filler = (await in_time(read_mirrored(partition.client, partition.keyspace))).get(location)
    if filler is not None:
        raise ProblemError(problem("location_mirrored", filled_by(location, filler)))


def filled_by(location: str, filler: str) -> str:
    """Say by whom a location is filled, and what to do."""
    return f"{location} is filled by {filler}. {problem('location_mirrored').detail}"
