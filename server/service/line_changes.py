"""Lines of a reservation: from what is asked for to the operation that changes them."""

from collections.abc import Mapping

import msgspec

from server.domain.operations.reservations import Edit, LineEdit, LineMapping, MapLines
from server.schemas.reservations import ChangeLineBody, ChangeLinesBody
from server.service.caller import Caller
from server.service.checks import InvalidError, check_location, check_sku
from server.service.key_limits import held_s
from server.service.part_names import find_scanned, scanned_pack
from server.service.scans import Found, Scan, units_of
from server.store.repositories.barcodes import Pack


async def lines_operation(caller: Caller, target: str, body: ChangeLinesBody) -> Edit | MapLines:
    """Make the operation that changes the quantities of lines, or that gives unmapped lines their SKUs.

    Raises
    ------
    InvalidError
        A field breaks a rule.
    UnknownBarcodeError
        A barcode is not registered.
    StoreUnavailableError
        Barcodes or locations could not be read. Nothing happened.

    """
    found = await find_scanned(caller, body.lines)
    if all(line.quantity is msgspec.UNSET for line in body.lines):
        return _map_lines_operation(caller, target, body, found)
    edits = [_line_edit(i, line, found) for i, line in enumerate(body.lines)]
    # The first reading tells the store which are closed, if an older release has registered them.
    await caller.partition.locations.current()
    ttl_ms, life_max_s, quota = 0 if body.ttl_s is msgspec.UNSET else body.ttl_s * 1000, 0, None
    if (key_limits := caller.principal.limits) is not None:
        held_s(key_limits, ttl_ms // 1000, 0)
        life_max_s, quota = key_limits.ttl_max_s, key_limits.quota
    return Edit(
        caller.fingerprint("edit", target, body), caller.actor, target, caller.key, edits, ttl_ms,
        body.on_shortage == "accept", life_max_s * 1000, quota or False,
    )  # fmt: skip


def _line_edit(number: int, line: ChangeLineBody, found: Mapping[Scan, Found]) -> LineEdit:
    at, article = f"lines[{number}]", _article(number, line, found)
    if line.quantity is msgspec.UNSET:
        raise InvalidError(f"{at}.quantity", "is required where others have one: a request maps lines or edits them")
    if isinstance(line.line, int):
        if article is not None or line.location is not msgspec.UNSET:
            raise InvalidError(f"{at}.line", "may not stand beside sku, barcode or location: a line keeps its own")
        return LineEdit(line.line, "", "", line.quantity)
    if article is None:
        raise InvalidError(f"{at}.sku", "is required where line is left out, or a barcode in its place")
    location = check_location(f"{at}.location", line.location) if isinstance(line.location, str) else ""
    return LineEdit(0, article.sku, location, units_of(f"{at}.quantity", line.quantity, article.factor))


def _article(number: int, line: ChangeLineBody, found: Mapping[Scan, Found]) -> Pack | None:
    """Return what the SKU or barcode of an element names; None: it has neither."""
    at = f"lines[{number}]"
    if isinstance(line.barcode, str):
        if line.sku is not msgspec.UNSET:
            raise InvalidError(f"{at}.barcode", "may not stand beside sku")
        return scanned_pack(number, line.barcode, found)
    return None if line.sku is msgspec.UNSET else Pack(check_sku(f"{at}.sku", line.sku))


def _map_lines_operation(caller: Caller, target: str, body: ChangeLinesBody, found: Mapping[Scan, Found]) -> MapLines:
    for name in ("ttl_s", "on_shortage"):
        if getattr(body, name) is not msgspec.UNSET:
            raise InvalidError(name, "goes with quantities: a line that is mapped keeps its own")
    named: set[int] = set()
    lines = []
    for i, line in enumerate(body.lines):
        mapping = _line_mapping(i, line, found)
        if mapping.line in named:
            raise InvalidError(f"lines[{i}].line", "is named twice; a line has one SKU")
        named.add(mapping.line)
        lines.append(mapping)
    return MapLines(caller.fingerprint("map_lines", target, body), caller.actor, target, caller.key, lines)


def _line_mapping(number: int, line: ChangeLineBody, found: Mapping[Scan, Found]) -> LineMapping:
    at, article = f"lines[{number}]", _article(number, line, found)
    if line.line is msgspec.UNSET:
        raise InvalidError(f"{at}.line", "is required without a quantity")
    if article is None:
        raise InvalidError(f"{at}.sku", "is required without a quantity, or a barcode in its place")
    if article.factor > 1:
        rule = f"is of a pack of {article.factor}: send that of a single unit, or the sku; a line keeps its units"
        raise InvalidError(f"{at}.barcode", rule)
    location = check_location(f"{at}.location", line.location) if isinstance(line.location, str) else ""
    return LineMapping(line.line, article.sku, location)
