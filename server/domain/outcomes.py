"""How each refusal and error appears over HTTP.

:data:`OUTCOMES` is the one table from an outcome's name to its HTTP status, title, detail and whether to retry.
"""

from typing import Final

from server.domain.limits import PLACES_PER_SKU_MAX, RECEIPTS_PER_SKU_MAX, RECORD_LINES_MAX, TOMBSTONES_MAX
from server.domain.outcome import Outcome
from server.domain.request_outcomes import REQUEST_OUTCOMES

OUTCOMES: Final[dict[str, Outcome]] = {
    # Precedence: if several apply, the first in this table is returned.
    **REQUEST_OUTCOMES,
    "answer_too_large": Outcome(
        422,
        "The answer would be about too many places",
        "Ask for fewer SKUs at once, name a `location` or a `group`, or leave out the list with `locations` false. A"
        " place is a SKU at a location.",
    ),
    "id_reused": Outcome(
        422,
        "Idempotency key already used with a different body",
        "Use a new key, or repeat the original body to receive the original answer.",
    ),
    "unknown_file": Outcome(404, "No such file waits", "Send the file again to look at it. A token lasts 15 minutes."),
    "file_refused": Outcome(422, "The file cannot be taken", "Correct the file as `detail` says. Nothing changed."),
    "file_needs_yes": Outcome(
        409, "The file needs a yes", "Look at it, then apply its token or send `yes`. Nothing changed."
    ),
    "unknown_import": Outcome(
        404, "No such import", "`GET /v1/imports` lists those that are remembered: the last 50, for 7 days."
    ),
    "import_stays": Outcome(409, "The import cannot be taken back", "`detail` says why. Nothing changed."),
    "file_in_use": Outcome(409, "The file is being applied", "Ask for its state; it is applied once.", retryable=True),
    "unknown_channel": Outcome(
        404,
        "No such channel",
        "This partition has no channel with this name. Correct the name, or add it to the configuration file.",
    ),
    "unknown_source": Outcome(
        404,
        "No such source",
        "This partition has no source with this name. Correct the name, or add it to the configuration file.",
    ),
    "not_waiting": Outcome(
        404,
        "No such number waits",
        "No number of this SKU waits at this location: the source says another one by now. Nothing changed.",
    ),
    "unknown_order": Outcome(404, "No such order", "Check channel and number; no channel has told of it."),
    "unknown_paper": Outcome(
        404,
        "No such paper",
        "No command with this id was answered with one for this order, or it was erased. See the channel's outbox.",
    ),
    "not_in_inbox": Outcome(404, "Not in the inbox", "Nothing keeps this order from being booked. Nothing changed."),
    "unknown_api_key": Outcome(
        404,
        "No such API key",
        "`GET /v1/keys` lists those of this partition. A key of the configuration file is changed there. Nothing "
        "changed.",
    ),
    "api_key_revoked": Outcome(409, "The API key is revoked", "It is revoked for good. Create a new key."),
    "documents_missing": Outcome(409, "There is no documents database", "Name one in `HOLDFAST_DOCUMENTS_URL`."),
    "secret_key_missing": Outcome(
        409,
        "The server has no secret to sign with",
        "Set `HOLDFAST_SECRET_KEY`, the same for all processes of the server, and start it anew.",
    ),
    "key_taken": Outcome(
        409,
        "Key of another listing",
        "Give the SKU that has the key another one in the same request, or set its `listed` to false. Nothing changed.",
    ),
    "unknown_location": Outcome(
        404, "Location is not registered", "Register it with `PUT /v1/locations/{location}`, or correct the name."
    ),
    "unknown_reservation": Outcome(
        404,
        "No such reservation",
        "Check the id. It never existed in this partition, or it ended and its retention has passed.",
    ),
    "order_known": Outcome(
        409,
        "The order is booked already",
        "It came in from its channel by this number. Use the reservation that `reservation_id` names. Nothing changed.",
    ),
    "too_many_remembered": Outcome(
        409,
        "Too many cancels and releases wait for their reservations",
        f"A partition remembers {TOMBSTONES_MAX:,} at a time, each as long as an idempotency key. Send this again "
        "later, or when the reservation is there. Nothing changed.",
        retryable=True,
    ),
    "unknown_transfer": Outcome(
        404,
        "No such transfer",
        "Check the id. It never existed in this partition, or it was closed and its retention has passed.",
    ),
    "unknown_supply": Outcome(
        404,
        "No expected receipt with this id for this SKU",
        "Check the id and the SKU. A receipt that was fully received is kept for 90 days.",
    ),
    "unknown_parcel": Outcome(
        404,
        "Nothing was announced for this parcel",
        "Nothing that is still to come has this SSCC. Receive what is in the parcel article by article, or set `sscc`"
        " with `PUT /v1/supply/{supply_id}`.",
    ),
    "unknown_barcode": Outcome(
        422, "Barcode is not registered", "Register it with `PUT /v1/barcodes`, or send the SKU instead."
    ),
    "unknown_sku": Outcome(
        422,
        "No stock record for this SKU at this location",
        "Receive, count or import the SKU there first, or correct the name. If it has no stock and needs none, mark it "
        "with `PUT /v1/skus/{sku}`: `tracked` false. It can then be ordered, and stays unknown here.",
    ),
    "sku_has_stock": Outcome(
        409,
        "The SKU has a stock record",
        "Only a SKU without stock records can be untracked, and they stay. Use another SKU; `GET /v1/stock/{sku}` "
        "shows the records. Nothing changed.",
    ),
    "name_taken": Outcome(
        409,
        "The name is taken",
        "Another SKU or location has that name, had it before or is listed under it. Choose a name that was never "
        "used, or delete the other one or its listing first. "
        "Two that both have stock are not merged: move the units, then delete the empty one. Nothing changed.",
    ),
    "name_cycle": Outcome(
        409,
        "It had that name before",
        "An old name still leads to this one, so it cannot be taken back. Requests may still use the old name; "
        "choose another new name. Nothing changed.",
    ),
    "renamed_before": Outcome(
        409,
        "It was renamed already",
        "That is an old name, which now leads to another. Rename the newest one: `GET /v1/skus/{sku}` names it. "
        "Nothing changed.",
    ),
    "rename_unfinished": Outcome(
        409,
        "Another rename is not finished",
        "Its places are still being moved to the name before. Send the same request again in some seconds. "
        "Nothing changed.",
        retryable=True,
    ),
    "too_many_names": Outcome(
        409,
        "Too many old names",
        "It has had 100 names, and each is kept. Create it under a new name, and move the "
        "units there. Nothing changed.",
    ),
    "names_unread": Outcome(
        409,
        "Not all names are known yet",
        "The index of names is still being built, so nobody can tell whether the new name is taken. Send the same "
        "request again in some seconds. Nothing changed.",
        retryable=True,
    ),
    "location_in_use": Outcome(
        409,
        "The location is in use",
        "A location can be deleted at which no SKU has units, a line that waits or an allocation, to which nothing is "
        "expected or in transit, and that no channel's rules name. A SKU that is known nowhere else is deleted first. "
        "Nothing changed.",
    ),
    "sku_in_use": Outcome(
        409,
        "The SKU is in use",
        "A SKU can be deleted that has no units in any bucket, no line that waits, no allocation, no expected receipt "
        "and no listing, pack or bundle: `holdfast channels delete-listing` deletes those, or `DELETE /v1/channels/…`. "
        "`GET /v1/stock/{sku}` shows what is left. Nothing changed.",
    ),
    "already_committed": Outcome(
        409, "Already ordered", "After a lost answer this is the expected result; otherwise cancel."
    ),
    "already_released": Outcome(
        409, "Already released", "After a lost answer this is the expected result; otherwise create a new reservation."
    ),
    "expired": Outcome(409, "The hold has expired", "The units are no longer held. Create a new reservation."),
    "not_held": Outcome(
        409,
        "No units are held",
        "Read the reservation to see its state. Map lines that have no SKU yet; create a new reservation for others.",
    ),
    "not_committed": Outcome(
        409,
        "No units are committed",
        "Only committed units can be cancelled, shipped, or edited with `on_shortage` accept. Commit the reservation "
        "first.",
    ),
    "unknown_allocation": Outcome(
        404,
        "No allocation for this channel at this location",
        "`GET /v1/stock/{sku}` lists the allocations of every channel. Nothing changed.",
    ),
    "allocation_differs": Outcome(
        409,
        "The two channels have allocations of different kinds",
        "Set the same kind (own units or cap) for the other channel first, or remove its allocation. Nothing changed.",
    ),
    "too_many_allocations": Outcome(
        422,
        "Too many channels have an allocation at this location",
        "Remove an allocation that is no longer needed. Nothing changed.",
    ),
    "sourcing_incomplete": Outcome(
        422,
        "The SKUs lie at more locations than one order can look at",
        "Name the locations of some lines, order fewer SKUs at once, or send `sourcing` with a `group`. An order looks "
        "at 150,000 places at most, a SKU at a location each. No units are held.",
    ),
    "too_many_places": Outcome(
        422,
        "The SKU is known at too many locations",
        f"A SKU can be at {PLACES_PER_SKU_MAX:,} locations, and none is forgotten. Use a location where it is known;"
        " `GET /v1/stock/{sku}` lists them. Nothing changed.",
    ),
    "too_many_receipts": Outcome(
        422,
        "Too many receipts of the SKU are expected",
        f"A SKU can have {RECEIPTS_PER_SKU_MAX:,} open expected receipts. Change one of them, or remove those that will"
        " not come. Nothing changed.",
    ),
    "transfer_closed": Outcome(
        409,
        "Transfer is closed",
        "All of its units were received or written off, or it was cancelled. Receive units that arrive all the same as "
        "a movement.",
    ),
    "transfer_arrived": Outcome(
        409,
        "Units of the transfer have arrived",
        "It has left, so it cannot be cancelled. Receive the rest, or close it with what is lost; send units back with "
        "a transfer of their own. Nothing changed.",
    ),
    "not_fulfilled": Outcome(
        409, "No units were shipped", "Only shipped units can be returned. Release or cancel the others instead."
    ),
    "not_open": Outcome(
        409,
        "The lines are already bound to another location",
        "Leave `location` out, or move the lines first; `lines` lists where they are.",
    ),
    "line_unmapped": Outcome(
        409,
        "The SKU of the line is not known yet",
        "Map the line to a SKU first with `POST /v1/reservations/{id}/lines`, or leave it out. Nothing changed.",
    ),
    "line_mapped": Outcome(
        409,
        "The line has a SKU already",
        "Cancel its units and order the other SKU; the reservation lists the SKU of each line. Nothing changed.",
    ),
    "named_twice": Outcome(
        422,
        "Two elements are about the same line",
        "Name each line once, and a SKU either by itself, by its locations or by the numbers of its lines. Nothing "
        "changed.",
    ),
    "below_shipped": Outcome(
        409,
        "Fewer units than were shipped",
        "Send at least the units that `lines` lists as available: they were shipped. Return those that come back with "
        "`POST /v1/reservations/{id}/return`. Nothing changed.",
    ),
    "nothing_left": Outcome(
        409,
        "The reservation would have no units",
        "Release the hold, or cancel the order, instead: both end it. Nothing changed.",
    ),
    "exceeds_remaining": Outcome(
        422, "Exceeds the remaining quantity", "Read the current quantities and send a smaller one. Nothing changed."
    ),
    "exceeds_bucket": Outcome(
        422, "Exceeds the units in the bucket", "Take at most the units that `lines` lists. Nothing changed."
    ),
    "baseline_expired": Outcome(
        409,
        "Baseline of the count is too old",
        "What moved since is not known any more. Read the stock again, and count against its new `seq`. Nothing "
        "changed.",
    ),
    "counted_since": Outcome(
        409,
        "A later count of this SKU at this location is known",
        "The later one stands. To set another number, count again now. Nothing changed.",
    ),
    "ahead_of_clock": Outcome(
        422,
        "The time of the count has not come yet",
        "Correct the clock of the device that counted, or leave `counted_at` out. It may be 60 s ahead of the store's. "
        "Nothing changed.",
    ),
    "too_many_lines": Outcome(
        422,
        "Exceeds the lines that a reservation can have",
        f"A reservation can have {RECORD_LINES_MAX} lines, and moved and split lines add to them. Move or split fewer.",
    ),
    "location_closed": Outcome(
        409,
        "The location is closed, or no location of the group is open",
        "Name another location, or open this one. No units are held.",
        retryable=True,
    ),
    "location_mirrored": Outcome(
        409,
        "The location is filled from outside",
        "A channel or a supplier's feed alone says what lies there. Name a location of your own; what you send there "
        "leaves one of yours by an adjustment. Nothing changed.",
    ),
    "too_many_splits": Outcome(
        409,
        "The order needs more locations than splits_max or the lines of a reservation allow",
        "Allow a larger `splits_max`, reduce the quantity, or divide the order. No units are held.",
        retryable=True,
    ),
    "exceeds_available": Outcome(
        409,
        "Exceeds unreserved stock",
        "Reduce the quantity: reserved and allocated units cannot be taken. Nothing changed.",
        retryable=True,
    ),
    "out_of_range": Outcome(
        422,
        "A counter would leave its range",
        "A bucket, and what is available, stay within 10^15 units, and an order can leave a SKU short of 10^9 at a"
        " location. Send a smaller quantity, or correct the stock first. Nothing changed.",
    ),
    "similar_name": Outcome(
        422,
        "A name like this one is known",
        "Send the name that is known, which `similar` has. If it is another thing, send `allow_similar` true. Nothing"
        " changed.",
    ),
    "unregistered_location": Outcome(
        422,
        "No such location",
        "Locations are registered here, and this one is not. Correct the name, or register it first with"
        " `PUT /v1/locations/{location}`. To make it known all the same, send `allow_similar` true. Nothing changed.",
    ),
    "out_of_stock": Outcome(
        409,
        "Insufficient stock",
        "Reduce the quantity to what `lines` lists, or try again later. No units are held. A channel with `locations` "
        "in its rules gets what lies there; a line that names a location is taken from it all the same.",
        retryable=True,
    ),
    "quota_exceeded": Outcome(
        409,
        "The key would hold too many units",
        "Commit or release what it holds, or wait until that expires. Nothing changed.",
        retryable=True,
    ),
    "overloaded": Outcome(
        503,
        "Overloaded; the request was not processed",
        "Send the same request again after `Retry-After` seconds.",
        retryable=True,
    ),
    "store_unavailable": Outcome(
        503,
        "Store unavailable; the request was not processed",
        "Send the same request again after `Retry-After` seconds.",
        retryable=True,
    ),
    "documents_unavailable": Outcome(503, "Documents database unavailable", "Send it again later.", retryable=True),
    "outcome_unknown": Outcome(
        503,
        "Outcome unknown; the request may have been processed",
        "Send the same request again with the same key to find out.",
        retryable=True,
    ),
    "internal_error": Outcome(
        500,
        "Internal server error",
        "The server logged the error. Send the same request again with the same key, and report it.",
    ),
}
"""Refusals and errors, the only place where they are described. Successes carry the reservation's state instead."""
