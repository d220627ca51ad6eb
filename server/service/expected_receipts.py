"""Expected receipts: what suppliers are to deliver, how much, when, and what is available to promise by day."""

from datetime import date, timedelta
from typing import Final, NamedTuple

import msgspec

from server.domain.available_to_promise import DAYS_MAX, AtpDay, Dated, available_to_promise, late
from server.domain.expected_receipt import ExpectedReceipt
from server.domain.operations.expected_receipts import Expect, Forgo
from server.domain.stock import Outlook
from server.schemas.expected_receipts import AtpQuery, ExpectedReceiptBody, ExpectedReceiptQuery
from server.service.calendars import calendar_of
from server.service.caller import Caller
from server.service.checks import InvalidError, check_id_in_path, check_location, check_reference, check_sku
from server.service.likeness import as_asked, is_allowed
from server.service.pages import check_position, next_of, place_in
from server.service.parcels import check_sscc
from server.service.scans import pack_of, units_of
from server.store.connection.timeouts import in_time
from server.store.repositories.expected_receipts import page_of_supply, read_outlook, read_supply

_DAYS_DEFAULT: Final = 30
_PAGE: Final = 50
_decode_position = msgspec.json.Decoder(tuple[int]).decode
_decode_day = msgspec.json.Decoder(tuple[str, str]).decode


def check_supply_id(supply_id: str) -> str:
    """Return the id of the expected receipt that a path names."""
    return check_id_in_path("supply_id", supply_id)


async def expect_operation(caller: Caller, supply_id: str, body: ExpectedReceiptBody) -> Expect:
    """Make the operation that sets what is to come, and when.

    Raises
    ------
    InvalidError
        A field breaks a rule.
    UnknownBarcodeError
        The barcode is not registered.
    StoreUnavailableError
        The barcode could not be looked up. Nothing happened.

    """
    target = check_supply_id(supply_id)
    pack = await pack_of(caller, "", body.sku, body.barcode)
    return Expect(
        caller.fingerprint("expect", target, as_asked(body)),
        caller.actor,
        caller.key,
        target,
        check_sku("sku", pack.sku),
        check_location("location", body.location),
        units_of("quantity", body.quantity, pack.factor),
        body.expected_on,
        check_reference("reference", body.reference),
        check_sscc("sscc", body.sscc) if isinstance(body.sscc, str) else "",
        is_allowed(body),
    )


def forgo_operation(caller: Caller, supply_id: str) -> Forgo:
    """Make the operation that expects a receipt no longer."""
    target = check_supply_id(supply_id)
    return Forgo(caller.fingerprint("forgo", target), caller.actor, caller.key, target)


async def find_receipt(caller: Caller, supply_id: str) -> ExpectedReceipt | None:
    """Read one expected receipt; ``supply_id`` was checked.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    return await in_time(read_supply(caller.partition.client, caller.partition.keyspace, supply_id))


async def outlook_of(caller: Caller, sku: str, location: str | None) -> Outlook:
    """Read what is available of a SKU and what is still to come, at one location or (None) at all.

    Raises
    ------
    InvalidError
        The SKU or location cannot be one.
    StoreUnavailableError
        The store did not answer in time.

    """
    only_at = "" if location is None else check_location("location", location)
    partition = caller.partition
    return await in_time(
        read_outlook(partition.client, partition.keyspace, partition.limits, check_sku("sku", sku), only_at)
    )


class SupplyPage(NamedTuple):
    """Some receipts that are still to come; ``following`` is where the next page begins, empty: that were all."""

    found: list[tuple[str, ExpectedReceipt]]
    as_of_ms: int
    following: str


async def find_supply(caller: Caller, query: ExpectedReceiptQuery) -> SupplyPage:
    """Read what is still to come, a page at a time.

    Raises
    ------
    InvalidError
        A field breaks a rule, or ``after`` is not what a page returned as its next.
    StoreUnavailableError
        The store did not answer in time.

    """
    if query.sku is not None:
        return await _of_sku(caller, query.sku, query)
    client, keyspace = caller.partition.client, caller.partition.keyspace
    location = "" if query.location is None else check_location("location", query.location)
    position = check_position(*place_in(query.after, _decode_position)) if query.after else 0
    count = _PAGE if query.limit is msgspec.UNSET else query.limit
    part = await in_time(page_of_supply(client, keyspace, position, count, location))
    return SupplyPage(part.found, part.as_of_ms, next_of((part.following,)) if part.following else "")


async def _of_sku(caller: Caller, sku: str, query: ExpectedReceiptQuery) -> SupplyPage:
    """Read those of a SKU by their days; without a limit all at once, as ever."""
    found = await outlook_of(caller, sku, query.location)
    behind = place_in(query.after, _decode_day) if query.after else ("", "")
    left = [each for each in found.supply if _day(each) > behind]
    page = left if query.limit is msgspec.UNSET else left[: query.limit]
    return SupplyPage(page, found.as_of_ms, next_of(_day(page[-1])) if len(page) < len(left) else "")


def _day(each: tuple[str, ExpectedReceipt]) -> tuple[str, str]:
    return each[1].expected_on.isoformat(), each[0]


class Forecast(NamedTuple):
    """Available to promise of a SKU by day, in units. ``late`` ones were expected before today and count for nothing.

    ``waiting`` units are backordered: what comes fills those before it is available. What lies, waits or is expected
    at a closed location is in none of these.
    """

    available: int
    late: int
    days: list[AtpDay]
    as_of_ms: int
    waiting: int
    time_zone: str


async def forecast(caller: Caller, sku: str, query: AtpQuery) -> Forecast | None:
    """Compute what is available to promise by day; the days are those of the partition. None: unknown SKU.

    Raises
    ------
    InvalidError
        A field breaks a rule.
    StoreUnavailableError
        The store did not answer in time.

    """
    found = await outlook_of(caller, sku, query.location)
    calendar = await calendar_of(caller)
    today, time_zone = calendar.date_at(found.as_of_ms), calendar.zone_at(found.as_of_ms)
    start, end = _window(query, today, time_zone)
    if not found.levels and not found.supply:
        return None
    levels = [level for level in found.levels if level.location not in found.closed]
    available = sum(level.available for level in levels)
    supply = [Dated(each.expected_on, each.expected) for _, each in found.supply if each.location not in found.closed]
    # Held and committed units have left what is available. Backordered ones have not, and take what comes first.
    waiting = sum(level.waiting for level in levels)
    days = available_to_promise(available, supply, [Dated(today, waiting)], today=today, start=start, end=end)
    return Forecast(available, late(supply, today), days, found.as_of_ms, waiting, time_zone)


def _window(query: AtpQuery, today: date, time_zone: str) -> tuple[date, date]:
    start = query.from_ or today
    if start < today:
        raise InvalidError("from", f"must not be before today, {today} in {time_zone}")
    if start > date.max - timedelta(days=DAYS_MAX):
        raise InvalidError("from", "must leave room for the days after it")
    end = query.to or start + timedelta(days=_DAYS_DEFAULT - 1)
    if not start <= end < start + timedelta(days=DAYS_MAX):
        raise InvalidError("to", f"must be from or at most {DAYS_MAX - 1} days later")
    return start, end
