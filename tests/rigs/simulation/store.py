"""A store in memory that knows what a publisher asks of one: hashes, the journal, the lease and the fenced record.

Three of our Lua functions are written here once more, in Python. The tests of the publisher run the real ones; here it
matters what the engine makes of every answer and of every answer that does not come.
"""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from types import SimpleNamespace, TracebackType
from typing import Any, Final, Self

import msgspec
from msgspec.structs import replace
from redis.exceptions import ConnectionError as StoreAwayError

from server.domain.changes import Change, ChangeLine
from server.store.journal.feed import JournalFeed
from server.store.journal.journal import EntryId, Page, format_entry_id, parse_entry_id
from server.store.keys import Keyspace
from tests.rigs.simulation.loop import SimulatedLoop

EPOCH_S: Final = 1_790_000_000.0
"""When the simulated time begins."""
ANSWER_S: Final = (0.0001, 0.002)
RECONNECT_S: Final = 0.05

Words = tuple[Any, ...]
_pack = msgspec.msgpack.Encoder().encode


class SimulatedStore:
    """The state. ``keyspace`` is of its one partition."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self.keyspace = Keyspace("sim")
        self.hashes: dict[str, dict[bytes, bytes]] = {}
        self.journal: list[tuple[EntryId, dict[bytes, bytes]]] = []
        self.grown = asyncio.Event()
        self.on_hand: dict[tuple[str, str], int] = {}
        self.fast_s = 0.0
        self.closed: set[str] = set()
        self._seq = 0
        self._sales = 0
        self._loop = loop

    def now_ms(self) -> int:
        """The store's clock, which may be fast, or slow if ``fast_s`` is negative."""
        return int((EPOCH_S + self._loop.time() + self.fast_s) * 1000)

    def last_id(self) -> EntryId:
        """The journal's newest id."""
        return self.journal[-1][0] if self.journal else (0, 0)

    def entries_after(self, entry_id: str) -> Page:
        """The journal's entries after an id."""
        after = parse_entry_id(entry_id)
        return [(format_entry_id(each).encode(), fields) for each, fields in self.journal if each > after]

    def set_on_hand(self, sku: str, location: str, units: int) -> None:
        """Count a SKU: the record, where it lies and the journal change together, as in a script."""
        before = self.on_hand.get((sku, location), 0)
        line = self._set(sku, location, units)
        self.append([Change("count", self.now_ms(), "sim", "", "", "", [replace(line, d_on_hand=units - before)], [])])

    def sell(self, sku: str, location: str, units: int, channel: str) -> None:
        """Book an order of a channel, or with fewer units than none its cancel; it may leave a shortage."""
        self._sales += 1
        line = self._set(sku, location, self.on_hand.get((sku, location), 0) - units)
        line, name = replace(line, line=1, d_committed=units), "order" if units > 0 else "cancel"
        change = Change(name, self.now_ms(), "sim", channel, f"r{self._sales}", "committed", [line], [])
        self.append([change])

    def _set(self, sku: str, location: str, units: int) -> ChangeLine:
        """Write a stock record, and return a line without what has changed. What is sold is not on hand here."""
        self.on_hand[sku, location] = units
        self._seq += 1
        stock, skus = self.keyspace.stock, self.keyspace.skus
        self._hash(stock)[f"{sku}\0{location}".encode()] = _pack([units, 0, 0, 0, 0, 0, self._seq])
        places = sorted(place for known, place in self.on_hand if known == sku)
        self._hash(skus)[sku.encode()] = _pack(places)
        return ChangeLine(0, sku, location, 0, 0, 0, 0, 0, 0, units, self._seq)

    def describe(self, location: str, *, is_open: bool) -> None:
        """Close a location or open it, as ``lua/functions/describe_locations.lua``."""
        meta, was_closed = self._hash(self.keyspace.meta), location in self.closed
        notes = [("location", location)]
        if is_open is was_closed:
            self.closed ^= {location}
            version = max(self.now_ms(), int(meta.get(b"places", 0)) + 1)
            meta.update({b"places": b"%d" % version, b"closed": _pack(sorted(self.closed))})
            notes.append(("opened" if is_open else "closed", location))
        notes.append(("places", meta.get(b"places", b"0").decode()))
        self.append([Change("locations", self.now_ms(), "sim", "", "", "", [], notes)])

    def append(self, changes: Sequence[Change]) -> None:
        """Write one entry of the journal."""
        self._append({b"e": _pack(changes)})

    def _append(self, fields: dict[bytes, bytes]) -> None:
        milliseconds, number = self.last_id()
        now_ms = self.now_ms()
        entry_id = (now_ms, 0) if now_ms > milliseconds else (milliseconds, number + 1)
        self.journal.append((entry_id, fields))
        self.grown.set()
        self.grown = asyncio.Event()

    def _hash(self, key: str) -> dict[bytes, bytes]:
        return self.hashes.setdefault(key, {})

    # -- commands

    def run(self, words: Words) -> Any:
        """Carry out one command, at one moment."""
        name, *rest = words
        commands: dict[str, Callable[..., Any]] = {
            "HGETALL": lambda key: dict(self._hash(key)),
            "HSCAN": lambda key, *_: (0, dict(self._hash(key))),
            "HMGET": lambda key, *fields: [self._hash(key).get(_bytes(field)) for field in fields],
            "HSET": lambda key, *pairs: self._hash(key).update(
                {_bytes(field): _bytes(value) for field, value in zip(pairs[::2], pairs[1::2], strict=True)}
            ),
            "XINFO STREAM": lambda _: self._bounds(),
            "XRANGE": lambda _, after, __, ___, count: self.entries_after(after.removeprefix("("))[:count],
            "XADD": lambda _, __, field, entry: self._append({field.encode(): entry}),
            "TIME": lambda: divmod(self.now_ms() * 1000, 1_000_000),
            "HGET": lambda key, field: self._hash(key).get(_bytes(field)),
            "FCALL": lambda function, count, *given: self._call(function, given[:count], given[count:]),
        }
        return commands[name](*rest)

    def _call(self, function: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        functions: dict[str, Callable[..., Any]] = {
            "publisher_lease": self._lease,
            "publisher_write": self._record,
            "put_listings": self._put_listings,
        }
        return functions[function.rpartition("_")[0]](keys, [_bytes(each) for each in arguments])

    def _bounds(self) -> dict[str, Any]:
        first = self.journal[0][0] if self.journal else (0, 0)
        return {
            "recorded-first-entry-id": format_entry_id(first),
            "last-generated-id": format_entry_id(self.last_id()),
            "max-deleted-entry-id": "0-0",
            "length": len(self.journal),
            "entries-added": len(self.journal),
        }

    def _lease(self, keys: Sequence[str], args: Sequence[bytes]) -> bytes:
        """As ``lua/functions/publisher_lease.lua``."""
        lease, (action, owner, ttl_ms), now_ms = self._hash(keys[0]), args, self.now_ms()
        holder, token, until_ms = lease.get(b"owner", b""), int(lease.get(b"token", 0)), int(lease.get(b"until_ms", 0))
        expired = until_ms <= now_ms
        if holder != owner and not expired:
            held_ms = int(lease[b"ttl_ms"])
            if until_ms - now_ms > held_ms:  # taken by a clock that was fast
                until_ms = now_ms + held_ms
                lease[b"until_ms"] = b"%d" % until_ms
            return _pack([0, until_ms, now_ms, holder.decode()])
        if action == b"release":
            if holder == owner:
                lease[b"until_ms"] = b"0"
            return _pack([0, 0, now_ms, owner.decode()])
        token += expired or holder != owner
        until_ms = now_ms + int(ttl_ms)
        lease.update({b"owner": owner, b"token": b"%d" % token, b"until_ms": b"%d" % until_ms, b"ttl_ms": ttl_ms})
        return _pack([token, until_ms, now_ms, owner.decode()])

    def _put_listings(self, keys: Sequence[str], args: Sequence[bytes]) -> int:
        """As ``lua/functions/put_listings.lua``."""
        field, version, entry, *changes = args
        meta = self._hash(keys[4])
        if meta.get(field, b"0") != version:
            return 0
        while changes:
            (verb, place, count), rest = changes[:3], changes[3:]
            values, changes = rest[: int(count)], rest[int(count) :]
            self._change(verb, self._hash(keys[int(place) - 1]), values)
        meta[field] = b"%d" % (int(version) + 1)
        self._append({b"e": entry})
        return 1

    def _change(self, verb: bytes, found: dict[bytes, bytes], values: Sequence[bytes]) -> None:
        """Change a hash, or a sorted set as a hash of its members."""
        if verb in (b"HDEL", b"ZREM"):
            for field in values:
                found.pop(field, None)
        elif verb == b"ZADD":
            found.update(zip(values[1::2], values[::2], strict=True))
        elif verb == b"HSET" or values[0] not in found:
            found.update(zip(values[::2], values[1::2], strict=True))

    def _record(self, keys: Sequence[str], args: Sequence[bytes]) -> int:
        """As ``lua/functions/publisher_write.lua``."""
        if self._hash(keys[0]).get(b"token") != args[0]:
            return 0
        at = 1
        while at < len(args):
            key = keys[int(args[at]) - 1]
            if args[at + 1] == b"drop":
                self.hashes.pop(key, None)
                at += 2
                continue
            sets, deletes = int(args[at + 1]), int(args[at + 2])
            at += 3
            pairs = args[at : at + 2 * sets]
            self._hash(key).update(zip(pairs[::2], pairs[1::2], strict=True))
            at += 2 * sets
            for field in args[at : at + deletes]:
                self._hash(key).pop(field, None)
            at += deletes
        return 1


class SimulatedClient:
    """One process's way to the store, in the place of redis-py's client. ``away``: nothing comes through."""

    def __init__(self, store: SimulatedStore, random: Random) -> None:
        self.store = store
        self.away = False
        self.back = asyncio.Event()
        self.breaks = 0
        self.connection_pool = SimpleNamespace(connection_kwargs={"host": "simulated", "port": 0})
        self._random = random

    def cut(self) -> None:
        """Lose the connection: what is on its way gets no answer, and may have been carried out."""
        self.away, self.breaks = True, self.breaks + 1

    def restore(self) -> None:
        """Let it be there again."""
        self.away = False
        self.back.set()
        self.back = asyncio.Event()

    async def execute_command(self, *words: Any) -> Any:
        """Carry out a command, or raise what redis-py raises."""
        return (await self._run([words]))[0]

    def pipeline(self, *, transaction: bool) -> "_Pipeline":
        """Carry out several at one moment."""
        assert transaction
        return _Pipeline(self._run)

    async def _run(self, commands: Sequence[Words]) -> list[Any]:
        breaks = self.breaks
        await self._travel(breaks)
        answers = [self.store.run(words) for words in commands]
        await self._travel(breaks)
        return answers

    async def _travel(self, breaks: int) -> None:
        await asyncio.sleep(self._random.uniform(*ANSWER_S) / 2)
        if self.away or self.breaks != breaks:
            raise StoreAwayError("the simulated connection is cut")


class _Pipeline:
    def __init__(self, run: Callable[[Sequence[Words]], Any]) -> None:
        self._run = run
        self._commands: list[Words] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def execute_command(self, *words: Any) -> None:
        self._commands.append(words)

    async def execute(self) -> Any:
        return await self._run(self._commands)


class SimulatedFeed(JournalFeed):
    """The journal as one process receives it."""

    def __init__(self, client: SimulatedClient) -> None:
        super().__init__(client, client.store.keyspace, lambda: None)  # type: ignore[arg-type, return-value]  # it has no socket
        self._simulated = client

    async def _run(self) -> None:
        client = self._simulated
        while True:
            await self._reach()
            breaks = client.breaks
            self._begin(client.store.last_id())
            while client.breaks == breaks:
                grown = client.store.grown
                self._take(self._entries(client.store.entries_after(self.last_id)))
                await self._either(grown)
            self._connected = False

    async def _reach(self) -> None:
        while self._simulated.away:
            await self._simulated.back.wait()
            await asyncio.sleep(RECONNECT_S)

    async def _either(self, grown: asyncio.Event) -> None:
        """Wait for the journal to grow; look now and then whether the connection is still there."""
        try:
            async with asyncio.timeout(5.0):
                await grown.wait()
        except TimeoutError:
            return
        await asyncio.sleep(ANSWER_S[0])


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
