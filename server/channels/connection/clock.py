"""The two clocks of the channels: one that never jumps, for waiting, and the store's, for timestamps."""

import time


class Clock:
    """``now_s`` is monotonic and goes on while the process is stopped; ``store_ms`` is the store's time."""

    def __init__(self) -> None:
        self._offset_ms = 0.0

    def now_s(self) -> float:
        """Return the seconds of the monotonic clock; the event loop's, but read again at each call."""
        return time.monotonic()

    def wall_s(self) -> float:
        """Return the seconds since 1970 on this machine's clock."""
        return time.time()

    def store_ms(self) -> int:
        """Return the milliseconds since 1970 on the store's clock; this machine's until the first :meth:`learn`."""
        return int(time.time() * 1000 + self._offset_ms)

    def learn(self, store_ms: int, asked_s: float) -> None:
        """Set the store's time from an answer to a request of ``asked_s`` (monotonic)."""
        half_ms = (self.now_s() - asked_s) * 500
        self._offset_ms = store_ms + half_ms - time.time() * 1000
