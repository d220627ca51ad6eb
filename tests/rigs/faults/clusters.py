"""Faults of stores of several servers, from ``tests/cluster_faults``, as rows of the one table."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Final

from tests.rigs.cluster_faults.__main__ import FAULTS as WORKS
from tests.rigs.cluster_faults.counts import Counts
from tests.rigs.faults.kinds import Kind
from tests.rigs.faults.registry import Fault, Round, Setting

STORES: Final[Mapping[Kind, str]] = {"valkey": "valkey", "redis": "redis7"}
"""What the stores are called there."""

Work = Callable[[str, int, int], Awaitable[Counts]]


class SeveralServers(Fault):
    """One fault of sentinels or of a cluster; each round has servers of its own, and the next seed."""

    rounds = 1

    def __init__(self, name: str, work: Work) -> None:
        self.name = name
        text = (work.__doc__ or name).strip()
        self.does = text[0].lower() + text[1:].rstrip(".")
        self._work = work

    async def run(self, setting: Setting) -> AsyncGenerator[Round]:
        for number in range(setting.rounds):
            counts = await self._work(STORES[setting.store], setting.seed + number, 1)
            yield Round(
                counts.acknowledged,
                lost=counts.lost,
                double=counts.double,
                wrong=counts.wrong,
                verify=counts.verify,
                channels=counts.channels,
                recover_s=counts.recover_s,
                note=counts.note,
            )


FAULTS: Final[tuple[Fault, ...]] = tuple(SeveralServers(name, work) for name, work in WORKS.items())
