"""Finds which listing a channel means by a name, where it may write the name in another case than it was sent."""

import unicodedata
from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T")


class KeyLookup:
    """The keys of some listings, by the names that a channel has for them."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(keys)
        self._folded: dict[str, str] = {}
        for key in self._keys:
            # Two keys that differ in nothing but case cannot be distinguished without it.
            self._folded[folded(key)] = "" if folded(key) in self._folded else key

    def find(self, name: Any) -> str | None:
        """Return the key of a name; None: it is not one of the keys, or of several."""
        text = str(name)
        return text if text in self._keys else self._folded.get(folded(text)) or None

    def found(self, rows: Iterable[tuple[Any, T]]) -> dict[str, list[T]]:
        """Return what a channel answers by key: what is named exactly so, else what differs in nothing but case.

        A row that is named exactly as a key is no other key's.
        """
        exact: dict[str, list[T]] = {}
        similar: dict[str, list[T]] = {}
        for name, row in rows:
            key = self.find(name)
            if key is not None:
                (exact if key == str(name) else similar).setdefault(key, []).append(row)
        return similar | exact


def folded(name: str) -> str:
    """Return a name as it is compared where neither case nor how its letters are composed counts."""
    return unicodedata.normalize("NFC", name.strip()).casefold()
