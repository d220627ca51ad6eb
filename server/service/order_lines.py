"""What the lines of a channel's order are: by its key, by a barcode, or by the merchant's own SKU; nothing is guessed.

A line that is none of these is booked as it is written, and waits to be mapped.
"""

from collections.abc import Callable, Container, Mapping, Sequence

from msgspec.structs import replace

from server.domain.channel_orders import ChannelOrderLine
from server.domain.channels import KEY_BYTES_MAX
from server.domain.components import Component
from server.domain.order_steps import Meant
from server.domain.reservation import Reservation
from server.service.caller import Caller
from server.service.checks import InvalidError, check_name, check_sku
from server.service.current_names import current
from server.service.line_names import find_listings
from server.service.scans import Scan, check_scan, find_here
from server.store.connection.timeouts import in_time
from server.store.repositories.booked_orders import known_names


async def meanings(caller: Caller, channel: str, lines: Sequence[ChannelOrderLine]) -> dict[str, Meant]:
    """Find what the lines mean, by their keys.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    found = await _listed(caller, channel, lines)
    found |= await _scanned(caller, [line for line in lines if line.key not in found])
    hints = {line.key: hint for line in lines if line.key not in found and (hint := _as_sku(line.sku_hint))}
    wanted = list(dict.fromkeys([*(each.sku for of_line in found.values() for each in of_line), *hints.values()]))
    partition = caller.partition
    names, known = await in_time(known_names(partition.client, partition.keyspace, wanted))
    found |= {key: [Component(sku, 1)] for key, sku in hints.items() if names[sku] in known}
    return {line.key: _meant(line, found.get(line.key), names, known) for line in lines}


async def named_now(
    caller: Caller, found: Mapping[str, Reservation], meant: Mapping[str, Meant]
) -> tuple[dict[str, Reservation], dict[str, Meant]]:
    """Return reservations and meanings with what their SKUs are called now: asked together, for they are compared.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    if not found:
        return {}, dict(meant)
    of_lines = [line.sku for each in found.values() for line in each.lines]
    of_parts = [part.sku for each in meant.values() if each.known for part in each.components]
    skus = list(dict.fromkeys([*of_lines, *of_parts]))
    names = dict(zip(skus, await current(caller, skus), strict=True))
    reservations = {
        name: replace(each, lines=[replace(line, sku=names[line.sku]) for line in each.lines])
        for name, each in found.items()
    }
    meanings_now = {
        key: each._replace(components=[replace(part, sku=names[part.sku]) for part in each.components])
        if each.known
        else each
        for key, each in meant.items()
    }
    return reservations, meanings_now


def _meant(
    line: ChannelOrderLine, found: Sequence[Component] | None, names: Mapping[str, str], known: Container[str]
) -> Meant:
    written = _written(line)
    if found is None:
        return Meant(written, [Component(written, 1)], known=False)
    units: dict[str, int] = {}
    for each in found:
        sku = names.get(each.sku, each.sku)
        units[sku] = units.get(sku, 0) + each.quantity
    components = [Component(sku, quantity) for sku, quantity in units.items()]
    return Meant(line.listing or written, components, known=all(sku in known for sku in units))


async def _listed(caller: Caller, channel: str, lines: Sequence[ChannelOrderLine]) -> dict[str, list[Component]]:
    keys = {line.key: key for line in lines if (key := _valid(_as_key, line.listing))}
    if not keys:
        return {}
    listings = await find_listings(caller, channel, list(dict.fromkeys(keys.values())))
    return {line: listings[key].made_of for line, key in keys.items() if key in listings}


async def _scanned(caller: Caller, lines: Sequence[ChannelOrderLine]) -> dict[str, list[Component]]:
    scans: dict[str, Scan] = {}
    for line in lines:
        if line.barcode:
            try:
                scans[line.key] = check_scan("barcode", line.barcode)
            except InvalidError:
                continue
    found = await find_here(caller, scans.values())
    return {
        key: [Component(found[scan].pack.sku, found[scan].pack.factor)] for key, scan in scans.items() if scan in found
    }


def _written(line: ChannelOrderLine) -> str:
    """Return what stands in place of a SKU."""
    texts = (line.listing, line.barcode, line.sku_hint, line.key, "?")
    return next(text for each in texts if (text := _as_sku(each)))


def _as_sku(text: str) -> str:
    return _valid(lambda each: check_sku("sku", each), text)


def _as_key(text: str) -> str:
    return check_name("listing", text, KEY_BYTES_MAX)


def _valid(check: Callable[[str], str], text: str) -> str:
    try:
        return check(text) if text else ""
    except InvalidError:
        return ""
