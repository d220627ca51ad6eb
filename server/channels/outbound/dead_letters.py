"""The values that one channel does not take, each with the channel's reason, until it is retried or replaced."""

from collections.abc import Collection

import structlog

from server.channels.outbound.in_flight import InFlight
from server.channels.outbound.retry_policy import dead_letter_wait_s
from server.channels.write_behind import ChannelWriteBehind
from server.domain.channels import DeadLetter, Listing

log = structlog.get_logger("holdfast.channel")


class DeadLetters:
    """One channel's dead letters, by SKU. Times are milliseconds of the store's clock."""

    def __init__(self, write_behind: ChannelWriteBehind) -> None:
        self._write_behind = write_behind
        self._letters: dict[str, DeadLetter] = {}

    def __contains__(self, sku: str) -> bool:
        return sku in self._letters

    def __len__(self) -> int:
        return len(self._letters)

    def load(self, letters: dict[str, DeadLetter]) -> None:
        """Take over what is stored."""
        self._letters = letters

    def skus(self) -> Collection[str]:
        """Return the SKUs; the view changes with them."""
        return self._letters.keys()

    def add_key_taken(self, listing: Listing, owner: str, now_ms: int) -> None:
        """Add a listing whose key ``owner`` is listed under already."""
        reason = f"{owner} is listed under the same key"
        self._set(DeadLetter(listing.sku, listing.key, 0, "key_taken", reason, 0, now_ms, now_ms))

    def add_refused(self, sent: InFlight, code: str, reason: str, now_ms: int) -> None:
        """Add a value that the channel refused; its attempts continue those of an earlier letter."""
        before = self._letters.get(sent.sku)
        attempts = sent.pending.tries + (before.attempts if before else 0)
        first_ms = before.first_ms if before else now_ms
        quantity = sent.value.quantity
        self._set(DeadLetter(sent.sku, sent.key, quantity, code, reason, attempts, first_ms, now_ms, seq=sent.seq))
        channel = self._write_behind.channel
        log.warning("channel_dead_letter", channel=channel, sku=sent.sku, key=sent.key, code=code, reason=reason)

    def remove(self, sku: str) -> None:
        """Remove a dead letter. Raises KeyError where there is none."""
        del self._letters[sku]
        self._write_behind.dead_letter(sku, None)

    def wait_s(self, sku: str, now_ms: int) -> float:
        """Return for how many seconds a SKU is not tried again because it is a dead letter."""
        letter = self._letters.get(sku)
        return dead_letter_wait_s(letter.last_ms, now_ms) if letter is not None else 0.0

    def _set(self, letter: DeadLetter) -> None:
        self._letters[letter.sku] = letter
        self._write_behind.dead_letter(letter.sku, letter)
