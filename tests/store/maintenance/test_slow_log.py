"""How long functions ran inside the store is known, whoever called them."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from server.store.connection.commands import command
from server.store.connection.slow_calls import slow_calls
from server.store.ledger.ledger import Ledger
from server.store.maintenance.slow_log import SlowLog
from server.telemetry import metrics
from tests.support.operations import receive, reserve


@pytest.fixture
async def slow_log(client: Redis) -> AsyncIterator[SlowLog]:
    """Follow a store that logs every command."""
    before = await command(client, "CONFIG GET", "slowlog-log-slower-than")
    await command(client, "CONFIG SET", "slowlog-log-slower-than", 0)
    log = SlowLog(client)
    await log.look()
    yield log
    await command(client, "CONFIG SET", *next(iter(dict(before).items())))


def counted(function: str) -> tuple[float, float]:
    """Read how many calls of a function were observed, and their seconds."""
    samples = {
        sample.name: sample.value
        for metric in metrics.SCRIPT_SECONDS.collect()
        for sample in metric.samples
        if sample.labels.get("function") == function and not sample.name.endswith("_bucket")
    }
    return samples.get("holdfast_script_seconds_count", 0.0), samples.get("holdfast_script_seconds_sum", 0.0)


def longest_s(function: str) -> float:
    return float(metrics.SCRIPT_LONGEST_SECONDS.labels(function)._value.get())


async def test_given_calls_of_a_function_when_looked_then_each_is_observed_once(
    ledger: Ledger, slow_log: SlowLog
) -> None:
    await ledger.run(receive("A", 5))  # it may have to load the functions first
    await slow_log.look()
    count_before, sum_before = counted("mutate")
    await ledger.run(reserve("r", ("A", 1)))
    await ledger.run(reserve("s", ("A", 1)))
    await slow_log.look()
    await slow_log.look()
    count, sum_s = counted("mutate")
    assert count - count_before == 2
    assert sum_s > sum_before
    assert longest_s("mutate") >= (sum_s - sum_before) / 2


async def test_given_commands_and_scripts_of_others_when_looked_then_only_our_functions_are_told(
    client: Redis, ledger: Ledger, slow_log: SlowLog
) -> None:
    await command(client, "EVAL", "return redis.call('PING')", 0)
    await ledger.run(receive("A", 5))
    await ledger.run(reserve("r", ("A", 1)))
    names = {call.name for call in slow_calls(await command(client, "SLOWLOG", "GET", 100)) if call.is_ours}
    assert {"mutate", "mutate_creating"} <= names
    assert not names & {"EVAL", "PING", "HSET"}
    await slow_log.look()
    told = {sample.labels["function"] for metric in metrics.SCRIPT_SECONDS.collect() for sample in metric.samples}
    assert not told & {"EVAL", "PING", "HSET"}


async def test_given_a_log_that_begins_anew_when_looked_then_its_calls_are_observed(
    ledger: Ledger, slow_log: SlowLog
) -> None:
    await ledger.run(receive("A", 5))
    await slow_log.look()
    slow_log._newest = dict.fromkeys(slow_log._newest, 10**9)  # as before a restart of the store
    count_before, _ = counted("mutate")
    await ledger.run(reserve("r", ("A", 1)))
    await slow_log.look()
    assert counted("mutate")[0] > count_before


@pytest.mark.parametrize(("slower_than_us", "is_blind"), [(10_000, True), (-1, True), (1_000, False)])
async def test_given_a_log_that_would_not_show_a_long_call_when_first_read_then_a_warning_says_what_to_set(
    client: Redis, slow_log: SlowLog, slower_than_us: int, is_blind: bool
) -> None:
    del slow_log  # it sets the threshold back
    await command(client, "CONFIG SET", "slowlog-log-slower-than", slower_than_us)
    with capture_logs() as logs:
        await SlowLog(client).look()
    assert [each["event"] for each in logs] == ["slow_log_blind"] * is_blind
