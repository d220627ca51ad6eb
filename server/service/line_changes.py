"""Lines of a reservation: from what is asked for to the operation that changes them."""

import msgspec

from server.domain.operations.reservations import Edit, LineEdit, LineMapping, MapLines
from server.schemas.reservations import ChangeLineBody, ChangeLinesBody
from server.service.caller import Caller
from server.service.checks import InvalidError, check_location, check_sku


async def lines_operation(caller: Caller, target: str, body: ChangeLinesBody) -> Edit | MapLines:
    """Make the operation that changes the quantities of lines, or that gives unmapped lines their SKUs.

    Raises
    ------
    InvalidError
        A field breaks a rule.
    StoreUnavailableError
        The locations could not be read. Nothing happened.

    """
    if all(line.quantity is msgspec.UNSET for line in body.lines):
        return _map_lines_operation(caller, target, body)
    edits = [_line_edit(f"lines[{i}]", line) for i, line in enumerate(body.lines)]
    # The first reading tells the store which are closed, if an older release has described them.
    await caller.partition.locations.current()
    ttl_ms = 0 if body.ttl_s is msgspec.UNSET else body.ttl_s * 1000
    return Edit(
        caller.fingerprint("edit", target, body), caller.actor, target, caller.key, edits, ttl_ms,
        body.on_shortage == "accept",
    )  # fmt: skip


def _line_edit(at: str, line: ChangeLineBody) -> LineEdit:
    if line.quantity is msgspec.UNSET:
        raise InvalidError(f"{at}.quantity", "is required where others have one: a request maps lines or edits them")
    if isinstance(line.line, int):
        if line.sku is not msgspec.UNSET or line.location is not msgspec.UNSET:
            raise InvalidError(f"{at}.line", "may not stand beside sku or location: a line keeps its own")
        return LineEdit(line.line, "", "", line.quantity)
    if line.sku is msgspec.UNSET:
        raise InvalidError(f"{at}.sku", "is required where line is left out")
    location = check_location(f"{at}.location", line.location) if isinstance(line.location, str) else ""
    return LineEdit(0, check_sku(f"{at}.sku", line.sku), location, line.quantity)


def _map_lines_operation(caller: Caller, target: str, body: ChangeLinesBody) -> MapLines:
    for name in ("ttl_s", "on_shortage"):
        if getattr(body, name) is not msgspec.UNSET:
            raise InvalidError(name, "goes with quantities: a line that is mapped keeps its own")
    named: set[int] = set()
    lines = []
    for i, line in enumerate(body.lines):
        for name in ("line", "sku"):
            if getattr(line, name) is msgspec.UNSET:
                raise InvalidError(f"lines[{i}].{name}", "is required without a quantity")
        assert isinstance(line.line, int)  # noqa: S101  # for the types
        assert isinstance(line.sku, str)  # noqa: S101
        sku = check_sku(f"lines[{i}].sku", line.sku)
        location = check_location(f"lines[{i}].location", line.location) if isinstance(line.location, str) else ""
        if line.line in named:
            raise InvalidError(f"lines[{i}].line", "is named twice; a line has one SKU")
        named.add(line.line)
        lines.append(LineMapping(line.line, sku, location))
    return MapLines(caller.fingerprint("map_lines", target, body), caller.actor, target, caller.key, lines)
