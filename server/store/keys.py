"""The names of a partition's keys. Its hash tag keeps them in one slot, so one order is always one atomic script."""

from typing import Final

PARTITIONS: Final = "hf:partitions"
"""Set of the partitions that were ever served; housekeeping goes through all of them."""

_NAMES: Final = (
    "stock",
    "skus",
    "reservations",
    "ended",
    "deadlines",
    "idempotency",
    "forget",
    "journal",
    "meta",
    "on_hand_log",
)
"""In the order in which ``lua/lib/context.lua`` expects them as KEYS, which also tells what each holds."""


class Keyspace:
    """The keys of one partition; ``all`` is what each script declares as its KEYS."""

    def __init__(self, partition: str) -> None:
        self.partition = partition
        self.all: tuple[str, ...] = tuple(f"hf:{{{partition}}}:{name}" for name in _NAMES)
        named = dict(zip(_NAMES, self.all, strict=True))
        self.stock = named["stock"]
        self.reservations = named["reservations"]
        self.ended = named["ended"]
        self.deadlines = named["deadlines"]
        self.journal = named["journal"]
        self.meta = named["meta"]
