"""A caller's ledger: it knows for whom it submits, so that each key waits for the store in a queue of its own."""

import re

import msgspec

from server.domain.key_limits import KeyLimits, Quota
from server.domain.principal import ALL_SCOPES, Principal
from server.service.caller import _LEDGERS_KEPT_MAX, Caller
from server.store.ledger.limited_ledger import LimitedLedger
from tests.support.http import ROOT

SYSTEM_READS = {
    "server/api/routes/changes.py",
    "server/api/http/event_fanout.py",
    "server/channels/inbound/desk.py",
    "server/channels/sources/desk.py",
}
"""What all streams of a partition share is read once, for nobody; orders of channels and sources act by themselves."""


def caller_of(caller: Caller, key: str) -> Caller:
    return msgspec.structs.replace(caller, principal=Principal(key, "shop", ALL_SCOPES))


async def test_given_two_keys_when_they_ask_then_each_has_a_ledger_of_its_own_and_keeps_it(caller: Caller) -> None:
    ours, theirs = caller_of(caller, "ours"), caller_of(caller, "theirs")
    assert ours.ledger is caller_of(caller, "ours").with_key("another").ledger
    assert len({id(each) for each in (ours.ledger, theirs.ledger, caller.ledger, caller.partition.ledger)}) == 4
    assert {each.ledger.keyspace.partition for each in (ours, theirs)} == {caller.partition.keyspace.partition}


async def test_given_more_keys_than_are_kept_when_all_have_asked_then_no_more_are_left(caller: Caller) -> None:
    for number in range(_LEDGERS_KEPT_MAX + 5):
        assert caller_of(caller, f"k{number}").ledger.keyspace.partition == caller.partition.keyspace.partition
    assert len(caller.partition.ledgers) == 5


async def test_given_a_key_with_limits_when_it_asks_then_its_ledger_is_kept_until_they_change(caller: Caller) -> None:
    first, second = (KeyLimits(quota=Quota("ours", units, 0)) for units in (5, 6))
    ours = limited(caller, first)

    assert isinstance(ours.ledger, LimitedLedger)
    assert ours.ledger is limited(caller, first).with_key("another").ledger
    assert limited(caller, second).ledger is not ours.ledger
    assert limited(caller, second).ledger is limited(caller, second).ledger


async def test_given_limits_that_are_not_about_reservations_when_it_asks_then_it_has_the_usual_ledger(
    caller: Caller,
) -> None:
    assert limited(caller, KeyLimits(ttl_max_s=60, requests_per_s=9)).ledger is caller_of(caller, "ours").ledger


def limited(caller: Caller, limits: KeyLimits) -> Caller:
    return msgspec.structs.replace(caller, principal=Principal("ours", "shop", ALL_SCOPES, limits=limits))


def test_what_a_caller_asks_for_waits_in_its_own_queue() -> None:
    found = {
        str(path.relative_to(ROOT))
        for folder in ("service", "api", "insight", "channels")
        for path in (ROOT / "server" / folder).rglob("*.py")
        if re.search(r"partition\.ledger\b", path.read_text("utf-8"))
    }
    assert found <= SYSTEM_READS
