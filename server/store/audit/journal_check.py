"""The audit's last part: compares the journal's history up to the start with the records."""

from collections.abc import Iterable

from server.domain.changes import Change
from server.store.audit.checks import Drift, Findings
from server.store.audit.reader import Moment, Reader
from server.store.audit.state_at_start import StateAtStart
from server.store.journal.entries import START, parse_entry_id
from server.store.journal.journal import DamagedEntryError, bounds, read
from server.store.journal.replay import Replay, RowNumbers


class History:
    """Replays the journal from its oldest entry to the start of the audit.

    ``complete`` afterwards: it reached back to the first change, so that every counter was rebuilt from it.
    ``entries``: how many were read.
    """

    def __init__(
        self, reader: Reader, start: Moment, state: StateAtStart, row_numbers: RowNumbers, findings: Findings
    ) -> None:
        self.complete = False
        self.entries = 0
        self._reader = reader
        self._start = start
        self._state = state
        self._row_numbers = row_numbers
        self._findings = findings
        self._position = START

    async def compare(self) -> None:
        """Replay the journal, and report where the records differ."""
        began = await bounds(self._reader.client, self._reader.keys)
        self._replay = Replay(self._row_numbers, from_zero=began.removed <= 0)
        try:
            await self._read(began.entries)
        except DamagedEntryError as error:
            self._findings.add(Drift("", "", "unreadable", "a journal entry", error.entry_id))
            return
        await self._check_end()
        self.complete = self._replay.from_zero
        if self.complete and self._replay.in_transit != self._start.in_transit:
            self._findings.add(Drift("", "", "in_transit", self._replay.in_transit, self._start.in_transit))
        for row, field in enumerate(list(self._row_numbers.fields())):
            await self._reader.breathe()
            self._findings.add_all(self._state.compare_journal(row, field, self._replay))

    async def _read(self, total: int) -> None:
        reader, until = self._reader, self._start.journal.last_id
        async for entry_id, changes in read(reader.client, reader.keys, START, until):
            if self._breaks_off(changes) and await self._was_overtaken():
                self._replay.start_over()
            for change in changes:
                await reader.breathe()
                for what, line, expected, found in self._replay.apply(change):
                    self._findings.add(Drift(line.sku, line.location, what, expected, found))
            self._position = entry_id
            self.entries += 1
            reader.report("journal", self.entries, max(self.entries, total))

    async def _check_end(self) -> None:
        """Check that the last change read is the last one made before the start."""
        seq, replay = self._start.seq, self._replay
        if replay.seq in (seq, 0) and (replay.seq or not replay.from_zero or not seq):
            return
        if not await self._was_overtaken():
            self._findings.add(Drift("", "", "sequence", seq, replay.seq))
        replay.start_over()

    def _breaks_off(self, changes: Iterable[Change]) -> bool:
        first = next((line for change in changes for line in change.lines), None)
        return first is not None and not self._replay.follows(first)

    async def _was_overtaken(self) -> bool:
        """Whether trimming, which removes from the front only, removed what would have been read next."""
        now = await bounds(self._reader.client, self._reader.keys)
        if now.removed <= 0:
            return False
        return now.entries == 0 or parse_entry_id(now.first_id) > parse_entry_id(self._position)
