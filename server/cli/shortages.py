"""How commands write down what is short: which orders lack units by it, where else they are, and how to move them."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from server.domain.shortages import Elsewhere
from server.store.repositories.shortages import Shortage

HINTS_MAX: Final = 5
"""Lines of which is said how to move them; as JSON come all."""


def as_json(shortage: Shortage, elsewhere: Elsewhere) -> dict[str, Any]:
    """Return a shortage with its lines; ``other_locations`` None: nobody has looked."""
    lines = [
        {
            "reservation_id": each.reservation_id,
            "line": each.line,
            "lacks": each.lacks,
            "other_locations": _others(elsewhere.of(shortage.sku, each.channel, shortage.location)),
        }
        for each in shortage.lines
    ]
    return {
        "sku": shortage.sku,
        "location": shortage.location,
        "short": shortage.short,
        "lines": lines,
        "lines_complete": shortage.complete,
    }


def _others(places: list[tuple[str, int]] | None) -> list[dict[str, Any]] | None:
    return None if places is None else [{"location": name, "available": units} for name, units in places]


def sentences(shortages: Sequence[dict[str, Any]], *, names_sku: bool = False) -> Iterator[str]:
    """Say what is short, as :func:`as_json` has it, and how the first lines can be moved to where units are."""
    for each in shortages:
        what = each["sku"] if names_sku else f"at {each['location']}"
        lacking = ", ".join(f"{line['reservation_id']} lacks {line['lacks']:,}" for line in each["lines"]) or "no order"
        yield f"Short of {each['short']:,} {what}: {lacking}"
    movable = [line for each in shortages for line in each["lines"] if line["other_locations"]]
    for line in movable[:HINTS_MAX]:
        yield hint(line)
    if len(movable) > HINTS_MAX:
        yield f"{len(movable) - HINTS_MAX:,} more lines can be moved to other locations: see GET /v1/shortages."


def hint(line: dict[str, Any]) -> str:
    """Say which locations could give what a line lacks, and how to take it from the first of them."""
    others, lacks = line["other_locations"], line["lacks"]
    names = ", ".join(f"{each['location']} has {each['available']:,}" for each in others)
    move = {"line": line["line"], "to": others[0]["location"], "quantity": min(lacks, others[0]["available"])}
    body = msgspec.json.encode({"lines": [move]}).decode()
    return f"{names}. To take it from there: POST /v1/reservations/{line['reservation_id']}/move {body}"
