"""The Python client of Holdfast: reserve, commit, count and follow stock, safely repeated where answers are lost.

``Client`` is for threads, ``AsyncClient`` for asyncio. Types of what is sent and answered are in ``holdfast.types``.
"""

from holdfast._version import __version__
from holdfast.client import AsyncClient, Client
from holdfast.decisions import Policy
from holdfast.errors import (
    AccessRefused,
    BatchInterrupted,
    DoneBefore,
    HoldfastError,
    Invalid,
    NotFound,
    OutcomeUnknown,
    OutOfStock,
    Refused,
    Unavailable,
)
from holdfast.events import Change, SnapshotNeeded, StreamClosed
from holdfast.transport import Try

__all__ = [
    "AccessRefused",
    "AsyncClient",
    "BatchInterrupted",
    "Change",
    "Client",
    "DoneBefore",
    "HoldfastError",
    "Invalid",
    "NotFound",
    "OutOfStock",
    "OutcomeUnknown",
    "Policy",
    "Refused",
    "SnapshotNeeded",
    "StreamClosed",
    "Try",
    "Unavailable",
    "__version__",
]
