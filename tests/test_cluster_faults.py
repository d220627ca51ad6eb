"""Faults of stores on several servers: one short round here, the rest in the soak. All that counts is in the table."""

import secrets

import pytest

from tests.cluster_faults.__main__ import FAULTS, STORES
from tests.cluster_faults.counts import table

IN_EACH_RUN = {("failover-kill", "valkey"), ("reshard", "redis7")}


@pytest.mark.parametrize(
    ("fault", "store"),
    [
        pytest.param(fault, store, marks=() if (fault, store) in IN_EACH_RUN else pytest.mark.soak)
        for fault in FAULTS
        for store in STORES
    ],
)
async def test_given_load_when_a_store_of_several_servers_fails_then_nothing_is_lost_or_done_twice(
    fault: str, store: str
) -> None:
    seed = secrets.randbelow(2**31)

    counts = await FAULTS[fault](store, seed, 1)

    told = (
        f"seed {seed}: python -m tests.cluster_faults --seed {seed} --only {fault} --store {store}\n{table([counts])}"
    )
    assert counts.acknowledged, told
    assert counts.failures == [], told
