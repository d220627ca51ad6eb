"""Origins of web pages that may call the API: read strictly, since a browser compares them letter by letter."""

import re
from typing import Final
from urllib.parse import urlsplit

from server.config.settings import ConfigError, Settings

ANY: Final = "*"
_HOST: Final = re.compile(r"(?:[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def cors_origins(settings: Settings) -> frozenset[str]:
    """Read the origins; empty: none.

    Raises
    ------
    ConfigError
        One is no origin as a browser writes it; the message has what to write, where that is plain.

    """
    named = [each.strip() for each in settings.cors_origins.split(",")]
    return frozenset(_origin(each) for each in named if each)


def _origin(text: str) -> str:
    if text == ANY:
        return text
    form = "An origin is http:// or https://, a host and, if it is not the usual one, a port: https://shop.example"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigError(f"HOLDFAST_CORS_ORIGINS: {text!r} is no origin. {form}") from None
    if parts.scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc:
        raise ConfigError(f"HOLDFAST_CORS_ORIGINS: {text!r} is no origin. {form}")
    host = f"[{host}]" if ":" in host else host
    if not _HOST.fullmatch(host):
        raise ConfigError(
            f"HOLDFAST_CORS_ORIGINS: the host of {text!r} is not as browsers write it: in ASCII, without *; a name with"
            " other letters begins with xn--. Name each origin, or write * alone for all."
        )
    usual = port is None or port == _DEFAULT_PORTS[parts.scheme]
    meant = f"{parts.scheme}://{host}" + ("" if usual else f":{port}")
    if text != meant:
        raise ConfigError(f"HOLDFAST_CORS_ORIGINS: browsers do not write an origin as {text!r}. Write {meant}")
    return meant
