"""Tryton's adapter against a real Tryton over real sockets: what it says is so there, and what it is told is done."""

from collections.abc import AsyncIterator
from itertools import count
from typing import Any, Final

import msgspec
import pytest

from adapters.contract.errors import ClosedError, CredentialsError, CursorRefusedError, UnknownResultError
from adapters.contract.http import Answer, Exchange, Request
from adapters.contract.source import WHOLE, SoldLine, SoldOrder, Source, StockPage, Told, Untold
from adapters.tryton import SOURCE
from server.channels.connection.http_transport import Transport, converse
from tests.channels.tryton.erp import tomorrow
from tests.channels.tryton_server import LOGIN, SKUS, TRYTON_TIMEOUT_S, UNITS, TrytonServer

pytest_plugins = ("tests.channels.tryton.fixtures",)
pytestmark = [pytest.mark.real, pytest.mark.timeout(TRYTON_TIMEOUT_S)]

MAIN: Final = "main"
_numbers = count(1)


class Meeting:
    """The real ERP, and an adapter for it. ``loses``: of answers to requests that hold such words none comes."""

    def __init__(self, server: TrytonServer, transport: Transport, **options: Any) -> None:
        self.erp = server.erp
        self.loses: bytes = b""
        self._transport = transport
        self.source = adapter(server, **options)

    async def run(self, exchange: Exchange[Any]) -> Any:
        return await converse(exchange, self._send)

    async def _send(self, request: Request) -> Answer:
        answer = await self._transport.send(request)
        if self.loses and self.loses in request.body:
            self.loses = b""
            raise UnknownResultError("the answer was lost")
        return answer

    async def walk(self, cursor: str = WHOLE) -> tuple[dict[str, int], str]:
        """Walk to the end; return the numbers by SKU, and the cursor of the next walk."""
        numbers: dict[str, int] = {}
        more = True
        while more:
            page: StockPage = await self.run(self.source.pull_stock(cursor, 0.0))
            numbers |= {row.sku: row.quantity for row in page.rows}
            cursor, more = page.cursor, page.more
        return numbers, cursor

    async def tell(self, key: str, **units: int) -> Any:
        lines = [SoldLine(sku.replace("_", "-"), MAIN, number) for sku, number in units.items()]
        return await self.run(self.source.tell(SoldOrder(key, "shop", f"number of {key}", lines), 0.0))


def adapter(server: TrytonServer, password: str = "", **options: Any) -> Source:
    ids = server.erp.ids
    wanted = {
        "base_url": server.url,
        "database": server.erp.database,
        "login": LOGIN,
        "locations": {MAIN: ids.warehouse},
        "customer_id": ids.customer,
        "company_id": ids.company,
        "page_items": 7,
        **options,
    }
    made = SOURCE.build(msgspec.convert(wanted, SOURCE.options), {"password": password or server.password})
    assert isinstance(made, Source)
    return made


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport(allow_private=["127.0.0.1"])
    yield transport
    await transport.close()


@pytest.fixture
def meeting(tryton: TrytonServer, transport: Transport) -> Meeting:
    return Meeting(tryton, transport)


@pytest.fixture
def sku() -> str:
    """Name goods that no other test moves."""
    return SKUS[next(_numbers) - 1]


@pytest.fixture
def key(sku: str) -> str:
    return f"r-{sku}"


def named(sku: str, units: int) -> dict[str, int]:
    return {sku.replace("-", "_"): units}


async def test_a_walk_reads_what_lies_there_and_is_not_assigned(meeting: Meeting) -> None:
    numbers, _ = await meeting.walk()

    assert sorted(numbers) == sorted(SKUS)
    assert numbers == {each: int(meeting.erp.free(each)) for each in SKUS}


async def test_an_order_is_a_shipment_that_is_assigned_and_told_twice_it_is_one(
    meeting: Meeting, sku: str, key: str
) -> None:
    assert await meeting.tell(key, **named(sku, 3)) == Told()
    assert await meeting.tell(key, **named(sku, 3)) == Told()

    assert meeting.erp.shipments(key) == [("assigned", {sku: 3.0})]
    assert (meeting.erp.free(sku), meeting.erp.lies(sku)) == (UNITS - 3, UNITS)
    assert (await meeting.walk())[0][sku] == UNITS - 3


async def test_an_order_that_changes_changes_there_until_nothing_is_left_of_it(
    meeting: Meeting, sku: str, key: str
) -> None:
    other = SKUS[-1]
    before = meeting.erp.free(other)
    for units in ({sku: 3}, {sku: 2, other: 4}, {sku: 5}):
        assert await meeting.tell(key, **{name.replace("-", "_"): number for name, number in units.items()}) == Told()
        assert meeting.erp.shipments(key) == [("assigned", {name: float(number) for name, number in units.items()})]
        assert meeting.erp.free(sku) == UNITS - units[sku]

    assert await meeting.tell(key) == Told()
    assert await meeting.tell(key) == Told()
    assert [state for state, _ in meeting.erp.shipments(key)] == ["cancelled"]
    assert (meeting.erp.free(sku), meeting.erp.free(other)) == (UNITS, before)

    assert await meeting.tell(key, **named(sku, 1)) == Told()  # it comes back
    assert meeting.erp.free(sku) == UNITS - 1


async def test_what_leaves_there_leaves_both_numbers_and_can_be_changed_no_more(
    meeting: Meeting, sku: str, key: str
) -> None:
    await meeting.tell(key, **named(sku, 3))
    meeting.erp.send_out(key)

    assert (meeting.erp.free(sku), meeting.erp.lies(sku)) == (UNITS - 3, UNITS - 3)
    assert await meeting.tell(key, **named(sku, 3)) == Told()
    assert isinstance(await meeting.tell(key, **named(sku, 2)), Untold)
    assert isinstance(await meeting.tell(key), Untold)
    assert [state for state, _ in meeting.erp.shipments(key)] == ["done"]


@pytest.mark.parametrize("step", ["out.create", "out.wait", "out.assign_force"])
async def test_after_a_lost_answer_it_is_told_again_and_is_one(meeting: Meeting, sku: str, key: str, step: str) -> None:
    meeting.loses = step.encode()
    with pytest.raises(UnknownResultError):
        await meeting.tell(key, **named(sku, 3))

    assert await meeting.tell(key, **named(sku, 3)) == Told()

    assert meeting.erp.shipments(key) == [("assigned", {sku: 3.0})]
    assert meeting.erp.free(sku) == UNITS - 3


async def test_what_it_does_not_know_is_refused_in_words_and_leaves_nothing(meeting: Meeting, key: str) -> None:
    answer = await meeting.tell(key, NO_SUCH=1)

    assert answer == Untold("main: Tryton has no product with the code NO-SUCH")
    assert meeting.erp.shipments(key) == []


async def test_a_walk_over_changes_finds_what_has_moved_and_no_more_than_that(
    meeting: Meeting, sku: str, key: str
) -> None:
    _, cursor = await meeting.walk()
    meeting.erp.receive(sku, 20)
    numbers, cursor = await meeting.walk(cursor)
    assert numbers[sku] == UNITS + 20

    await meeting.tell(key, **named(sku, 5))
    numbers, cursor = await meeting.walk(cursor)
    assert numbers[sku] == UNITS + 15

    meeting.erp.press(key, "wait")  # somebody takes the units back for now: they are free
    numbers, _ = await meeting.walk(cursor)
    assert numbers[sku] == UNITS + 20


async def test_what_is_to_come_is_read_and_is_gone_when_it_is(meeting: Meeting, sku: str) -> None:
    move = meeting.erp.expect(sku, 30, tomorrow())

    async def coming() -> list[Any]:
        page = await meeting.run(meeting.source.pull_supply(WHOLE, 0.0))
        return [(row.key, row.quantity, row.expected_on) for row in page.rows if row.sku == sku]

    assert await coming() == [(f"move-{move}", 30, tomorrow())]
    meeting.erp.forgo(move)
    assert await coming() == []


async def test_a_session_that_has_ended_is_begun_anew(meeting: Meeting, sku: str, key: str) -> None:
    await meeting.walk()
    database: Any = meeting.source._database  # type: ignore[attr-defined]
    database._session = "YWRtaW46MTpub25l"

    assert await meeting.tell(key, **named(sku, 1)) == Told()
    assert meeting.erp.free(sku) == UNITS - 1


async def test_a_wrong_password_a_wrong_id_and_a_wrong_cursor_are_said(
    tryton: TrytonServer, transport: Transport
) -> None:
    async def first_page(source: Source, cursor: str = WHOLE) -> None:
        await converse(source.pull_stock(cursor, 0.0), transport.send)

    with pytest.raises(CredentialsError):
        await first_page(adapter(tryton, password="another"))
    with pytest.raises(ClosedError):
        await first_page(adapter(tryton, locations={MAIN: 999_999}))
    with pytest.raises(CursorRefusedError):
        await first_page(adapter(tryton), "not one of ours")
