"""Encrypts what is secret before it is stored: AES-GCM, bound to the place where it is stored.

A secret that is copied to another channel or another field cannot be opened there. The id of the key stands beside it,
so that a key can be replaced: the first of several encrypts, and each of them opens what it has encrypted.
"""

import secrets
from collections.abc import Sequence
from hashlib import blake2s
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32
_ID_BYTES: Final = 4
_PERSON: Final = b"hf-key"


class SealError(Exception):
    """A secret cannot be opened: by none of the keys, or not where it stands. The message has what to do."""


class Sealed(msgspec.Struct, array_like=True, frozen=True):
    """An encrypted secret, and which key has encrypted it."""

    key_id: str
    nonce: bytes
    ciphertext: bytes


def key_id(key: bytes) -> str:
    """Return the name of a key, which says nothing of it."""
    return blake2s(key, digest_size=_ID_BYTES, person=_PERSON).hexdigest()


def sealed_with(packed: bytes) -> set[str]:
    """Return the names of the keys that a stored record of tokens needs; none where it is no such record."""
    try:
        record: Any = msgspec.msgpack.decode(packed)
        return {str(sealed[0]) for sealed in record[1].values()}
    except (msgspec.MsgspecError, TypeError, IndexError, AttributeError, KeyError):
        return set()


class Sealer:
    """Encrypts with the first of some keys, and opens with each of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {key_id(key): _cipher(key) for key in keys}
        self._current = key_id(keys[0])

    def seal(self, secret: str, place: str) -> Sealed:
        """Encrypt a secret for the place where it is to be stored."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        ciphertext = self._keys[self._current].encrypt(nonce, secret.encode(), place.encode())
        return Sealed(self._current, nonce, ciphertext)

    def open(self, sealed: Sealed, place: str) -> str:
        """Decrypt a secret that stands at a place.

        Raises
        ------
        SealError
            None of the keys is the right one, or it was not encrypted for this place.

        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # as below

        cipher = self._keys.get(sealed.key_id)
        if cipher is None:
            raise SealError(
                f"it was encrypted with the key {sealed.key_id}, which is not among those that are set"
                f" ({', '.join(self._keys)}); set it again in HOLDFAST_SECRET_KEY, behind the new one, or sign in again"
            )
        try:
            return cipher.decrypt(sealed.nonce, sealed.ciphertext, place.encode()).decode()
        except (InvalidTag, ValueError):
            raise SealError("what is stored was changed, or stands where it does not belong; sign in again") from None

    def is_current(self, sealed: Sealed) -> bool:
        """Whether a secret was encrypted with the key that encrypts now."""
        return sealed.key_id == self._current

    def __repr__(self) -> str:
        return f"Sealer({', '.join(self._keys)})"


def _cipher(key: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  # only few channels need it

    return AESGCM(key)
