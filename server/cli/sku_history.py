"""The history of a SKU for ``holdfast show``: of the documents database and the journal, or of the journal alone."""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

import msgspec
from rich.table import Table

from server.cli.history import gap_lines, read_pages
from server.cli.times import shown_time
from server.config.settings import Settings
from server.domain.history import Gap, HistoryRow, rows_of
from server.order_parts import order_documents
from server.schemas.history import HistoryQuery, gap_view
from server.service.caller import Caller, local_caller
from server.store.command_session import OpenStore
from server.store.documents.documents import Documents
from server.store.errors import DocumentsError
from server.store.journal import journal
from server.store.journal.entries import parse_entry_id
from server.store.keys import Keyspace

STORY_MAX: Final = 1_000
"""The newest changes that are shown; ``holdfast history`` has more."""
_PAGE: Final = 500


class Story(NamedTuple):
    """Changes, the oldest first, and what is missing."""

    rows: list[HistoryRow]
    gaps: list[Gap]
    complete: bool


async def read_story(settings: Settings, store: OpenStore, partition: str, names: Collection[str]) -> Story:
    """Read the newest changes of a SKU by all of its names, the newest name first."""
    documents = order_documents(settings, store.client)
    if documents is not None:
        try:
            return await _of_documents(store, partition, documents, next(iter(names)))
        except DocumentsError:
            pass  # the journal has what is newest
        finally:
            await documents.close()
    return await _of_journal(store, partition, names)


async def _of_documents(store: OpenStore, partition: str, documents: Documents, sku: str) -> Story:
    made = local_caller(store, partition)
    caller = Caller(made.principal, msgspec.structs.replace(made.partition, documents=documents))
    found = await read_pages(caller, HistoryQuery(sku=sku, limit=_PAGE), STORY_MAX)
    return Story(found.rows[::-1], found.gaps, not found.next)


async def _of_journal(store: OpenStore, partition: str, names: Collection[str]) -> Story:
    keyspace = Keyspace(partition)
    end = await journal.bounds(store.client, keyspace)
    gaps = [Gap(0, parse_entry_id(end.first_id if end.entries else end.last_id)[0], "before")] if end.removed else []
    rows = [
        row
        async for entry_id, changes in journal.read(store.client, keyspace)
        for row in rows_of(parse_entry_id(entry_id), changes)
        if row.sku in names
    ]
    return Story(rows, gaps, complete=True)


def story_as_json(story: Story) -> dict[str, Any]:
    """Return what is added to what `holdfast show --json` prints."""
    return {
        "history": [_row_as_json(row) for row in story.rows],
        "history_complete": story.complete,
        "history_gaps": [msgspec.to_builtins(gap_view(gap)) for gap in story.gaps],
    }


def _row_as_json(row: HistoryRow) -> dict[str, Any]:
    return {
        "at": shown_time(row.moment.ms),
        "operation": row.operation,
        "actor": row.actor,
        "channel": row.channel,
        "reservation_id": row.reservation_id,
        "location": row.location,
        "deltas": row.detail.moved,
        "available": row.available,
        "seq": row.detail.seq,
        "notes": dict(row.detail.notes),
    }


def story_table(rows: list[dict[str, Any]]) -> Table:
    """Make the table for people."""
    names = ("time", "actor", "operation", "reservation", "location", "change")
    table = Table(*names, title="History", title_justify="left")
    for name in ("available", "seq"):
        table.add_column(name, justify="right")
    for each in rows:
        deltas = ", ".join(f"{name} {by:+,}" for name, by in each["deltas"].items())
        notes = "".join(f" ({name}: {value})" for name, value in each["notes"].items())
        who = " for ".join(filter(None, (each["actor"], each["channel"])))
        row = (each["at"], who, each["operation"], each["reservation_id"], each["location"], deltas + notes)
        available = "" if each["available"] is None else f"{each['available']:,}"
        table.add_row(*row, available, str(each["seq"] or ""))
    return table


def story_lines(explained: dict[str, Any]) -> list[str]:
    """Say what is missing."""
    sku = explained["sku"]
    more = f"These are the newest {STORY_MAX:,}; `holdfast history --sku {sku}` has more."
    return [*([] if explained["history_complete"] else [more]), *gap_lines(explained["history_gaps"])]
