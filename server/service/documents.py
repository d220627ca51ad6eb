"""The documents database as the service asks for it, and how old an answer of its index is."""

from typing import NamedTuple

from server.service.caller import Caller
from server.service.problems import ProblemError, problem
from server.store.connection.timeouts import in_time
from server.store.documents import found_state
from server.store.documents.documents import Documents
from server.store.journal import journal
from server.store.journal.entries import parse_entry_id
from server.store.repositories.channels import ChannelStore


def documents_of(caller: Caller) -> Documents:
    """Return the documents of orders.

    Raises
    ------
    ProblemError
        There is no database for them.

    """
    if caller.partition.documents is None:
        raise ProblemError(problem("documents_missing"))
    return caller.partition.documents


class Freshness(NamedTuple):
    """Up to when and to which seq the index has all changes. ``is_complete`` False: what was before is still read."""

    as_of_ms: int
    seq: int
    is_complete: bool


async def freshness(caller: Caller) -> Freshness:
    """Read how old the index for finding is. Ask before it is searched: it is no older then.

    Raises
    ------
    ProblemError
        There is no documents database.
    DocumentsError
        It does not answer.
    StoreUnavailableError
        The store did not answer in time.

    """
    documents, parts, partition = documents_of(caller), caller.partition, caller.principal.partition
    found = await documents.look(lambda session: found_state.progress(session, partition))
    end = await in_time(journal.bounds(parts.client, parts.keyspace))
    # A journal without entries may have been trimmed before the index had read all of it.
    is_current = found.read_to == end.last_id or not (end.entries or found.read_to)
    now_ms = await in_time(ChannelStore(parts.client, parts.keyspace).now_ms())
    as_of_ms = now_ms if is_current else parse_entry_id(found.read_to)[0] if found.read_to else 0
    return Freshness(as_of_ms, found.seq, found.is_filled)
