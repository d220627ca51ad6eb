"""The parts of a process that are about the documents of orders: opened, kept up, and written by the intake."""

from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

import structlog

from server.channels.inbound.desk import ServiceDesk
from server.channels.inbound.intakes import IntakeParts
from server.config.settings import Settings
from server.domain.principal import ALL_SCOPES, SYSTEM, Principal
from server.service.caller import Caller, Partition
from server.service.order_records import DocumentRecords
from server.service.order_upkeep import OrderUpkeep
from server.store.connection.connect import StoreClient
from server.store.documents.documents import Documents
from server.store.documents.opening import open_documents
from server.store.embedded import EmbeddedStore
from server.store.repositories.order_privacy import customer_keys

log = structlog.get_logger("holdfast.orders")


def order_documents(settings: Settings, client: StoreClient) -> Documents | None:
    """Make the documents of orders; None: there is no database for them.

    They are connected when they are first asked, so nothing waits for them. Several workers share the embedded store,
    each by its URL.
    """
    embedded = EmbeddedStore(settings.data_dir, durability=settings.durability)
    file = embedded.directory.documents if settings.store_url in ("", embedded.url) else None
    return open_documents(settings.documents_url, customer_keys(client), file=file)


def opened_documents(settings: Settings, client: StoreClient, started: AsyncExitStack) -> Documents | None:
    """Make the documents of orders, to be closed at the end."""
    documents = order_documents(settings, client)
    if documents is not None:
        started.push_async_callback(documents.close)
    return documents


def order_upkeep(
    settings: Settings, documents: Documents, client: StoreClient, partitions: Callable[[], Iterable[str]]
) -> OrderUpkeep:
    """Make what keeps the documents within their time."""
    return OrderUpkeep(
        documents, client, partitions,
        personal_s=settings.personal_data_retention_s, orders_s=settings.orders_retention_s,
    )  # fmt: skip


def intake_parts(name: str, parts: Partition, takes_orders: Iterable[str]) -> IntakeParts | None:
    """Return where the orders of a partition's channels are booked and written down; None: they are not taken in.

    An order that nobody could look up, with an address that nobody has, would be of no use to anybody.
    """
    if parts.documents is None:
        for channel in takes_orders:
            log.error(
                "orders_not_taken_in",
                channel=channel,
                reason="there is no documents database",
                advice="name a PostgreSQL in HOLDFAST_DOCUMENTS_URL and start again; stock is served meanwhile",
            )
        return None
    caller = Caller(Principal(SYSTEM, name, ALL_SCOPES), parts)
    return IntakeParts(ServiceDesk(name, parts), DocumentRecords(parts.documents, lambda: caller))
