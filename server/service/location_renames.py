"""Other names of locations, and none any more."""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from server.domain import limits
from server.service.caller import Caller
from server.service.channels import rules_of_all
from server.service.checks import InvalidError, check_location, check_new_name
from server.service.locations import location_names
from server.service.mirrored_locations import refuse_change
from server.service.problems import ProblemError, alike, problem
from server.store.errors import SimilarNameError, StoreUnavailableError
from server.store.repositories.location_deletes import LocationDeletes
from server.store.repositories.location_renames import LocationRenames

MOVING_S: Final = 5.0
"""How long a request moves SKUs; then it is answered, and maintenance goes on."""
_ANSWER_S: Final = 30.0
"""A store that takes so long for a call hangs."""
_ASK_AGAIN: Final = (
    "It may or may not have happened. Send the same request again: a second time it does no harm and needs no key."
)
_NAMED_WITHOUT_NAME: Final = "is the location of requests that name none, so it keeps its name and is not deleted"


class RenamedLocation(NamedTuple):
    """A location that was renamed; ``is_done`` False: ``moved`` of its SKUs lie under the new name, and others not."""

    location: str
    to: str
    is_done: bool
    moved: int


async def rename_location(
    caller: Caller,
    name: str,
    to: str,
    *,
    allow_similar: bool = False,
    reason: str = "",
    within_s: float | None = MOVING_S,
    report: Callable[[int], None] | None = None,
) -> RenamedLocation:
    """Rename a location; both names mean the same from now on. A second time goes on, or changes nothing.

    ``allow_similar``: the new name is meant, though another location is like it. ``reason``: why; the history keeps it.
    ``within_s``: how long to move SKUs; None: until all have moved. ``report``: is called with how many have moved,
    while they do.

    Raises
    ------
    InvalidError
        One cannot be a location, both are the same, or it is the default one.
    ProblemError
        It is refused, and nothing changed; or the store did not answer in time, and asking again is safe.

    """
    old, new = _named(name), check_new_name("to", to, limits.LOCATION_BYTES_MAX)
    if old == new:
        raise InvalidError("to", "is its name already")
    partition = caller.partition
    await refuse_change(caller, old)
    renames = LocationRenames(partition.client, partition.keyspace, partition.limits)
    timeout = asyncio.timeout(None if within_s is None else within_s + _ANSWER_S)
    try:
        async with timeout:
            done = await renames.rename(
                old, new, caller.actor, allow_similar=allow_similar, reason=reason, within_s=within_s, report=report
            )
    except SimilarNameError as error:
        raise ProblemError(problem("similar_name", alike("location", new, error.similar))) from None
    except (StoreUnavailableError, TimeoutError) as error:
        raise ProblemError(problem("outcome_unknown", _ASK_AGAIN)) from error
    if done.outcome == "renamed_before":
        now = (await location_names(caller)).current(old)
        raise ProblemError(problem("renamed_before", f"It is called {now} now: rename that. Nothing changed."))
    if done.outcome == "too_many_names":
        raise ProblemError(problem("too_many_names", "Locations have 1,000 old names together. Nothing changed."))
    if done.outcome != "renamed":
        raise ProblemError(problem(done.outcome))
    return RenamedLocation(old, new, done.is_done, done.moved)


async def delete_location(caller: Caller, name: str) -> str:
    """Delete a location at which nothing lies and nothing is promised, and its old names with it; return it.

    Raises
    ------
    InvalidError
        It cannot be a location, or is the default one.
    ProblemError
        It is refused; or the store did not answer in time, and asking again is safe.

    """
    names, partition = await location_names(caller), caller.partition
    location = names.current(_named(name))
    await refuse_change(caller, location)
    for channel, rules in (await rules_of_all(partition)).items():
        if location in map(names.current, rules.locations):
            _refuse(f"the rules of the channel {channel} name it")
    try:
        async with asyncio.timeout(_ANSWER_S):
            deletes = LocationDeletes(partition.client, partition.keyspace, partition.limits)
            deleted = await deletes.delete(location, caller.actor)
    except (StoreUnavailableError, TimeoutError) as error:
        raise ProblemError(problem("outcome_unknown", _ASK_AGAIN)) from error
    if deleted.use:
        _refuse(deleted.use)
    if deleted.outcome != "deleted":
        raise ProblemError(problem(deleted.outcome))
    return location


def _refuse(use: str) -> None:
    detail = problem("location_in_use").detail
    raise ProblemError(problem("location_in_use", f"In the way: {use}. {detail}"))


def _named(name: str) -> str:
    location = check_location("name", name)
    if location == limits.DEFAULT_LOCATION:
        raise InvalidError("name", _NAMED_WITHOUT_NAME)
    return location
