"""The path that was meant by one that there is not: another spelling, a letter too many, or the version left out."""

import re
from typing import Final

from server.domain.similar_names import closest

SEGMENTS_MAX: Final = 8
SEGMENT_CHARACTERS_MAX: Final = 40
"""What is longer is like no path: nobody can have the event loop compare long texts."""
_NAME: Final = re.compile(r"{[^}]*}")
_VERSION: Final = "v1"


class Paths:
    """The paths that there are.

    Parameters
    ----------
    paths
        As the documentation writes them, with names in braces.

    """

    def __init__(self, paths: list[str]) -> None:
        self._paths = [_parts(path) for path in dict.fromkeys(paths) if path.startswith("/")]
        self._words = sorted({part for path in self._paths for part in path if not _NAME.search(part)})

    def nearest(self, path: str) -> str:
        """Return the path that may be meant, with names in braces; empty: none is like it."""
        parts = _parts(path)
        if len(parts) > SEGMENTS_MAX or any(len(part) > SEGMENT_CHARACTERS_MAX for part in parts):
            return ""
        meant = [self._meant(part) for part in parts]
        for wanted in (meant, [_VERSION, *meant]):
            found = next((there for there in self._paths if _is_like(there, wanted)), None)
            if found is not None:
                return f"/{'/'.join(found)}"
        return ""

    def _meant(self, part: str) -> str:
        return part if part in self._words else closest(part.lower(), self._words) or part


def _parts(path: str) -> list[str]:
    return path.strip("/").split("/")


def _is_like(there: list[str], wanted: list[str]) -> bool:
    return len(there) == len(wanted) and all(
        bool(part) if _NAME.search(known) else known == part for known, part in zip(there, wanted, strict=True)
    )
