"""A small client of a server elsewhere: one connection, the key from the environment or a file, no redirects."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from aiohttp.hdrs import AUTHORIZATION, USER_AGENT
from yarl import URL

import server
from server.cli.api_key import read_key
from server.cli.common import failure
from server.cli.terminal import say
from server.config.settings import ConfigError, Settings, is_loopback

TIMEOUT: Final = aiohttp.ClientTimeout(total=60, connect=10)
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
_REDIRECTS: Final = range(300, 400)


class ServerElsewhere:
    """Answers of a server elsewhere."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def answer(
        self,
        method: str,
        path: str,  # noqa: ARG002  # the URL has it already
        *,
        url: URL,
        names: Mapping[str, str],  # noqa: ARG002
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[int, bytes]:
        """Return status and body; status 0: nobody answered, and the body says why."""
        try:
            async with self._session.request(
                method, url, headers=headers, data=body or None, allow_redirects=False
            ) as answer:
                if answer.status in _REDIRECTS:
                    to = answer.headers.get("Location", "elsewhere")
                    raise failure(
                        f"{url.origin()} redirects to {to}. Name that address, so that the key goes nowhere else."
                    )
                raw = await answer.content.read(ANSWER_BYTES_MAX)
                while not answer.content.at_eof() and len(raw) < ANSWER_BYTES_MAX:
                    raw += await answer.content.read(ANSWER_BYTES_MAX - len(raw))
                return answer.status, raw
        except aiohttp.ClientConnectorCertificateError as error:
            return 0, f"The certificate of {url.origin()} is not right: {error.certificate_error}.".encode()
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            why = str(error) or type(error).__name__
            return 0, f"{url.origin()} does not answer: {why}. Check the address, and that the server is up.".encode()


@asynccontextmanager
async def opened_server(settings: Settings) -> AsyncIterator[tuple[ServerElsewhere, URL]]:
    """Open a connection to the server that the settings name."""
    base, key = _base(settings.url), read_key(settings)
    headers = {USER_AGENT: f"holdfast/{server.__version__}"}
    if key:
        headers[AUTHORIZATION] = f"Bearer {key}"
        if base.scheme == "http" and not is_loopback(base.host or ""):
            say(f"The key goes to {base.host} unencrypted. Use https:// if the network is not yours.", err=True)
    async with aiohttp.ClientSession(headers=headers, timeout=TIMEOUT) as session:
        yield ServerElsewhere(session), base


def _base(text: str) -> URL:
    try:
        url = URL(text)
        fine = url.scheme in ("http", "https") and bool(url.host) and not url.query_string and not url.fragment
    except ValueError:
        fine, url = False, URL()
    if not fine:
        raise ConfigError("HOLDFAST_URL, --url: write http:// or https:// and a host, such as https://stock.example.")
    if url.user or url.password:
        raise ConfigError(
            "HOLDFAST_URL, --url: it has a user or a password. A key stands in HOLDFAST_KEY or in a file."
        )
    if url.path not in ("", "/"):
        raise ConfigError(f"HOLDFAST_URL, --url: leave out the path. Write {url.origin()}")
    return url.origin()
