"""How old the index for finding says it is, also where the journal has nothing any more."""

from server.service.caller import Caller
from server.service.documents import documents_of, freshness
from server.store.documents import followed, found_state
from server.store.documents.followed import Move
from server.store.journal import journal
from server.store.journal.entries import parse_entry_id
from tests.conftest import now_ms
from tests.support import operations as ops


async def read_to(finder: Caller, before: str | None, after: str) -> None:
    partition, step = finder.principal.partition, Move(found_state.FOLLOWER, before, after)
    assert await documents_of(finder).follow(lambda session: followed.move(session, partition, step))


async def test_given_a_journal_that_was_trimmed_before_it_was_read_then_the_index_is_not_of_now(finder: Caller) -> None:
    for number in range(2):
        await ops.moved(finder.ledger, ops.receive("A", 1 + number))
    client, keyspace = finder.partition.client, finder.partition.keyspace
    first, last = [each async for each, _ in journal.read(client, keyspace)]
    await client.xtrim(keyspace.journal, maxlen=0, approximate=False)
    now = await now_ms(client)
    assert (await freshness(finder)).as_of_ms >= now, "it was read from the store, and nothing has happened since"

    await read_to(finder, None, first)
    assert (await freshness(finder)).as_of_ms == parse_entry_id(first)[0]
    await read_to(finder, first, last)
    assert (await freshness(finder)).as_of_ms >= now
