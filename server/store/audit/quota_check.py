"""The audit's part about quotas: what is counted of each key and customer must be what their reservations hold.

A counter has no seq, so both sides are brought to the moment at which the audit began. Its value is read together with
the partition's seq, and the changes since the beginning are subtracted: each has lines in the journal.
"""

from collections.abc import Awaitable, Callable

from server.store.audit.checks import Drift, Findings
from server.store.audit.quotas_at_start import PREFIX, QuotasAtStart
from server.store.audit.reader import CHUNK, Reader
from server.store.keys import stored_text


class QuotaCheck:
    """Compares the counters in ``meta`` with what was held at the start.

    Parameters
    ----------
    roll_back
        Has the state take in the journal up to now; False: it lacks what that takes.

    """

    def __init__(
        self, reader: Reader, findings: Findings, state: QuotasAtStart, roll_back: Callable[[], Awaitable[bool]]
    ) -> None:
        self._reader = reader
        self._findings = findings
        self._state = state
        self._roll_back = roll_back

    async def compare(self) -> dict[bytes, int]:
        """Compare all; return by how many units counters have to grow to be right."""
        names = set(self._state.names())
        async for chunk in self._reader.scan("quotas", "HSCAN", self._reader.keys.meta, 0):
            names.update(name for name, _ in chunk if name.startswith(PREFIX))
        in_order, wrong = sorted(names), dict[bytes, int]()
        for first in range(0, len(in_order), CHUNK):
            await self._compare(in_order[first : first + CHUNK], wrong)
        return wrong

    async def _compare(self, names: list[bytes], wrong: dict[bytes, int]) -> None:
        meta = self._reader.keys.meta
        counted, seq = await self._reader.together(("HMGET", meta, *names), ("HGET", meta, "seq"))
        if not await self._roll_back():
            return
        for name, units in zip(names, counted, strict=True):
            for expected, found in self._state.compare(name, int(units or 0), int(seq or 0)):
                self._findings.add(Drift("", "", "quota", expected, found, shown(name)))
                wrong[name] = expected - found


def shown(name: bytes) -> str:
    """Write which key, and which customer of it, a counter is of."""
    return " ".join(stored_text(name.removeprefix(PREFIX)).split("\0", 1))
