"""Documents of orders for tests: put beside a running server into its own database, as its intake does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from server.domain.order_documents import (
    Address,
    Booking,
    Buyer,
    DocumentLine,
    DocumentPackage,
    OrderDocument,
    StockLine,
)
from server.store.connection import connect
from server.store.documents.documents import Documents
from server.store.documents.opening import open_documents
from server.store.repositories.order_privacy import customer_keys
from tests.support.http import Server

MARK: Final = "Zülfikar-Markgraf"
"""In every field of personal data: found nowhere but where it must be."""
PLACED_MS: Final = 1_796_000_000_000


@asynccontextmanager
async def documents_of(server: Server) -> AsyncIterator[Documents]:
    """Open the documents of a server with an embedded store."""
    pool = connect.connection_pool(f"unix://{server.data_dir / 'store.sock'}")
    made = open_documents("", customer_keys(connect.client(pool)), file=server.data_dir / "documents.sqlite3")
    assert made is not None
    try:
        yield made
    finally:
        await made.close()
        await pool.aclose()


def marked_buyer(mark: str = MARK) -> Buyer:
    """Make a buyer whose every field has the mark."""
    address = Address(
        name=mark, company=mark, lines=(f"{mark} 5",), city=mark, district=mark, region=mark, postal_code=mark,
        country="TR", phone=mark, tax_number=mark, tax_office=mark,
    )  # fmt: skip
    return Buyer(
        id=mark, name=mark, email=f"{mark}@example.com", phone=mark, identity_number=mark, shipping=address,
        billing=address, note=mark,
    )  # fmt: skip


def order(number: str = "1001", **fields: Any) -> OrderDocument:
    """Make an order as a channel tells it."""
    given: dict[str, Any] = {
        "changed_ms": PLACED_MS + 1_000,
        "placed_ms": PLACED_MS,
        "lines": (DocumentLine(key="l1", ordered=2, listing="8690000000024", unit_price="129.90", vat_rate="20"),),
        "packages": (DocumentPackage(key="p1", lines=(("l1", 2),), tracking=f"TR-{MARK}", carrier="yurtici"),),
        "currency": "TRY",
        "total": "259.80",
        "status": "Created",
        "buyer": marked_buyer(),
    }
    return OrderDocument(key=number, **{**given, **fields})


def booking(state: str = "booked", **fields: Any) -> Booking:
    """Make what was booked of an order."""
    stock = (StockLine(sku="TS-1", location="main", quantity=2, line="l1"),)
    return Booking(**{"state": state, "reservations": ("trendyol.1001",), "lines": stock, **fields})
