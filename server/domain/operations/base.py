"""The fields of every operation, and the fingerprint that distinguishes one request from another."""

from hashlib import blake2b
from typing import ClassVar, Final

import msgspec

_FINGERPRINT_BYTES: Final = 8
"""Only two different bodies under one key can collide, so 64 bits are plenty, and each live record holds one."""

_encoder = msgspec.msgpack.Encoder()


def fingerprint(*parts: object) -> str:
    """Return the digest of a request, 16 hexadecimal characters; equal for equal requests, however they are encoded.

    ``parts``: the meaning of the request (its name, its subject, its decoded body), not its sender.
    """
    return blake2b(_encoder.encode(parts), digest_size=_FINGERPRINT_BYTES).hexdigest()


LINES_ASSUMED: Final = 2
"""How many lines an existing reservation is taken to have: the real number is not known before the store reads it."""


class Operation(msgspec.Struct, array_like=True, frozen=True):
    """The fields that all operations share: the actor, and the fingerprint that makes a retry safe.

    ``fingerprint`` is that of the request, so that a key that is used again with another body is refused. Empty: the
    caller sent no key.
    ``actor`` is written into the journal: an API key's id, ``local`` or ``system``.

    ``function`` names the Lua function that runs it (``lua/functions/``), its tag the file with its handler
    (``lua/operations/``). The handler finds a field by the name it has here: ``fields[at + Extend.ttl_ms]``.
    ``wire`` names the fields in the order in which they are sent, where that is not the order of the class.
    """

    function: ClassVar[str] = "mutate"
    wire: ClassVar[tuple[str, ...]] = ()

    fingerprint: str
    actor: str

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The SKUs and the locations that it may make known, if they are not: their folds are sent with it.

        It then has a field ``allow_similar``, and ``function`` declares the key of the known names.
        """
        return (), ()

    @property
    def weight(self) -> int:
        """How many lines of work it counts as in a batch, whose script must stay short; at least 1."""
        return 1
