"""keys that are sent once more, when an older request without an answer can no longer take effect."""

from collections import deque
from collections.abc import Iterator

from server.store.journal.journal import EntryId


class ResendLater:
    """What one channel is sent again later, in the order in which it falls due. Each entry keeps the cursor back."""

    def __init__(self) -> None:
        self._due: deque[tuple[float, str, EntryId]] = deque()
        # The smallest id of all that is left, for each place in the queue where that changes.
        self._lowest: deque[EntryId] = deque()

    def add(self, key: str, entry_id: EntryId, due_s: float) -> None:
        """Add a key to be sent again at ``due_s``, which is not before that of an earlier entry."""
        while self._lowest and self._lowest[-1] > entry_id:
            self._lowest.pop()
        self._lowest.append(entry_id)
        self._due.append((due_s, key, entry_id))

    def take(self, now_s: float) -> tuple[str, EntryId] | None:
        """Remove and return the next entry that is due; None: none is."""
        if not self._due or self._due[0][0] > now_s:
            return None
        _, key, entry_id = self._due.popleft()
        if self._lowest[0] == entry_id:
            self._lowest.popleft()
        return key, entry_id

    def keys(self) -> Iterator[str]:
        """Go through the keys of all entries."""
        return (key for _, key, _ in self._due)

    def next_due_s(self) -> float:
        """Return when the next entry is due; infinity: there is none."""
        return self._due[0][0] if self._due else float("inf")

    def oldest(self) -> EntryId | None:
        """Return the smallest journal id among the entries; None: there is none."""
        return self._lowest[0] if self._lowest else None
