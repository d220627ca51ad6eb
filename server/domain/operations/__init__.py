"""What can be asked of the ledger: one immutable type for each operation.

They travel to the Lua scripts as MessagePack: the tag first, then the fields in the order written here. A field's place
is therefore part of the contract with ``lua/operations/*.lua``; add new ones at the end. Reserve and Order travel
with their lines last (``server/store/ledger/function_call.py``).

Every operation carries ``actor`` (who asked: an API key's id, ``local`` or ``system``) for the journal, and what makes
a retry safe: ``fingerprint`` is a digest of the request, so that a key that comes back with another body
is refused. An empty fingerprint means that the caller asked for no protection against retries.
"""

from server.domain.operations.allocations import Allocate, AllocateMove
from server.domain.operations.expected_receipts import Expect, Forgo, ReceiveExpected
from server.domain.operations.reservations import (
    Cancel,
    Commit,
    Extend,
    Fulfil,
    Order,
    Release,
    Relocate,
    Reserve,
    Return,
)
from server.domain.operations.stock import Adjust, Count, Move, Receive, SetBackorder
from server.domain.operations.transfers import Arrive, Ship

ReservationOperation = Reserve | Order | Extend | Commit | Release | Cancel | Fulfil | Return | Relocate
StockOperation = Receive | ReceiveExpected | Adjust | Count | Move | SetBackorder
AllocationOperation = Allocate | AllocateMove
ExpectedReceiptOperation = Expect | Forgo
TransferOperation = Ship | Arrive
