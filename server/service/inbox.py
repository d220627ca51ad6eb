"""What people do about orders that are not booked: try them again, or leave them alone.

Each answers before it is done: the process that holds the lease reads the order from its channel and books it.
"""

from typing import Literal

from server.domain.intake import News
from server.domain.order_documents import InboxEntry
from server.service.caller import Caller
from server.service.channel_states import channel_of, states
from server.service.documents import documents_of
from server.service.news import tell
from server.service.order_documents import check_channel_name, check_number
from server.service.problems import ProblemError, problem
from server.store.repositories.intake import IntakeStore


async def retry(caller: Caller, channel: str, number: str) -> tuple[InboxEntry, bool]:
    """Have an order of the inbox read and booked now; return its entry, and whether the publisher is missing.

    Raises
    ------
    InvalidError
        A name cannot be one.
    ProblemError
        It is not in the inbox, its channel is not configured, or the store did not answer in time.
    DocumentsError
        The database does not answer.

    """
    entry = await entry_of(caller, channel, number)
    return entry, await _tell(caller, "read", entry)


async def ignore(caller: Caller, channel: str, number: str) -> tuple[InboxEntry, bool]:
    """Leave an order of the inbox alone, until something else keeps it from being booked; as :func:`retry`."""
    entry = await entry_of(caller, channel, number)
    missing = await _tell(caller, "ignore", entry)
    kept = await documents_of(caller).ignore(caller.principal.partition, entry.channel, entry.number, caller.actor)
    return kept or entry, missing


async def entry_of(caller: Caller, channel: str, number: str) -> InboxEntry:
    """Return the inbox entry of an order.

    Raises
    ------
    InvalidError
        A name cannot be one.
    ProblemError
        It is not in the inbox, or there is no documents database.
    DocumentsError
        The database does not answer.

    """
    channel, number = check_channel_name("channel", channel), check_number("number", number)
    entry = await documents_of(caller).inbox_entry(caller.principal.partition, channel, number)
    if entry is None:
        raise ProblemError(problem("not_in_inbox"))
    return entry


async def _tell(caller: Caller, what: Literal["read", "ignore"], entry: InboxEntry) -> bool:
    name, parts, known = channel_of(caller, entry.channel).name, caller.partition, await states(caller)
    await tell(IntakeStore(parts.client, parts.keyspace, name), News(what, known.now_ms, [entry.number]))
    _, missing = known.of(name)
    return missing
