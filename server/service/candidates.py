"""Which locations an order with ``sourcing`` may be taken from: those where its SKUs are, registered or not.

The store looks at so many of them in one script. Where there are more, their levels are read in slices before, and
those with units are sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from server.domain.limits import DEFAULT_LOCATION, PLACES_PER_ORDER_MAX
from server.domain.locations import Directory
from server.domain.sourcing import CANDIDATES_MAX, PAIRS_MAX, Candidate, Rules, ranked
from server.store.ledger import slices
from server.store.ledger.ledger import Ledger

PAIRS_READ_MAX: Final = 30_000
"""For one order: so many reads that it takes a tenth of a second."""

PAIRS_UNREAD_MAX: Final = 300
"""Pairs that are sent without a look at them: in one script they take some 4 ms, however many allocations they have."""
RECORD_BYTES_MAX: Final = 250_000
"""Of the records that one script looks at, about: as many as 330 with 32 allocations have, or 2,500 with a few."""

PLACES_ON_LOOP_MAX: Final = 2_000
"""Of an order whose plan is made on the event loop: some 2 ms."""

Result = TypeVar("Result")

Units = Mapping[tuple[str, str], int]
"""What the order's channel may reserve, by location and SKU."""


class Candidates(NamedTuple):
    """The candidates, best first; whether some that may have units are not among them.

    ``known``: every location that knows one of the SKUs; ``without_units``: those of them that have no units of any.
    """

    best: list[Candidate]
    is_cut: bool = False
    known: frozenset[str] = frozenset()
    without_units: frozenset[str] = frozenset()


async def find_candidates(
    ledger: Ledger, directory: Directory, rules: Rules, wanted: Mapping[str, int], channel: str
) -> Candidates:
    """Find the locations that units may be taken from. ``wanted``: units of each SKU.

    Raises as the methods of :class:`~server.store.ledger.ledger.Ledger`, and

    TooManyPlacesError
        The SKUs are known at more places than one order looks at.

    """
    skus = list(wanted)
    if not skus:
        return Candidates([])
    names = await slices.places(ledger, skus, places_max=PLACES_PER_ORDER_MAX)
    places = dict(zip(skus, names, strict=True))
    beside = where_to_work(sum(map(len, places.values())))
    known, in_order = await beside(_in_order, directory, rules, places)
    if not in_order:
        return Candidates(_elsewhere(directory, rules, known), known=known)
    if len(in_order) * len(skus) <= PAIRS_UNREAD_MAX:
        return Candidates(in_order, known=known)
    known_at, pairs = await beside(_pairs, in_order, places)
    units, most = await _units(ledger, pairs[:PAIRS_READ_MAX], channel, len(skus))
    if len(in_order) <= most:
        return Candidates(in_order, known=known)
    chosen: Candidates = await beside(_chosen, in_order, known_at, units, wanted, most)
    left_out = chosen.is_cut and (rules.split_lines or not await beside(_is_nowhere, wanted, units))
    return chosen._replace(is_cut=left_out or len(pairs) > PAIRS_READ_MAX, known=known)


def where_to_work(places: int) -> Callable[..., Awaitable[Any]]:
    """Return how to work on so many places: on the event loop, or beside it where that takes long."""
    return _beside if places > PLACES_ON_LOOP_MAX else _here


async def _here(work: Callable[..., Result], *arguments: Any) -> Result:
    return work(*arguments)


async def _beside(work: Callable[..., Result], *arguments: Any) -> Result:
    """Work beside the event loop: others go on meanwhile."""
    return await asyncio.to_thread(work, *arguments)


def _in_order(
    directory: Directory, rules: Rules, places: Mapping[str, Sequence[str]]
) -> tuple[frozenset[str], list[Candidate]]:
    known = frozenset(name for names in places.values() for name in names)
    return known, ranked(directory, rules, directory.open_among(known, rules.group))


def _pairs(
    in_order: Sequence[Candidate], places: Mapping[str, Sequence[str]]
) -> tuple[dict[str, frozenset[str]], list[tuple[str, str]]]:
    known_at = {sku: frozenset(names) for sku, names in places.items()}
    return known_at, [(each.name, sku) for each in in_order for sku in places if each.name in known_at[sku]]


def _chosen(
    in_order: Sequence[Candidate],
    known_at: Mapping[str, frozenset[str]],
    units: Units,
    wanted: Mapping[str, int],
    most: int,
) -> Candidates:
    looked_at = {name for name, _ in units}
    having = {name for (name, _), there in units.items() if there > 0}
    kept = _cut([each for each in in_order if each.name in having], wanted, units, most)
    names = {each.name for each in kept}
    if len(kept) < len(having):
        names |= {name for name, _ in _best(units).values()}  # a refusal says how many are at one place
    found = _covering(names, in_order, known_at)
    return Candidates(
        found, len(kept) < len(having), without_units=frozenset(looked_at - having) - {each.name for each in found}
    )


def _best(units: Units) -> dict[str, tuple[str, int]]:
    """Return for each SKU the location with most units of it, and how many."""
    best: dict[str, tuple[str, int]] = {}
    for (name, sku), there in units.items():
        if sku not in best or there > best[sku][1]:
            best[sku] = name, there
    return best


def _is_nowhere(wanted: Mapping[str, int], units: Units) -> bool:
    """Whether no location has all that is wanted of a SKU: then none of those that were left out helps."""
    return any(there < wanted[sku] for sku, (_, there) in _best(units).items())


def _elsewhere(directory: Directory, rules: Rules, known: frozenset[str]) -> list[Candidate]:
    """Return what says in the store why there is no candidate: unknown there, or (empty) closed."""
    if not rules.group:
        return [] if known else [Candidate(DEFAULT_LOCATION, 0)]
    return ranked(directory, rules, directory.open_in(rules.group))[:1]


async def _units(
    ledger: Ledger, pairs: Sequence[tuple[str, str]], channel: str, skus: int
) -> tuple[dict[tuple[str, str], int], int]:
    """Return the units at the pairs, and how many candidates one script may look at: fewer where records are long."""
    found, record_bytes = await slices.units(ledger, [(sku, name) for name, sku in pairs], channel)
    pairs_max = min(PAIRS_MAX, RECORD_BYTES_MAX * len(pairs) // max(1, record_bytes))
    return dict(zip(pairs, found, strict=True)), max(1, min(CANDIDATES_MAX, pairs_max // skus))


def _cut(candidates: list[Candidate], wanted: Mapping[str, int], units: Units, most: int) -> list[Candidate]:
    """Keep so many: the first that have everything, then those that have most of what is wanted; in their order."""
    if len(candidates) <= most:
        return candidates

    def has(candidate: Candidate) -> int:
        return sum(min(there, units.get((candidate.name, sku), 0)) for sku, there in wanted.items())

    kept = set(sorted(candidates, key=has, reverse=True)[:most])  # equals stay in their order
    return [each for each in candidates if each in kept]


def _covering(
    names: set[str], in_order: Sequence[Candidate], known_at: Mapping[str, frozenset[str]]
) -> list[Candidate]:
    """Add for each SKU a location that knows it, where none of those named does: it is short, and not unknown."""
    for added in _missing(names, in_order, known_at):
        names.add(added.name)
    return [each for each in in_order if each.name in names]


def _missing(
    names: set[str], in_order: Sequence[Candidate], known_at: Mapping[str, frozenset[str]]
) -> Iterator[Candidate]:
    for known in known_at.values():
        if not known & names:
            yield from [each for each in in_order if each.name in known][:1]
