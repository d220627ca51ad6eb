"""A real Holdfast process for tests, and plain clients for it: aiohttp for requests, sockets for what no client sends.

The fixtures are in ``http_fixtures.py`` beside: ``server`` is shared by a whole run and has many partitions, one for
each test that asks for ``api``; what needs other settings starts a ``Server`` of its own.
"""

import asyncio
import contextlib
import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import msgspec
import redis
from multidict import CIMultiDictProxy
from redis.backoff import NoBackoff
from redis.retry import Retry
from yarl import URL

from server.domain.principal import ApiKey, Scope
from server.store.keys import Keyspace
from server.store.repositories.api_key_records import encoded
from server.store.repositories.api_keys import KEYS_HASH
from tests.support.contract import contract
from tests.support.launch import Process, launch
from tests.support.stores import wait_until
from tests.support.unread import until_read

ROOT: Final = Path(__file__).parents[2]
STARTED: Final = re.compile(r"^Holdfast \S+ at https?://(\S+):(\d+)$", re.MULTILINE)
JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"
PROBLEM: Final = "application/problem+json"
END_S: Final = 30.0
"""When waiting for a process becomes failing."""
START_S: Final = 90.0
"""The same for a start, most of which is Python's own: on a busy machine it takes many seconds."""
LARGE_BYTES: Final = 1_000_000
"""The client library warns of larger bodies that are not streams."""
_EMPTY: Final = object()
_WAY: Final = {"express_lane": os.environ["EXPRESS_LANE"]} if "EXPRESS_LANE" in os.environ else {}
"""``EXPRESS_LANE=false``: servers that do not say otherwise have no express lane, so all tests run over both ways."""


class Key(msgspec.Struct, frozen=True):
    """An API key for the configuration file of a server."""

    id: str
    partition: str
    scopes: tuple[str, ...] = ("admin",)
    terms: str = ""
    """Further lines of its table."""

    @property
    def secret(self) -> str:
        return f"secret-of-{self.id}"

    @property
    def token(self) -> str:
        return f"hf_{self.id}_{self.secret}"

    def toml(self) -> str:
        digest = hashlib.sha256(self.secret.encode()).hexdigest()
        scopes = ", ".join(f'"{scope}"' for scope in self.scopes)
        named = (
            f'[[keys]]\nid = "{self.id}"\nsha256 = "{digest}"\nscopes = [{scopes}]\npartition = "{self.partition}"\n'
        )
        return f"{named}{self.terms}\n\n"


READER: Final = Key("reader", "scopes", ("read",))
RESERVER: Final = Key("reserver", "scopes", ("reserve",))
STOCKER: Final = Key("stocker", "scopes", ("stock",))
"""Keys of the shared server that have one scope each."""


class Server:
    """One ``python -m server serve`` on a free port, with a data directory of its own that outlives a restart.

    ``settings`` are those of ``server.config.settings``, by name. Without ``keys`` everybody on this machine is let in.
    ``toml`` is the rest of the configuration file, such as channels; ``environment`` holds their credentials.
    ``prefix``: the words in front of the command, which run it in their own way.
    """

    def __init__(
        self,
        *,
        keys: Sequence[Key] = (),
        data_dir: Path | None = None,
        toml: str = "",
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        **settings: object,
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="hf-http-"))
        self.data_dir = data_dir or self.directory / "data"
        self._log = self.directory / "stderr"
        self._log_start = 0
        # No balancer stands before it, so nobody needs to be told before its port closes.
        settings = {"drain_notice_s": 0, **_WAY, **settings}
        self._environment = {"HOLDFAST_" + name.upper(): str(value) for name, value in settings.items()}
        self._environment |= environment or {}
        if keys or toml:
            config = self.directory / "holdfast.toml"
            config.write_text("".join(key.toml() for key in keys) + toml, "utf-8")
            self._environment["HOLDFAST_CONFIG"] = str(config)
        self._prefix = prefix
        self._process: Process | None = None
        self.host = "127.0.0.1"
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def process(self) -> Process:
        assert self._process is not None, "the server is not started"
        return self._process

    @property
    def store_pid(self) -> int:
        """Process id of the embedded store, from the file that it keeps."""
        return int((self.data_dir / "store.pid").read_text())

    @property
    def stderr(self) -> str:
        """All that the server said, over all its starts."""
        return self._log.read_text("utf-8", errors="replace")

    @property
    def faults(self) -> list[str]:
        """The lines of the log that report a fault: errors, and anything with a traceback."""
        telltale = ('"level": "error"', '"exception"', "Traceback")
        return [line for line in self.stderr.splitlines() if any(word in line for word in telltale)]

    def start(self, within_s: float = START_S) -> Self:
        """Start it and wait until it serves; a second start after a kill keeps the port."""
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
        words = ["serve", "--port", str(self.port), "--data-dir", str(self.data_dir)]
        environment |= self._environment
        with self._log.open("ab") as log:
            self._process = launch(words, cwd=ROOT, env=environment, stdout=log, stderr=log, prefix=self._prefix)
        try:
            wait_until(self._serves, "the server serves", within_s)
        except BaseException:
            self.close()  # nothing else will: a context manager that never began does not end
            raise
        return self

    def _serves(self) -> bool:
        said = self._log.read_bytes()[self._log_start :].decode("utf-8", "replace")
        assert self.process.poll() is None, f"the server did not start:\n{said[-4000:]}"
        found = STARTED.search(said)
        if found is not None:
            self.port = int(found[2])
        return found is not None

    def kill(self) -> None:
        """End the server as a crash does; the store lives on."""
        self.process.kill()
        self.process.wait(END_S)

    def stop(self) -> int:
        """End it in order; returns the exit status."""
        self.process.terminate()
        return self.process.wait(END_S)

    def signal_store(self, number: signal.Signals) -> None:
        os.kill(self.store_pid, number)

    @contextlib.contextmanager
    def frozen_store(self) -> Iterator[None]:
        """Stop the store from running, as a hanging disk or host does, and let it go on afterwards."""
        pid = self.store_pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        """End everything and remove the files."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self.kill()
        self._end_orphan()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _end_orphan(self) -> None:
        """End a store that a killed server left; its command line says that it is ours."""
        with contextlib.suppress(OSError, ValueError):
            if str(self.data_dir) in Path(f"/proc/{self.store_pid}/cmdline").read_text():
                os.kill(self.store_pid, signal.SIGKILL)

    @contextlib.contextmanager
    def store(self) -> Iterator[Any]:
        """Open a blocking client of the embedded store."""
        socket_path = str(self.data_dir / "store.sock")
        client = redis.Redis(unix_socket_path=socket_path, retry=Retry(NoBackoff(), 0))
        try:
            yield client
        finally:
            client.close()

    def state(self, partition: str) -> dict[str, object]:
        """Read all that a partition holds, the journal and the idempotency keys included."""
        with self.store() as client:
            keys = Keyspace(partition)
            found = {key: _value(client, key) for key in (*keys.transferring, *keys.supplying, keys.barcodes)}
        # Maintenance counts and settles whenever it likes; it is no change of anything.
        meta = found[keys.meta]
        if isinstance(meta, dict):
            kept = {name: value for name, value in meta.items() if not name.startswith(_MAINTAINED)}
            found[keys.meta] = kept or "none"  # as before maintenance wrote its first field
        return found

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


_MAINTAINED: Final = (b"lack", b"closed_as_of", b"audited")
"""How the names of the fields begin that maintenance writes."""


def _value(client: Any, key: str) -> object:
    match client.type(key).decode():
        case "hash":
            return client.hgetall(key)
        case "zset":
            return client.zrange(key, 0, -1, withscores=True)
        case "stream":
            return client.xrange(key)
        case other:
            return other


def store_key(server: Server, key: Key, **changed: Any) -> None:
    """Write a key's record into the store, as the command does."""
    digest = key.toml().split('sha256 = "')[1].split('"')[0]
    record = ApiKey(id=key.id, sha256=digest, scopes=frozenset(map(Scope, key.scopes)), partition=key.partition)
    with server.store() as store:
        store.hset(KEYS_HASH, key.id, encoded(msgspec.structs.replace(record, **changed)))


class Answer(msgspec.Struct, frozen=True):
    """One answer, as it came."""

    status: int
    headers: CIMultiDictProxy[str]
    raw: bytes

    @property
    def body(self) -> Any:
        """The decoded body: None where there is none, text where it is neither JSON nor MessagePack."""
        if not self.raw:
            return None
        media_type = self.headers.get("Content-Type", "")
        if media_type == MSGPACK:
            return msgspec.msgpack.decode(self.raw)
        return msgspec.json.decode(self.raw) if media_type in (JSON, PROBLEM) else self.raw.decode("utf-8", "replace")

    def ok(self, status: int = 200) -> Any:
        """Return the body of an answer that must have this status."""
        assert self.status == status, f"{self.status} {self.raw.decode('utf-8', 'replace')}"
        return self.body

    def problem(self, status: int, outcome: str) -> Any:
        """Return the problem+json that must have this status and outcome."""
        shown = f"{self.status} {self.headers.get('Content-Type')} {self.raw.decode('utf-8', 'replace')}"
        assert (self.status, self.headers.get("Content-Type")) == (status, PROBLEM), shown
        assert (self.body["status"], self.body["outcome"]) == (status, outcome), shown
        return self.body


class Api:
    """Requests with one API key; every answer is held against the OpenAPI document.

    Paths go out as they are written, so percent-encode them.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, key: Key | None = None) -> None:
        self.key = key
        self._session = session
        self._url = url
        self._credentials = {"Authorization": f"Bearer {key.token}"} if key is not None else {}

    @property
    def partition(self) -> str:
        return self.key.partition if self.key is not None else "default"

    async def send(
        self,
        method: str,
        path: str,
        body: object = _EMPTY,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        msgpack: bool = False,
    ) -> Answer:
        """Send a request: ``body`` is encoded as JSON or MessagePack, ``raw`` goes as it is, as JSON by its header."""
        all_headers = dict(self._credentials)
        if body is not _EMPTY:
            raw = msgspec.msgpack.encode(body) if msgpack else msgspec.json.encode(body)
        if raw is not None:
            all_headers["Content-Type"] = MSGPACK if msgpack else JSON
        all_headers |= headers or {}
        async with self._session.request(
            method,
            URL(self._url + path, encoded=True),
            data=io.BytesIO(raw) if raw is not None and len(raw) > LARGE_BYTES else raw,
            headers={name: value for name, value in all_headers.items() if value != ""},
            skip_auto_headers=("Content-Type", "User-Agent"),
        ) as response:
            answer = Answer(response.status, response.headers, await response.read())
        faults = contract().faults(method, path, answer.status, answer.headers.get("Content-Type", ""), answer.body)
        assert not faults, (method, path, answer.raw, faults)
        return answer

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.send("GET", path, **options)

    async def post(self, path: str, body: object, **options: Any) -> Answer:
        return await self.send("POST", path, body, **options)

    async def put(self, path: str, body: object, **options: Any) -> Answer:
        return await self.send("PUT", path, body, **options)

    async def count(self, sku: str, on_hand: int, location: str = "main") -> Any:
        """Set up stock, whatever the names are like."""
        movement = {"kind": "count", "sku": sku, "location": location, "on_hand": on_hand, "allow_similar": True}
        [result] = (await self.post("/v1/stock/movements", {"movements": [movement]})).ok()["results"]
        assert result["status"] == 200, result
        return result["stock"]

    async def reserve(self, sku: str, quantity: int, reservation_id: str | None = None, **fields: object) -> Answer:
        """Ask for units of one SKU."""
        body = {"channel": "web", "lines": [{"sku": sku, "quantity": quantity}], **fields}
        if reservation_id is not None:
            body["reservation_id"] = reservation_id
        return await self.post("/v1/reservations", body)

    async def available(self, sku: str) -> int:
        return int((await self.get(f"/v1/availability/{sku}")).ok()["available"])


@contextlib.asynccontextmanager
async def opened(server: Server | str, key: Key | None = None, *, connections_max: int = 100) -> AsyncIterator[Api]:
    """Open a client of a server, or of what serves at a URL; requests have no deadline but the test's own."""
    connector = aiohttp.TCPConnector(limit=connections_max)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
        yield Api(session, server if isinstance(server, str) else server.url, key)


class RawConnection:
    """A bare TCP connection: sends any bytes, reads what comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def send_apart(self, data: bytes) -> None:
        """Send something, and wait until the server has read it."""
        await self.send(data)
        await until_read(self._writer)

    def half_close(self) -> None:
        """Close the sending side; answers can still come."""
        self._writer.write_eof()

    def hang_up(self) -> None:
        """Go away at once, without the goodbye that a close gives."""
        self._writer.transport.abort()

    async def status(self) -> int:
        """Read one answer and return its status."""
        return (await self.answer())[0]

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one answer of known length: status, headers in lower case, body."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return int(first.split()[1]), headers, body

    async def rest(self) -> bytes:
        """Read until the other side closes."""
        with contextlib.suppress(ConnectionResetError):
            return await self._reader.read(-1)
        return b""


@contextlib.asynccontextmanager
async def raw_connection(server: Server) -> AsyncIterator[RawConnection]:
    """Open a bare TCP connection to a server."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        yield RawConnection(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
