"""A run's living system: the store, the servers of both releases, the balancer before them, and what they say."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from tests.rigs.rolling_upgrade.balancer import Balancer
from tests.rigs.rolling_upgrade.releases import Release
from tests.rigs.rolling_upgrade.servers import Role, Server, Verified, verify
from tests.support.stores import StoreProcess

Say = Callable[[str], None]
_LIBRARY: Final = re.compile(r"holdfast_[0-9a-f]{12}")
_ACTIVE: Final = re.compile(r"^holdfast_publisher_active(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
TAKE_OVER_S: Final = 30.0
"""How long the lease may be free: it lasts 5 s, and is released when its holder stops."""
NOTICE_S: Final = 0.5
"""With ``notice``: how long before its signal a server gets nothing new."""
_LOOK_S: Final = 0.05


@dataclass
class Stage:
    """``notice``: a server is taken out of rotation before it is stopped; else the balancer finds out by itself.

    ``libraries``: the function libraries in the store. ``faults``: what servers did that they should not.
    ``handovers``: who published, who did next, and how many seconds after the first had ended.
    """

    store: StoreProcess
    old: Release
    new: Release
    balancer: Balancer
    settings: Mapping[str, str]
    credentials: Mapping[str, str]
    logs: Path
    notice: bool
    say: Say
    servers: list[Server] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)
    verified: list[Verified] = field(default_factory=list)
    handovers: list[tuple[str, str, float]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    async def start(self, release: Release, role: Role) -> Server:
        """Start a server of a release; one that serves the API takes part when it is ready."""
        number = 1 + sum(server.release is release and server.role == role for server in self.servers)
        settings = {**self.settings, **(self.credentials if role == "publisher" else {})}
        server = Server(f"{release.name}-{role}-{number}", release, role, self.store.url, settings, self.logs)
        self.servers.append(server)
        took_s = await server.start()
        if server.directory != release.directory:
            self.faults.append(f"{server.name} runs in {server.directory}, not in {release.directory}")
        if role == "api":
            await self.balancer.add(server)
        self.libraries = _libraries(self.store)
        self.say(f"started {server.name} at {server.url} in {took_s:.1f} s; in the store: {', '.join(self.libraries)}")
        return server

    async def stop(self, server: Server) -> None:
        """Stop a server with SIGTERM, and make sure that it ends in order."""
        if self.notice and server.role == "api":
            self.balancer.take_out(server)
            await asyncio.sleep(NOTICE_S)
        took_s = await server.stop()
        self.balancer.remove(server)
        if server.exit_code != 0:
            self.faults.append(f"{server.name} ended with {server.exit_code}, not with 0")
        self.faults += server.faults()
        self.say(f"stopped {server.name}: exit code {server.exit_code} after {took_s:.1f} s")

    async def replace(self, leaving: Server, release: Release) -> Server:
        """Start a server of another release beside one, and stop that one."""
        coming = await self.start(release, leaving.role)
        await self.stop(leaving)
        return coming

    async def hand_over(self, leaving: Server, release: Release) -> Server:
        """Replace the publisher: the next one stands by, and acts when the one before has given the lease back."""
        coming = await self.start(release, "publisher")
        if await acts(coming):
            self.faults.append(f"{coming.name} publishes beside {leaving.name}")
        await self.stop(leaving)
        began_s = time.monotonic()
        await self.until_acts(coming)
        took_s = time.monotonic() - began_s
        self.handovers.append((leaving.name, coming.name, took_s))
        self.say(f"{coming.name} publishes, {took_s:.1f} s after {leaving.name} had ended")
        return coming

    async def until_acts(self, publisher: Server) -> None:
        """Wait until a publisher says that it acts."""
        async with asyncio.timeout(TAKE_OVER_S):
            while not await acts(publisher):
                await asyncio.sleep(_LOOK_S)

    async def verify(self, when: str) -> None:
        """Let both releases audit the store, also while it is being changed."""
        for release in (self.old, self.new):
            done = await verify(release, self.store.url, when)
            self.verified.append(done)
            self.say(f"verify by {release.name} ({when}): {'clean' if done.clean else f'NOT CLEAN {done.found[:3]}'}")

    async def end(self) -> None:
        """End whatever still runs, at once."""
        for server in self.servers:
            await server.kill()


async def acts(publisher: Server) -> bool:
    """Ask a publisher whether it publishes."""
    async with aiohttp.ClientSession() as session, session.get(publisher.url + "/metrics") as response:
        found = _ACTIVE.search(await response.text())
    return found is not None and float(found[1]) > 0


def _libraries(store: StoreProcess) -> list[str]:
    """Name the function libraries that the store has: each release loads its own, named after its text."""
    return sorted(set(_LIBRARY.findall(str(store.command("FUNCTION", "LIST")))))
