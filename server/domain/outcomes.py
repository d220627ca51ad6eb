"""What the ledger answers: values, not exceptions.

The Lua scripts build these as MessagePack arrays, the tag first; the order of the fields is the contract.
:data:`OUTCOMES` is the one table from an outcome's name to its HTTP status and meaning.
"""

from typing import Final

import msgspec

from server.domain.expected_receipt import ExpectedReceiptChanged
from server.domain.reservation import Changed
from server.domain.stock import StockChanged
from server.domain.transfer import TransferChanged


class LineRefusal(msgspec.Struct, array_like=True, frozen=True):
    """Why one line was refused: how much was asked for, and how much there was (available or left over)."""

    line: int
    sku: str
    location: str
    requested: int
    available: int


class Refused(msgspec.Struct, array_like=True, frozen=True, tag="refused"):
    """Nothing changed. ``outcome`` is a name in :data:`OUTCOMES`; ``state`` the reservation's, where there is one."""

    outcome: str
    state: str
    lines: list[LineRefusal]


class RetryAfterExpiry(msgspec.Struct, array_like=True, frozen=True, tag="retry_after_expiry"):
    """Short of units, while more lapsed holds wait to be ended than one script may end: ask again. Nothing changed."""


class AllocationUsageUnknown(msgspec.Struct, array_like=True, frozen=True, tag="allocation_usage_unknown"):
    """How much a channel has promised there is not known any more: count, and ask again. Nothing changed."""


ReservationAnswer = Changed | Refused
AllocationAnswer = StockChanged | Refused | AllocationUsageUnknown
StockAnswer = StockChanged | Refused
TransferAnswer = TransferChanged | Refused
ExpectedReceiptAnswer = ExpectedReceiptChanged | Refused


class Outcome(msgspec.Struct, frozen=True):
    """How an outcome is told over HTTP. ``retryable``: the same request may succeed later."""

    status: int
    title: str
    retryable: bool = False


OUTCOMES: Final[dict[str, Outcome]] = {
    # Precedence: an earlier row is reported before a later one where both apply.
    "unauthorized": Outcome(401, "No valid API key"),
    "forbidden": Outcome(403, "The API key lacks the scope"),
    "not_found": Outcome(404, "No such resource"),
    "method_not_allowed": Outcome(405, "The resource does not take this method"),
    "unsupported_media_type": Outcome(415, "The body's media type is not understood"),
    "too_large": Outcome(413, "The body is too large"),
    "request_timeout": Outcome(408, "The body did not arrive in time", retryable=True),
    "invalid": Outcome(400, "The request breaks a rule"),
    "id_reused": Outcome(422, "The key was used before with another body"),
    "unknown_channel": Outcome(404, "No such channel"),
    "unknown_location": Outcome(404, "Nobody described that location"),
    "unknown_reservation": Outcome(404, "No such reservation"),
    "unknown_transfer": Outcome(404, "No such transfer"),
    "unknown_supply": Outcome(404, "No such expected receipt"),
    "unknown_barcode": Outcome(422, "No such barcode"),
    "unknown_sku": Outcome(422, "No such SKU at that location"),
    "already_committed": Outcome(409, "The units are already committed"),
    "already_released": Outcome(409, "The units were already given back"),
    "expired": Outcome(409, "The hold ended at its deadline"),
    "not_held": Outcome(409, "Nothing is held"),
    "not_committed": Outcome(409, "Nothing is committed"),
    "unknown_allocation": Outcome(404, "The channel has nothing for itself there"),
    "allocation_differs": Outcome(409, "One channel has units of its own there, the other a cap"),
    "too_many_allocations": Outcome(422, "Too many channels have something for themselves there"),
    "transfer_closed": Outcome(409, "Nothing is on its way any more"),
    "not_fulfilled": Outcome(409, "Nothing was shipped"),
    "not_open": Outcome(409, "The lines are bound to another location"),
    "exceeds_remaining": Outcome(422, "More than what is left"),
    "exceeds_bucket": Outcome(422, "More than there are in the bucket"),
    "baseline_expired": Outcome(409, "Too much has moved since the baseline: count again"),
    "too_many_lines": Outcome(422, "The reservation would have more lines than it may"),
    "location_closed": Outcome(409, "The location is closed, or no location of the group is open", retryable=True),
    "too_many_splits": Outcome(409, "The order would have to come from more locations", retryable=True),
    "exceeds_available": Outcome(409, "More than what is not promised", retryable=True),
    "out_of_stock": Outcome(409, "Not enough units", retryable=True),
    "overloaded": Outcome(503, "Too much to do: nothing happened", retryable=True),
    "store_unavailable": Outcome(503, "The store cannot take it now: nothing happened", retryable=True),
    "outcome_unknown": Outcome(503, "It may or may not have happened: ask again with the same key", retryable=True),
    "internal_error": Outcome(500, "A fault of the server"),
}
"""Refusals and errors. Successes carry the reservation's state instead: held, committed, fulfilled, released …"""
