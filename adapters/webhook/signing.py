"""The credentials of a webhook: reading signing keys and the bearer token, and signing as Standard Webhooks specify."""

import hmac
from base64 import b64decode, b64encode
from typing import Final

WHSEC: Final = "whsec_"
SECRET_BYTES: Final = range(24, 65)
"""The lengths of a key that Standard Webhooks allows."""


def signature(key: bytes, signed: bytes) -> str:
    """Return one signature of a content, with its version."""
    return "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()


def signing_key(name: str, secret: str) -> bytes:
    """Return the key of a secret in the form of Standard Webhooks. Raises ValueError without showing it."""
    try:
        text = secret.removeprefix(WHSEC)
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(WHSEC) or len(key) not in SECRET_BYTES:
        least, most = SECRET_BYTES[0], SECRET_BYTES[-1]
        raise ValueError(
            f"{name} must be {WHSEC} and then {least} to {most} random bytes in base64;"
            f" `openssl rand -base64 {least + 8}` makes them"
        )
    return key


def checked_bearer(bearer: str) -> str:
    """Return a bearer token. Raises ValueError without showing it."""
    if not bearer or not bearer.isascii() or not bearer.isprintable() or " " in bearer:
        raise ValueError("bearer must be a token of visible ASCII characters, without spaces or line breaks")
    return bearer
