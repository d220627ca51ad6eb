"""The Lua scripts: read from ``lua/``, includes put in, addressed by the SHA-1 of their text.

``lua/NAME.lua`` is what the store runs; a line ``-- @include lib/stock`` stands for the text of ``lua/lib/stock.lua``.
Being content-addressed, the scripts of two releases can run side by side on one store.
"""

import re
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Final

from redis.asyncio import Redis

_INCLUDE: Final = re.compile(r"^-- @include (\S+)$", re.MULTILINE)


class Script:
    """One script as the store sees it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.source = _assemble(name)
        self.sha = sha1(self.source.encode(), usedforsecurity=False).hexdigest()


def _assemble(name: str) -> str:
    lua = files("lua")
    return _INCLUDE.sub(
        lambda include: lua.joinpath(f"{include[1]}.lua").read_text("utf-8"),
        lua.joinpath(f"{name}.lua").read_text("utf-8"),
    )


NAMES: Final = ("take", "settle", "read", "expire", "list", "forget")


@cache
def script(name: str) -> Script:
    """Get the script ``lua/NAME.lua``; read once in the life of the process."""
    return Script(name)


async def load_all(client: Redis) -> None:
    """Make every script known to the store, so that it can be called by its SHA-1."""
    for name in NAMES:
        await client.script_load(script(name).source)
