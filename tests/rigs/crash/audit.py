"""The audit of ``holdfast verify`` on a running server's store."""

from server.store.audit.audit import audit
from server.store.connection.connect import client, connection_pool
from server.store.keys import Keyspace
from tests.support.http import Server


async def drift(server: Server, partition: str) -> list[str]:
    """Report where counters, reservations and journal of a server's embedded store disagree; they should not."""
    return await drift_of(f"unix://{server.data_dir}/store.sock", partition)


async def drift_of(store_url: str, partition: str) -> list[str]:
    """Report where counters, reservations and journal of a store disagree."""
    pool = connection_pool(store_url)
    try:
        report = await audit(client(pool), Keyspace(partition))
    finally:
        await pool.aclose()
    return [str(each) for each in report.drift] + ([] if report.conclusive else ["the audit was inconclusive"])
