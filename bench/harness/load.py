"""Load on a server: from ``wrk``, else from aiohttp's client, which is slower than the servers it measures."""

import asyncio
import json
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp
import msgspec
import uvloop

from bench.harness.stock import sku

PATH: Final = "/v1/reservations"
_SCRIPT: Final = Path(__file__).with_name("reserve.lua")
_RESULT: Final = "RESULT "
_GRACE_S: Final = 30.0


class LoadError(Exception):
    """The load could not be made, or its result cannot be trusted."""


class Result(msgspec.Struct, frozen=True):
    """What one stretch of load saw. ``failed``: answers that were not a success.

    ``server_us``, ``store_us``: processor time of each request there, where that was measured.
    """

    requests: int
    duration_us: int
    p50_us: int
    p99_us: int
    failed: int
    socket_errors: int
    server_us: float = 0.0
    store_us: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second that were a success."""
        return self.succeeded * 1e6 / self.duration_us

    @property
    def succeeded(self) -> int:
        """Requests that were a success."""
        return self.requests - self.failed


class Target(NamedTuple):
    """How ``wrk`` asks: what, with which script, which words behind the run's own, how long it waits for an answer.

    ``may_fail``: answers that are no success are counted; else one of them ends the run.
    """

    path: str
    script: Path
    words: tuple[str, ...] = ()
    patience_s: int = 2
    may_fail: bool = False


RESERVE: Final = Target(PATH, _SCRIPT)


def loader() -> str:
    """Name the loader that this machine has."""
    return "wrk" if shutil.which("wrk") else "aiohttp client"


def load(url: str, connections: int, seconds: float, skus: int, target: Target = RESERVE) -> Result:
    """Post reservations for so long over so many connections, each sending the next when its answer has come.

    Without wrk, any ``target`` but the usual one is an error.

    Raises
    ------
    LoadError
        An answer was not a success, a connection broke, or the loader itself failed.

    """
    run = secrets.token_hex(4)
    if loader() == "wrk":
        # wrk counts whole seconds.
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--timeout",
            f"{target.patience_s}s",
        ]
        command += ["-s", str(target.script), url + target.path, "--", run, str(skus), *target.words]
    elif target != RESERVE:
        raise LoadError("wrk is missing: apt-get install wrk")
    else:
        command = [
            sys.executable,
            "-m",
            "bench.harness.load",
            url + PATH,
            str(connections),
            str(seconds),
            run,
            str(skus),
        ]
    result = parse(_output(command, seconds + _GRACE_S))
    if (result.failed and not target.may_fail) or result.socket_errors or not result.succeeded:
        raise LoadError(
            f"{url} at {connections} connections: {result.failed} of {result.requests} answers were not a success, "
            f"{result.socket_errors} connections broke"
        )
    return result


def _output(command: list[str], timeout_s: float) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode:
        raise LoadError(f"{command[0]} ended with {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


def parse(output: str) -> Result:
    """Read the result line out of what a loader printed."""
    for line in output.splitlines():
        if line.startswith(_RESULT):
            return msgspec.json.decode(line[len(_RESULT) :], type=Result)
    raise LoadError(f"the loader printed no result:\n{output}")


async def post(url: str, connections: int, seconds: float, run: str, skus: int) -> Result:
    """Do what wrk does with ``reserve.lua``, in this process."""
    taken_us: list[int] = []
    failed = 0

    async def caller(session: aiohttp.ClientSession, number: int) -> None:
        nonlocal failed
        count = 0
        while time.perf_counter() < until_s:
            count += 1
            body = {
                "reservation_id": f"{run}-{number}-{count}",
                "channel": "web",
                "ttl_s": 86_400,
                "lines": [{"sku": sku(count * 7919 % skus), "quantity": 1}],
            }
            sent_s = time.perf_counter()
            async with session.post(url, json=body) as response:
                await response.read()
                failed += response.status >= 300  # anything but a success
            taken_us.append(round((time.perf_counter() - sent_s) * 1e6))

    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector) as session:
        started_s = time.perf_counter()
        until_s = started_s + seconds
        await asyncio.gather(*(caller(session, number) for number in range(connections)))
        duration_us = round((time.perf_counter() - started_s) * 1e6)
    taken_us.sort()
    at = len(taken_us)
    return Result(at, duration_us, taken_us[at // 2], taken_us[at * 99 // 100], failed, 0)


def main() -> None:
    """Make load, as ``load`` asks for it where there is no wrk."""
    url, connections, seconds, run, skus = sys.argv[1:]
    result = uvloop.run(post(url, int(connections), float(seconds), run, int(skus)))
    print(_RESULT + json.dumps(msgspec.to_builtins(result)))


if __name__ == "__main__":
    main()
