"""The embedded store's life: start or adopt it, watch it, bring it back when it dies, stop it gently."""

import asyncio
import contextlib
import signal
import time
from pathlib import Path
from typing import Any, Final

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError

from server.store.connection.clients import Durability
from server.store.embedded import config, failures
from server.store.embedded.allocator import BUILT_WITHOUT, allocator_of, preload
from server.store.embedded.binary import ProgramChoice, StoreBinary, find_binary, sha256_of
from server.store.embedded.files import DataDirectory, FileLock
from server.store.embedded.launch import launch, truncated_tail
from server.store.embedded.probe import Found, Presence, configure, look, socket_url
from server.store.embedded.process import StoreProcess
from server.store.errors import StoreError, StoreStartError

_LOOK_S: Final = 0.005
"""A store is ready in about 50 ms; looking costs it one INFO."""
_ENDING_S: Final = 0.25
"""A store that was told to stop does so at its next tick. There are ten a second, and it answers until then."""
_LOG_WAITING_S: Final = 5.0
_BACKOFF_S_MIN: Final = 0.1
_BACKOFF_S_MAX: Final = 5.0
_STEADY_S: Final = 10.0
"""After a store has run this long, its start works: the next one starts at once."""

_log: Any = structlog.get_logger("holdfast.store")


class EmbeddedStore:
    """A store of our own in ``data_dir``: one process, reached over a unix socket at ``url``.

    ``durability`` decides its fsync. ``program`` chooses the Valkey or Redis server to run; ``server_program`` names
    the only one to consider instead. ``silence_s_max`` is how long a store process may leave us without any
    answer (a loading one does answer) before the start is given up; ``stop_grace_s`` how long it may take to
    stop before it is killed, by which no acknowledged write is lost. Run one loop, one start, one stop at a time.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        durability: Durability,
        program: ProgramChoice | None = None,
        server_program: Path | None = None,
        silence_s_max: float = 60.0,
        stop_grace_s: float = 60.0,
    ) -> None:
        self.directory = DataDirectory(data_dir)
        self.url = socket_url(self.directory.socket)
        self.restarts = 0
        """How often it was brought back after it died by itself."""
        self.last_failure = ""
        """Why it is down, or was the last time."""
        self._durability: Durability = durability
        self._choice = program or ProgramChoice()
        self._server_program = server_program
        self._silence_s_max = silence_s_max
        self._stop_grace_s = stop_grace_s
        self._lock: FileLock | None = None
        self._process: StoreProcess | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the store; None while there is none."""
        return self._process.pid if self._process is not None else None

    @property
    def running(self) -> bool:
        """Whether the store is up: started, loaded, and its process alive."""
        return self._process is not None and self._process.alive()

    async def start(self) -> None:
        """Bring the store up, or take over the one that is alive, and watch over it until ``stop``.

        Raises
        ------
        DataDirectoryInUseError
            Another Holdfast owns the data directory.
        DataDirectoryError
            The directory cannot be used, or its disk is full.
        StoreBinaryMissingError
            There is no server program to run.
        StoreDataDamagedError
            The append-only file cannot be loaded; the message names the command that repairs it.
        StoreStartError
            It did not start for another reason, which the message has.

        """
        if self._lock is not None:
            raise RuntimeError("the embedded store is started already")
        self._lock = self.directory.own()
        try:
            self._process = await self._adopt_or_launch()
        except BaseException:
            self._release()
            raise
        self._watching = asyncio.create_task(self._watch(), name="embedded-store-watch")

    async def stop(self, grace_s: float | None = None) -> None:
        """Stop the store and release the directory. Harmless if it is not started.

        ``grace_s``: how long it may take before it is killed; None: ``stop_grace_s``.
        """
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
        process, self._process = self._process, None
        if process is not None:
            await self._end(process, self._stop_grace_s if grace_s is None else grace_s)
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def _adopt_or_launch(self) -> StoreProcess:
        """Take over the store that has the directory, or start one when it is certain that there is none."""
        silent_since = time.monotonic()
        logged_s = silent_since
        while True:
            hold = self.directory.try_hold()
            try:
                found = await look(self.directory.socket)
                if found.presence is Presence.READY and (adopted := await self._adopt(found)):
                    return adopted
                if found.presence is Presence.NOBODY and hold is not None:
                    return await self._launch(hold)
            finally:
                if hold is not None:
                    hold.close()
            # Somebody has the directory: an orphan that loads or is busy, or the last rewrite of one that died.
            now = time.monotonic()
            silent_since = now if found.presence is Presence.LOADING else silent_since
            if now - silent_since > self._silence_s_max:
                raise self._silent()
            logged_s = self._log_waiting(found, logged_s)
            await asyncio.sleep(_LOOK_S)

    async def _adopt(self, found: Found) -> StoreProcess | None:
        """Take over a live store; None when it went away meanwhile (it was just stopping)."""
        if Path(found.directory) != self.directory.path:
            raise StoreStartError(
                f"The store at {self.directory.socket} (process {found.pid}) keeps its data in {found.directory}, not "
                f"in {self.directory.path}. Stop it (kill -TERM {found.pid}), or use that directory as --data-dir."
            )
        try:
            process = StoreProcess(found.pid)
        except ProcessLookupError:
            return None
        try:
            await configure(self.directory.socket, config.enforced(self._durability))
            is_ending = await self._is_ending(process)
        except (RedisConnectionError, OSError):
            is_ending = True
        except BaseException:
            process.close()
            raise
        if is_ending:
            process.close()
            return None
        _log.info(
            "store_adopted",
            pid=found.pid,
            directory=str(self.directory.path),
            **await asyncio.to_thread(_program, found),
        )
        return process

    async def _is_ending(self, process: StoreProcess) -> bool:
        """Whether a store that answered was told to stop: by a Holdfast that was killed while it waited for that."""
        try:
            await asyncio.wait_for(process.ended(), _ENDING_S)
        except TimeoutError:
            return (await look(self.directory.socket)).presence is not Presence.READY
        return True

    async def _launch(self, hold: FileLock) -> StoreProcess:
        """Start a store and wait until it is ready; none is left behind when that fails or is cancelled."""
        binary, command = await asyncio.to_thread(self._command)
        process, log_offset = launch(self.directory, command, self._durability, hold)
        try:
            found = await self._until_ready(process, log_offset)
        except BaseException:
            await asyncio.shield(self._end(process, self._stop_grace_s))
            raise
        if truncated_tail(self.directory.log_since(log_offset)):
            return await self._load_again(process)
        _log.info(
            "store_started",
            pid=process.pid,
            directory=str(self.directory.path),
            origin=binary.origin,
            **await asyncio.to_thread(_program, found),
        )
        return process

    def _command(self) -> tuple[StoreBinary, list[str | Path]]:
        """Find the program, and the words that start it; preloaded with jemalloc where it has none of its own."""
        binary = find_binary(self._server_program, self._choice)
        words: list[str] = []
        if self._choice.jemalloc and binary.allocator == BUILT_WITHOUT:
            words, _ = preload(binary.path)
        return binary, [*words, binary.path]

    async def _load_again(self, process: StoreProcess) -> StoreProcess:
        """Load a second time after a torn tail was cut off, before anything is written.

        Redis 7.0 cuts after the last whole *command* and leaves the MULTI of a half-written script open. In
        memory the script is gone; but what is written next joins that MULTI in the file, and the next load
        would run the lost half of a script that was never acknowledged. A load with nothing behind the open
        MULTI cuts it off for good. Valkey and later Redis cut in the right place; there it costs one start.
        """
        _log.warning("store_tail_truncated", directory=str(self.directory.path))
        await asyncio.shield(self._end(process, self._stop_grace_s))
        return await self._adopt_or_launch()

    async def _until_ready(self, process: StoreProcess, log_offset: int) -> Found:
        silent_since = logged_s = time.monotonic()
        while True:
            found = await look(self.directory.socket)
            if found.presence is Presence.READY and found.pid == process.pid:
                return found
            if not process.alive():
                raise failures.explain(self.directory, self.directory.log_since(log_offset), process.how_it_ended())
            now = time.monotonic()
            silent_since = now if found.presence is Presence.LOADING else silent_since
            if now - silent_since > self._silence_s_max:
                raise self._silent()
            logged_s = self._log_waiting(found, logged_s)
            await asyncio.sleep(_LOOK_S)

    def _log_waiting(self, found: Found, logged_s: float) -> float:
        """Log what is being waited for, every few seconds; return when that was done last."""
        now = time.monotonic()
        if now - logged_s < _LOG_WAITING_S:
            return logged_s
        _log.info(
            "store_waiting", for_=found.presence.value, percent=round(found.loaded_percent), eta_s=found.loading_eta_s
        )
        return now

    def _silent(self) -> StoreStartError:
        pid = self.directory.store_pid()
        how = f"kill -TERM {pid}, and if that does not help kill -KILL {pid}" if pid else "find it with: ps ax"
        return StoreStartError(
            f"A store process{f' (probably {pid})' if pid else ''} has {self.directory.path} and has not answered for "
            f"{self._silence_s_max:g} s. Read {self.directory.log}; if it hangs, end it ({how}) and start again."
        )

    async def _watch(self) -> None:
        """Bring the store back whenever it dies, for as long as this Holdfast lives."""
        delay_s = _BACKOFF_S_MIN
        while (process := self._process) is not None:
            began = time.monotonic()
            await process.ended()
            self._process = None
            self.last_failure = self._last_words(process)
            _log.error("store_died", pid=process.pid, reason=self.last_failure)
            process.close()
            # A store that ends right after a good start (a full disk, say) also needs a pause.
            delay_s = _BACKOFF_S_MIN if time.monotonic() - began > _STEADY_S else delay_s
            self._process, delay_s = await self._bring_back(delay_s)
            self.restarts += 1
            _log.warning("store_back", pid=self._process.pid, restarts=self.restarts)

    def _last_words(self, process: StoreProcess) -> str:
        log = self.directory.log_since(0)
        return f"it {process.how_it_ended()}; last in its log: {failures.last_line(log)}"

    async def _bring_back(self, delay_s: float) -> tuple[StoreProcess, float]:
        while True:
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, _BACKOFF_S_MAX)
            try:
                await asyncio.to_thread(self.directory.check_writable)
                return await self._adopt_or_launch(), delay_s
            except StoreError as error:
                self.last_failure = str(error)
            except Exception as error:  # noqa: BLE001  # whatever it is, otherwise there would be no store for ever
                self.last_failure = f"{type(error).__name__}: {error}"
            _log.error("store_restart_failed", reason=self.last_failure, next_try_s=delay_s)

    async def _end(self, process: StoreProcess, grace_s: float) -> None:
        """Ask it to stop and wait; after the grace kill it, which loses nothing that was acknowledged."""
        try:
            process.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.ended(), grace_s)
            if process.alive():
                _log.warning("store_killed", pid=process.pid, after_s=grace_s)
                process.signal(signal.SIGKILL)
                await process.ended()
        finally:
            process.close()


def _program(found: Found) -> dict[str, str]:
    """Say which program a running store is, for the log."""
    return {
        "program": found.executable,
        "version": found.version,
        "sha256": sha256_of(Path(found.executable)),
        "allocator": allocator_of(found.pid, found.allocator),
    }
