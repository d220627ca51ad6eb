"""A proxy between a publisher and its store that lets no call of one kind through while a test says so."""

from typing import Final

from tests.support.proxy import Fate, Proxy

RECORD: Final = b"record"
"""With this a publisher writes down what it knows."""
LEASE: Final = b"lease"
"""With this it keeps its lease."""


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
