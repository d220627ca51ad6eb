"""Has each partition's index hold all names that are stored, so that a new one which is like one of them is noticed.

Whatever makes a name known writes it there, see ``lua/lib/likeness.lua``. A pass over all stored names adds those of an
older release. It can be interrupted and repeated without harm: what is noted stays, and nothing is refused for being
like another before a pass was whole. It keeps no place to go on from, for a place in a scan is lost with the store's
process.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final, TypeVar

import msgspec
from redis.asyncio import Redis

from server.domain.expected_receipt import ExpectedReceipt
from server.domain.likeness import FOLD_VERSION, fold
from server.domain.transfer import Transfer
from server.store.connection.commands import command, run_on_keys
from server.store.connection.scans import slices
from server.store.keys import LIKENESS_COMPLETE, LIKENESS_VERSION, Keyspace, stored_text
from server.store.lua_library import library
from server.store.maintenance.partition_faults import PartitionFaults

T = TypeVar("T")

INDEX_INTERVAL_S: Final = 2.0
CHORE: Final = "index"
SLICE: Final = 250
"""Names of one read and of one script: some 0.3 ms of the store's time."""
_PAUSE_S: Final = 0.002
"""Between two of them, so that the hot path gets through."""

_pack = msgspec.msgpack.Encoder().encode
_decode_noted = msgspec.msgpack.Decoder(bool).decode
_decode_locations = msgspec.msgpack.Decoder(list[str]).decode
_decode_receipt = msgspec.msgpack.Decoder(ExpectedReceipt).decode
_decode_transfer = msgspec.msgpack.Decoder(Transfer).decode


class NameIndexing:
    """The chore; ``limits`` is what every script needs."""

    def __init__(self, client: Redis, limits: bytes, faults: PartitionFaults) -> None:
        self._client = client
        self._limits = limits
        self._faults = faults
        self._indexed: set[str] = set()

    async def run(self) -> None:
        """Index the partitions that have changed and that no pass went through, by this table of folds or a later one.

        Raises
        ------
        StoreError
            The store as a whole could not be used.

        """
        await self._faults.each(CHORE, self._index)

    async def _index(self, keyspace: Keyspace) -> None:
        if keyspace.partition in self._indexed:
            return
        if await is_indexed(self._client, keyspace) or await index_names(self._client, keyspace, self._limits):
            self._indexed.add(keyspace.partition)

    async def again(self, keyspace: Keyspace) -> None:
        """Go through the names of a partition once more: an older release beside this one may have stored some."""
        await index_names(self._client, keyspace, self._limits)


async def is_indexed(client: Redis, keyspace: Keyspace) -> bool:
    """Read whether all names are there, folded by this table or a later one.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    version, complete = await command(client, "HMGET", keyspace.likeness, LIKENESS_VERSION, LIKENESS_COMPLETE)
    return int(version or 0) > FOLD_VERSION or (int(version or 0) == FOLD_VERSION and complete is not None)


async def index_names(client: Redis, keyspace: Keyspace, limits: bytes) -> bool:
    """Note all names that are stored; nothing where the index is that of a later table.

    Returns whether there are any: where nothing is stored, the script that makes the first name known begins the index.

    ``limits``: :meth:`Retention.packed`, which every script needs.

    Raises
    ------
    StoreUnavailableError
        The store did not answer. Begin again.

    """
    if not await command(client, "EXISTS", keyspace.skus, keyspace.locations, keyspace.supply):
        return False
    index = _Pass(client, keyspace, limits)
    registered = [name for name in await command(client, "HKEYS", keyspace.locations) if b"\0" not in name]
    if not await index.note(locations=map(stored_text, registered), is_registered=bool(registered)):
        return True
    async for stocked in slices(client, keyspace.skus, SLICE):
        places = {name for names in _readable(_decode_locations, stocked) for name in names}
        await index.note(map(stored_text, stocked), places)
    async for renamed in slices(client, keyspace.aliases, SLICE):
        await index.note(stored_text(name) for name in renamed if not name.startswith(b"\0"))
    async for supplies in slices(client, keyspace.supply, SLICE):
        receipts = _readable(_decode_receipt, supplies)
        await index.note({each.sku for each in receipts}, {each.location for each in receipts})
    async for transfers in slices(client, keyspace.transfers, SLICE):
        await index.note(locations={each.destination for each in _readable(_decode_transfer, transfers)})
    await index.note(is_last=True)
    return True


class _Pass:
    def __init__(self, client: Redis, keyspace: Keyspace, limits: bytes) -> None:
        self._client = client
        self._keyspace = keyspace
        self._limits = limits
        self._places: set[str] = set()
        """Locations that were noted: there are few, and each SKU names some."""

    async def note(
        self,
        skus: Iterable[str] = (),
        locations: Iterable[str] = (),
        *,
        is_registered: bool = False,
        is_last: bool = False,
    ) -> bool:
        """Note names; False: the index is that of a later table."""
        new = [name for name in locations if name not in self._places]
        self._places.update(new)
        noted = True
        rows = _pieces([(name, fold(name)) for name in skus]), _pieces([(name, fold(name)) for name in new])
        for number in range(max(1, *map(len, rows))):
            named = [pieces[number] if number < len(pieces) else [] for pieces in rows]
            argument = _pack([FOLD_VERSION, *named, is_registered, is_last])
            function = library().function("index_names")
            reply = await run_on_keys(self._client, function, self._keyspace.indexing, self._limits, argument)
            noted = _decode_noted(reply)
            await asyncio.sleep(_PAUSE_S)
        return noted


def _readable(decode: Callable[[bytes], T], records: Mapping[bytes, bytes]) -> list[T]:
    """Decode records, but for damaged ones, which the audit reports."""
    found = []
    for packed in records.values():
        with suppress(msgspec.DecodeError):
            found.append(decode(packed))
    return found


def _pieces(named: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    return [named[first : first + SLICE] for first in range(0, len(named), SLICE)]
