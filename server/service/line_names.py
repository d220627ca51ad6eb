"""What the lines of an order mean that name something else than a SKU: a channel's key, or a barcode.

This is the one place where such a line becomes lines of SKUs. A pack or bundle becomes one for each component.
"""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from server.domain import limits
from server.domain.channels import KEY_BYTES_MAX, Listing, is_channel_name
from server.domain.components import Component
from server.domain.reservation import ChannelLine, ChannelPart, Reservation
from server.schemas.common import UNNAMED, LineBody
from server.schemas.problems import LineProblem
from server.schemas.reservations import OrderBody, ReserveBody
from server.schemas.sourcing import ExplainBody
from server.service.caller import Caller
from server.service.checks import InvalidError, check_channel, check_name
from server.service.problems import ProblemError, problem
from server.service.scans import Scan, find_here, known_pack, scan_instead, units_of
from server.store.connection.timeouts import in_report_time, in_time
from server.store.repositories.barcodes import Pack
from server.store.repositories.channels import ChannelStore

LOOK_AGAIN_S: Final = 60.0
"""A key that is not found has all listings of its channel looked through, as an earlier release keeps no keys. So
often: it takes the store a tenth of a second for 100,000 listings."""
_TOO_MANY: Final = "The listings could not be looked through for a key in time; try again."


class NamedLines(NamedTuple):
    """Lines that name SKUs only, and the lines of the channel that they come from."""

    lines: list[LineBody]
    channel_lines: list[ChannelLine]


def names_others(lines: Sequence[LineBody]) -> bool:
    """Return whether a line names something else than a SKU. Runs for every order, so it is short."""
    for line in lines:  # noqa: SIM110  # a generator costs more than the rest
        if not line.sku or line.key is not msgspec.UNSET or line.barcode is not msgspec.UNSET:
            return True
    return False


async def named(
    caller: Caller, body: ReserveBody | OrderBody | ExplainBody, known: Reservation | None = None
) -> NamedLines:
    """Find what the lines of a reserve or order mean.

    ``known``: the reservation that an earlier request made, if this one repeats it. It means what it meant then.

    Raises
    ------
    InvalidError
        A line names nothing, or two things, or is about too many units or lines.
    ProblemError
        The channel has no listing with a key, or a barcode is not registered. Of an order that is sold already, either
        stays as it is written.
    StoreUnavailableError
        The store did not answer in time.

    """
    if known is not None:
        return _as_known(known)
    is_sold = isinstance(body, OrderBody) and body.on_shortage == "accept"
    is_partial = not isinstance(body, ExplainBody) and body.policy == "partial"
    body = replace(body, lines=await _with_skus(caller, body.lines, is_sold=is_sold, is_partial=is_partial))
    keys = {i: _key(f"lines[{i}]", line) for i, line in enumerate(body.lines) if not line.sku}
    if not keys:
        return _exploded(body, keys, {})
    if body.channel is None:
        raise InvalidError("channel", "must be there where lines have its keys")
    channel = check_channel("channel", body.channel)
    found = await find_listings(caller, channel, list(dict.fromkeys(keys.values())))
    missing = [(i, key) for i, key in keys.items() if key not in found]
    if missing and not is_sold:
        raise _not_listed(channel, body.lines, missing)
    return _exploded(body, keys, found)


async def _with_skus(caller: Caller, lines: Sequence[LineBody], *, is_sold: bool, is_partial: bool) -> list[LineBody]:
    """Return the lines with SKUs in place of barcodes; others as they are.

    ``is_sold``: a barcode that nobody knows stays in place of its SKU, to be mapped later. ``is_partial``: a line may
    get some of its units.

    Raises as :func:`named`.
    """
    scans = [_scan_of(f"lines[{i}]", line) for i, line in enumerate(lines)]
    found = await find_here(caller, scans)
    named = []
    for i, (line, scan) in enumerate(zip(lines, scans, strict=True)):
        if scan is None:
            named.append(line)
            continue
        pack = Pack(_as_written(scan)) if is_sold and scan not in found else known_pack(scan, found)
        if is_partial and pack.factor > 1:
            raise InvalidError("policy", "may not be partial where a line is a pack: a part of it is none")
        units = units_of(f"lines[{i}].quantity", line.quantity, pack.factor)
        named.append(replace(line, sku=pack.sku, quantity=units, barcode=msgspec.UNSET))
    return named


def _scan_of(at: str, line: LineBody) -> Scan | None:
    if line.barcode is msgspec.UNSET:
        return None
    if line.key is not msgspec.UNSET:
        raise InvalidError(f"{at}.barcode", "may not stand beside key")
    return scan_instead(f"{at}.", line.sku or None, line.barcode)


def _as_written(scan: Scan) -> str:
    """Return what stands in an order that is sold: the number of the article, or the barcode as it was read."""
    if scan.gtin:
        return scan.gtin
    if not scan.spellings:
        raise InvalidError(scan.field, scan.fault)
    return scan.spellings[0]


async def find_listings(caller: Caller, channel: str, keys: Sequence[str]) -> dict[str, Listing]:
    """Find the listings of a channel that have keys; those without one are left out.

    Where the channel lists all SKUs, a key that no listing has is the name of a SKU.
    """
    found = await stored_listings(caller, channel, keys)
    settings = caller.partition.channels.get(channel)
    is_all = settings is not None and settings.listings == "all"
    return {key: Listing(key, key) for key in keys} | found if is_all else found


async def stored_listings(caller: Caller, channel: str, keys: Sequence[str]) -> dict[str, Listing]:
    """Find those listings of a channel that are stored and have keys."""
    if not is_channel_name(channel):
        return {}
    partition = caller.partition
    store = ChannelStore(partition.client, partition.keyspace)
    found = await in_time(store.find_keys(channel, keys))
    if len(found) < len(keys) and _may_look(partition.keyspace.partition, channel):
        missing = [key for key in keys if key not in found]
        await in_report_time(store.index_keys(channel, missing), _TOO_MANY)
        found = await in_time(store.find_keys(channel, keys))
    return found


_CHANNELS_MAX: Final = 10_000
_looked_at: Final[dict[tuple[str, str], float]] = {}
"""When all listings of a channel were looked through last, by partition and channel."""


def _may_look(partition: str, channel: str) -> bool:
    now_s, of = monotonic(), (partition, channel)
    if now_s - _looked_at.get(of, -LOOK_AGAIN_S) < LOOK_AGAIN_S:
        return False
    if len(_looked_at) >= _CHANNELS_MAX:
        _looked_at.clear()
    _looked_at[of] = now_s
    return True


def _key(at: str, line: LineBody) -> str:
    if not isinstance(line.key, str):
        raise InvalidError(f"{at}.sku", "must be there, or the channel's key or a barcode in its place")
    return check_name(f"{at}.key", line.key, KEY_BYTES_MAX)


def _exploded(
    body: ReserveBody | OrderBody | ExplainBody, keys: Mapping[int, str], found: Mapping[str, Listing]
) -> NamedLines:
    lines, as_written = list[LineBody](), list[tuple[str, int, int, list[Component]]]()
    for i, line in enumerate(body.lines):
        if line.key is not msgspec.UNSET and line.sku:
            raise InvalidError(f"lines[{i}].key", "may not stand beside sku")
        components = _components(keys[i], found) if i in keys else []
        if i in keys:
            as_written.append((keys[i], line.quantity, len(lines) + 1, components))
            _check_whole(f"lines[{i}]", body, line, components)
        lines += [
            replace(line, sku=each.sku, key=msgspec.UNSET, quantity=line.quantity * each.quantity)
            for each in components
        ] or [line]
    if len(lines) > limits.LINES_MAX:
        rule = f"are {len(lines)} with the components of their packs and bundles; {limits.LINES_MAX} at most"
        raise InvalidError("lines", rule)
    return NamedLines(lines, [_channel_line(*each, behind=len(lines)) for each in as_written])


def _components(key: str, found: Mapping[str, Listing]) -> list[Component]:
    """Return what a piece is made of; a key that nobody knows stays in place of its SKU."""
    listing = found.get(key)
    if listing is None:
        return [Component(key, 1)]
    return listing.made_of


def _check_whole(
    at: str, body: ReserveBody | OrderBody | ExplainBody, line: LineBody, components: Sequence[Component]
) -> None:
    if max(each.quantity for each in components) * line.quantity > limits.QUANTITY_MAX:
        raise InvalidError(f"{at}.quantity", f"is more than {limits.QUANTITY_MAX:,} units of a SKU")
    is_partial = not isinstance(body, ExplainBody) and body.policy == "partial"
    if is_partial and (len(components) > 1 or components[0].quantity > 1):
        raise InvalidError("policy", "may not be partial where a line is a pack or bundle: a part of it is none")


def _channel_line(key: str, quantity: int, first: int, components: Sequence[Component], *, behind: int) -> ChannelLine:
    parts = [ChannelPart(number, each.quantity) for number, each in enumerate(components, first)]
    return ChannelLine(key, quantity, parts, behind)


def _as_known(known: Reservation) -> NamedLines:
    """Return the lines that an earlier request made; where they were split meanwhile, as many as there are now."""
    lines = [
        LineBody(quantity=each.requested, sku=each.text or each.sku, location=each.location or UNNAMED)
        for each in known.lines[: limits.LINES_MAX]
    ]
    return NamedLines(lines, known.channel_lines)


def _not_listed(channel: str, lines: Sequence[LineBody], missing: Sequence[tuple[int, str]]) -> ProblemError:
    detail = f"{channel} has no listing with the key {missing[0][1]}. List it first, or send the sku. Nothing changed."
    refused = [LineProblem(i + 1, key, "", lines[i].quantity, 0) for i, key in missing]
    return ProblemError(problem("unknown_sku", detail, lines=refused))
