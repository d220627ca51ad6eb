"""An order of a channel as stock sees it: what is sold there, and how far it is; no prices, no people."""

from typing import Final, Literal

import msgspec

from server.domain.operations.base import fingerprint

OrderState = Literal["open", "unpaid", "cancelled", "closed"]
CancelledBy = Literal["buyer", "merchant", "channel", "unknown"]
ShippedFrom = Literal["merchant", "channel"]

ORDER_NUMBER_BYTES_MAX: Final = 128
ORDER_LINES_MAX: Final = 1_000
"""Lines of one order; they are booked in several reservations where one has no room for them."""


class ChannelOrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line. Its quantities are cumulative, in the channel's own pieces; its ``key`` outlives splits.

    ``listing``: the key under which stock is published there; else ``barcode`` or ``sku_hint``, the merchant's own SKU,
    may tell what it is. ``carries_stock`` False: another line has its units.
    """

    key: str
    ordered: int
    listing: str = ""
    barcode: str = ""
    sku_hint: str = ""
    cancelled: int = 0
    cancelled_by: CancelledBy = "unknown"
    shipped: int = 0
    returned: int = 0
    carries_stock: bool = True
    fulfilled_by: ShippedFrom = "merchant"


class ChannelOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it stood at ``changed_ms``, by the channel's clock. ``key`` is its number there.

    ``complete``: every line is here, and what is missing is gone; else it is a part, which lowers nothing.
    ``gone_is_certain`` False: what is missing or cancelled may come again; a second complete look later decides.
    """

    key: str
    changed_ms: int
    lines: tuple[ChannelOrderLine, ...]
    complete: bool
    state: OrderState = "open"
    gone_is_certain: bool = True
    fulfilled_by: ShippedFrom = "merchant"
    placed_ms: int = 0
    pay_by_ms: int = 0

    @property
    def fingerprint(self) -> str:
        """The digest of all that matters to stock; when it was changed does not."""
        return fingerprint(self.lines, self.complete, self.state, self.gone_is_certain, self.fulfilled_by)


class IntakeRules(msgspec.Struct, frozen=True, kw_only=True):
    """How the orders of a channel are booked.

    ``unpaid_s``: how long an unpaid order is held where it does not say by when it is paid. ``second_look_s``: how long
    after the first look a second one decides on what is gone without certainty.
    """

    unpaid_s: float = 3_600.0
    second_look_s: float = 120.0


class LinePieces(msgspec.Struct, frozen=True):
    """Pieces of one line."""

    line: str
    pieces: int


class LineProgress(msgspec.Struct, frozen=True):
    """How far a line is here, in pieces, whoever moved it. What is ahead of the channel is to be told to it.

    ``booked``: taken from stock and neither cancelled nor shipped.
    """

    line: str
    ordered: int
    booked: int
    cancelled: int
    shipped: int
    returned: int
    unmapped: bool = False


BookedState = Literal["recorded", "held", "booked", "shipping", "shipped", "cancelled", "closed"]
"""``recorded``: it takes no stock. ``shipping``: a part of it has left."""
InboxReason = Literal[
    "", "unmapped", "not_held", "cancelled_after_shipping", "shipped_without_stock", "cannot_take_back",
    "adopted_differs", "many_reservations", "impossible", "refused", "busy", "former_channel",
]  # fmt: skip
"""Why something of an order is not booked, empty: all is. ``busy``: others kept changing it; it is looked at again."""


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a snapshot.

    ``steps``: the operations that were carried out for it, in order. ``unmapped``: lines whose SKU nobody knows; their
    pieces are owed. ``returned``: pieces that came back since, of which nothing is restocked before a person says how
    they are. ``detail``: more on ``inbox``, without personal data. ``unchanged``: nothing of it was new. ``stale``: it
    was older than what is known, and was not used. ``second_look_at_ms``: when to read it again, since something is
    gone without certainty; 0: no need.
    """

    state: BookedState
    steps: tuple[str, ...] = ()
    reservations: tuple[str, ...] = ()
    lines: tuple[LineProgress, ...] = ()
    unmapped: tuple[str, ...] = ()
    returned: tuple[LinePieces, ...] = ()
    short: tuple[LinePieces, ...] = ()
    inbox: InboxReason = ""
    detail: str = ""
    unchanged: bool = False
    stale: bool = False
    second_look_at_ms: int = 0
