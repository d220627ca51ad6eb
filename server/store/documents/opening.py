"""Which documents database there is: by its URL, or the one beside the embedded store."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from server.store.documents.database import Database
from server.store.documents.documents import Documents
from server.store.documents.postgres import PostgresDatabase
from server.store.documents.sqlite import SqliteDatabase
from server.store.errors import DocumentsUrlError

_SCHEMES: Final = ("postgresql://", "postgres://")


def open_documents(url: str, customer_key: Callable[[str], Awaitable[bytes]], *, file: Path | None) -> Documents | None:
    """Make the documents of all partitions; nothing is connected yet. None: there is no database for them.

    ``file``: the one beside the embedded store, which is enough there; None: the store is the merchant's own. That may
    have several machines around it, so its documents need a PostgreSQL.

    Raises
    ------
    DocumentsUrlError
        The URL names something else, or the driver for it is not installed.

    """
    database: Database
    if url:
        database = _of_url(url)
    elif file is not None:
        database = SqliteDatabase(file)
    else:
        return None
    return Documents(database, customer_key)


def check_documents_url(url: str) -> None:
    """Check that a URL can be used, as far as that shows without a connection; raises as :func:`open_documents`."""
    _of_url(url)


def _of_url(url: str) -> PostgresDatabase:
    if not url.startswith(_SCHEMES):
        raise DocumentsUrlError(
            "HOLDFAST_DOCUMENTS_URL must be empty or begin with postgresql://. Empty: a file beside the embedded"
            " store, and no documents with a store of your own."
        )
    return PostgresDatabase(url)
