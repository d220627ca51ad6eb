"""The ledger's answers: values, not exceptions.

The Lua scripts build these as MessagePack arrays, the tag first; the order of the fields is the contract.
"""

import msgspec

from server.domain.expected_receipt import ExpectedReceiptChanged
from server.domain.reservation import Changed
from server.domain.stock import StockChanged
from server.domain.transfer import TransferChanged


class LineRefusal(msgspec.Struct, array_like=True, frozen=True):
    """Why one line was refused: the units requested, and the units available (or remaining).

    ``counter``: for ``out_of_range``, what would leave its range: a bucket, ``available``, ``allocation``, or
    ``shortage``, the units that an order takes though they are not there. For ``similar_name`` and
    ``unregistered_location`` what is not known, ``sku`` or ``location``; ``similar`` is the known name that is like it.
    For ``quota_exceeded`` the ``key`` or the ``customer`` that has no room; ``limit``: how many units it may hold, of
    which ``available`` are free, below zero after the limit was lowered; 0: none, for it is not the key's to grow.
    For ``exceeds_remaining``, ``line`` says that there is no such line; there are ``lines_there``, numbered from 1.
    """

    line: int
    sku: str
    location: str
    requested: int
    available: int
    counter: str = ""
    similar: str = ""
    lines_there: int = 0
    limit: int = 0


class Refused(msgspec.Struct, array_like=True, frozen=True, tag="refused"):
    """Nothing changed. ``outcome`` is a name in :data:`OUTCOMES`; ``state`` the reservation's, where there is one."""

    outcome: str
    state: str
    lines: list[LineRefusal]


class RetryAfterExpiry(msgspec.Struct, array_like=True, frozen=True, tag="retry_after_expiry"):
    """Units are short and more expired holds are due than one script may end: call again. Nothing changed."""


class RetryWithWeight(msgspec.Struct, array_like=True, frozen=True, tag="retry_with_weight"):
    """It works on so many lines, or looks at so many places, that few operations may share its call.

    Call again with this ``weight``, in lines. Nothing changed.
    """

    weight: int


class LookInSlices(msgspec.Struct, array_like=True, frozen=True, tag="look_in_slices"):
    """The SKUs are known at more places than one call looks at: read them in slices, and name those that count.

    ``wanted``: the units of each SKU, for the ``channel``. ``is_sold``: they are booked in any case. Nothing changed.
    """

    channel: str
    wanted: list[tuple[str, int]]
    is_sold: bool


class AllocationUsageUnknown(msgspec.Struct, array_like=True, frozen=True, tag="allocation_usage_unknown"):
    """The units that a channel has reserved there are not known any more: count and call again. Nothing changed."""


class BatchNoted(msgspec.Struct, array_like=True, frozen=True, tag="batch_noted"):
    """The key of a batch belongs to its body from now on. ``replayed``: it did before."""

    replayed: bool


class OrderNoted(msgspec.Struct, array_like=True, frozen=True, tag="order_noted"):
    """The record of an order is written."""

    replayed: bool


BatchAnswer = BatchNoted | Refused
ReservationAnswer = Changed | Refused
AllocationAnswer = StockChanged | Refused | AllocationUsageUnknown
StockAnswer = StockChanged | Refused
TransferAnswer = TransferChanged | Refused
ExpectedReceiptAnswer = ExpectedReceiptChanged | Refused
