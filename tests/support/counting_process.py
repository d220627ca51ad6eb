"""A process that counts one partition for ever, to be killed.

python -m tests.support.counting_process STORE_URL PARTITION
"""

import asyncio
import sys

from server.insight.daily_figures import DailyFigureCounter
from server.store.connection.connect import client, connection_pool
from server.store.keys import Keyspace
from tests.support.feeds import feed_of
from tests.support.figures import RETENTION_S


async def main(url: str, partition: str) -> None:
    pool = connection_pool(url)
    counting = DailyFigureCounter(feed_of(client(pool), Keyspace(partition)), retention_s=RETENTION_S)
    sys.stdout.write("counting\n")
    sys.stdout.flush()
    while True:
        await counting.catch_up()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
