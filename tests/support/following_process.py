"""A process that writes the history of one partition for ever, to be killed.

python -m tests.support.following_process STORE_URL PARTITION DOCUMENTS_FILE
"""

import asyncio
import sys
from pathlib import Path

from server.insight.history import HistoryConsumer
from server.insight.journal_followers import JournalFollower
from server.insight.pace import Pace
from server.store.connection.connect import client, connection_pool
from server.store.documents.documents import Documents
from server.store.documents.sqlite import SqliteDatabase
from server.store.errors import DocumentsError
from server.store.keys import Keyspace
from tests.support.feeds import feed_of


async def no_key(_partition: str) -> bytes:
    """Nobody asks for it."""
    raise NotImplementedError


async def main(url: str, partition: str, file: str) -> None:
    documents = Documents(SqliteDatabase(Path(file)), no_key, rest_s=0.05)
    feed = feed_of(client(connection_pool(url)), Keyspace(partition))
    follower = JournalFollower(feed, documents, [HistoryConsumer()], pace=Pace(cpu_s=lambda: 0.0))
    sys.stdout.write("following\n")
    sys.stdout.flush()
    while True:
        try:
            await follower.catch_up()
        except DocumentsError:
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
