"""What may have been overtaken: SKUs that are sent once more when an older request can no longer take effect."""

from collections import deque

from server.store.journal.journal import EntryId


class ResendLater:
    """What one channel is sent again later, in the order in which it falls due. Each entry keeps the cursor back."""

    def __init__(self) -> None:
        self._due: deque[tuple[float, str, EntryId]] = deque()
        # The smallest id of all that is left, for each place in the queue where that changes.
        self._lowest: deque[EntryId] = deque()

    def add(self, sku: str, entry_id: EntryId, due_s: float) -> None:
        """Note a doubt; ``due_s`` is not before that of an earlier one."""
        while self._lowest and self._lowest[-1] > entry_id:
            self._lowest.pop()
        self._lowest.append(entry_id)
        self._due.append((due_s, sku, entry_id))

    def take(self, now_s: float) -> tuple[str, EntryId] | None:
        """Take out the next one that is due; None: none is."""
        if not self._due or self._due[0][0] > now_s:
            return None
        _, sku, entry_id = self._due.popleft()
        if self._lowest[0] == entry_id:
            self._lowest.popleft()
        return sku, entry_id

    def next_due_s(self) -> float:
        """Tell when the next one is due; infinity: there is none."""
        return self._due[0][0] if self._due else float("inf")

    def oldest(self) -> EntryId | None:
        """Tell the smallest journal id in doubt; None: nothing is."""
        return self._lowest[0] if self._lowest else None
