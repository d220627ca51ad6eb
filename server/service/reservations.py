"""Reservations: from what is asked for to the ledger's operations, and carrying them out."""

from collections.abc import Awaitable, Mapping
from hashlib import blake2b
from typing import Final

import msgspec

from server.domain import limits
from server.domain.answers import ReservationAnswer
from server.domain.operations.base import fingerprint
from server.domain.operations.reservations import (
    Cancel,
    Commit,
    Extend,
    Fulfil,
    Line,
    LineQuantity,
    LineRelocation,
    Order,
    Release,
    ReleaseBecause,
    Relocate,
    Reserve,
)
from server.domain.reservation import Reservation
from server.schemas.common import UNNAMED, LineBody
from server.schemas.reservations import (
    CancelBody,
    CommitBody,
    ExtendBody,
    FulfilBody,
    ListQuery,
    OrderBody,
    ReleaseBody,
    RelocateBody,
    ReserveBody,
)
from server.service.binding import check_binding
from server.service.caller import Caller
from server.service.checks import (
    InvalidError,
    check_channel,
    check_id_in_path,
    check_location,
    check_reason,
    check_reference,
    check_reservation_id,
    check_sku,
    check_text,
    is_plain_place,
)
from server.service.key_limits import check_channel_of_key, check_customer, held_s
from server.service.line_names import NamedLines, named, names_others
from server.service.order_channels import is_refused, repeated
from server.service.order_numbers import numbered
from server.service.part_names import NO_SCANS, Parts, named_parts
from server.service.scans import Found, Scan
from server.service.sourcing import check_sourcing, planned, planned_lines
from server.store.connection.timeouts import in_time
from server.store.repositories import reservations
from server.store.repositories.reservations import Page

# -- new ones


def reserve_operation(caller: Caller, body: ReserveBody, named: NamedLines | None = None) -> Reserve:
    """Make the operation that holds units; ``named``: what its lines mean where they name something else than SKUs.

    Raises
    ------
    InvalidError
        A field breaks a rule, or holds for longer than the caller's key may; or the key's quota needs a customer.
    ProblemError
        The caller's key is bound to another channel.

    """
    reservation_id, body_fingerprint = _identity(caller, "reserve", body)
    ttl_s = caller.partition.ttl_default_s if body.ttl_s is None else body.ttl_s
    quota = None
    if (key_limits := caller.principal.limits) is not None:
        # Asked here where they are usual, for a call costs more than the question.
        if key_limits.channel:
            check_channel_of_key(key_limits, body.channel)
        if key_limits.ttl_max_s:
            ttl_s = held_s(key_limits, body.ttl_s, ttl_s)
        if (quota := key_limits.quota) is not None and not body.customer_ref:
            check_customer(quota)
    lines, channel_lines = (body.lines, []) if named is None else named
    channel, order_ref, customer_ref = _check_common(body, lines)
    return Reserve(
        body_fingerprint, caller.principal.actor, reservation_id, channel, lines_of(lines), ttl_s * 1000,
        body.policy == "partial", order_ref, customer_ref, body.flags, body.policy == "backorder", channel_lines, quota,
    )  # fmt: skip


def order_operation(caller: Caller, body: OrderBody, named: NamedLines | None = None) -> Order:
    """Make the operation that reserves and commits at once; errors as for :func:`reserve_operation`."""
    reservation_id, body_fingerprint = _identity(caller, "order", body)
    if caller.principal.limits is not None:
        check_channel_of_key(caller.principal.limits, body.channel)
    lines, channel_lines = (body.lines, []) if named is None else named
    channel, order_ref, customer_ref = _check_common(body, lines)
    return Order(
        body_fingerprint, caller.principal.actor, reservation_id, channel, lines_of(lines),
        body.on_shortage == "accept", body.policy == "partial", order_ref, customer_ref, body.flags,
        body.policy == "backorder", channel_lines,
    )  # fmt: skip


async def named_lines(caller: Caller, name: str, body: ReserveBody | OrderBody) -> NamedLines | None:
    """Find what lines mean that name something else than SKUs; None: there is none.

    A repeated request means what it meant the first time, also where listings have changed since.

    Raises as :func:`~server.service.line_names.named`.
    """
    if not names_others(body.lines):
        return None
    if caller.principal.limits is not None:
        check_channel_of_key(caller.principal.limits, body.channel)
    reservation_id, body_fingerprint = _identity(caller, name, body)
    if body_fingerprint:
        known = (await caller.ledger.reservation(reservation_id)).reservation
        if known is not None and known.fingerprint == body_fingerprint:
            return await named(caller, body, known)
    return await named(caller, body)


def make(caller: Caller, body: ReserveBody | OrderBody, operation: Reserve | Order) -> Awaitable[ReservationAnswer]:
    """Carry a new reservation or order out; the store chooses the locations of lines that name none.

    Raises as :meth:`~server.store.ledger.ledger.Ledger.run`, and ProblemError where the channel may not be named.
    """
    if caller.partition.other_channels is not None and is_refused(caller.partition, operation):
        return repeated(caller, operation)
    # The first reading of the locations tells the store which are closed, if an older release has registered them.
    if body.sourcing is msgspec.UNSET and caller.partition.locations.known() is not None:
        return caller.ledger.run(numbered(caller, operation, operation) if operation.order_ref else operation)
    return _sourced(caller, body, operation)


async def _sourced(caller: Caller, body: ReserveBody | OrderBody, operation: Reserve | Order) -> ReservationAnswer:
    return await caller.ledger.run(numbered(caller, operation, await planned(caller, body, operation)))


def _identity(caller: Caller, name: str, body: ReserveBody | OrderBody) -> tuple[str, str]:
    """Return the id under which a reservation is kept, and the fingerprint of its body.

    The caller's own id comes first; else one that follows from the idempotency key; else a new one, which
    no retry can ever name, and which therefore needs no fingerprint.
    """
    if body.reservation_id is not None:
        reservation_id = check_reservation_id("reservation_id", body.reservation_id)
        limits = caller.principal.limits
        if limits is not None and limits.writes_own:  # the same body of another is no repetition of theirs
            return reservation_id, fingerprint(name, body, *lines_to_plan(body), caller.principal.key)
        return reservation_id, fingerprint(name, body, *lines_to_plan(body))
    if caller.key:
        return id_of_key("k", caller.key), fingerprint(name, body, *lines_to_plan(body))
    return caller.partition.new_id(), ""


def id_of_key(kind: str, key: str) -> str:
    """Return the id that follows from an idempotency key; ``kind`` is the letter that it begins with."""
    return kind + blake2b(key.encode(), digest_size=16).hexdigest()


def lines_to_plan(body: ReserveBody | OrderBody) -> list[list[int]]:
    """Return which lines are to be planned, as a part of the fingerprint that the body lacks; empty where none is."""
    return [] if body.sourcing is msgspec.UNSET else [planned_lines(body.lines)]


def lines_of(lines: list[LineBody]) -> list[Line]:
    """Check the names in the lines and return the ledger's lines, their locations empty where they name none.

    All of them name a SKU, see :func:`named_lines`.
    """
    for line in lines:
        if not is_plain_place(line.sku, line.location):
            return [_line_of(f"lines[{i}]", each) for i, each in enumerate(lines)]
    return [Line(each.sku, "" if each.location is UNNAMED else each.location, each.quantity) for each in lines]


def _line_of(at: str, line: LineBody) -> Line:
    location = "" if line.location is UNNAMED else check_location(f"{at}.location", line.location)
    return Line(check_sku(f"{at}.sku", line.sku), location, line.quantity)


def _check_common(body: ReserveBody | OrderBody, lines: list[LineBody]) -> tuple[str, str, str]:
    """Check flags and sourcing; return the channel, order_ref and customer_ref, empty for None."""
    if body.sourcing is not msgspec.UNSET:
        check_sourcing(body.sourcing, lines, policy=body.policy)
    if body.flags:
        for i, flag in enumerate(body.flags):
            check_text(f"flags[{i}]", flag, limits.NAME_BYTES_MAX)
    return (
        check_channel("channel", body.channel),
        "" if body.order_ref is None else check_reference("order_ref", body.order_ref),
        "" if body.customer_ref is None else check_reference("customer_ref", body.customer_ref),
    )


# -- existing ones


def check_target(reservation_id: str) -> str:
    """Return the id of the reservation that a path names."""
    return check_id_in_path("reservation_id", reservation_id)


def extend_operation(caller: Caller, target: str, body: ExtendBody) -> Extend:
    """Make the operation that moves a hold's deadline; never to an earlier time. Raises InvalidError as a reserve."""
    body_fingerprint, life_max_s = caller.fingerprint("extend", target, body), 0
    if (key_limits := caller.principal.limits) is not None:
        held_s(key_limits, body.ttl_s, 0)
        life_max_s = key_limits.ttl_max_s
    return Extend(body_fingerprint, caller.actor, target, caller.key, body.ttl_s * 1000, life_max_s * 1000)


def commit_operation(caller: Caller, target: str, body: CommitBody, found: Mapping[Scan, Found] = NO_SCANS) -> Commit:
    """Make the operation that turns held units into ordered ones.

    ``found``: the barcodes of its lines, see :func:`~server.service.part_names.find_scanned`.

    Raises
    ------
    InvalidError
        A field breaks a rule.
    UnknownBarcodeError
        A barcode is not registered.

    """
    check_binding(body)
    order_ref = check_reference("order_ref", body.order_ref)
    body_fingerprint, lines = caller.fingerprint("commit", target, body), _parts(body.lines, found)
    return Commit(body_fingerprint, caller.actor, target, caller.key, lines, body.remainder == "keep", order_ref)


def release_operation(
    caller: Caller, target: str, body: ReleaseBody, found: Mapping[Scan, Found] = NO_SCANS
) -> Release:
    """Make the operation that releases held units; ``found`` and errors as for :func:`commit_operation`."""
    reason = check_reason(body.reason)
    body_fingerprint = caller.fingerprint("release", target, body)
    told = body_fingerprint, caller.actor, target, caller.key, _parts(body.lines, found), _remembers(body)
    return ReleaseBecause(*told, reason) if reason else Release(*told)


def cancel_operation(caller: Caller, target: str, body: CancelBody, found: Mapping[Scan, Found] = NO_SCANS) -> Cancel:
    """Make the operation that cancels ordered units; ``found`` as for :func:`commit_operation`.

    Raises
    ------
    InvalidError
        A field breaks a rule.

    """
    reason = check_reference("reason", body.reason)
    body_fingerprint = caller.fingerprint("cancel", target, body)
    lines = _parts(body.lines, found)
    return Cancel(body_fingerprint, caller.actor, target, caller.key, lines, reason, _remembers(body))


def fulfil_operation(caller: Caller, target: str, body: FulfilBody, found: Mapping[Scan, Found] = NO_SCANS) -> Fulfil:
    """Make the operation that ships ordered units; ``found`` as for :func:`commit_operation`.

    Raises
    ------
    InvalidError
        A field breaks a rule.

    """
    check_binding(body)
    return Fulfil(
        caller.fingerprint("fulfil", target, body),
        caller.actor,
        target,
        caller.key,
        _parts(body.lines, found),
        check_reference("tracking", body.tracking),
        check_reference("carrier", body.carrier),
        check_reference("invoice_ref", body.invoice_ref),
        check_reason(body.reason),
    )


async def relocate_operation(caller: Caller, target: str, body: RelocateBody) -> Relocate:
    """Make the operation that takes reserved units from other locations; the store refuses those that are closed.

    Raises
    ------
    InvalidError
        A field breaks a rule.
    StoreUnavailableError
        The locations could not be read. Nothing happened.

    """
    moves = [
        LineRelocation(line.line, line.quantity or 0, check_location(f"lines[{i}].to", line.to))
        for i, line in enumerate(body.lines)
    ]
    reason = check_reason(body.reason)
    # The first reading tells the store which are closed, if an older release has registered them.
    await caller.partition.locations.current()
    return Relocate(caller.fingerprint("move", target, body), caller.actor, target, caller.key, moves, reason)


def _remembers(body: CancelBody | ReleaseBody) -> bool:
    """Return whether it is to be remembered for a reservation that is not there yet: as a whole, for it has no lines.

    Raises
    ------
    InvalidError
        Parts of it are named.

    """
    if body.on_unknown != "remember":
        return False
    if body.lines:
        raise InvalidError("lines", "cannot be remembered in parts: leave lines out, or on_unknown")
    return True


def _parts(parts: Parts | None, found: Mapping[Scan, Found]) -> list[LineQuantity]:
    return [LineQuantity(*part) for part in named_parts(parts, found)] if parts else []


# -- reading

_FILTERS: Final = tuple(
    name
    for name in ListQuery.__struct_fields__
    if name in Reservation.__struct_fields__ and name not in ("state", "channel", "order_ref", "customer_ref")
)
"""Fields of a query that are texts of the record, and must be the same there."""


async def find(caller: Caller, query: ListQuery) -> Page:
    """Read the reservations that match, a page at a time.

    Raises
    ------
    InvalidError
        A field breaks a rule, or ``after`` is not what a page returned as its next.
    StoreUnavailableError
        The store did not answer in time.

    """
    fields = {name: getattr(query, name) for name in _FILTERS if getattr(query, name) is not None}
    fields = {name: check_reference(name, value) for name, value in fields.items()}
    channel = "" if query.channel is None else check_channel("channel", query.channel)
    sku = "" if query.sku is None else check_sku("sku", query.sku)
    partition = caller.partition
    try:
        return await in_time(
            reservations.list_reservations(
                partition.client,
                partition.keyspace,
                partition.limits,
                state="" if query.state is msgspec.UNSET else query.state,
                sku=sku,
                unmapped=query.unmapped,
                channel=channel,
                after=query.after,
                limit=query.limit,
                **fields,
            )
        )
    except ValueError as error:
        raise InvalidError("after", str(error)) from None
