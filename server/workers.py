"""Several serving processes on one port: start them, replace one that dies, stop them together.

Each worker is a ``holdfast serve`` of its own on the same store and port (SO_REUSEPORT spreads connections over them).
They report metrics through files in one directory, so that a scrape of any of them returns those of all. If there are
channels, one more process publishes to them: that takes as much of a core as the orders themselves.

Two pipes connect parent and worker. The worker writes signs of life from its event loop to its standard output, and a
line when it serves. One that gives none for a while hangs, and is killed and replaced: the kernel would go on to give
it connections. Its standard input ends when the parent is gone, however it ended, and then the worker stops, too.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec
import structlog
from prometheus_client.multiprocess import mark_process_dead

from server.config.settings import PREFIX, Settings, load_config_file, worker_environment
from server.store.embedded import EmbeddedStore, ProgramChoice
from server.telemetry.worker_files import WORKER_OPTION

log = structlog.get_logger("holdfast.workers")

READY: Final = "ready"
"""The first word of the line that a worker writes when it serves."""
_BEAT: Final = b"\n"
_BEAT_S_MAX: Final = 1.0
_BEATS_A_HANG: Final = 5
_START_SILENT_S: Final = 60.0
"""A process that begins loads the program before its event loop runs; on a busy machine that takes many seconds."""
_RESTART_S_MIN: Final = 0.2
_RESTART_S_MAX: Final = 5.0
_STEADY_S: Final = 10.0
"""After a worker has served this long, its start works: the next one starts at once."""
_KILL_GRACE_S: Final = 2.0
"""How much longer than its own drain to wait for a worker."""
_STORE_GRACE_S: Final = 2.0
"""How long the store may take to stop; killed, it loses nothing that was acknowledged."""


class WorkersError(Exception):
    """The workers cannot be started; the message has the reason and what to do."""


class Workers:
    """The parent of the workers: owns the embedded store, the port and the metrics directory."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: EmbeddedStore | None = None
        self._metrics_dir = Path(tempfile.mkdtemp(prefix="holdfast-metrics-"))
        self._reserved: socket.socket | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._processes_wanted = settings.workers + _has_channels(settings)
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._ready: dict[int, asyncio.subprocess.Process] = {}
        """Those that serve: one that is starting would end by a signal that it does not hear yet."""
        self._generation = 0
        """How often the configuration was taken over anew."""
        self._greetings: dict[int, asyncio.Future[str]] = {}
        self.store_url = settings.store_url
        self.port = settings.port
        self.restarts = 0

    async def start_store(self) -> None:
        """Take the port, and start the embedded store unless there is another.

        Raises
        ------
        WorkersError
            The port is taken.
        StoreError
            The store did not start.

        """
        self._reserve_port()
        if not self.store_url:
            self._store = EmbeddedStore(
                self._settings.data_dir,
                durability=self._settings.durability,
                program=ProgramChoice(**self._settings.store_program),
            )
            await self._store.start()
            self.store_url = self._store.url

    async def start(self) -> str:
        """Start the workers and wait until all of them serve; return what the first one wrote after "ready".

        Raises
        ------
        WorkersError
            A worker ended instead; it has printed the reason itself.

        """
        loop = asyncio.get_running_loop()
        self._greetings = {number: loop.create_future() for number in range(self._processes_wanted)}
        # The first one alone: what stops its start would stop all of them, and is then printed once.
        first = await self._begin(0)
        await asyncio.gather(*(self._begin(number) for number in range(1, self._processes_wanted)))
        return first

    async def reload(self, *, publishes: bool) -> None:
        """Have each worker take the configuration file over, one that is starting once it serves.

        ``publishes``: there are channels, so that one more process is needed if there was none.
        """
        self._generation += 1
        for process in self._ready.values():
            _signal(process, signal.SIGHUP)
        if publishes and self._settings.role == "all" and self._processes_wanted == self._settings.workers:
            number = self._processes_wanted
            self._greetings[number] = asyncio.get_running_loop().create_future()
            try:
                await self._begin(number)
            except WorkersError:
                log.error("publisher_not_started", advice="correct the error above, and send SIGHUP again")  # noqa: TRY400
            else:
                self._processes_wanted += 1

    async def drain(self, *, notice: bool = False) -> None:
        """Stop the workers, each of which answers what is in flight, then the store.

        ``notice``: have them tell callers to leave before they close the port.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in self._processes.values():
            _signal(process, signal.SIGTERM if notice else signal.SIGINT)
        await asyncio.gather(*(self._wait_or_kill(process) for process in self._processes.values()))
        if self._store is not None:
            await self._store.stop(_STORE_GRACE_S)
        if self._reserved is not None:
            self._reserved.close()
        shutil.rmtree(self._metrics_dir, ignore_errors=True)

    def _reserve_port(self) -> None:
        """Bind the port and never listen: that reserves the number for the workers and accepts no connection."""
        host, family = self._settings.host, socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        self._reserved = socket.socket(family, socket.SOCK_STREAM)
        try:
            # First without sharing: a second Holdfast on the port would otherwise be let in, and each connection
            # would go to one of two stocks by chance.
            with socket.socket(family, socket.SOCK_STREAM) as alone:
                alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                alone.bind((host, self.port))
            self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._reserved.bind((host, self.port))
        except OSError as error:
            raise WorkersError(
                f"Cannot listen on {host}:{self.port}: {error.strerror or error}. Choose another with --port."
            ) from None
        self.port = self._reserved.getsockname()[1]

    async def _begin(self, number: int) -> str:
        self._tasks.append(asyncio.create_task(self._keep(number), name=f"worker-{number}"))
        return await self._greetings[number]

    async def _keep(self, number: int) -> None:
        """Run one worker; start it again when it ends by itself, or hangs."""
        loop, greeting, pause_s, replaces = asyncio.get_running_loop(), self._greetings[number], _RESTART_S_MIN, ""
        while True:
            began_s, generation = loop.time(), self._generation
            process = await self._spawn(number, replaces)
            line, limit_s = await self._said(process, _START_SILENT_S, READY), _START_SILENT_S
            if line and not greeting.done():
                greeting.set_result(line.removeprefix(READY).strip())
            if line:
                self._ready[number] = process
                if generation != self._generation:
                    _signal(process, signal.SIGHUP)
                line, limit_s = await self._said(process, self._settings.worker_hang_s), self._settings.worker_hang_s
            self._ready.pop(number, None)
            hung = line is None
            if hung:
                log.error("worker_hung", worker=number, pid=process.pid, silent_s=limit_s)
                process.kill()
            status, replaces = await process.wait(), "hung" if hung else "ended"
            # Its counters stay, and the next one goes on with them.
            mark_process_dead(number, str(self._metrics_dir))  # type: ignore[no-untyped-call]
            if not greeting.done():
                greeting.set_exception(WorkersError("The workers could not start. Correct the error above."))
                return
            pause_s = _RESTART_S_MIN if loop.time() - began_s > _STEADY_S else min(2 * pause_s, _RESTART_S_MAX)
            log.error("worker_ended", worker=number, pid=process.pid, status=status, restart_in_s=pause_s)
            await asyncio.sleep(pause_s)
            self.restarts += 1

    async def _said(
        self, process: asyncio.subprocess.Process, silent_s_max: float, word: str | None = None
    ) -> str | None:
        """Wait until a worker writes a line that begins with a word; empty: it ended; None: it was silent for too long.

        Silence is counted in our own turns: after a suspended machine goes on, the worker is not blamed for it.
        """
        turn_s, silent_s = beat_s(self._settings.worker_hang_s), 0.0
        while silent_s < silent_s_max:
            try:
                async with asyncio.timeout(turn_s):
                    line = (await _output(process).readline()).decode()
            except TimeoutError:
                silent_s += turn_s
            else:
                if not line or (word is not None and line.startswith(word)):
                    return line
                silent_s = 0.0
        return None

    async def _spawn(self, number: int, replaces: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server", "serve", WORKER_OPTION, str(number)),
            *(("--replaces", replaces) if replaces else ()),
            env=self._environment(number),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Ctrl-C in a terminal goes to the whole session: only the parent gets it, and stops the workers.
            start_new_session=True,
        )
        self._processes[number] = process
        return process

    def _environment(self, number: int) -> dict[str, str]:
        """Pass the settings in the environment, not as arguments: ps shows those, and a URL may hold a password."""
        mine = msgspec.structs.replace(self._settings, store_url=self.store_url, port=self.port)
        if number >= self._settings.workers:
            # It does not serve the port: a request there would find no route.
            mine = msgspec.structs.replace(mine, role="publisher", host="127.0.0.1", port=0, metrics_port=0)
        given = {name: getattr(mine, name) for name in mine.__struct_fields__}
        return worker_environment(self._metrics_dir) | {
            PREFIX + name.upper(): str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in given.items()
            if value is not None
        }

    async def _wait_or_kill(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(self._settings.drain_timeout_s + _KILL_GRACE_S):
                await process.wait()
        except TimeoutError:
            log.warning("worker_killed", pid=process.pid)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


def _output(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    if process.stdout is None:
        raise RuntimeError("a worker is started with a pipe to its output")
    return process.stdout


def beat_s(hang_s: float) -> float:
    """Return how often a worker gives a sign of life, where it may give none for ``hang_s``."""
    return min(_BEAT_S_MAX, hang_s / _BEATS_A_HANG)


async def beat(descriptor: int, hang_s: float) -> None:
    """Give signs of life from a worker's event loop, until cancelled."""
    os.set_blocking(descriptor, False)
    while True:
        with contextlib.suppress(OSError):  # the parent hangs itself, or is gone: its end of our input tells
            os.write(descriptor, _BEAT)
        await asyncio.sleep(beat_s(hang_s))


def _has_channels(settings: Settings) -> bool:
    """Whether there are channels or webhooks to publish to, or sources to read."""
    if settings.role != "all":
        return False
    file = load_config_file(settings.config, credentials=False)
    return bool(file.channels or file.webhooks or file.sources)
