"""The values that one channel does not take, each with the channel's reason, until it is retried or replaced.

A quantity and a price have dead letters of their own, so that a price that is refused holds back no quantity.
"""

from collections.abc import Collection, Iterable
from typing import Final

import structlog

from server.channels.outbound.in_flight import InFlight
from server.channels.outbound.retry_policy import dead_letter_wait_s
from server.channels.write_behind import ChannelWriteBehind
from server.domain.channels import DeadLetter, Kept, Listing
from server.domain.components import name_in, sku_in

log = structlog.get_logger("holdfast.channel")

KEPT: Final = "kept"
"""The code of a quantity that the channel confirms and does not show."""
KEY_TAKEN: Final = "key_taken"
"""The code of a listing whose key another SKU owns: nothing is sent for it."""
_TIMES: Final = {3: "three times"}


class DeadLetters:
    """One channel's dead letters, by SKU, or by what a pack or bundle has in its place.

    Times are milliseconds of the store's clock.
    What is asked of a SKU without mention of its price is about its quantity.
    """

    def __init__(self, write_behind: ChannelWriteBehind) -> None:
        self._write_behind = write_behind
        self._letters: dict[str, DeadLetter] = {}
        self._prices: dict[str, DeadLetter] = {}

    def __contains__(self, sku: str) -> bool:
        return sku in self._letters

    def __len__(self) -> int:
        """Count both kinds."""
        return len(self._letters) + len(self._prices)

    def load(self, letters: Iterable[DeadLetter]) -> None:
        """Take over what is stored."""
        for letter in letters:
            (self._prices if letter.field == "price" else self._letters)[letter.sku] = letter

    def skus(self) -> Collection[str]:
        """Return the SKUs that have a dead letter of either kind."""
        return self._letters.keys() | self._prices.keys()

    # -- of quantities

    def add_key_taken(self, listing: Listing, owner: str, now_ms: int) -> None:
        """Add a listing whose key ``owner`` is listed under already, unless that is known."""
        before = self._letters.get(listing.sku)
        reason = f"{name_in(owner)} is listed under the same key; list one of them under another, or unlist it"
        if before is not None and (before.code, before.key, before.reason) == (KEY_TAKEN, listing.key, reason):
            return
        self._set(DeadLetter(listing.sku, listing.key, 0, KEY_TAKEN, reason, 0, now_ms, now_ms))

    def add_refused(self, sent: InFlight, code: str, reason: str, now_ms: int) -> None:
        """Add a quantity that the channel refused; its attempts continue those of an earlier letter."""
        before = self._letters.get(sent.sku)
        attempts = sent.pending.tries + (before.attempts if before else 0)
        first_ms = before.first_ms if before else now_ms
        quantity = sent.value.quantity
        self._set(DeadLetter(sent.sku, sent.key, quantity, code, reason, attempts, first_ms, now_ms, seq=sent.seq))
        of_price = self._prices.get(sent.sku)
        if of_price is not None and (of_price.code, of_price.reason) == (code, reason):
            self.remove_price(sent.sku)  # it was not the price: the item is refused without it, for the same reason
        self._log("quantity", sent, code, reason)

    def is_refused(self, sku: str) -> bool:
        """Return whether the channel refused a quantity: one that it only keeps from showing is sent as any other."""
        letter = self._letters.get(sku)
        return letter is not None and letter.code != KEPT

    def add_kept(self, listing: Listing, quantity: int, kept: Kept, now_ms: int) -> None:
        """Add a quantity that the channel confirms and does not show."""
        before, times = self._letters.get(listing.sku), _TIMES.get(kept.times, f"{kept.times} times")
        sent = f"{kept.sent} {times}" if kept.sent is not None else f"other numbers {times}, the last was {quantity}"
        reason = f"the channel says yes and keeps showing {kept.shows}; we sent {sent}"
        first_ms = before.first_ms if before is not None and before.code == KEPT else now_ms
        self._set(DeadLetter(listing.sku, listing.key, quantity, KEPT, reason, kept.times, first_ms, now_ms))
        self._log("quantity", listing, KEPT, reason)

    def is_kept(self, sku: str, key: str) -> bool:
        """Return whether only a comparison can say that a quantity is shown: the channel confirms it anyway."""
        letter = self._letters.get(sku)
        return letter is not None and (letter.code, letter.key) == (KEPT, key)

    def shown_under(self, sku: str, key: str) -> None:
        """Remove what is settled by a confirmed quantity: a letter of this very key, unless it is only kept there."""
        letter = self._letters.get(sku)
        if letter is not None and letter.key == key and letter.code != KEPT:
            self.remove(sku)

    def has_key(self, sku: str, key: str) -> bool:
        """Return whether a SKU has a dead letter of this key."""
        letter = self._letters.get(sku)
        return letter is not None and letter.key == key

    def keep_only(self, sku: str, key: str | None) -> None:
        """Remove a SKU's letters of other keys than the one that it owns; None: it owns none."""
        letter = self._letters.get(sku)
        if letter is not None and (letter.key != key or letter.code == KEY_TAKEN):
            self.remove(sku)
        price = self._prices.get(sku)
        if price is not None and price.key != key:
            self.remove_price(sku)

    def remove(self, sku: str) -> None:
        """Remove a dead letter. Raises KeyError where there is none."""
        del self._letters[sku]
        self._write_behind.dead_letter(sku, None)

    def wait_s(self, sku: str, now_ms: int) -> float:
        """Return for how many seconds a SKU is not tried again because it is a dead letter."""
        letter = self._letters.get(sku)
        return dead_letter_wait_s(letter.last_ms, now_ms) if letter is not None else 0.0

    # -- of prices

    def price_count(self) -> int:
        """Count the dead letters of prices."""
        return len(self._prices)

    def has_price(self, sku: str) -> bool:
        """Return whether a price of a SKU was refused."""
        return sku in self._prices

    def refuses_price(self, listing: Listing) -> bool:
        """Return whether the channel refused this listing's very price."""
        letter = self._prices.get(listing.sku)
        return letter is not None and (letter.key, letter.price, letter.list_price, letter.currency) == (
            listing.key,
            listing.price,
            listing.list_price,
            listing.currency,
        )

    def add_price(self, sent: InFlight, listing: Listing, code: str, reason: str, now_ms: int) -> None:
        """Add the price of a listing that the channel refused."""
        before, attempts = self._prices.get(sent.sku), max(1, sent.pending.tries)
        if before is not None:
            attempts += before.attempts
        letter = DeadLetter(
            sent.sku, sent.key, sent.value.quantity, code, reason, attempts, before.first_ms if before else now_ms,
            now_ms, sent.seq, "price", listing.price, listing.list_price, listing.currency,
        )  # fmt: skip
        self._prices[sent.sku] = letter
        self._write_behind.dead_letter(_of_price(sent.sku), letter)
        self._log("price", sent, code, reason)

    def remove_price(self, sku: str, key: str | None = None) -> None:
        """Remove the dead letter of a price, if there is one; ``key``: only one of this key."""
        letter = self._prices.get(sku)
        if letter is not None and key in (letter.key, None):
            del self._prices[sku]
            self._write_behind.dead_letter(_of_price(sku), None)

    # -- the details

    def _set(self, letter: DeadLetter) -> None:
        self._letters[letter.sku] = letter
        self._write_behind.dead_letter(letter.sku, letter)

    def _log(self, field: str, of: InFlight | Listing, code: str, reason: str) -> None:
        channel, sku = self._write_behind.channel, sku_in(of.sku)
        log.warning("channel_dead_letter", channel=channel, sku=sku, key=of.key, field=field, code=code, reason=reason)


def _of_price(sku: str) -> str:
    """Return the field of a price's letter: no SKU has a zero byte in its name."""
    return f"{sku}\0price"
