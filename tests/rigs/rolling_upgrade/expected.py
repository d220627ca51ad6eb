"""What must be there at the end, by what callers were answered: every acknowledged request, and nothing else."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.rigs.rolling_upgrade.records import Record
from tests.rigs.rolling_upgrade.shelf import NEVER_PAID

Place = tuple[str, str]
"""A SKU and a location."""
BUCKETS: Final = ("on_hand", "held", "committed", "damaged", "quality_control", "safety")
UNITS: Final = ("quantity", "held", "committed", "fulfilled", "released", "expired", "returned", "backordered")
"""What a line of a reservation counts; the last is left out of an answer where it is 0."""

_RECEIPTS: Final = ("receive", "receive (expected)", "receive (barcode)")


@dataclass
class State:
    """What a run has made, as it is expected or as it was found.

    ``reservations`` and ``transfers`` are as the API shows them, by id; ``stock`` gives the buckets of each place;
    ``supplies`` how many units of each expected receipt came; ``figures`` the units of all in the report of sales.
    ``refused``: reservations that must not be there.
    """

    reservations: dict[str, Any] = field(default_factory=dict)
    transfers: dict[str, Any] = field(default_factory=dict)
    supplies: dict[str, int] = field(default_factory=dict)
    stock: dict[Place, dict[str, int]] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)


def expected(records: Sequence[Record]) -> State:
    """Work out what must be there, from the requests that were granted, in the order of their answers."""
    state = State()
    stock: dict[Place, dict[str, int]] = defaultdict(lambda: dict.fromkeys(BUCKETS, 0))
    for record in records:
        if not record.reply.granted:
            if record.ask.reservation_id:
                state.refused.add(record.ask.reservation_id)
            continue
        for move in record.ask.moves:
            buckets = stock[move.sku, move.location]
            buckets[move.bucket] = move.units if move.absolute else buckets[move.bucket] + move.units
        _note_answer(state, record)
    state.reservations = {name: _ended(each) for name, each in state.reservations.items()}
    for each in state.reservations.values():
        for line in each["lines"]:
            buckets = stock[line["sku"], line["location"]]
            buckets["held"] += line["held"]
            buckets["committed"] += line["committed"]
            buckets["on_hand"] -= line["fulfilled"]
    state.stock = dict(stock)
    state.figures = _figures(records, state)
    return state


def reservations_in(body: Any) -> list[Any]:
    """Pick the reservations that an answer holds: one, the two of an exchange, or those of a batch."""
    if not isinstance(body, dict):
        return []
    if "returned" in body and "reservation" in body:
        return [body["returned"], body["reservation"]]
    if "results" in body:
        return [each["reservation"] for each in body["results"] if "reservation" in each]
    return [body] if "reservation_id" in body and "lines" in body else []


def _note_answer(state: State, record: Record) -> None:
    body = record.reply.body
    for each in reservations_in(body):
        state.reservations[each["reservation_id"]] = each
    if "transfer_id" in body:
        state.transfers[body["transfer_id"]] = body
    if record.ask.kind == "expect":
        state.supplies.setdefault(body["supply_id"], 0)
    if record.ask.supply is not None:
        supply_id, units = record.ask.supply
        state.supplies[supply_id] += units


def _figures(records: Sequence[Record], state: State) -> dict[str, int]:
    """Add up what the report of sales must say, if each change was counted once, by whichever release."""
    lines = [line for each in state.reservations.values() for line in each["lines"]]
    came = [record.ask.moves for record in records if record.reply.granted and record.ask.kind in _RECEIPTS]
    return {
        "shipped": sum(line["fulfilled"] for line in lines),
        "returned": sum(line["returned"] for line in lines),
        "received": sum(move.units for moves in came for move in moves),
    }


def _ended(reservation: Any) -> Any:
    """Return what becomes of a reservation by itself: a hold that is never paid expires."""
    if reservation.get("order_ref") != NEVER_PAID:
        return reservation
    lines = [line | {"held": 0, "expired": line["expired"] + line["held"]} for line in reservation["lines"]]
    return reservation | {"state": "expired", "lines": lines}
