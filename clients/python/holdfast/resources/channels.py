"""Sales channels: their rules and state, what they list, and the commands to them about their orders."""

from collections.abc import Sequence
from typing import Literal

from msgspec import UNSET, UnsetType

from holdfast.batches import pages_in_order, set_parts
from holdfast.binding import ModeT, Resource, operation
from holdfast.calls import Call, adds, fields, keyed, name_in_path, query_of, read, sets
from holdfast.decisions import Plan
from holdfast.types import (
    ChannelAsked,
    ChannelList,
    ChannelStatusView,
    ChannelView,
    DeadLetterList,
    KeyDeleted,
    ListingBody,
    ListingDeleted,
    ListingPage,
    ListingsPut,
    OutboxList,
    PiecesBody,
    Remembered,
)

Command = Literal["acknowledge", "invoice", "label", "refuse", "settle_return", "ship"]
Waiting = Literal["cancelled", "done", "refused", "sending", "superseded", "undecided", "unsure", "waiting"]


class Channels(Resource[ModeT]):
    """Sales channels."""

    @operation
    def read_many(self) -> Call[ChannelList]:
        """Read all channels. ``GET /v1/channels``."""
        return read("/v1/channels", ChannelList)

    @operation
    def read(self, channel: str) -> Call[ChannelView]:
        """Read a channel's rules. ``GET /v1/channels/{channel}``.

        Raises ``NotFound`` (unknown_channel).
        """
        return read(_channel(channel), ChannelView)

    @operation
    def set_rules(
        self,
        channel: str,
        *,
        locations: Sequence[str] | None = None,
        buffer: int | None = None,
        percent: int | None = None,
        min_publish: int | None = None,
        cap: int | UnsetType | None = UNSET,
        cadence_s: float | None = None,
        reconcile_every_s: float | None = None,
        paused: bool | None = None,
        reason: str | None = None,
    ) -> Call[ChannelView]:
        """Replace the rules that were set at run time. ``PUT /v1/channels/{channel}``.

        What is left out goes back to the configuration. ``cap`` None: no cap. ``buffer``, ``min_publish`` and ``cap``
        are in units, ``percent`` of what is available.

        Raises ``NotFound`` (unknown_channel).
        """
        body = fields(
            locations=locations, buffer=buffer, percent=percent, min_publish=min_publish, cadence_s=cadence_s,
            reconcile_every_s=reconcile_every_s, paused=paused, reason=reason,
        )  # fmt: skip
        return sets("PUT", _channel(channel), ChannelView, body if cap is UNSET else body | {"cap": cap})

    @operation
    def status(self, channel: str) -> Call[ChannelStatusView]:
        """Read how a channel stands. ``GET /v1/channels/{channel}/status``.

        Raises ``NotFound`` (unknown_channel).
        """
        return read(f"{_channel(channel)}/status", ChannelStatusView)

    @operation
    def pause(self, channel: str, *, reason: str | None = None) -> Call[ChannelView]:
        """Send the channel nothing until it is resumed. ``POST …/pause``.

        Raises ``NotFound`` (unknown_channel).
        """
        return sets("POST", f"{_channel(channel)}/pause", ChannelView, fields(reason=reason))

    @operation
    def resume(self, channel: str, *, reason: str | None = None) -> Call[ChannelView]:
        """Send the channel what has changed, and what changes. ``POST …/resume``.

        Raises ``NotFound`` (unknown_channel).
        """
        return sets("POST", f"{_channel(channel)}/resume", ChannelView, fields(reason=reason))

    @operation
    def test(self, channel: str) -> Call[ChannelAsked]:
        """Find out whether the channel answers. ``POST …/test``.

        Raises ``NotFound`` (unknown_channel).
        """
        return sets("POST", f"{_channel(channel)}/test", ChannelAsked)

    @operation
    def reconcile(self, channel: str) -> Call[ChannelAsked]:
        """Have everything compared with the channel, and corrected. ``POST …/reconcile``.

        Raises ``NotFound`` (unknown_channel).
        """
        return sets("POST", f"{_channel(channel)}/reconcile", ChannelAsked)

    @operation
    def dead_letters(self, channel: str, *, after: str | None = None, limit: int | None = None) -> Call[DeadLetterList]:
        """Read a page of the values that a channel refuses. ``GET …/dead-letters``.

        Raises ``NotFound`` (unknown_channel).
        """
        return read(f"{_channel(channel)}/dead-letters", DeadLetterList, after=after, limit=limit)

    @operation
    def retry_dead_letters(self, channel: str, *, skus: Sequence[str] | None = None) -> Call[ChannelAsked]:
        """Have them sent again: all, or those of some SKUs. ``POST …/dead-letters/retry``.

        Raises ``NotFound`` (unknown_channel).
        """
        return sets("POST", f"{_channel(channel)}/dead-letters/retry", ChannelAsked, fields(skus=skus))

    @operation
    def pull_orders(self, channel: str, orders: Sequence[str]) -> Call[Remembered]:
        """Have orders read from the channel now, and booked. ``POST …/orders/read``.

        Raises ``NotFound`` (unknown_channel).
        """
        return sets("POST", f"{_channel(channel)}/orders/read", Remembered, {"orders": orders})


class Listings(Resource[ModeT]):
    """Which SKUs a channel sells, under which keys."""

    @operation
    def put(self, channel: str, listings: Sequence[ListingBody]) -> Plan[ListingsPut]:
        """Add listings, or replace them; more than one request can have are split. ``PUT …/listings``.

        Raises ``NotFound`` (unknown_channel) and ``Refused`` (key_taken).
        """
        return _listings(f"{_channel(channel)}/listings", listings)

    @operation
    def read_many(
        self,
        channel: str,
        *,
        sku: str | None = None,
        key: str | None = None,
        q: str | None = None,
        state: Literal["pending", "refused", "shown", "unlisted"] | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Call[ListingPage]:
        """Read a page of what a channel lists, and what it shows of each. ``GET …/listings``.

        Raises ``NotFound`` (unknown_channel).
        """
        path = f"{_channel(channel)}/listings"
        return read(path, ListingPage, sku=sku, key=key, q=q, state=state, after=after, limit=limit)

    @operation
    def delete(self, channel: str, sku: str) -> Call[ListingDeleted]:
        """Delete the listing of a SKU. ``DELETE …/listings/{sku}``.

        Raises ``NotFound`` (unknown_channel).
        """
        return sets("DELETE", f"{_channel(channel)}/listings/{name_in_path(sku)}", ListingDeleted)

    @operation
    def delete_pack(self, channel: str, *, key: str) -> Call[KeyDeleted]:
        """Delete a pack or bundle by its key. ``DELETE …/listings``.

        Raises ``NotFound`` (unknown_channel).
        """
        return sets("DELETE", f"{_channel(channel)}/listings{query_of({'key': key})}", KeyDeleted)


class Outbox(Resource[ModeT]):
    """Commands to a channel about its orders."""

    @operation
    def send(
        self,
        channel: str,
        *,
        command: Command,
        order: str,
        lines: Sequence[PiecesBody] | None = None,
        reason: str | None = None,
        package: str | None = None,
        carrier: str | None = None,
        tracking: str | None = None,
        url: str | None = None,
        number: str | None = None,
        case: str | None = None,
        accept: bool | None = None,
        format: str | None = None,  # the name of the field
        idempotency_key: str | None = None,
    ) -> Call[Remembered]:
        """Send a command about an order; it waits in the outbox until the channel answers. ``POST …/outbox``.

        The same command sent again is one command, unless it has another ``idempotency_key``.

        Raises ``NotFound`` (unknown_channel).
        """
        body = fields(
            command=command, order=order, lines=lines, reason=reason, package=package, carrier=carrier,
            tracking=tracking, url=url, number=number, case=case, accept=accept, format=format,
        )  # fmt: skip
        path = f"{_channel(channel)}/outbox"
        if idempotency_key is None:
            return sets("POST", path, Remembered, body)
        return keyed("POST", path, Remembered, body, key=idempotency_key)

    @operation
    def read_many(
        self,
        channel: str,
        *,
        state: Waiting | None = None,
        order: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Call[OutboxList]:
        """Read a page of the commands, the newest first. ``GET …/outbox``.

        Raises ``NotFound`` (unknown_channel).
        """
        return read(f"{_channel(channel)}/outbox", OutboxList, state=state, order=order, after=after, limit=limit)

    @operation
    def send_again(self, channel: str, ids: Sequence[str]) -> Call[Remembered]:
        """Send settled commands again that are not done. ``POST …/outbox/again``.

        It is not sent again after a lost answer: what was refused once more meanwhile would go out a third time.

        Raises ``NotFound`` (unknown_channel).
        """
        find_out = "read the outbox; a command that is waiting, sending or done, or has changed since, was sent again"
        return adds("POST", f"{_channel(channel)}/outbox/again", Remembered, {"ids": ids}, find_out=find_out)

    @operation
    def cancel(self, channel: str, ids: Sequence[str]) -> Call[Remembered]:
        """Cancel commands that were not sent yet. ``POST …/outbox/cancel``.

        Raises ``NotFound`` (unknown_channel).
        """
        return sets("POST", f"{_channel(channel)}/outbox/cancel", Remembered, {"ids": ids})

    @operation
    def mark_done(self, channel: str, ids: Sequence[str]) -> Call[Remembered]:
        """Record that commands whose answer was lost were carried out. ``POST …/outbox/done``.

        Raises ``NotFound`` (unknown_channel).
        """
        return sets("POST", f"{_channel(channel)}/outbox/done", Remembered, {"ids": ids})


def _channel(channel: str) -> str:
    return f"/v1/channels/{name_in_path(channel)}"


def _listings(path: str, listings: Sequence[ListingBody]) -> Plan[ListingsPut]:
    pages = yield from pages_in_order(set_parts(path, ListingsPut, "listings", listings))
    unknown = [sku for page in pages for sku in page.unknown_skus]
    return ListingsPut(listings=sum(page.listings for page in pages), unknown_skus=unknown)
