"""Reports rest on the way, so that other requests have rounds of the event loop without a part of a report in them."""

import asyncio
import time
from typing import Final

_ROWS_AT_A_TIME: Final = 100
_REST_S_MIN: Final = 0.001
_REST_S_MAX: Final = 0.005


class Rests:
    """Has one report rest behind every hundred rows, half as long as they took.

    A request takes several rounds of the event loop. If a report only let others go first, a part of it, and of each
    other report that runs, would lie in every one of these rounds.
    """

    def __init__(self) -> None:
        self._rows = 0
        self._began_s = time.monotonic()

    def is_due(self) -> bool:
        """Count a row, and return whether to :meth:`take` a rest now."""
        self._rows += 1
        return self._rows % _ROWS_AT_A_TIME == 0

    async def take(self) -> None:
        """Rest."""
        worked_s = time.monotonic() - self._began_s
        await asyncio.sleep(min(max(worked_s / 2, _REST_S_MIN), _REST_S_MAX))
        self._began_s = time.monotonic()
