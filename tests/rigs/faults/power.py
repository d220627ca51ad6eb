"""Power cuts: everything ends at one moment, and the disk keeps what was synced to it, or that and a torn tail."""

import asyncio
import os
import random
import select
import signal
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final

from server.store.connection.clients import Durability
from tests.conftest import wait_until
from tests.rigs.faults import shim
from tests.rigs.faults.ground import READY_S, Ground, opened_ground
from tests.rigs.faults.kinds import environment
from tests.rigs.faults.registry import Fault, Round, Setting
from tests.support.http import Server

LOAD_S: Final = (0.3, 0.9)
LAST_S: Final = (0.05, 0.15)
FSYNC_US: Final = 2_000
"""An ordinary disk. On one that syncs in no time there is seldom anything unsynced to cut off."""


class PowerCut(Fault):
    """The store stops in the middle of whatever it does; files lose what was written after their last fsync."""

    rounds = 6

    def __init__(self, name: str, does: str, *, durability: Durability = "durable", torn: bool = False) -> None:
        self.name = name
        self.does = does
        self._durability: Durability = durability
        self._torn = torn
        if durability == "fast":
            self.guarantee = "fast: no guarantee"
            self.rounds = 2

    def missing(self) -> str:
        return shim.missing()

    def failures(self, done: Round) -> list[str]:
        if self._durability != "fast":
            return done.faults
        # What fails here would mean that the shim does not bite, and then the other rows would prove nothing.
        proof = [] if done.lost else ["nothing was lost, so the power cut does not cut"]
        return proof + [fault for fault in done.faults if not fault.startswith("lost")]

    async def run(self, setting: Setting) -> AsyncGenerator[Round]:
        with tempfile.TemporaryDirectory(prefix="hf-notes-") as notes:
            disk = shim.preloaded("disk", notes=notes, fsync_us=FSYNC_US)
            if self._durability != "fast":
                async with opened_ground(self._server(setting, disk)) as ground:
                    for number in range(1, setting.rounds + 1):
                        yield await self._round(ground, number, setting.chance(number), Path(notes))
                return
            for number in range(1, setting.rounds + 1):  # what was lost in one would be missed in the next one, too
                async with opened_ground(self._server(setting, disk)) as ground:
                    yield await self._round(ground, number, setting.chance(number), Path(notes))

    def _server(self, setting: Setting, disk: dict[str, str]) -> Server:
        return Server(environment=environment(setting.store) | disk, durability=self._durability)

    async def _round(self, ground: Ground, number: int, chance: random.Random, notes: Path) -> Round:
        server, files = ground.server, ground.server.data_dir / "appendonlydir"
        await wait_until(_all_synced(files, notes), "what was set up is on the disk")
        async with ground.load(number, chance) as loaders:
            await asyncio.sleep(chance.uniform(*LOAD_S))
            stop_everything(server)
            cut_bytes, kept_bytes = cut(files, notes, chance if self._torn else None)
            began_s = time.monotonic()
            await asyncio.to_thread(server.start)
            await ground.writable()
            recover_s = time.monotonic() - began_s
            await asyncio.sleep(chance.uniform(*LAST_S))
        done = await ground.settle(loaders)
        done.recover_s = recover_s
        done.note = f"{cut_bytes} unsynced bytes cut" + (f", {kept_bytes} left" if self._torn else "")
        return done


def stop_everything(server: Server) -> None:
    """End store and server as a power cut does: first the store stands still, so that nothing more gets synced."""
    pid = server.store_pid
    os.kill(pid, signal.SIGSTOP)
    server.kill()
    os.kill(pid, signal.SIGKILL)
    _wait_gone(pid)


def _wait_gone(pid: int) -> None:
    """Wait for the end of a process that is not our child."""
    descriptor = os.pidfd_open(pid)
    try:
        select.select([descriptor], [], [], READY_S)
    finally:
        os.close(descriptor)


def _all_synced(append_only: Path, notes: Path) -> Callable[[], bool]:
    """Return a function that says whether all that is there now was synced."""
    states = [file.stat() for file in append_only.iterdir()]

    def synced() -> bool:
        return all(_synced(notes, state.st_ino) >= state.st_size for state in states)

    return synced


def _synced(notes: Path, inode: int) -> int:
    try:
        return int((notes / str(inode)).read_text())
    except (OSError, ValueError):
        return 0


def cut(append_only: Path, notes: Path, chance: random.Random | None) -> tuple[int, int]:
    """Cut each file where its last fsync left it; with dice, somewhere after that. Gives bytes lost and bytes kept."""
    lost = kept = 0
    for file in append_only.iterdir():
        state = file.stat()
        synced = min(_synced(notes, state.st_ino), state.st_size)
        size = chance.randint(synced, state.st_size) if chance is not None else synced
        os.truncate(file, size)
        (notes / str(state.st_ino)).write_text(f"{size:020d}")  # what survived the cut is on the disk
        lost += state.st_size - size
        kept += size - synced
    return lost, kept


FAULTS: Final[tuple[Fault, ...]] = (
    PowerCut("power-cut", "all processes end at one moment, and each file loses what came after its last fsync"),
    PowerCut("power-cut-torn", "the same, but a random part of what came after the last fsync survives", torn=True),
    PowerCut(
        "power-cut-fast",
        "the same with fsync once a second: what was acknowledged since is lost, so the shim bites",
        durability="fast",
    ),
)
