"""Faults that can be planted in the engine: a simulation that does not find these would find no others either."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from server.channels.outbound.answers import Answers
from server.channels.outbound.catalogue import Catalogue
from server.channels.outbound.channel_state import ChannelState
from server.channels.outbound.in_flight import InFlight
from server.channels.outbound.pending import Pending, PendingKey, Queue
from server.channels.outbound.resend_later import ResendLater
from server.channels.outbound.sender import Sender
from server.store.journal.journal import EntryId


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Work with this fault meanwhile; empty: with none."""
    where, attribute, fault = _PLANTS[name] if name else (None, "", None)
    if where is None:
        yield
        return
    with patch.object(where, attribute, fault):
        yield


def names() -> list[str]:
    """Name all that there are."""
    return sorted(_PLANTS)


def _cursor_ahead(self: Sender) -> EntryId:
    """The cursor follows what was read, not what was confirmed: a kill loses what was in flight."""
    return self.position


def _never_resent(self: ResendLater, key: str, entry_id: EntryId, due_s: float) -> None:
    """A value after an unanswered request is not sent once more: an old request that arrives late stays."""


def _newer_forgotten(self: Pending, key: str) -> None:
    """The answer to an older value counts for the newer one, too."""
    del self._in_flight[key]
    if key in self._waiting:
        self.drop(key)


_enqueue = Pending._enqueue


def _overtaking(self: Pending, key: str, pending: PendingKey, queue: Queue) -> None:
    """A newer value does not wait for the answer to the older one: the older may take effect last."""
    in_flight = self._in_flight.pop(key, None)
    _enqueue(self, key, pending, queue)
    if in_flight is not None:
        self._in_flight[key] = in_flight


def _price_holds(self: Answers, sent: InFlight, code: str, reason: str, now_ms: int) -> None:
    """An item that is refused for its price is refused whole: its quantity waits for a better price."""
    self._pending.finish(sent.key)
    self._dead_letters.add_refused(sent, code, reason, now_ms)


def _zero_with_price(*_: object) -> bool:
    """A fall to zero carries a new price, which the shop may refuse together with it."""
    return False


def _sale_unmarked(*_: object) -> None:
    """What a channel has sold itself changes nothing in what it is believed to show."""


_confirmed = Answers.confirmed


def _swap_clears(self: Answers, sent: InFlight, now_ms: int) -> None:
    """What is confirmed under a key clears the dead letters of the SKUs that had the key before."""
    had: set[str] = vars(self).setdefault("had", {}).setdefault(sent.key, set())
    had.add(sent.sku)
    _confirmed(self, sent, now_ms)
    for sku in sorted(had - {sent.sku}):
        if sku in self._dead_letters:
            self._dead_letters.remove(sku)


def _never_left(*_: object) -> None:
    """A key that a SKU has left keeps on showing its units."""


_PLANTS: Final[dict[str, tuple[Any, str, Callable[..., Any]]]] = {
    "cursor_ahead": (Sender, "cursor", _cursor_ahead),
    "newer_forgotten": (Pending, "finish", _newer_forgotten),
    "never_left": (Catalogue, "leave", _never_left),
    "never_resent": (ResendLater, "add", _never_resent),
    "overtaking": (Pending, "_enqueue", _overtaking),
    "price_holds": (Answers, "refused", _price_holds),
    "sale_unmarked": (ChannelState, "sold_there", _sale_unmarked),
    "swap_clears": (Answers, "confirmed", _swap_clears),
    "zero_with_price": (Catalogue, "_is_fall", _zero_with_price),
}
