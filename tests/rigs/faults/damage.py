"""A damaged append-only file: a torn tail, a tail of zeros, a broken frame in the middle, a changed value."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from abc import abstractmethod
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Final

from tests.conftest import wait_until
from tests.rigs.crash.loader import Loader
from tests.rigs.faults import repairing
from tests.rigs.faults.aof import Span, blocks, newest
from tests.rigs.faults.ground import Ground, opened_ground
from tests.rigs.faults.kinds import environment
from tests.rigs.faults.power import stop_everything
from tests.rigs.faults.registry import Fault, Round, Setting
from tests.support import processes
from tests.support.http import ROOT, Server

LOAD_S: Final = (0.2, 0.5)
REQUESTS_MIN: Final = 60
"""On a busy machine a round would otherwise be over before there is anything to damage."""
ZEROS_MAX: Final = 4_096
START_S: Final = 60.0


class Damage(Fault):
    """All ends at one moment under load; the newest file is damaged while nothing runs; then it is started again."""

    rounds = 3

    async def run(self, setting: Setting) -> AsyncGenerator[Round]:
        for number in range(1, setting.rounds + 1):
            server = Server(environment=environment(setting.store), durability="durable")
            async with opened_ground(server) as ground:
                yield await self._round(ground, number, setting.chance(number))

    async def _round(self, ground: Ground, number: int, chance: random.Random) -> Round:
        async with ground.load(number, chance) as loaders:
            await asyncio.sleep(chance.uniform(*LOAD_S))
            await wait_until(lambda: sum(len(each.requests) for each in loaders) > REQUESTS_MIN, "enough was asked for")
            stop_everything(ground.server)
        file = newest(ground.server.data_dir / "appendonlydir")
        with file.open("r+b") as opened:
            opened.truncate(blocks(file.read_bytes())[-1][-1].end)  # half a script was never acknowledged
        return await self._harm(ground, loaders, file, chance)

    @abstractmethod
    async def _harm(self, ground: Ground, loaders: list[Loader], file: Path, chance: random.Random) -> Round:
        """Do the damage, bring everything back, and account."""


class TornTail(Damage):
    """The file ends in the middle of a script that was never acknowledged: it comes back by itself."""

    name = "aof-torn"
    does = "the file ends in the middle of a script that was not yet synced; it must come back by itself"

    async def _harm(self, ground: Ground, loaders: list[Loader], file: Path, chance: random.Random) -> Round:
        data = file.read_bytes()
        script = data[blocks(data)[-1][0].begin :]
        torn = script[: chance.randint(1, len(script) - 1)]
        with file.open("ab") as opened:
            opened.write(torn)
        began_s = time.monotonic()
        await asyncio.to_thread(ground.server.start)
        await ground.writable()
        recover_s = time.monotonic() - began_s
        # What comes next must not join the open half of a script: so once more, after some writes.
        ground.server.kill()
        ground.server.signal_store(signal.SIGKILL)
        await asyncio.to_thread(ground.server.start)
        done = await ground.settle(loaders)
        done.recover_s = recover_s
        done.note = f"{len(torn)} of {len(script)} bytes"
        return done


class Zeros(Damage):
    """The file was made longer, and what should stand there never got to the disk."""

    name = "aof-zeros"
    does = "zeros after the last sync; the start must be refused with the command that repairs it, which loses nothing"

    async def _harm(self, ground: Ground, loaders: list[Loader], file: Path, chance: random.Random) -> Round:
        size, zeros = file.stat().st_size, chance.randint(1, ZEROS_MAX)
        with file.open("ab") as opened:
            opened.write(bytes(zeros))
        wrong, recover_s = await _mended(ground, file, size, [])
        done = await ground.settle(loaders)
        done.recover_s, done.note = recover_s, f"{zeros} zeros"
        done.wrong += wrong
        return done


class BrokenFrame(Damage):
    """One bit of the frame of a command in the middle is another."""

    name = "aof-flipped-frame"
    does = (
        "a flipped bit in the frame of a command in the middle; it must refuse to start, and the repair must drop "
        "exactly what follows, and say so"
    )
    guarantee = "dropped by repair"

    def failures(self, done: Round) -> list[str]:
        proof = [] if done.lost else ["nothing was lost, so nothing was damaged"]
        return proof + [fault for fault in done.faults if not fault.startswith("lost")]

    async def _harm(self, ground: Ground, loaders: list[Loader], file: Path, chance: random.Random) -> Round:
        whole = blocks(file.read_bytes())
        # Not in what was set up before, nor in what the server writes by itself: without stock there is no account.
        sold = [number for number, script in enumerate(whole) if any(repairing.reservations([script]))]
        number = sold[chance.randrange(len(sold) // 3, 2 * len(sold) // 3)]
        span = chance.choice(whole[number])
        _flip(file, span.begin, chance)
        wrong, recover_s = await _mended(ground, file, whole[number][0].begin, whole[:number])
        named = repairing.reservations(whole[number:])
        done = await ground.settle(loaders)
        done.recover_s, done.note = recover_s, f"script {number} of {len(whole)}"
        done.wrong += wrong
        done.wrong += [f"lost, but not dropped: {lost}" for lost in done.lost if lost.partition(":")[0] not in named]
        return done


class ChangedValue(Damage):
    """One bit of a counter is another: the store cannot know, the audit must."""

    name = "aof-flipped-value"
    does = "a flipped bit in a counter: the store loads it, and `verify` must find it"
    guarantee = "must be found"

    def failures(self, done: Round) -> list[str]:
        proof = [] if done.verify else ["verify did not find it"]
        return proof + [fault for fault in done.faults if not fault.startswith("verify")]

    async def _harm(self, ground: Ground, loaders: list[Loader], file: Path, chance: random.Random) -> Round:
        places = repairing.last_counters(blocks(file.read_bytes()))
        sku = chance.choice(sorted(places))
        _flip(file, places[sku], chance)
        began_s = time.monotonic()
        await asyncio.to_thread(ground.server.start)
        await ground.writable()
        recover_s = time.monotonic() - began_s
        found = await ground.verify()
        done = Round(sum(request.done for loader in loaders for request in loader.requests), verify=found)
        done.recover_s, done.note = recover_s, found[0] if found else ""
        done.wrong += [f"found elsewhere: {each}" for each in found if sku not in each]
        return done


def _flip(file: Path, at: int, chance: random.Random) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        byte = opened.read(1)[0]
        opened.seek(at)
        opened.write(bytes([byte ^ 1 << chance.randrange(3)]))


async def _mended(ground: Ground, file: Path, keeps: int, kept: Sequence[list[Span]]) -> tuple[list[str], float]:
    """Have the start refused, repair, and start; says what was not as it should be, and how long it all took."""
    before, began_s = file.read_bytes(), time.monotonic()
    refused = await asyncio.to_thread(_holdfast, ground.server, "serve", "--port", "0")
    wrong = repairing.refusal(refused, ground.server.data_dir)
    said = await asyncio.to_thread(_holdfast, ground.server, "repair")
    wrong += repairing.misreported(said, before, keeps)
    await asyncio.to_thread(ground.server.start)
    if kept:
        with ground.store() as store:
            wrong += repairing.other_journal(store, kept)
    await ground.writable()
    return wrong, time.monotonic() - began_s


def _holdfast(server: Server, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command on the server's data directory, in the server's environment."""
    return subprocess.run(
        [sys.executable, "-m", "server", *words, "--data-dir", str(server.data_dir)],
        cwd=ROOT,
        env=processes.environment(**server._environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )


FAULTS: Final[tuple[Fault, ...]] = (TornTail(), Zeros(), BrokenFrame(), ChangedValue())
