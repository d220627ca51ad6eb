"""Batches: split by the limits of the API, sent one after the other, and their results put in order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from holdfast.calls import KEY_CHARACTERS_MAX, Call, Repeat, checked_key, keyed, sets
from holdfast.decisions import Plan, Policy, Wait
from holdfast.errors import BatchInterrupted, HoldfastError, OutcomeUnknown
from holdfast.verdicts import NOT_PROCESSED

BODY_BYTES_MAX: Final = 1_048_576
RESERVATIONS_MAX: Final = 500
LIST_MAX: Final = 1_000
"""Movements, SKUs, barcodes, listings or rules in one request."""
_UNSETTLED: Final = NOT_PROCESSED | {"outcome_unknown"}
_OK_MAX: Final = 299


class Result(Protocol):
    """The result of one element of a batch."""

    @property
    def status(self) -> int:
        """The status that it would have had alone."""

    @property
    def outcome(self) -> str:
        """What came of it, in one word."""


ResultT = TypeVar("ResultT", bound=Result)
PageT = TypeVar("PageT")


@dataclass(frozen=True)
class Part(Generic[PageT]):
    """One request of a batch, and how many elements are in it."""

    call: Call[PageT]
    elements: int


def bodies(
    name: str, elements: Sequence[object], elements_max: int, more: Mapping[str, object] | None = None
) -> Iterator[tuple[bytes, int]]:
    """Yield bodies whose list ``name`` has the elements in order, each within the limits, and how many it has.

    ``more``: the other fields, which each of them has. An element that is too large by itself stands alone: the server
    says so.
    """
    part: list[bytes] = []
    head = b"".join(
        msgspec.json.encode(each) + b":" + msgspec.json.encode(value) + b"," for each, value in (more or {}).items()
    )
    head = b"{" + head + msgspec.json.encode(name) + b":["
    frame = len(head) + len(b"]}")
    size = frame
    for element in elements:
        raw = msgspec.json.encode(element)
        if part and (len(part) == elements_max or size + len(raw) + 1 > BODY_BYTES_MAX):
            yield head + b",".join(part) + b"]}", len(part)
            part, size = [], frame
        part.append(raw)
        size += len(raw) + 1
    if part:
        yield head + b",".join(part) + b"]}", len(part)


def keyed_parts(
    path: str, answer: type[PageT], name: str, elements: Sequence[object], elements_max: int, key: str
) -> list[Part[PageT]]:
    """Split a batch. With the same key and elements the parts are the same, and so are their keys.

    Raises
    ------
    ValueError
        It is no key, or leaves no room for the numbers of the parts.

    """
    checked_key(key)  # that of the batch, since with numbers even an empty one would be a key
    found = list(bodies(name, elements, elements_max))
    keys = [key] if len(found) == 1 else [f"{key}.{number}" for number in range(len(found))]
    if any(len(each) > KEY_CHARACTERS_MAX for each in keys):
        raise ValueError(f"an idempotency_key has at most {KEY_CHARACTERS_MAX} characters, and a batch adds some to it")
    return [
        Part(keyed("POST", path, answer, raw, key=own), count) for own, (raw, count) in zip(keys, found, strict=True)
    ]


def set_parts(
    path: str, answer: type[PageT], name: str, elements: Sequence[object], more: Mapping[str, object] | None = None
) -> list[Part[PageT]]:
    """Split a list that is put, and that has the same effect when it is put again."""
    return [Part(sets("PUT", path, answer, raw), count) for raw, count in bodies(name, elements, LIST_MAX, more)]


def results_in_order(
    parts: Sequence[Part[PageT]], of: Callable[[PageT], Sequence[ResultT]], key: str, policy: Policy
) -> Plan[list[ResultT]]:
    """Send the parts one after the other, and return one result for each element.

    Elements that were not processed, or whose outcome is unknown, are tried again with their part: the others in it
    answer as they did.

    Raises
    ------
    BatchInterrupted
        A part failed, and others are done, or nobody knows what came of it.
    Refused, Unavailable
        The first part failed, and nothing happened.

    """
    known: list[ResultT | None] = []
    total = sum(part.elements for part in parts)
    for number, part in enumerate(parts, 1):
        try:
            known += yield from _settled(part.call, of, policy)
        except HoldfastError as error:
            if not known and not isinstance(error, OutcomeUnknown):
                raise
            results = [*known, *[None] * (total - len(known))]
            raise BatchInterrupted(error, results, part=number, parts=len(parts), key=key) from error
    return [each for each in known if each is not None]


def _settled(call: Call[PageT], of: Callable[[PageT], Sequence[ResultT]], policy: Policy) -> Plan[Sequence[ResultT]]:
    page = yield call
    known = of(page)
    for tries in range(1, policy.tries_max):
        if all(each.outcome not in _UNSETTLED for each in known):
            break
        yield Wait(policy.pause_after(tries))
        try:
            page = yield call
        except HoldfastError:
            break  # what is known stands
        known = [newer(before, now) for before, now in zip(known, of(page), strict=True)]
    return known


def newer(before: ResultT, now: ResultT) -> ResultT:
    """Return what is known of an element that was answered twice."""
    if now.outcome in NOT_PROCESSED:
        return now if before.outcome in NOT_PROCESSED else before
    if now.outcome == "outcome_unknown":
        return before if before.status <= _OK_MAX else now
    return now


def pages_in_order(parts: Sequence[Part[PageT]]) -> Plan[list[PageT]]:
    """Send parts of which each has the same effect when it is repeated, and return their answers.

    Raises
    ------
    BatchInterrupted
        A part failed after others were done.
    Refused, Unavailable, OutcomeUnknown
        The first part failed, or one that only reads.

    """
    pages: list[PageT] = []
    for number, part in enumerate(parts, 1):
        try:
            page: PageT = yield part.call
        except HoldfastError as error:
            if not pages or part.call.repeat is Repeat.READS:
                raise
            answers: list[Any] = [*pages, *[None] * (len(parts) - len(pages))]
            raise BatchInterrupted(error, answers, part=number, parts=len(parts)) from error
        pages.append(page)
    return pages
