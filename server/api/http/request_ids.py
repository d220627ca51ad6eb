"""``X-Request-Id``: by which a caller, a proxy and this server's log mean the same request.

An id that comes with a request is kept, if it is one. Else one is made here, and nobody is refused for it.
"""

import re
import secrets
from collections.abc import Callable
from itertools import chain, count
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy, istr

REQUEST_ID: Final = istr("X-Request-Id")
_ID: Final = re.compile(r"[A-Za-z0-9._:/+=@~-]{1,128}", re.ASCII)
"""Nothing that a log or a terminal would take for anything else."""


_ENDS: Final = [f"{number:03x}" for number in range(16**3)]


def _makes_ids() -> Callable[[], str]:
    """Return what makes ids: unique by a random part for the process, short and cheap by a counter.

    It runs for every request, so a number is written for each four thousand, and the rest is put behind it.
    """
    process = f"q{secrets.token_hex(6)}"
    made = chain.from_iterable(map(f"{process}{number:x}".__add__, _ENDS) for number in count())
    return made.__next__


new_request_id: Final = _makes_ids()


def request_id_of(headers: CIMultiDictProxy[str] | CIMultiDict[str]) -> str:
    """Return the id that a request came with, or a new one: also where it has several, or what is no id."""
    given = headers.get(REQUEST_ID)
    if given is None:
        return new_request_id()
    is_one = _ID.fullmatch(given) is not None and len(headers.getall(REQUEST_ID)) == 1
    return given if is_one else new_request_id()
