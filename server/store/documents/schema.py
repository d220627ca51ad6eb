"""The tables of the documents database, and how older ones become today's.

Migrations only add: a table, an index, a column with a default. So the last release works on beside this one, and a
database that a later release has migrated is used as it is. ``{text}`` compares by bytes, ``{serial}`` counts up.
"""

from typing import Final

from server.store.documents.database import Session

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """
        CREATE TABLE orders (
          partition {text} NOT NULL, channel {text} NOT NULL, number {text} NOT NULL,
          state {text} NOT NULL, booked_state {text} NOT NULL,
          sort_ms BIGINT NOT NULL, changed_ms BIGINT NOT NULL, first_ms BIGINT NOT NULL, put_ms BIGINT NOT NULL,
          booked_ms BIGINT NOT NULL, ended_ms BIGINT NOT NULL, erased_ms BIGINT NOT NULL,
          customer_ref {text} NOT NULL, short BIGINT NOT NULL, unmapped BIGINT NOT NULL,
          body TEXT NOT NULL, booking TEXT NOT NULL,
          PRIMARY KEY (partition, channel, number)
        )
        """,
        "CREATE INDEX orders_by_time ON orders (partition, sort_ms, channel, number)",
        "CREATE INDEX orders_by_number ON orders (partition, number)",
        "CREATE INDEX orders_by_customer ON orders (partition, customer_ref, sort_ms) WHERE customer_ref <> ''",
        "CREATE INDEX orders_short ON orders (partition, sort_ms) WHERE short > 0",
        "CREATE INDEX orders_unmapped ON orders (partition, sort_ms) WHERE unmapped > 0",
        "CREATE INDEX orders_by_age ON orders (put_ms)",
        "CREATE INDEX orders_ended ON orders (ended_ms) WHERE ended_ms > 0",
        """
        CREATE TABLE order_lines (
          partition {text} NOT NULL, channel {text} NOT NULL, number {text} NOT NULL, position BIGINT NOT NULL,
          sku {text} NOT NULL, location {text} NOT NULL, quantity BIGINT NOT NULL, lacks BIGINT NOT NULL,
          PRIMARY KEY (partition, channel, number, position)
        )
        """,
        "CREATE INDEX order_lines_by_sku ON order_lines (partition, sku)",
        "CREATE INDEX order_lines_by_location ON order_lines (partition, location)",
        """
        CREATE TABLE packages (
          partition {text} NOT NULL, channel {text} NOT NULL, number {text} NOT NULL, package {text} NOT NULL,
          body TEXT NOT NULL,
          PRIMARY KEY (partition, channel, number, package)
        )
        """,
        """
        CREATE TABLE people (
          partition {text} NOT NULL, channel {text} NOT NULL, number {text} NOT NULL, body TEXT NOT NULL,
          PRIMARY KEY (partition, channel, number)
        )
        """,
        """
        CREATE TABLE timeline (
          id {serial}, partition {text} NOT NULL, channel {text} NOT NULL, number {text} NOT NULL,
          body TEXT NOT NULL
        )
        """,
        "CREATE INDEX timeline_by_order ON timeline (partition, channel, number, id)",
        """
        CREATE TABLE notes (
          id {serial}, partition {text} NOT NULL, channel {text} NOT NULL, number {text} NOT NULL,
          body TEXT NOT NULL
        )
        """,
        "CREATE INDEX notes_by_order ON notes (partition, channel, number, id)",
        """
        CREATE TABLE inbox (
          partition {text} NOT NULL, channel {text} NOT NULL, number {text} NOT NULL,
          state {text} NOT NULL, first_ms BIGINT NOT NULL, last_ms BIGINT NOT NULL, body TEXT NOT NULL,
          PRIMARY KEY (partition, channel, number)
        )
        """,
        "CREATE INDEX inbox_by_age ON inbox (partition, state, first_ms)",
        """
        CREATE TABLE returns (
          partition {text} NOT NULL, channel {text} NOT NULL, key {text} NOT NULL, number {text} NOT NULL,
          changed_ms BIGINT NOT NULL, body TEXT NOT NULL,
          PRIMARY KEY (partition, channel, key)
        )
        """,
        "CREATE INDEX returns_by_order ON returns (partition, channel, number)",
        """
        CREATE TABLE papers (
          partition {text} NOT NULL, channel {text} NOT NULL, id {text} NOT NULL, number {text} NOT NULL,
          kind {text} NOT NULL, at_ms BIGINT NOT NULL, media_type {text} NOT NULL, body {bytes} NOT NULL,
          PRIMARY KEY (partition, channel, kind, id)
        )
        """,
        "CREATE INDEX papers_by_order ON papers (partition, channel, number)",
        "CREATE INDEX papers_by_age ON papers (at_ms)",
        """
        CREATE TABLE erased (
          partition {text} NOT NULL, channel {text} NOT NULL, number {text} NOT NULL,
          at_ms BIGINT NOT NULL, actor {text} NOT NULL,
          PRIMARY KEY (partition, channel, number)
        )
        """,
    ),
    (
        # The state that is looked for, as search.py writes it.
        """
        CREATE INDEX orders_by_state ON orders
          (partition, (CASE WHEN booked_state = '' THEN state ELSE booked_state END), sort_ms)
        """,
    ),
)
"""What each version adds to the one before. Never change one that was released: add another."""


async def migrate(session: Session, types: dict[str, str]) -> None:
    """Bring the tables to today's version, in one transaction. A later version stays as it is."""
    await session.lock("schema")
    await session.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
    [[version]] = await session.fetch("SELECT COALESCE(MAX(version), 0) FROM schema_version")
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        for statement in statements:
            await session.execute(statement.format_map(types))
        await session.execute("INSERT INTO schema_version VALUES (?)", number)
