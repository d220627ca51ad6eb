"""Processes of a release: servers that are started, asked to stop, and read; and ``holdfast verify``."""

import asyncio
import re
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from tests.rigs.rolling_upgrade.releases import Release, environment

Role = Literal["api", "publisher"]
_ADDRESS: Final = re.compile(r"^Holdfast \S+ at (http://\S+)$", re.MULTILINE)
_FAULT: Final = ('"level": "error"', '"level":"error"', "[error", "Traceback")
_OF_CHANNELS: Final = '"logger": "holdfast.channel"'
"""What a publisher says of a channel that misbehaves is not the publisher's fault."""
START_S: Final = 60.0
"""How long a start may take on a machine that has much else to do."""
STOP_S: Final = 60.0
"""How long a stop may take: its own drain, and some."""
_LOOK_S: Final = 0.02


@dataclass
class Server:
    """One ``holdfast serve`` of a release. ``logs`` is a directory for what it prints."""

    name: str
    release: Release
    role: Role
    store_url: str
    settings: Mapping[str, str]
    logs: Path
    url: str = ""
    exit_code: int | None = None
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    async def start(self) -> float:
        """Start it and wait until it serves; returns how many seconds that took."""
        began_s = time.monotonic()
        words = ("serve", "--port", "0", "--role", self.role, "--store-url", self.store_url)
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "server", *words,
                cwd=self.release.directory, env=environment(self.settings), start_new_session=True,
                stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=err,
            )  # fmt: skip
        while not self.url:
            if self._process.returncode is not None:
                raise RuntimeError(f"{self.name} did not start:\n{self._err.read_text('utf-8')[-3000:]}")
            if time.monotonic() - began_s > START_S:
                await self.kill()
                raise RuntimeError(f"{self.name} did not serve within {START_S:g} s")
            await asyncio.sleep(_LOOK_S)
            found = _ADDRESS.search(self._out.read_text("utf-8", errors="replace"))
            self.url = found[1] if found else ""
        return time.monotonic() - began_s

    async def stop(self) -> float:
        """Ask it to stop as a supervisor does, and wait; returns how many seconds that took."""
        assert self._process is not None
        began_s = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                self.exit_code = await self._process.wait()
        except TimeoutError:
            await self.kill()
        return time.monotonic() - began_s

    async def kill(self) -> None:
        """End it at once, if it runs: only where something else went wrong."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            self.exit_code = await self._process.wait()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def directory(self) -> Path:
        """Where the process itself says that it runs: with this directory its modules come first."""
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/cwd").resolve()

    def faults(self) -> list[str]:
        """List the lines of its log that report a fault."""
        said = self._err.read_text("utf-8", errors="replace") if self._err.exists() else ""
        lines = [line for line in said.splitlines() if any(word in line for word in _FAULT)]
        return [f"{self.name}: {line[:300]}" for line in lines if _OF_CHANNELS not in line]

    @property
    def _out(self) -> Path:
        return self.logs / f"{self.name}.out"

    @property
    def _err(self) -> Path:
        return self.logs / f"{self.name}.err"


@dataclass(frozen=True)
class Verified:
    """What ``holdfast verify`` of a release said of the store."""

    release: str
    when: str
    exit_code: int
    found: list[str]

    @property
    def clean(self) -> bool:
        return self.exit_code == 0 and not self.found


async def verify(release: Release, store_url: str, when: str) -> Verified:
    """Run a release's audit of the default partition."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", "verify", "--json", "--store-url", store_url,
        cwd=release.directory, env=environment({}), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(START_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    try:
        reports: dict[str, Any] = msgspec.json.decode(out)
    except msgspec.DecodeError:
        return Verified(release.name, when, process.returncode, [err.decode("utf-8", "replace")[-1000:]])
    found = [f"{each}" for report in reports.values() for each in report["drift"]]
    return Verified(release.name, when, process.returncode, found)
