"""A caller's ledger: it knows for whom it submits, so that each key waits for the store in a queue of its own."""

import re

import msgspec

from server.domain.principal import ALL_SCOPES, Principal
from server.service.caller import _LEDGERS_KEPT_MAX, Caller
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


def test_what_a_caller_asks_for_waits_in_its_own_queue() -> None:
    found = {
        str(path.relative_to(ROOT))
        for folder in ("service", "api", "insight", "channels")
        for path in (ROOT / "server" / folder).rglob("*.py")
        if re.search(r"partition\.ledger\b", path.read_text("utf-8"))
    }
    assert found <= SYSTEM_READS
