"""Which key opens which route, found by trying: every route with every kind of key, at a real server.

``python -m tests.support.scope_table`` writes the table into ``docs/scopes.md``; a test compares.
"""

import asyncio
import base64
import re
import secrets
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from server.api.routes import ROUTES
from server.domain.principal import OF_CHANNELS, Scope
from tests.support.http import JSON, ROOT, Key, Server

PAGE: Final = ROOT / "docs" / "scopes.md"
SYSTEM: Final = ("/livez", "/readyz", "/openapi.json", "/docs", "/docs/try", "/console", "/metrics")
"""What is not among the routes of the API."""
BEGIN: Final = "<!-- tried: written by python -m tests.support.scope_table -->"
END: Final = "<!-- end of what was tried -->"
YES: Final = "✓"
_NAMED: Final = re.compile(r"{\w+}")
_PARTITION: Final = "tried"
_SCOPED: Final = {str(scope): Key(f"k-{scope.replace(':', '-')}", _PARTITION, (str(scope),)) for scope in Scope}
_BOUND: Final = {
    f"{scope}, bound": Key(f"b-{scope.replace(':', '-')}", _PARTITION, (str(scope),), 'channel = "x"')
    for scope in sorted(OF_CHANNELS)
}
_QUOTA: Final = {
    f"{scope}, quota": Key(f"q-{scope.replace(':', '-')}", _PARTITION, (str(scope),), "held_units_max = 1")
    for scope in (Scope.RESERVE, Scope.RESERVE_OWN)
}
_TOKEN: Final = "token of a browser"
_NOBODY: Final = "no key"
COLUMNS: Final = (*_SCOPED, *_BOUND, *_QUOTA, _TOKEN, _NOBODY)


def routes() -> list[tuple[str, str]]:
    """Name every route: its method and its path, with the names in it left as they are."""
    return [*((route.method, route.path) for route in ROUTES), *(("GET", path) for path in SYSTEM)]


async def tried() -> dict[tuple[str, str], list[str]]:
    """Try every route with every kind of key; return the names of those that open it."""
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    keys = _SCOPED | _BOUND | _QUOTA
    with Server(keys=[*keys.values()], secret_key=secret) as server:
        async with aiohttp.ClientSession() as session:
            bearers = {name: key.token for name, key in keys.items()}
            bearers[_TOKEN] = await _browser_token(session, server.url, bearers[Scope.READ])
            opened = {}
            for method, path in routes():
                opens = [name for name in COLUMNS if await _opens(session, server.url, method, path, bearers.get(name))]
                opened[method, path] = opens
        assert server.faults == []
    return opened


async def _browser_token(session: aiohttp.ClientSession, url: str, token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    async with session.post(f"{url}/v1/browser-tokens", json={}, headers=headers) as response:
        return str((await response.json())["token"])


async def _opens(session: aiohttp.ClientSession, url: str, method: str, path: str, bearer: str | None) -> bool:
    """Whether a request is let in. What it asks for is not there, so most that are let in are refused afterwards."""
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    data = b"{}" if method in ("POST", "PUT") else None
    if data is not None:
        headers["Content-Type"] = JSON
    address = URL(url + _NAMED.sub("x", path), encoded=True)
    async with session.request(method, address, data=data, headers=headers) as response:
        if response.status not in (401, 403):
            return True
        problem = msgspec.json.decode(await response.read())
    assert problem["outcome"] in ("unauthorized", "forbidden"), problem
    return False


def written(opened: dict[tuple[str, str], list[str]]) -> str:
    """Write the table in Markdown."""
    lines = [_heading(), "|---|" + ":-:|" * len(COLUMNS)]
    for (method, path), names in opened.items():
        marks = "".join(f" {YES if name in names else ''} |".replace("  ", " ") for name in COLUMNS)
        lines.append(f"| `{method} {path}` |{marks}")
    return "\n".join(lines)


def _heading() -> str:
    return "| route |" + "".join(f" {_shown(name)} |" for name in COLUMNS)


def _shown(name: str) -> str:
    """Write the name of a column: scopes as code."""
    scope, comma, behind = name.partition(",")
    return f"`{scope}`{comma}{behind}" if scope in _SCOPED else name


def read(page: str) -> dict[tuple[str, str], list[str]]:
    """Read the table of the page; its columns must be those that are tried."""
    _, _, behind = page.partition(BEGIN)
    table, _, _ = behind.partition(END)
    heading, _, *rows = table.strip().splitlines()
    assert heading == _heading()
    found = {}
    for row in rows:
        named, *marks = (cell.strip() for cell in row.strip("|").split("|"))
        method, _, path = named.strip("`").partition(" ")
        found[method, path] = [name for name, mark in zip(COLUMNS, marks, strict=True) if mark]
    return found


def main() -> None:
    page, table = PAGE.read_text("utf-8"), written(asyncio.run(tried()))
    before, _, behind = page.partition(BEGIN)
    Path(PAGE).write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{behind.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
