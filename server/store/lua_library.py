"""The Lua library: read from ``lua/``, includes put in, named after the digest of its text.

A line ``-- @include lib/stock`` in ``lua/holdfast.lua`` stands for the text of ``lua/lib/stock.lua``. The name of each
function ends in the digest, so a call runs exactly the text that this release shipped, and the libraries of two
releases can live side by side on one store. The store keeps libraries over restarts and hands them to its replicas.
"""

import re
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Final

_INCLUDE: Final = re.compile(r"^-- @include (\S+)$", re.MULTILINE)
_DIGEST_LENGTH: Final = 12
NOT_LOADED: Final = "Function not found"
"""How the store says that it does not know a function. Nothing ran then."""


class Library:
    """The library as the store loads it: FUNCTION LOAD REPLACE ``source``."""

    def __init__(self, text: str) -> None:
        self._digest = sha1(text.encode(), usedforsecurity=False).hexdigest()[:_DIGEST_LENGTH]
        self.source = f"#!lua name=holdfast_{self._digest}\n" + text.replace("@DIGEST@", self._digest)

    def function(self, name: str) -> "Function":
        """Name one of its functions: take, settle, expire, forget, read, list, lease, record, tally."""
        return Function(name, f"{name}_{self._digest}", self)


class Function:
    """A function of the library: FCALL ``call_name``."""

    def __init__(self, name: str, call_name: str, library: Library) -> None:
        self.name = name
        self.call_name = call_name
        self.library = library


def assemble() -> str:
    """Read ``lua/holdfast.lua`` with its includes."""
    lua = files("lua")
    return _INCLUDE.sub(
        lambda include: lua.joinpath(f"{include[1]}.lua").read_text("utf-8"),
        lua.joinpath("holdfast.lua").read_text("utf-8"),
    )


@cache
def library() -> Library:
    """Get the library of this release; read once in the life of the process."""
    return Library(assemble())
