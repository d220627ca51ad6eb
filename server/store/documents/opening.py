"""Which documents database there is: by its URL, or the one beside the embedded store."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from server.store.documents.database import Database
from server.store.documents.documents import Documents
from server.store.documents.postgres import PostgresDatabase
from server.store.documents.sqlite import SqliteDatabase
from server.store.errors import DocumentsUrlError

FILE: Final = "documents.sqlite3"
"""In the data directory."""
_SCHEMES: Final = ("postgresql://", "postgres://")


def open_documents(
    url: str, customer_key: Callable[[str], Awaitable[bytes]], *, data_dir: Path, is_embedded: bool
) -> Documents | None:
    """Make the documents of all partitions; nothing is connected yet. None: there is no database for them.

    A file is enough beside the embedded store. A store of its own may have several machines around it, so its
    documents need a PostgreSQL.

    Raises
    ------
    DocumentsUrlError
        The URL names something else, or the driver for it is not installed.

    """
    database: Database
    if url:
        if not url.startswith(_SCHEMES):
            raise DocumentsUrlError(
                "HOLDFAST_DOCUMENTS_URL must be empty or begin with postgresql://. Empty: a file beside the embedded"
                " store, and no documents with a store of your own."
            )
        database = PostgresDatabase(url)
    elif is_embedded:
        database = SqliteDatabase(data_dir / FILE)
    else:
        return None
    return Documents(database, customer_key)
