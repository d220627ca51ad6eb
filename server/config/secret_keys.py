"""The keys that encrypt credentials which change: from the environment or a file, two at once for a replacement."""

import binascii
from base64 import b64decode
from typing import Final

from server.config.settings import ConfigError, Settings

KEY_BYTES: Final = 32
FILE_BYTES_MAX: Final = 4_096
_NAME: Final = "HOLDFAST_SECRET_KEY"
_FORM: Final = "must be 32 random bytes in Base64, such as `openssl rand -base64 32` prints"


def secret_keys(settings: Settings) -> list[bytes]:
    """Read the keys, the one that encrypts first; none where none is set.

    Raises
    ------
    ConfigError
        The file cannot be read, or something is no key; the message shows nothing of it.

    """
    if settings.secret_key and settings.secret_key_file is not None:
        raise ConfigError(f"Set one of {_NAME} and {_NAME}_FILE, not both.")
    text, where = str(settings.secret_key), _NAME
    if settings.secret_key_file is not None:
        text, where = _content(settings), f"the file {settings.secret_key_file} of {_NAME}_FILE"
        if not text.split():
            raise ConfigError(f"{where}: it is empty. It {_FORM}.")
    return [_key(each, where) for each in text.replace(",", " ").split()]


def _content(settings: Settings) -> str:
    path = settings.secret_key_file
    try:
        if path is None:
            return ""
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX).decode("ascii")
    except OSError as error:
        raise ConfigError(f"{_NAME}_FILE: the file {path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise ConfigError(f"{_NAME}_FILE: the file {path} is not text. A key {_FORM}.") from None


def _key(text: str, where: str) -> bytes:
    try:
        key = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{where}: a key {_FORM}; for a replacement two of them, the new one first.")
    return key
