"""Follows the journal of a partition for all that is kept of it in the documents database, each entry exactly once.

One reading serves several consumers. What they write of a piece of the journal and up to where each has read stand in
one transaction, which does nothing if a position stands elsewhere by then. So a process that is killed at any moment,
or a second one that follows at the same time, neither loses a row nor writes one twice, and no lease is needed.

A piece begins with the entry that was read last. Where that is gone, entries were trimmed, or the store came back
without its newest ones: the consumers are told of the gap, in the transaction that goes on behind it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog

from server.domain.history import Gap
from server.insight.pace import Pace
from server.store.connection.connect import StoreClient
from server.store.documents import followed
from server.store.documents.database import Session
from server.store.documents.documents import Documents
from server.store.documents.followed import Move
from server.store.journal import journal
from server.store.journal.entries import START, EntryId, before, format_entry_id, parse_entry_id
from server.store.journal.feed import AT_A_TIME_BYTES, Entry, JournalFeed
from server.store.journal.journal import DamagedEntryError
from server.store.keys import Keyspace

log = structlog.get_logger("holdfast.insight")

PAGE_ENTRIES: Final = 128
LINES_MAX: Final = 1_000
"""Of one transaction, about: some ten milliseconds in which nobody else writes documents."""
PIECES_MAX: Final = 5
"""After so many it is another partition's turn."""
ASIDE_S: Final = 60.0
"""How long a consumer that fails alone keeps the others from nothing."""
_TRIES: Final = 2
"""Where the database is another one than before, it begins anew at once."""

Write = Callable[[Session], Coroutine[Any, Any, None]]
"""What is written in the transaction. It may wait for its session and for nothing else."""


class Consumer(Protocol):
    """What makes something of the journal in the documents database. ``name`` is that of its position."""

    @property
    def name(self) -> str:
        """The name of its position; another name begins anew, with all that the journal has."""

    @property
    def keeps_journal(self) -> bool:
        """Whether entries that it has not read are kept for it, within bounds; else it reads all anew after a gap."""

    async def take(self, keyspace: Keyspace, entries: Sequence[Entry]) -> Write:
        """Take a piece of the journal and return what writes it. It may be asked again for the same piece."""

    def miss(self, keyspace: Keyspace, gap: Gap) -> Write:
        """Return what writes that a part of the journal is not known."""


@dataclass
class _Place:
    """Up to where a consumer has read. ``stored``: as the database has it, None: it has none. ``gaps``: not written."""

    read_to: str
    stored: str | None
    gaps: list[Gap] = field(default_factory=list)

    def is_before(self, entry: Entry) -> bool:
        """Whether an entry was not taken yet."""
        return entry.position > parse_entry_id(self.read_to)


Places = dict[str, _Place]


class _MovedElsewhereError(Exception):
    """Another process follows, too, or the database is another one."""


class JournalFollower:
    """Follows one partition. ``client`` is asked past the feed's buffer; None: the feed's own.

    ``pace``: shared by all of a process; None: its own.
    """

    def __init__(
        self,
        feed: JournalFeed,
        documents: Documents,
        consumers: Sequence[Consumer],
        client: StoreClient | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self._feed = feed
        self._client = client or feed.client
        self._keyspace = feed.keyspace
        self._documents = documents
        self._consumers = {each.name: each for each in consumers}
        self._places: Places | None = None
        self._stored: dict[str, str] = {}
        self._aside_until_s: dict[str, float] = {}
        self._is_apart = False
        """Whether each consumer writes by itself: together, one of them has failed."""

    @property
    def read_to(self) -> str | None:
        """The id up to which every consumer has read for which the journal is kept; None: that is not known."""
        names = [name for name, each in self._consumers.items() if each.keeps_journal]
        if any(name not in self._stored for name in names):
            return None
        return min((self._stored[name] for name in names), key=parse_entry_id, default=None)

    @property
    def sets_aside(self) -> bool:
        """Whether a consumer is set aside, so that up to the journal's end not all is followed."""
        now_s = asyncio.get_running_loop().time()
        return any(until_s > now_s for until_s in self._aside_until_s.values())

    async def catch_up(self, pieces_max: int | None = None) -> bool:
        """Follow up to the journal's end, as far as it is when that is reached; return whether it was reached.

        ``pieces_max``: leave the rest for another time.

        Raises
        ------
        DocumentsError
            The documents database does not answer; what was not written is written next time.
        StoreUnavailableError
            The store does not answer.

        """
        for _ in range(_TRIES):
            try:
                return await self._follow(pieces_max)
            except _MovedElsewhereError:
                self._places = None
                log.info("followed_by_another", partition=self._keyspace.partition)
            except BaseException:
                self._places = None  # whether the last transaction was committed has to be read from the database
                raise
        return True

    async def _follow(self, pieces_max: int | None) -> bool:
        taken = 0
        while pieces_max is None or taken < pieces_max:
            if self._places is None or len(self._places) < len(self._consumers):
                self._places = await self._begin()
            has_more = await self._pace.counted(self._step(self._places))
            await self._pace.rest()
            if not has_more:
                return True
            taken += 1
        return False

    async def _begin(self) -> Places:
        """Read up to where each consumer has read; for a new one the journal begins now, whatever is gone of it."""
        partition, now_s = self._keyspace.partition, asyncio.get_running_loop().time()
        stored = await self._documents.look(lambda session: followed.positions(session, partition))
        self._stored = {name: read_to for name, read_to in stored.items() if name in self._consumers}
        active = [name for name in self._consumers if self._aside_until_s.get(name, 0.0) <= now_s]
        places = {name: _Place(stored[name], stored[name]) for name in active if name in stored}
        if len(places) < len(active):
            end = await journal.bounds(self._client, self._keyspace)
            read_to = START if end.entries else end.last_id
            gaps = [Gap(0, _first_ms(end), "before")] if end.removed > 0 else []
            places |= {name: _Place(read_to, None, list(gaps)) for name in active if name not in stored}
        return places

    # -- a piece

    async def _step(self, places: Places) -> bool:
        """Take a piece from where the hindmost stands; return whether there is more."""
        if not places:
            return False
        start = min((place.read_to for place in places.values()), key=parse_entry_id)
        page = await self._read(start, places)
        if page is None:
            return True
        if not page and start == START:
            return False
        has_more, read = len(page) == PAGE_ENTRIES, len(page)
        if not has_more:
            await self._look_ahead(page[-1].position if page else parse_entry_id(start), places)
        entries = await self._decoded(page, places)
        if page or any(place.gaps for place in places.values()):
            await self._write(places, page, entries)
        return has_more or len(page) < read

    async def _read(self, start: str, places: Places) -> list[Entry] | None:
        """Read entries behind one; None: that is gone, and the places were moved."""
        if start == START:
            return await self._feed.read_page(START, PAGE_ENTRIES, self._client)
        after = format_entry_id(before(parse_entry_id(start)))
        page = await self._feed.read_page(after, PAGE_ENTRIES + 1, self._client)
        if not page or page[0].entry_id != start:
            end = await journal.bounds(self._client, self._keyspace)
            if page or end.last_id != start:  # else it is the last one, and was trimmed
                await self._explain(start, end, places)
                return None
        return page[1:]

    async def _look_ahead(self, last: EntryId, places: Places) -> None:
        """Find a consumer that has read more than there is, while another was behind."""
        ahead = next((place.read_to for place in places.values() if parse_entry_id(place.read_to) > last), None)
        if ahead is not None:
            end = await journal.bounds(self._client, self._keyspace)
            if end.is_beyond(ahead):
                await self._explain(ahead, end, places)

    async def _explain(self, start: str, end: journal.Bounds, places: Places) -> None:
        """Find out why the entry that was read last is gone, and go on behind what is not known."""
        position = parse_entry_id(start)
        if end.is_beyond(start):
            following, gap = end.last_id, Gap(parse_entry_id(end.last_id)[0], position[0], "went_back")
        elif end.entries and position > parse_entry_id(end.first_id):
            # All that stands before it was read, and all that stands behind it came later.
            following = await journal.last_before(self._client, self._keyspace, start)
            gap = Gap(parse_entry_id(following)[0], position[0], "went_back")
        else:
            following, gap = START if end.entries else end.last_id, Gap(position[0], _first_ms(end), "trimmed")
        log.warning("journal_not_followed", partition=self._keyspace.partition, after=start, reason=gap.reason,
                  from_ms=gap.from_ms, to_ms=gap.to_ms)  # fmt: skip
        for place in places.values():
            if place.read_to == start or (gap.reason == "went_back" and parse_entry_id(place.read_to) > position):
                place.read_to = following
                place.gaps.append(gap)

    async def _decoded(self, page: list[Entry], places: Places) -> list[Entry]:
        """Shorten a page to what one transaction takes, and return the entries in it that can be read."""
        found, read_bytes, lines = list[Entry](), 0, 0
        for number, entry in enumerate(page, 1):
            try:
                # A change without lines has a row for each thing that it names: a thousand listings, say.
                lines += sum(1 + (len(change.lines) or len(change.notes)) for change in entry.changes)
                found.append(entry)
            except DamagedEntryError as error:
                log.warning("follower_skips_entry", entry=entry.entry_id, reason=str(error))
                for place in places.values():
                    if place.is_before(entry):
                        place.gaps.append(Gap(entry.position[0], entry.position[0], "damaged"))
            read_bytes += entry.size_bytes
            if lines >= LINES_MAX:
                del page[number:]
                break
            if read_bytes >= AT_A_TIME_BYTES:
                read_bytes = 0
                await asyncio.sleep(0)
        return found

    # -- writing it

    async def _write(self, places: Places, page: list[Entry], entries: list[Entry]) -> None:
        """Write a piece for all consumers at once; once that has failed, for each by itself."""
        groups = [[name] for name in places] if self._is_apart else [list(places)]
        failed: dict[str, Exception] = {}
        for names in groups:
            try:
                await self._write_group({name: places[name] for name in names}, page, entries)
            except _MovedElsewhereError:
                raise
            except Exception as error:  # noqa: BLE001  # whatever one does wrong, the others go on
                failed |= dict.fromkeys(names, error)
        self._is_apart = bool(failed) and len(self._consumers) > 1
        if len(failed) == len(places):
            raise next(iter(failed.values()))
        for name, fault in failed.items():
            log.error("follower_set_aside", partition=self._keyspace.partition, name=name, exc_info=fault)
            self._aside_until_s[name] = asyncio.get_running_loop().time() + ASIDE_S
            del places[name]

    async def _write_group(self, places: Places, page: list[Entry], entries: list[Entry]) -> None:
        writes, steps = list[Write](), list[Move]()
        for name, place in places.items():
            if place.read_to == START:
                place.gaps = [_up_to(gap, page[0]) for gap in place.gaps]
            writes += await self._writes_of(self._consumers[name], place, entries)
            read_to = page[-1].entry_id if page and place.is_before(page[-1]) else place.read_to
            if read_to != place.stored:
                steps.append(Move(name, place.stored, read_to))
        await self._documents.follow(_transaction(self._keyspace.partition, steps, writes), self._pace.spend)
        for step in steps:
            places[step.name].read_to = places[step.name].stored = self._stored[step.name] = step.after
        for place in places.values():
            place.gaps = []

    async def _writes_of(self, consumer: Consumer, place: _Place, entries: list[Entry]) -> list[Write]:
        writes = [consumer.miss(self._keyspace, gap) for gap in place.gaps]
        own = [entry for entry in entries if place.is_before(entry)]
        return [*writes, await consumer.take(self._keyspace, own)] if own else writes


def _transaction(partition: str, steps: Sequence[Move], writes: Sequence[Write]) -> Write:
    async def write(session: Session) -> None:
        for step in steps:
            if not await followed.move(session, partition, step):
                raise _MovedElsewhereError
        for each in writes:
            await each(session)

    return write


def _first_ms(end: journal.Bounds) -> int:
    return parse_entry_id(end.first_id if end.entries else end.last_id)[0]


def _up_to(gap: Gap, first: Entry) -> Gap:
    """Let a gap in front of the journal's first entry end there: more may have been trimmed meanwhile."""
    is_in_front = gap.reason in ("before", "trimmed")
    return Gap(gap.from_ms, max(gap.to_ms, first.position[0]), gap.reason) if is_in_front else gap
