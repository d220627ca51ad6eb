"""What becomes of an audit's report: drift is logged, and counters of quotas that are wrong are corrected.

A release that does not count them may have worked on the store. It gives nothing back when it ends a hold, so they are
too high then: the keys are refused what they may have, and never have more than they may.
"""

import msgspec
import structlog
from redis.asyncio import Redis

from server.store.audit.checks import AuditReport
from server.store.connection.commands import run_function
from server.store.keys import Keyspace
from server.store.lua_library import library

log = structlog.get_logger("holdfast.housekeeping")


async def act_on(client: Redis, keyspace: Keyspace, limits: bytes, report: AuditReport) -> None:
    """Log the drift of a partition, and correct what is counted of quotas.

    Raises
    ------
    StoreUnavailableError
        The store did not answer; the next audit finds what is left.

    """
    _log(keyspace.partition, report)
    if not report.quotas:
        return
    packed = msgspec.msgpack.encode({name.decode("utf-8", "replace"): by for name, by in report.quotas.items()})
    await run_function(client, library().function("mend_quotas"), keyspace, limits, packed)
    log.warning(
        "quotas_mended", partition=keyspace.partition, counters=len(report.quotas),
        advice="expected after a release before 0.2 has worked on this store; otherwise run holdfast verify",
    )  # fmt: skip


def _log(partition: str, report: AuditReport) -> None:
    for drift in report.drift:
        log.error("drift", partition=partition, units=drift.units, **msgspec.structs.asdict(drift))
    if report.drift_count > len(report.drift):
        log.error("drift_not_listed", partition=partition, lines=report.drift_count - len(report.drift))
    if not report.conclusive:
        advice = "the journal was trimmed meanwhile; it runs again"
        log.warning("audit_inconclusive", partition=partition, advice=advice)
