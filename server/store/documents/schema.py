"""The tables of the documents database, and how older ones become today's.

Migrations only add: a table, an index, a column with a default. So the last release works on beside this one, and a
database that a later release has migrated is used as it is. ``{text}`` compares by bytes, ``{serial}`` counts up, and
``{then_id}`` ends an index with the serial number, unless the product has it in every index anyway.
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
    (
        # Up to where a follower of the journal has written what it makes of it, see followed.py.
        """
        CREATE TABLE followers (
          partition {text} NOT NULL, name {text} NOT NULL, read_to {text} NOT NULL,
          PRIMARY KEY (partition, name)
        )
        """,
    ),
    (
        # The history, see history.py. Rows of a partition have its number: its name would stand in each index.
        "CREATE TABLE history_partitions (number {serial}, partition {text} NOT NULL UNIQUE)",
        """
        CREATE TABLE history (
          id {serial}, part BIGINT NOT NULL, ms BIGINT NOT NULL, place BIGINT NOT NULL, operation {text} NOT NULL,
          actor {text} NOT NULL, channel {text} NOT NULL, reservation {text} NOT NULL, order_ref {text} NOT NULL,
          sku {text} NOT NULL, location {text} NOT NULL, key {text} NOT NULL, available BIGINT, body TEXT NOT NULL
        )
        """,
        "CREATE INDEX history_by_time ON history (part, ms{then_id})",
        "CREATE INDEX history_by_sku ON history (part, sku{then_id}) WHERE sku <> ''",
        "CREATE INDEX history_by_sku_and_location ON history (part, sku, location{then_id}) WHERE sku <> ''",
        "CREATE INDEX history_by_location ON history (part, location{then_id}) WHERE location <> ''",
        "CREATE INDEX history_by_reservation ON history (part, reservation{then_id}) WHERE reservation <> ''",
        "CREATE INDEX history_by_order ON history (part, order_ref{then_id}) WHERE order_ref <> ''",
        "CREATE INDEX history_by_channel ON history (part, channel{then_id}) WHERE channel <> ''",
        "CREATE INDEX history_by_actor ON history (part, actor{then_id})",
        "CREATE INDEX history_by_key ON history (part, key{then_id}) WHERE key <> ''",
        """
        CREATE TABLE history_gaps (
          id {serial}, part BIGINT NOT NULL, from_ms BIGINT NOT NULL, to_ms BIGINT NOT NULL, reason {text} NOT NULL
        )
        """,
        "CREATE INDEX history_gaps_by_time ON history_gaps (part, to_ms)",
    ),
    (
        # What SKUs, listings and reservations are found by, see found.py.
        """
        CREATE TABLE found_skus (
          partition {text} NOT NULL, sku {text} NOT NULL, squeezed {text} NOT NULL, available BIGINT NOT NULL,
          held BIGINT NOT NULL, short BIGINT NOT NULL, changed_ms BIGINT NOT NULL, untracked BIGINT NOT NULL,
          PRIMARY KEY (partition, sku)
        )
        """,
        "CREATE INDEX found_skus_by_available ON found_skus (partition, available, sku)",
        "CREATE INDEX found_skus_by_change ON found_skus (partition, changed_ms, sku)",
        "CREATE INDEX found_skus_held ON found_skus (partition, sku) WHERE held > 0",
        "CREATE INDEX found_skus_short ON found_skus (partition, sku) WHERE short > 0",
        "CREATE INDEX found_skus_untracked ON found_skus (partition, sku) WHERE untracked > 0",
        """
        CREATE TABLE found_places (
          partition {text} NOT NULL, location {text} NOT NULL, sku {text} NOT NULL, available BIGINT NOT NULL,
          held BIGINT NOT NULL, short BIGINT NOT NULL, seq BIGINT NOT NULL, epoch BIGINT NOT NULL,
          PRIMARY KEY (partition, location, sku)
        )
        """,
        "CREATE INDEX found_places_by_sku ON found_places (partition, sku, location)",
        "CREATE INDEX found_places_by_available ON found_places (partition, available, sku, location)",
        "CREATE INDEX found_places_held ON found_places (partition, location, sku) WHERE held > 0",
        "CREATE INDEX found_places_short ON found_places (partition, location, sku) WHERE short > 0",
        "CREATE INDEX found_places_out ON found_places (partition, location, sku) WHERE available <= 0",
        """
        CREATE TABLE found_words (
          partition {text} NOT NULL, tail {text} NOT NULL, sku {text} NOT NULL,
          PRIMARY KEY (partition, tail, sku)
        )
        """,
        "CREATE INDEX found_words_by_sku ON found_words (partition, sku)",
        """
        CREATE TABLE found_listings (
          partition {text} NOT NULL, channel {text} NOT NULL, sku {text} NOT NULL, key {text} NOT NULL,
          squeezed_key {text} NOT NULL, listed_as {text} NOT NULL,
          PRIMARY KEY (partition, channel, sku, key)
        )
        """,
        "CREATE INDEX found_listings_by_key ON found_listings (partition, channel, squeezed_key, key)",
        "CREATE INDEX found_listings_by_name ON found_listings (partition, channel, listed_as)",
        """
        CREATE TABLE found_reservations (
          partition {text} NOT NULL, id {text} NOT NULL, created_ms BIGINT NOT NULL, channel {text} NOT NULL,
          order_ref {text} NOT NULL, customer {text} NOT NULL,
          PRIMARY KEY (partition, id)
        )
        """,
        "CREATE INDEX found_reservations_by_time ON found_reservations (partition, created_ms, id)",
        """
        CREATE INDEX found_reservations_by_order ON found_reservations (partition, order_ref, created_ms, id)
          WHERE order_ref <> ''
        """,
        """
        CREATE INDEX found_reservations_by_customer ON found_reservations (partition, customer, created_ms, id)
          WHERE customer <> ''
        """,
        """
        CREATE TABLE found_state (
          partition {text} NOT NULL PRIMARY KEY, filled BIGINT NOT NULL, seq BIGINT NOT NULL, epoch BIGINT NOT NULL
        )
        """,
        """
        CREATE TABLE found_moved (
          partition {text} NOT NULL, location {text} NOT NULL, read_to {text} NOT NULL,
          PRIMARY KEY (partition, location)
        )
        """,
    ),
    (
        # Which barcodes a SKU may have. An index that was filled without them is filled anew.
        """
        CREATE TABLE found_barcodes (
          partition {text} NOT NULL, sku {text} NOT NULL, barcode {text} NOT NULL,
          PRIMARY KEY (partition, sku, barcode)
        )
        """,
        "CREATE INDEX found_barcodes_by_barcode ON found_barcodes (partition, barcode)",
        "UPDATE found_state SET seq = 0, filled = 0, epoch = epoch + 1",
    ),
    (
        # The newest orders of one channel, of which there may be few.
        "CREATE INDEX orders_by_channel ON orders (partition, channel, sort_ms)",
    ),
    (
        # What is sold out, what changed last first.
        """
        CREATE INDEX found_skus_out_by_change ON found_skus (partition, changed_ms, sku)
          WHERE available <= 0 AND untracked = 0
        """,
    ),
    (
        # Who had units when it was filled, see found.py. An index that was filled without them is filled anew.
        """
        CREATE TABLE found_holders (
          partition {text} NOT NULL, sku {text} NOT NULL, location {text} NOT NULL, id {text} NOT NULL,
          PRIMARY KEY (partition, sku, location, id)
        )
        """,
        "CREATE INDEX found_holders_by_id ON found_holders (partition, id)",
        "UPDATE found_state SET seq = 0, filled = 0, epoch = epoch + 1",
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
