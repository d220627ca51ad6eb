"""The operation that stands in front of a batch with an idempotency key."""

from server.domain.operations.base import Operation


class BatchOperation(Operation, frozen=True):
    """An operation on a batch as a whole; it touches neither stock nor a reservation."""

    key: str


class NoteBatch(BatchOperation, tag="note_batch", frozen=True):
    """Remember what a batch asks for, under a key of its own, so that the key of the batch fits no other body."""
