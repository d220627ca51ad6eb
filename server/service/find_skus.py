"""Find SKUs: by a part of the name, a barcode or a channel's key, by location, channel and state, and in some orders.

An index among the documents finds them. What is shown of them is read from the store, so an index that is behind can
miss a SKU for a moment, and never shows a wrong number.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from server.domain.channels import is_channel_name
from server.domain.finding import near, squeezed, words
from server.domain.limits import SKU_BYTES_MAX
from server.domain.replenishment import Rule, rule_for
from server.schemas.finding import SHOWN_ON_CHANNELS_MAX, SkusQuery, SkuState
from server.service.caller import Caller
from server.service.channel_states import channel_of
from server.service.checks import InvalidError, check_location, check_text
from server.service.documents import Freshness, documents_of, freshness
from server.service.pages import next_of, place_in
from server.service.scans import check_scan, find_here
from server.store.connection.timeouts import in_time
from server.store.documents import finding_search as search
from server.store.documents.database import Session
from server.store.documents.finding_search import Along, Candidate, Candidates, Place, SkuFilter
from server.store.repositories.aliases import current_names
from server.store.repositories.location_names import read_location_names
from server.store.repositories.replenishment import ReplenishmentStore
from server.store.repositories.safety_stock import SafetyStore
from server.store.repositories.sku_numbers import SkuNumbers, read_numbers

ROUNDS_MAX: Final = 4
"""How often a page looks at some hundred SKUs of the index; it may find few that match, and go on."""
PLACES_MAX: Final = 20_000
"""SKUs at locations that one page reads."""
MEANT_MAX: Final = 20
"""SKUs that are found by a barcode, a key or a typo."""
RULES_FEW: Final = 1_000
"""So many rules of reordering are read for each page."""
KEPT_S: Final = 5.0
"""How long more of them are kept."""
_KEPT_MAX: Final = 100
_kept_rules: Final[dict[str, "tuple[float, _Low]"]] = {}
_SORTS: Final[Mapping[object, Along]] = {
    "available": search.along_sums("available", is_down=False),
    "-available": search.along_sums("available", is_down=True),
    "-changed": search.along_sums("changed_ms", is_down=True),
}
_decode_place = msgspec.json.Decoder(list[str | int]).decode
_INTEGER_MAX: Final = 2**53


class FoundSku(NamedTuple):
    """A SKU that matches, with its numbers."""

    sku: str
    category: str
    states: list[SkuState]
    numbers: SkuNumbers


class SkusFound(NamedTuple):
    """A page; ``following`` is the ``after`` of the next one, empty on the last.

    ``low_up_to``: the highest reorder point.
    """

    found: list[FoundSku]
    following: str
    freshness: Freshness
    low_up_to: int


class _Low(NamedTuple):
    """The reorder points of a partition, and the highest of them."""

    rules: Mapping[tuple[str, str], Rule]
    highest: int


async def find_skus(caller: Caller, query: SkusQuery) -> SkusFound:
    """Read a page of the SKUs that match.

    Raises
    ------
    InvalidError
        A field breaks a rule, two of them exclude each other, or ``after`` is not what a page returned as its next.
    ProblemError
        There is no documents database, or the channel is not configured.
    DocumentsError
        The database does not answer.
    StoreUnavailableError
        The store did not answer in time.

    """
    age = await freshness(caller)
    finder = await _Finder.of(caller, query)
    found, following = await finder.page()
    return SkusFound(found, following, age, finder.low_up_to)


class _Finder:
    """Finds the SKUs of one request."""

    def __init__(self, caller: Caller, query: SkusQuery, wanted: SkuFilter, low: _Low) -> None:
        self._caller = caller
        self._query = query
        self._wanted = wanted
        self._low = low
        self._documents = documents_of(caller)
        self._along = _along(query, wanted, low)
        self._after = _place(query, self._along) if query.after else None

    @classmethod
    async def of(cls, caller: Caller, query: SkusQuery) -> "_Finder":
        """Check a query; raises as :func:`find_skus`."""
        if query.q is not None and not words(query.q):
            raise InvalidError("q", "must have a letter or a digit")
        if query.sort is not msgspec.UNSET and (query.q is not None or query.state == "low"):
            raise InvalidError("sort", "may not stand beside q or state=low: what they find has an order of its own")
        parts, locations = caller.partition, tuple[str, ...]()
        if query.location is not None:
            name = check_location("location", query.location)
            locations = tuple((await in_time(read_location_names(parts.client, parts.keyspace))).names(name))
        channel = ""
        if query.channel is not None:
            settings = channel_of(caller, query.channel)
            channel = "" if settings.listings == "all" else settings.name
        if query.show is not msgspec.UNSET and query.limit > SHOWN_ON_CHANNELS_MAX:
            raise InvalidError("limit", f"may be {SHOWN_ON_CHANNELS_MAX} at most with show=channels")
        state = "" if query.state is msgspec.UNSET else query.state
        prefix = check_text("prefix", query.prefix, SKU_BYTES_MAX) if query.prefix is not None else ""
        others = tuple(words(query.q)) if query.q is not None else ()
        wanted = SkuFilter(locations, channel, state, prefix, others)
        return cls(caller, query, wanted, await _reorder_points(caller))

    @property
    def low_up_to(self) -> int:
        """The highest reorder point, in units."""
        return self._low.highest

    async def page(self) -> tuple[list[FoundSku], str]:
        """Find the SKUs of this page, and where the next one begins."""
        found: dict[str, FoundSku] = {}
        after, limit = self._after, self._query.limit
        # Read for each page: who is meant stands before all others, and not among them again.
        meant = await self._meant(self._query.q) if self._query.q is not None else {}
        if self._query.q is not None and (after is None or len(after) == 1):
            first = after[0] if after is not None else 0
            found = dict(list(meant.items())[first : first + limit])
            if first + limit < len(meant):
                return list(found.values()), next_of((first + limit,))
            after = (self._along.least, "")  # where the others begin
        for _ in range(ROUNDS_MAX):
            if after is not None and len(found) >= limit:
                break
            page = await self._look(after, limit - len(found))
            shown, after = await self._shown(page.found, page.following)
            found |= {each.sku: each for each in shown if each.sku not in meant}
            if after is None:
                break
        return list(found.values()), "" if after is None else next_of(after)

    async def _look(self, after: Place | None, limit: int) -> Candidates:
        partition = self._caller.principal.partition

        async def look(session: Session) -> Candidates:
            return await search.look(session, partition, self._along, self._wanted, after, limit=limit)

        return await self._documents.look(look)

    async def _shown(
        self, candidates: Sequence[Candidate], following: Place | None
    ) -> tuple[list[FoundSku], Place | None]:
        """Read what candidates have now, and keep those that match; if there are too many places, go on behind some."""
        parts, skus = self._caller.partition, [each.sku for each in candidates]
        # What each channel shows is worked out from all places of a SKU, channel by channel.
        places_max = PLACES_MAX if self._query.show is msgspec.UNSET else PLACES_MAX // (1 + len(parts.channels))
        reading = read_numbers(parts.client, parts.keyspace, skus, self._wanted.locations, places_max)
        numbers, reached = await in_time(reading)
        if reached < len(candidates):
            following = candidates[reached - 1].place
        categories = await in_time(SafetyStore(parts.client, parts.keyspace).categories(list(numbers)))
        found = [
            FoundSku(sku, category, self._states(sku, each), each)
            for (sku, each), category in zip(numbers.items(), categories, strict=True)
        ]
        state = self._wanted.state
        return [each for each in found if not state or state in each.states], following

    def _states(self, sku: str, numbers: SkuNumbers) -> list[SkuState]:
        if numbers.is_untracked:
            return ["untracked"]
        records, states = numbers.records, list[SkuState]()
        if self._low.rules and any(
            self._is_low(sku, location, record.left())
            for location, record in records.items()
            if location not in numbers.closed
        ):
            states.append("low")
        if numbers.available <= 0:
            states.append("out")
        if any(record.lacks for record in records.values()):
            states.append("short")
        if any(record.held for record in records.values()):
            states.append("held")
        return states

    def _is_low(self, sku: str, location: str, available: int) -> bool:
        rule = rule_for(self._low.rules, sku, location)
        return rule is not None and 0 < available <= rule.reorder_point

    # -- what was meant

    async def _meant(self, text: str) -> dict[str, FoundSku]:
        """Find SKUs by an old name, a barcode, a channel's key, and where the name has no match, by a typo in it."""
        skus = [*await self._by_old_name(text.strip()), *await self._by_barcode(text)]
        partition, word = self._caller.principal.partition, squeezed(text)
        channels = [name for name in self._caller.partition.channels if is_channel_name(name)]
        wanted = self._wanted._replace(words=())

        async def look(session: Session) -> list[str]:
            found = [*skus, *await search.with_key(session, partition, word, channels)]
            first = await search.look(session, partition, self._along, self._wanted, None, limit=1)
            if not found and not first.found and first.following is None:
                found = await search.with_tails(session, partition, near(word), MEANT_MAX)
            return await search.matching(session, partition, wanted, list(dict.fromkeys(found))[:MEANT_MAX])

        meant = await self._documents.look(look)
        shown, _ = await self._shown([Candidate(sku, ()) for sku in meant], None)
        return {each.sku: each for each in shown}

    async def _by_old_name(self, text: str) -> list[str]:
        parts = self._caller.partition
        now = (await in_time(current_names(parts.client, parts.keyspace, [text])))[text]
        return [now] if now != text else []

    async def _by_barcode(self, text: str) -> list[str]:
        try:
            scan = check_scan("q", text)
        except InvalidError:
            return []
        return [each.pack.sku for each in (await find_here(self._caller, [scan])).values()]


async def _reorder_points(caller: Caller) -> _Low:
    """Read the rules of reordering; many of them are kept for some seconds."""
    parts, partition, now_s = caller.partition, caller.principal.partition, time.monotonic()
    kept = _kept_rules.get(partition)
    if kept is not None and now_s - kept[0] < KEPT_S:
        return kept[1]
    rules = await in_time(ReplenishmentStore(parts.client, parts.keyspace).rules_by_any_name())
    low = _Low(rules, max((each.reorder_point for each in rules.values()), default=0))
    if len(rules) > RULES_FEW:
        if len(_kept_rules) >= _KEPT_MAX:
            _kept_rules.clear()
        _kept_rules[partition] = now_s, low
    return low


def _along(query: SkusQuery, wanted: SkuFilter, low: _Low) -> Along:
    """Choose along what to look: what narrows most, or an order that was asked for."""
    if query.q is not None:
        return search.along_words(max(wanted.words, key=len))
    if wanted.state == "low":
        return search.along_few(low.highest)
    if wanted.state == "out" and query.sort == "-changed" and not wanted.locations:
        return search.NEWEST_OUT
    if query.sort in _SORTS:
        return _SORTS[query.sort]
    return _narrowest(wanted)


def _narrowest(wanted: SkuFilter) -> Along:
    state, places = wanted.state, wanted.locations
    if state and (not places or (len(places) == 1 and state != "untracked")):
        return search.along_state(state, places)
    if wanted.prefix:
        return search.along_prefix(wanted.prefix)
    if wanted.channel:
        return search.along_channel(wanted.channel)
    if len(places) == 1:
        return search.along_location(places[0])
    return search.BY_SKU


def _place(query: SkusQuery, along: Along) -> Place:
    place = place_in(query.after, _decode_place)
    if query.q is not None and len(place) == 1 and isinstance(place[0], int) and 0 < place[0] < MEANT_MAX:
        return tuple(place)  # behind so many of those that are meant
    kinds = [int if column in ("available", "changed_ms") else str for column in along.columns]
    is_so = len(place) == len(kinds) and all(isinstance(each, kind) for each, kind in zip(place, kinds, strict=True))
    if not is_so or any(isinstance(each, int) and abs(each) > _INTEGER_MAX for each in place):
        raise InvalidError("after", "must be what a page gave as next, with the same query")
    return tuple(search.kept(each) if isinstance(each, str) else each for each in place)
