"""Tokens for browsers: signed, short-lived, and good for reading what is available, nothing else.

A token says which key made it, until when it counts, and what of the key's partition may be asked. Who has the secret
can check it without asking anybody. It names its key and not what the key may do: that is looked up when it is used, so
a token ends with its key.
"""

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2s
from typing import Final

import msgspec

PREFIX: Final = "hfb_"
"""So that scanners for secrets know one when they see it, and nobody takes it for an API key."""
SKUS_MAX: Final = 50
"""SKUs that one token can name: with the longest names, it still fits into the line of a request."""
TEXT_MAX: Final = 7_000
LIFE_S_MIN: Final = 60
LIFE_S_MAX: Final = 3_600
LIFE_S_DEFAULT: Final = 900
_VERSION: Final = 1
_MAC_BYTES: Final = 32
_PURPOSE: Final = b"hf-page"
"""The secret encrypts elsewhere: what signs is derived from it, and is of no use there."""


class Claims(msgspec.Struct, array_like=True, frozen=True):
    """What a token says. ``skus`` empty: all of them; ``channel`` empty: what everybody can reserve."""

    version: int
    key_id: str
    partition: str
    until_s: int
    channel: str = ""
    skus: tuple[str, ...] = ()


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Claims).decode


class BrowserTokens:
    """Signs tokens with the first of some secrets, and takes those that any of them has signed."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._signing = [blake2s(secret, person=_PURPOSE).digest() for secret in secrets]

    def make(
        self, key_id: str, partition: str, until_s: int, *, channel: str = "", skus: Sequence[str] = ()
    ) -> str:  # fmt: skip
        """Make a token. ``until_s``: seconds since 1970."""
        said = _encode(Claims(_VERSION, key_id, partition, until_s, channel, tuple(skus)))
        return PREFIX + urlsafe_b64encode(_mac(self._signing[0], said) + said).decode().rstrip("=")

    def read(self, text: str, now_s: float) -> Claims | None:
        """Return what a token says; None: it is none of ours, or its time is over."""
        if not text.startswith(PREFIX) or len(text) > TEXT_MAX or not text.isascii():
            return None
        coded = text[len(PREFIX) :]
        try:
            signed = urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
        except (binascii.Error, ValueError):
            return None
        mac, said = signed[:_MAC_BYTES], signed[_MAC_BYTES:]
        if not any(hmac.compare_digest(mac, _mac(secret, said)) for secret in self._signing):
            return None
        try:
            claims = _decode(said)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None  # signed by a later release
        return claims if claims.version == _VERSION and now_s < claims.until_s else None

    def __repr__(self) -> str:
        return f"BrowserTokens({len(self._signing)} secrets)"


def _mac(secret: bytes, said: bytes) -> bytes:
    return hmac.digest(secret, said, "sha256")
