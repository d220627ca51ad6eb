"""Commands to a channel's publisher, as entries of the journal: what they are about stands in their notes."""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from server.domain.changes import Change
from server.domain.channels import Listing
from server.domain.components import key_in, known_by

ChannelCommand = Literal[
    "channel_rules", "channel_listings", "channel_reconcile", "channel_retry", "channel_resend", "channel_test"
]
"""A command to a channel's publisher, as the journal's operation: read the changed rules or listings, compare with the
channel, retry dead letters, send these SKUs even if the channel seems to show them, or find out if it answers."""

SKU: Final = "sku"
KEY: Final = "key"
_LEFT: Final = "left_key"
_LEFT_NAME: Final = "left_name"
"""Names of a command's notes. A key that a SKU has left stands behind the SKU."""
_WAS: Final = "was"
_NOW: Final = "now"
"""What a listing was and is, behind its SKU or key, for the history. Publishers read neither."""


def command_entry(
    name: ChannelCommand, now_ms: int, actor: str, channel: str, notes: Sequence[tuple[str, str]]
) -> bytes:
    """Return the journal's entry of a command."""
    return msgspec.msgpack.encode([Change(name, now_ms, actor, channel, "", "", [], list(notes))])


def listing_notes(listings: Sequence[Listing], before: Sequence[Listing | None]) -> Iterator[tuple[str, str]]:
    """Name the listings of a command, by SKU or by key; each SKU with the key that it leaves."""
    for listing, former in zip(listings, before, strict=True):
        key = key_in(listing.sku)
        if key is not None:
            yield KEY, key
        else:
            yield SKU, listing.sku
            if former is None and listing.key != listing.sku:
                yield _LEFT_NAME, listing.sku
            elif former is not None and former.key != listing.key:
                yield _LEFT, former.key
        if former != listing:
            yield _WAS, "" if former is None else _text(former)
            yield _NOW, _text(listing)


def deletion_notes(listing: Listing) -> list[tuple[str, str]]:
    """Name a listing that is deleted, by SKU or by key, and the key that it leaves."""
    key = key_in(listing.sku)
    named = (SKU, listing.sku) if key is None else (KEY, key)
    return [named, (_LEFT, listing.key), (_WAS, _text(listing)), (_NOW, "")]


def _text(listing: Listing) -> str:
    """Write what a listing says, without its name and what is as usual."""
    usual = Listing(listing.sku, "")
    said = {
        name: getattr(listing, name)
        for name in Listing.__struct_fields__[1:]
        if getattr(listing, name) != getattr(usual, name)
    }
    return msgspec.json.encode(said).decode()


def commanded_skus(change: Change) -> list[str]:
    """Return the SKUs that a command in the journal is about; empty: all."""
    return [value for name, value in change.notes if name == SKU]


def commanded_keys(change: Change) -> list[str]:
    """Return the keys that a command in the journal is about beside its SKUs."""
    return [value for name, value in change.notes if name == KEY]


def left_keys(change: Change, *, lists_all: bool) -> dict[str, str]:
    """Return which keys a change of listings has taken from which SKUs, or what is in their place.

    Earlier releases do not write it.

    ``lists_all``: a SKU that had no listing had its own name as its key.
    """
    left, sku = {}, ""
    for name, value in change.notes:
        if name in (SKU, KEY):
            sku = value if name == SKU else known_by(value)
        elif name == _LEFT or (name == _LEFT_NAME and lists_all):
            left[value] = sku
    return left
