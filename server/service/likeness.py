"""New names that are like known ones: what a request says about them, and what it is told."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec
from msgspec import structs

from server.domain.answers import Refused
from server.domain.limits import DEFAULT_LOCATION
from server.domain.similar_names import closest
from server.service.caller import Caller
from server.store.errors import StoreUnavailableError

Answer = TypeVar("Answer")
AnyBody = TypeVar("AnyBody", bound=msgspec.Struct)


def is_allowed(body: msgspec.Struct) -> bool:
    """Whether a body says that its names are meant, however like known ones they are."""
    return getattr(body, "allow_similar", msgspec.UNSET) is True


def as_asked(body: AnyBody) -> AnyBody:
    """Return a body without what it says about its names: what it asks for is the same, so a retry is a replay."""
    if getattr(body, "allow_similar", msgspec.UNSET) is msgspec.UNSET:
        return body
    return structs.replace(body, allow_similar=msgspec.UNSET)


def with_nearest(answer: Answer, registered: Iterable[str]) -> Answer:
    """Return the answer; where it refuses a location for not being registered, with the registered one most like it."""
    if not isinstance(answer, Refused) or answer.outcome != "unregistered_location" or not answer.lines:
        return answer
    known = [*registered, DEFAULT_LOCATION]
    lines = [structs.replace(line, similar=closest(line.location, known)) for line in answer.lines]
    return structs.replace(answer, lines=lines)


async def told(caller: Caller, answer: Answer) -> Answer:
    """Return the ledger's answer with the name of the location that may be meant, if the store can still be read."""
    if not isinstance(answer, Refused) or answer.outcome != "unregistered_location":
        return answer
    try:
        return with_nearest(answer, (await caller.partition.locations.current()).locations)
    except StoreUnavailableError:
        return answer
