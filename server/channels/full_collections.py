"""Full garbage collections are put off while very much is loaded: each would stop the whole process for a second."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_NEVER: Final = 1_000_000_000
"""Collections of the middle generation before a full one."""


class FullCollections:
    """The full collections of garbage, each of which goes through all that a process holds."""

    def __init__(self) -> None:
        self._loading = 0
        self._usual = gc.get_threshold()

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Put them off while so much is loaded that each would take a second; what is loaded is no garbage.

        Several may load at once.
        """
        if not self._loading:
            self._usual = gc.get_threshold()
            gc.set_threshold(*self._usual[:2], _NEVER)
        self._loading += 1
        try:
            yield
        finally:
            self._loading -= 1
            if not self._loading:
                gc.set_threshold(*self._usual)


full_collections: Final = FullCollections()
