"""A proxy between a publisher and its store that cuts off every call of one function while a test wants it."""

from typing import Final

from tests.support.proxy import Fate, Proxy

PUBLISHER_WRITE: Final = b"publisher_write"
"""The function by which a publisher stores what its channels confirmed."""
LEASE: Final = b"lease"
"""Part of the name of the function by which it renews its lease."""


class Forgetful(Proxy):
    """Cuts the connection instead of every script call that holds the word ``cuts``; ``forgotten`` is all of those."""

    cuts: bytes | None = None
    forgotten = b""

    def take_fate(self, request: bytes) -> Fate:
        fate = super().take_fate(request)
        if self.cuts is None or self.cuts not in request:
            return fate
        self.forgotten += request
        return Fate.CUT_BEFORE
