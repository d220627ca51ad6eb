"""Change streams: hundreds of them with one key, some of which never read; and a key that is revoked."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from server.domain.principal import Scope
from server.store.repositories.api_keys import ApiKeyStore
from tests.rigs.neighbours.filling import stock_many
from tests.rigs.neighbours.ground import NEIGHBOUR, Ground, Measured, opened_ground
from tests.rigs.neighbours.loader import Load
from tests.rigs.neighbours.registry import Checked, Functional, Pace, Row, Timed
from tests.support.http import Key

STREAMS: Final = 256
SKUS: Final = 500
CHANGES: Final = "GET /v1/changes"
SECOND: Final = Key("second", "attacker", ("read",))
WRITE_TIMEOUT_S: Final = 3
REVOKED_S_MAX: Final = 2.0
"""What the documentation promises. Of several streams of a key the last one counts, of three runs the median."""
OPEN_S: Final = 10.0
BUSY_STREAMS: Final = 8


class Streams(Timed):
    """Streams with one key, while hundreds of SKUs change at a time."""

    name = "streams"
    does = "256 change streams of one merchant, half of which never read, while 500 SKUs change at a time"
    variants = ("half-never-read", "all-read", "of-two-keys")

    @asynccontextmanager
    async def ground(self, variant: str, pace: Pace) -> AsyncIterator[Ground]:  # noqa: ARG002  # as the others have it
        async with opened_ground(keys=[SECOND], write_timeout_s=WRITE_TIMEOUT_S) as ground:
            yield ground

    async def prepare(self, ground: Ground, variant: str, pace: Pace) -> None:  # noqa: ARG002  # as the others have it
        await stock_many(ground, SKUS)

    def loads(self, ground: Ground, variant: str) -> Sequence[Load]:
        movements = [{"kind": "receive", "sku": f"sku-{number}", "quantity": 1} for number in range(SKUS)]
        changing = ground.load(
            "ask", 1, "POST /v1/stock/movements", body=json.dumps({"movements": movements}), pause_s=0.1
        )
        if variant == "of-two-keys":
            halves = [ground.load("hold", STREAMS // 2, CHANGES, reading=STREAMS // 4, token=token)
                      for token in (SECOND.token, ground.api.key.token if ground.api.key else "")]  # fmt: skip
            return [*halves, changing]
        reading = STREAMS if variant == "all-read" else STREAMS // 2
        return [ground.load("hold", STREAMS, CHANGES, reading=reading), changing]

    @asynccontextmanager
    async def attacked(self, ground: Ground, variant: str, pace: Pace) -> AsyncIterator[Any]:
        """See meanwhile whether the neighbour gets a stream of his own."""
        async with super().attacked(ground, variant, pace) as processes:
            self._refused_stream = await _refused_stream(ground)
            yield processes
            if variant != "all-read":
                await asyncio.sleep(WRITE_TIMEOUT_S)  # those who never read have had their time

    async def failures(self, ground: Ground, variant: str, done: Measured) -> list[str]:  # noqa: ARG002  # as the others
        found = [f"the neighbour's own stream was refused: {self._refused_stream}"] if self._refused_stream else []
        opened = sum(each.statuses.get("200", 0) for each in done.attack[:-1])
        # Streams that are refused at once, for their share is met, are no fault; those that never read must end.
        never_read = min(opened, STREAMS // 2) if variant != "all-read" else 0
        closed = sum(each.closed for each in done.attack[:-1])
        if variant != "all-read" and closed < never_read:
            found.append(
                f"of {never_read} streams that never read, {closed} were closed within {WRITE_TIMEOUT_S + 3} s"
            )
        return found


async def _refused_stream(ground: Ground) -> str:
    reader, writer = await asyncio.open_connection(ground.server.host, ground.server.port)
    try:
        writer.write(f"{CHANGES} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {NEIGHBOUR.token}\r\n\r\n".encode())
        async with asyncio.timeout(OPEN_S):
            head = await reader.readuntil(b"\r\n\r\n")
        return "" if b" 200 " in head.split(b"\r\n", 1)[0] else head.split(b"\r\n", 1)[0].decode()
    except (OSError, asyncio.IncompleteReadError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        writer.close()


class Revoked(Functional):
    """A key that is revoked while its streams are open."""

    name = "revoked"
    does = "a key is revoked while its stream is open, idle or busy; the streams must end within two seconds"
    variants = ("one-idle", "8-busy", "one-that-never-reads")
    rounds_max = 3

    async def check(self, variant: str, pace: Pace) -> Checked:  # noqa: ARG002  # it is short already
        async with opened_ground(write_timeout_s=60) as ground:
            await stock_many(ground, SKUS)
            client: Redis = ground.store.client
            token, key = await ApiKeyStore(client).create([Scope.READ], "attacker", "to be revoked")
            await _until_known(ground, token)
            streams = [await _stream(ground, token) for _ in range(BUSY_STREAMS if variant == "8-busy" else 1)]
            movements = [{"kind": "receive", "sku": f"sku-{number}", "quantity": 1} for number in range(SKUS)]
            changing = [ground.load("ask", 1, "POST /v1/stock/movements", body=json.dumps({"movements": movements}))]
            async with ground.loading(changing if variant != "one-idle" else []):
                loop = asyncio.get_running_loop()
                await ApiKeyStore(client).revoke(key.id)
                began_s = loop.time()
                if variant == "one-that-never-reads":
                    return await _closed_unread(ground, streams[0][1], began_s)
                ends = await asyncio.gather(*(_end(reader) for reader, _ in streams))
                took_s = loop.time() - began_s
            for _, writer in streams:
                writer.close()
        still = (
            [f"{ends.count(False)} of {len(ends)} streams were still open {OPEN_S:g} s later"] if not all(ends) else []
        )
        return Checked(still, took_s, REVOKED_S_MAX, "seconds from revocation to the end of the last stream")


async def _until_known(ground: Ground, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with asyncio.timeout(OPEN_S):
        while (await ground.api.get("/v1/locations", headers=headers)).status != 200:
            await asyncio.sleep(0.05)


async def _stream(ground: Ground, token: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(ground.server.host, ground.server.port, limit=4096)
    writer.write(f"{CHANGES} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    async with asyncio.timeout(OPEN_S):
        head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise RuntimeError(f"no stream was opened: {head!r}")
    return reader, writer


async def _end(reader: asyncio.StreamReader) -> bool:
    """Read to the end of a stream; False: it did not come."""
    try:
        async with asyncio.timeout(OPEN_S):
            while await reader.read(1 << 16):
                pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


async def _closed_unread(ground: Ground, writer: asyncio.StreamWriter, began_s: float) -> Checked:
    """Look from the server's side whether the connection of who never reads is gone."""
    loop, port = asyncio.get_running_loop(), writer.get_extra_info("sockname")[1]
    while _is_open(ground.server.process.pid, port) and loop.time() < began_s + OPEN_S:
        await asyncio.sleep(0.02)
    took_s = loop.time() - began_s
    writer.close()
    return Checked([], took_s, REVOKED_S_MAX, "seconds from revocation to the end of the connection")


def _is_open(pid: int, port: int) -> bool:
    """Whether a process's machine still has an established connection from a port of 127.0.0.1."""
    wanted, established = f"0100007F:{port:04X}", "01"
    table = map(str.split, Path(f"/proc/{pid}/net/tcp").read_text("ascii").splitlines())
    return any(words[2] == wanted and words[3] == established for words in table)


ROWS: Final[tuple[Row, ...]] = (Streams(), Revoked())
