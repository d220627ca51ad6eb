"""What every operation carries, and the fingerprint that tells one request from another."""

from hashlib import blake2b
from typing import Final

import msgspec

_FINGERPRINT_BYTES: Final = 8
"""Only two different bodies under one key can collide, so 64 bits are plenty, and each live record holds one."""


def fingerprint(*parts: object) -> str:
    """Digest of a request, 16 hexadecimal characters; equal for equal requests, however they were spelled.

    ``parts``: what the request means (its name, what it is about, its decoded body), not who sent it.
    """
    return blake2b(_encoder.encode(parts), digest_size=_FINGERPRINT_BYTES).hexdigest()


class Operation(msgspec.Struct, array_like=True, frozen=True):
    """What all operations have in common."""

    fingerprint: str
    actor: str


_encoder = msgspec.msgpack.Encoder()
