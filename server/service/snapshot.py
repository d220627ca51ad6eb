"""All that can still be reserved, in pages, and where the change stream goes on: nothing is lost in between.

The end of the journal is noted before the first SKU is read, and goes from page to page. Each value is of that moment
or newer. So whoever has read all pages and then opens the stream there gets each later change at least once.

The store names the place in its SKUs by an order that no other run of it has. So a page of a snapshot that began before
a restart or a failover is refused.
"""

from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from server.schemas.availability import AvailabilityView, SnapshotQuery
from server.service import availability
from server.service.caller import Caller
from server.service.checks import InvalidError
from server.service.pages import check_position, next_of, place_in
from server.store.connection.runs import run_of
from server.store.connection.timeouts import in_time
from server.store.journal import journal
from server.store.repositories.skus import scan_skus

_GONE: Final = "is of a snapshot that began before what the journal still has: begin again without it"
_OTHER_RUN: Final = "is of a snapshot that began before the store was restarted or another one: begin again without it"
_EntryId = Annotated[str, Meta(pattern="^[0-9]{1,20}-[0-9]{1,20}$")]
_decode_place = msgspec.json.Decoder(tuple[int, _EntryId, Annotated[str, Meta(max_length=64)]]).decode
"""Where the SKUs go on, where the journal ended when the snapshot began, and in which run of the store."""


class Snapshot(NamedTuple):
    """A page. ``changes_after``: from where the change stream goes on; ``following`` is empty on the last page."""

    found: list[AvailabilityView]
    changes_after: str
    following: str


async def snapshot(caller: Caller, query: SnapshotQuery) -> Snapshot:
    """Read a page of what can still be reserved of all SKUs, in no order; one may come twice.

    Raises
    ------
    InvalidError
        ``after`` is not what a page returned as its next, or since the snapshot began the journal was trimmed, or the
        store was restarted.
    OverloadedError, StoreUnavailableError
        The store did not answer in time.

    """
    client, keyspace = caller.partition.client, caller.partition.keyspace
    bounds, run = await in_time(journal.bounds(client, keyspace)), await in_time(run_of(client))
    position, began, began_in = place_in(query.after, _decode_place) if query.after else (0, bounds.last_id, run)
    if query.after:
        check_position(position)
    if began_in != run:
        raise InvalidError("after", _OTHER_RUN)
    if query.after and began != bounds.last_id and bounds.is_lost(began):
        raise InvalidError("after", _GONE)
    part = await in_time(scan_skus(client, keyspace, position, query.limit))
    found = await availability.for_events(caller.ledger, part.tracked, is_listed=query.locations)
    views = [each.view for each in found if each.is_known]
    return Snapshot(views, began, next_of((part.following, began, run)) if part.following else "")
