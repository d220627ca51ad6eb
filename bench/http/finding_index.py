"""Fills the index for finding as the server does, but without its rests and without waiting for the disk."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final
from unittest.mock import patch

from redis.asyncio import Redis

from bench.harness import stock
from bench.http.finding_fill import CHANNEL, Report
from bench.store import history
from server.insight import find_upkeep
from server.insight.find_index import FindIndex
from server.store.documents import found_state
from server.store.documents.opening import open_documents
from server.store.repositories.order_privacy import customer_keys
from server.store.repositories.stock import partition_seq

SAY_S: Final = 20.0
COMMIT_EVERY: Final = 2_000
"""Slices of rows."""


class Quick(history.Hasty):
    """The same beside a server that reads the file."""

    SETTINGS = ("synchronous = OFF", "cache_size = -1000000")


async def fill_index(socket: Path, file: Path, report: Report) -> None:
    """Write all that the store has, and that it is all. No follower of the journal may run."""
    began_s = said_s = time.monotonic()
    keyspace = stock.keyspace()
    async with Redis(unix_socket_path=str(socket)) as client:
        documents = open_documents("", customer_keys(client), file=file)
        assert documents is not None  # a file is given
        index = FindIndex(client, documents.customer_key)
        upkeep = find_upkeep.FindUpkeep(
            client, documents, index, lambda: [stock.PARTITION], channels=lambda _: [CHANNEL]
        )
        await documents.ping()  # its tables are made
        seq, slices = await partition_seq(client, keyspace), 0
        with closing(sqlite3.connect(file)) as connection, patch.object(find_upkeep, "REST", 0.0):
            session = Quick(connection)
            since = await found_state.epoch(session, stock.PARTITION)
            async for write in upkeep._all(keyspace):  # noqa: SLF001  # what it does between its rests
                await write(session)
                slices += 1
                if slices % COMMIT_EVERY == 0:
                    connection.commit()
                if time.monotonic() - said_s >= SAY_S:
                    said_s = time.monotonic()
                    report(f"{slices:,} slices of the index after {said_s - began_s:.0f} s")
            await found_state.put_filled(session, stock.PARTITION, seq, since)
            connection.commit()
        await documents.close()
    report(f"the index is written after {time.monotonic() - began_s:.0f} s")
