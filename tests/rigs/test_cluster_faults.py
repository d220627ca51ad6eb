"""Faults of stores on several servers: one short round of each kind. All that counts is in the table."""

import secrets

import pytest

from tests.rigs.cluster_faults.__main__ import FAULTS
from tests.rigs.cluster_faults.counts import table

SHORT = (("failover-kill", "valkey"), pytest.param("reshard", "redis7", marks=pytest.mark.soak))
"""One of sentinels, and in the soak one of a cluster; the fault table of ``make soak`` has all of them."""


@pytest.mark.parametrize(("fault", "store"), SHORT)
async def test_given_load_when_a_store_of_several_servers_fails_then_nothing_is_lost_or_done_twice(
    fault: str, store: str
) -> None:
    seed = secrets.randbelow(2**31)

    counts = await FAULTS[fault](store, seed, 1)

    again = f"python -m tests.rigs.cluster_faults --seed {seed} --only {fault} --store {store}"
    message = f"seed {seed}: {again}\n{table([counts])}"
    assert counts.acknowledged, message
    assert counts.failures == [], message
