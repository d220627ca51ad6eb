"""A supplier's feed: what is read of each form, and that whatever is wrong with it gives no number at all."""

import json
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from adapters.contract.errors import (
    ChannelError,
    CredentialsError,
    CursorRefusedError,
    NotSentError,
    UnavailableError,
    UnknownResultError,
)
from adapters.contract.http import Answer, Request
from adapters.contract.source import WHOLE, SoldOrder, StockPage, source_kinds
from adapters.feed import SOURCE, Feed, Options
from adapters.feed.rows import STEP_BYTES, STEP_ROWS, TAG_BYTES_MAX, steps_of
from server.channels.connection.file_transport import FileTransport
from server.channels.connection.http_transport import Transport, converse
from tests.channels.feed_server import PASSWORD, USER, FeedServer

NOW_S: Final = 1_790_000_000.0
LOCATION: Final = "supplier"
CSV: Final[dict[str, Any]] = {"format": "csv", "sku": "code", "quantity": "stock"}
JSON: Final[dict[str, Any]] = {"format": "json", "rows": "data.items", "sku": "code", "quantity": "stock.total"}
XML: Final[dict[str, Any]] = {"format": "xml", "rows": "item", "sku": "@code", "quantity": "stock/total"}
UNITS: Final = {"A": 5, "B-2": 0, "Ç ğ": 12}


def as_csv(units: Mapping[str, object] = UNITS) -> bytes:
    return "".join(["name;code;stock\r\n", *(f'"a; b";{sku};{number}\r\n' for sku, number in units.items())]).encode()


def as_json(units: Mapping[str, object] = UNITS) -> bytes:
    rows = [{"name": "x", "code": sku, "stock": {"total": number}} for sku, number in units.items()]
    return json.dumps({"data": {"items": rows, "page": 1}}).encode()


def as_xml(units: Mapping[str, object] = UNITS) -> bytes:
    rows = "".join(
        f'<item code="{sku}"><name>x &amp; y</name><stock><total>{number}</total></stock></item>'
        for sku, number in units.items()
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<feed><items>{rows}</items></feed>'.encode()


FORMS: Final[dict[str, tuple[dict[str, Any], Callable[..., bytes]]]] = {
    "csv": ({**CSV, "delimiter": ";"}, as_csv),
    "json": (JSON, as_json),
    "xml": (XML, as_xml),
}


class Reader:
    """Reads feeds as the engine would."""

    def __init__(self, server: FeedServer, transport: Transport) -> None:
        self.server = server
        self.transport = transport

    def feed(self, credentials: dict[str, str] | None = None, **options: Any) -> Feed:
        where = {} if "file" in options else {"url": f"{self.server.url}/feed"}
        if "file" in options:
            self.transport = FileTransport(options["file"])
        made = SOURCE.build(msgspec.convert({"location": LOCATION, **where, **options}, Options), credentials or {})
        assert isinstance(made, Feed)
        return made

    async def page(self, feed: Feed, cursor: str) -> StockPage:
        return await converse(feed.pull_stock(cursor, NOW_S), self.transport.send)

    async def pages(self, feed: Feed) -> list[StockPage]:
        return await self.rest(feed, await self.page(feed, WHOLE))

    async def rest(self, feed: Feed, first: StockPage) -> list[StockPage]:
        pages = [first]
        while pages[-1].more:
            pages.append(await self.page(feed, pages[-1].cursor))
        return pages

    async def last(self, body: bytes, **options: Any) -> StockPage:
        """Read a feed that is short enough for all its numbers to stand on the last page."""
        self.server.body = body
        return (await self.pages(self.feed(**options)))[-1]

    async def units(self, body: bytes, **options: Any) -> dict[str, int]:
        page = await self.last(body, **options)
        assert {row.location for row in page.rows} <= {LOCATION}
        return {row.sku: row.quantity for row in page.rows}


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    transport = Transport(allow_private=["127.0.0.1"], timeout_s=5.0)
    async with FeedServer() as server:
        yield Reader(server, transport)
    await transport.close()


# -- what is read


def test_the_kind_is_found() -> None:
    assert source_kinds()["feed"] is SOURCE


@pytest.mark.parametrize("form", FORMS)
async def test_every_row_is_read(reader: Reader, form: str) -> None:
    options, write = FORMS[form]

    page = await reader.last(write(), **options)

    assert {row.sku: row.quantity for row in page.rows} == UNITS
    assert (page.more, page.whole, page.cursor, page.unreadable) == (False, True, WHOLE, ())


@pytest.mark.parametrize("form", FORMS)
async def test_a_long_feed_is_read_in_steps_and_has_no_number_before_its_end(reader: Reader, form: str) -> None:
    options, write = FORMS[form]
    units = {f"SKU-{number}": number % 90 for number in range(5 * STEP_ROWS)}
    reader.server.body = write(units)

    pages = await reader.pages(reader.feed(**options))

    with_numbers = [page for page in pages if page.rows]
    assert len(pages) - len(with_numbers) > 4
    assert pages[-len(with_numbers) - 1 : -1] == with_numbers
    assert max(len(page.rows) for page in pages) == STEP_ROWS
    assert {row.sku: row.quantity for page in pages for row in page.rows} == units
    assert reader.server.downloads == 1


@pytest.mark.parametrize("form", FORMS)
async def test_a_long_feed_that_breaks_off_gives_no_number_at_all(reader: Reader, form: str) -> None:
    options, write = FORMS[form]
    body = write({f"SKU-{number}": number % 90 for number in range(5 * STEP_ROWS)})
    reader.server.body, feed = body[:-12] if form != "csv" else body + b'"', reader.feed(**options)
    page = await reader.page(feed, WHOLE)

    async def goes_on() -> None:
        nonlocal page
        while page.more:
            page = await reader.page(feed, page.cursor)
            assert not page.rows

    with pytest.raises(UnavailableError):
        await goes_on()


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("7", 7), (" 7 ", 7), ("7.0", 7), ("7.9", 7), ("0", 0), ("-3", 0), ("5+", 5), (">10", 10), ("≥ 4", 4),
        ("Auf Lager", 3), ("none", None), ("", None), ("7,5", None), ("1.000,00", None), ("1e3", None), ("٧", None),
        ("99999999999", None),
    ],
)  # fmt: skip
async def test_a_number_is_read_as_it_is_meant_or_not_at_all(reader: Reader, text: str, units: int | None) -> None:
    page = await reader.last(as_csv({"A": f'"{text}"', "B": 1}), **FORMS["csv"][0], words={"auf lager": 3})

    found = {row.sku: row.quantity for row in page.rows}
    assert found == {"B": 1} | ({} if units is None else {"A": units})
    assert page.unreadable == (("A",) if units is None else ())


async def test_a_comma_is_the_mark_where_that_is_said(reader: Reader) -> None:
    options = {**FORMS["csv"][0], "decimal": ","}

    page = await reader.last(as_csv({"A": "7,9", "B": "7.9"}), **options)

    assert [(row.sku, row.quantity) for row in page.rows] == [("A", 7)]
    assert page.unreadable == ("B",)


@pytest.mark.parametrize("value", [True, None, [], {}, "x", 1e300])
async def test_what_is_no_number_in_json_is_told_apart(reader: Reader, value: object) -> None:
    page = await reader.last(as_json({"A": value, "B": 2}), **JSON)

    assert ([(row.sku, row.quantity) for row in page.rows], page.unreadable) == ([("B", 2)], ("A",))


async def test_buffer_and_cap_are_taken_of_each_number(reader: Reader) -> None:
    assert await reader.units(as_json({"A": 1, "B": 5, "C": 90}), **JSON, buffer=2, cap=10) == {"A": 0, "B": 3, "C": 10}


async def test_a_sku_that_is_there_twice_is_not_read_unless_its_rows_add_up(reader: Reader) -> None:
    body = b"code,stock\nA,2\nB,1\nA,3\nA,4\n"

    refused = await reader.last(body, **CSV)
    summed = await reader.units(body, **CSV, repeated="sum")

    assert ([(row.sku, row.quantity) for row in refused.rows], refused.unreadable) == ([("B", 1)], ("A",))
    assert summed == {"A": 9, "B": 1}


async def test_other_encodings_and_marks_at_the_beginning_are_read(reader: Reader) -> None:
    assert await reader.units("code,stock\nÇ,2\n".encode("windows-1254"), **CSV, encoding="windows-1254") == {"Ç": 2}
    assert await reader.units("\ufeffcode,stock\nÇ,2\n".encode(), **CSV) == {"Ç": 2}


async def test_a_list_that_is_all_of_the_document_is_read(reader: Reader) -> None:
    body = json.dumps([{"code": 12, "stock": 3}]).encode()

    assert await reader.units(body, format="json", sku="code", quantity="stock") == {"12": 3}


def test_a_long_list_in_json_is_read_in_many_steps() -> None:
    options = msgspec.convert({"location": LOCATION, "url": "https://supplier.example/feed", **JSON}, Options)
    body = as_json(dict.fromkeys((f"S-{number}" for number in range(20_000)), 7))

    steps = [len(rows) for rows in steps_of(options, body)]

    assert sum(steps) == 20_000
    assert max(steps) <= STEP_BYTES / len('{"code": "S-1", "stock": {"total": 7}}')


async def test_a_list_without_rows_is_no_fault_of_the_form(reader: Reader) -> None:
    with pytest.raises(UnavailableError, match="rows"):  # too few of them, see rows_min
        await reader.last(as_json({}), **JSON)
    for body in (b'{"data": {"items": {"code": "A"}}}', b'{"data": []}', b"7"):
        with pytest.raises(UnavailableError, match=r"no list at 'data\.items'"):
            await reader.last(body, **JSON)


async def test_elements_of_a_namespace_are_read_as_they_are_written(reader: Reader) -> None:
    body = b'<rss xmlns:g="x"><item><g:id>A</g:id><g:quantity> 4 </g:quantity></item></rss>'

    assert await reader.units(body, format="xml", rows="item", sku="g:id", quantity="g:quantity") == {"A": 4}


# -- what is wrong with it


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_a_feed_that_is_cut_anywhere_gives_no_number(reader: Reader, form: str) -> None:
    options, write = FORMS[form]
    body = write()
    for length in range(len(body)):
        with pytest.raises(UnavailableError):
            await reader.last(body[:length], **options)


async def test_a_csv_that_is_cut_anywhere_gives_no_wrong_number(reader: Reader) -> None:
    body = b'code,name,stock\nA,"x, y",50\nB,z,70\n'
    for length in range(len(body)):
        try:
            page = await reader.last(body[:length], **CSV)
        except UnavailableError:
            continue
        assert {(row.sku, row.quantity) for row in page.rows} <= {("A", 50), ("B", 70)}, body[:length]


async def test_a_last_row_without_an_end_is_read_where_that_is_meant(reader: Reader) -> None:
    body = b"code,stock\nA,5\nB,7"

    page = await reader.last(body, **CSV)

    assert ([(row.sku, row.quantity) for row in page.rows], page.unreadable) == ([("A", 5)], ("B",))
    assert await reader.units(body, **CSV, needs_line_end=False) == {"A": 5, "B": 7}


@pytest.mark.parametrize("form", FORMS)
async def test_a_connection_that_ends_within_the_feed_gives_no_number(reader: Reader, form: str) -> None:
    options, write = FORMS[form]
    reader.server.body = write()
    reader.server.cut = len(reader.server.body) // 2

    with pytest.raises((UnknownResultError, UnavailableError)):
        await reader.pages(reader.feed(**options))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("body", [b"", b" ", b"<html><body>Bad gateway</body></html>", b"null", b"\xff\xfe\0"])
async def test_what_is_no_feed_gives_no_number(reader: Reader, form: str, body: bytes) -> None:
    with pytest.raises(UnavailableError):
        await reader.last(body, **FORMS[form][0])


@pytest.mark.parametrize("form", FORMS)
async def test_a_feed_without_rows_gives_no_number(reader: Reader, form: str) -> None:
    options, write = FORMS[form]

    with pytest.raises(UnavailableError, match="0 rows, and at least 1"):
        await reader.last(write({}), **options)
    with pytest.raises(UnavailableError, match="3 rows, and at least 4"):
        await reader.last(write(), **options, rows_min=4)


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE feed [<!ENTITY a "A">]>',
        '<!DOCTYPE feed SYSTEM "http://127.0.0.1/evil.dtd">',
        '<!DOCTYPE feed [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>',
        "<!DOCTYPE feed>",
    ],
)
async def test_a_document_type_is_refused_before_any_entity(reader: Reader, declared: str) -> None:
    body = as_xml().replace(b"<feed>", declared.encode() + b"<feed>", 1)

    with pytest.raises(UnavailableError, match="document type, which is refused"):
        await reader.last(body, **XML)


@pytest.mark.parametrize("begun", [b'<item code="', b"<!-- ", b"<item "])
async def test_a_tag_that_does_not_end_is_not_read_again_and_again(reader: Reader, begun: bytes) -> None:
    body = as_xml().replace(b"<items>", b"<items>" + begun + b"x" * 2 * TAG_BYTES_MAX, 1)

    with pytest.raises(UnavailableError, match="a tag or comment of it has more than"):
        await reader.last(body, **XML)


async def test_a_long_text_is_read(reader: Reader) -> None:
    body = as_xml().replace(b"<items>", b"<items>" + b"x" * 2 * TAG_BYTES_MAX, 1)

    assert len((await reader.last(body, **XML)).rows) == len(UNITS)


async def test_an_entity_that_nobody_declared_is_no_xml(reader: Reader) -> None:
    with pytest.raises(UnavailableError, match="no XML"):
        await reader.last(as_xml({"A": "&evil;"}), **XML)


async def test_elements_that_are_too_deep_are_refused(reader: Reader) -> None:
    with pytest.raises(UnavailableError, match="deep"):
        await reader.last(b"<a>" * 100_000, **XML)


@pytest.mark.parametrize("form", FORMS)
async def test_a_feed_that_is_too_long_is_not_read_to_its_end(reader: Reader, form: str) -> None:
    options, write = FORMS[form]
    reader.server.body = write({f"S{number}": 1 for number in range(1_000)})

    with pytest.raises(UnavailableError, match="more than 1000 bytes"):
        await reader.pages(reader.feed(**options, bytes_max=1_000))


async def test_a_feed_that_is_too_old_counts_as_no_answer(reader: Reader) -> None:
    reader.server.headers = {"Last-Modified": formatdate(NOW_S - 7_200, usegmt=True)}

    with pytest.raises(UnavailableError, match=r"2\.0 hours old"):
        await reader.last(as_json(), **JSON, age_s_max=3_600)

    assert await reader.units(as_json(), **JSON, age_s_max=7_300) == UNITS
    assert await reader.units(as_json(), **JSON) == UNITS


async def test_a_column_that_is_missing_is_named(reader: Reader) -> None:
    with pytest.raises(UnavailableError, match="no column 'stock', or several: code, quantity"):
        await reader.last(b"code,quantity\nA,1\n", **CSV)
    with pytest.raises(UnavailableError, match=r"no list at 'data\.items'"):
        await reader.last(b'{"data": {}}', **JSON)


@pytest.mark.parametrize("status", ["throttled", "failing", "unauthorized", "moved", "not_json"])
async def test_an_answer_that_is_no_feed_is_an_error(reader: Reader, status: Any) -> None:
    reader.server.always = status
    for options, write in FORMS.values():
        with pytest.raises(ChannelError):
            await reader.last(write(), **options)


async def test_a_reading_that_another_has_begun_anew_is_refused(reader: Reader) -> None:
    reader.server.body = as_json()
    feed = reader.feed(**JSON)
    first = await reader.page(feed, WHOLE)
    await reader.page(feed, WHOLE)

    with pytest.raises(CursorRefusedError):
        await reader.page(feed, first.cursor)
    with pytest.raises(CursorRefusedError):
        await reader.page(reader.feed(**JSON), first.cursor)


async def test_after_a_bad_one_the_next_good_one_is_read(reader: Reader) -> None:
    feed = reader.feed(**XML)
    reader.server.body = as_xml()[:-20]
    with pytest.raises(UnavailableError):
        await reader.pages(feed)

    reader.server.body = as_xml()

    assert {row.sku: row.quantity for row in (await reader.pages(feed))[-1].rows} == UNITS


# -- the same list again


@pytest.mark.parametrize("tag", ['"v-1"', 'W/"v-1"', '""'])
async def test_a_list_with_a_tag_is_sent_once_and_again_when_it_has_changed(reader: Reader, tag: str) -> None:
    server, feed = reader.server, reader.feed(**JSON)
    server.body, server.headers = as_json(), {"ETag": tag}
    cursor = (await reader.pages(feed))[-1].cursor

    same = await reader.page(feed, cursor)
    assert (same.rows, same.more, same.whole, same.cursor, server.downloads) == ((), False, False, cursor, 1)

    server.body, server.headers = as_json({"A": 6}), {"ETag": '"v-2"'}
    page = await reader.page(feed, cursor)
    assert (page.rows, page.more, page.whole) == ((), True, True)
    page = (await reader.rest(feed, page))[-1]
    assert [(row.sku, row.quantity) for row in page.rows] == [("A", 6)]
    assert server.asked == [{}, {"If-None-Match": tag}, {"If-None-Match": tag}]
    assert (await reader.page(feed, page.cursor)).rows == ()
    assert server.asked[-1] == {"If-None-Match": '"v-2"'}


async def test_a_list_with_a_time_is_asked_for_by_that_unless_it_is_new(reader: Reader) -> None:
    server, feed = reader.server, reader.feed(**JSON)
    old, new = (formatdate(time.time() - age_s, usegmt=True) for age_s in (3_600, 5))
    server.body, server.headers = as_json(), {"Last-Modified": old}
    cursor = (await reader.pages(feed))[-1].cursor
    assert not (await reader.page(feed, cursor)).whole
    assert (server.asked, server.downloads) == ([{}, {"If-Modified-Since": old}], 1)

    server.headers = {"Last-Modified": new}  # within the same second, it may be written again
    assert (await reader.rest(feed, await reader.page(feed, cursor)))[-1].cursor == WHOLE


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"ETag": "v-1"}, {"ETag": '"a b"'}, {"ETag": f'"{"x" * 300}"'}, {"Last-Modified": "yesterday"},
        {"Last-Modified": "Tue, 99 Nov 2026 25:00:00 GMT"},
    ],
)  # fmt: skip
async def test_a_list_of_which_no_version_is_known_is_read_each_time(reader: Reader, headers: dict[str, str]) -> None:
    reader.server.body, reader.server.headers = as_json(), headers

    assert (await reader.pages(reader.feed(**JSON)))[-1].cursor == WHOLE


async def test_a_list_that_stays_the_same_grows_too_old_all_the_same(reader: Reader) -> None:
    server = reader.server
    dated = {"ETag": '"v-1"', "Last-Modified": formatdate(NOW_S - 3_000, usegmt=True)}
    server.body, server.headers = as_json(), dated
    feed = reader.feed(**JSON, age_s_max=3_600)
    cursor = (await reader.pages(feed))[-1].cursor

    server.headers = {"ETag": '"v-1"'}  # the answer that nothing has changed need not name its time
    assert not (await reader.page(feed, cursor)).whole
    with pytest.raises(UnavailableError, match=r"1\.1 hours old"):
        await converse(feed.pull_stock(cursor, NOW_S + 1_000), reader.transport.send)

    server.headers = {"ETag": '"v-1"', "Last-Modified": formatdate(NOW_S, usegmt=True)}  # the same list, sent anew
    page = await converse(feed.pull_stock(cursor, NOW_S + 1_000), reader.transport.send)
    assert (page.rows, page.more) == ((), False)


async def test_a_spoilt_version_is_not_taken_for_the_last_one(reader: Reader) -> None:
    server, feed = reader.server, reader.feed(**JSON)
    server.tags, server.body = True, as_json()
    cursor = (await reader.pages(feed))[-1].cursor
    server.body = as_json()[:-20]

    for _ in range(2):
        first = await reader.page(feed, cursor)
        with pytest.raises(UnavailableError):
            await reader.rest(feed, first)

    server.body = as_json()
    assert not (await reader.page(feed, cursor)).more


def test_an_answer_that_nothing_has_changed_is_none_where_nobody_asked(reader: Reader) -> None:
    exchange = reader.feed(**JSON).pull_stock(WHOLE, NOW_S)
    next(exchange)

    with pytest.raises(UnavailableError, match="304"):
        exchange.send(Answer(304, {"etag": '"v-1"'}))


# -- who may read it, and where it is


async def test_a_protected_feed_is_read_with_its_credentials_and_no_error_has_them(reader: Reader) -> None:
    reader.server.protected, reader.server.body = True, as_json()
    login = {"username": USER, "password": PASSWORD}

    pages = await reader.pages(reader.feed(login, **JSON))
    with pytest.raises(CredentialsError) as refused:
        await reader.pages(reader.feed({**login, "password": "another-password"}, **JSON))

    assert pages[-1].rows
    assert "another-password" not in f"{refused.value} {refused.value.reason}"


@pytest.mark.parametrize(
    ("credentials", "message"),
    [({"username": "a"}, "stand together"), ({"token": "a", "username": "b", "password": "c"}, "stands alone")],
)
def test_half_a_login_is_refused(reader: Reader, credentials: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reader.feed(credentials, **JSON)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({**CSV}, "url or file is needed"),
        ({**CSV, "url": "https://a.example", "file": "/a"}, "url or file is needed"),
        ({**CSV, "url": "file:///etc/passwd"}, "url must begin with https"),
        ({**CSV, "file": "a.csv"}, "whole path"),
        ({"format": "xml", "sku": "a", "quantity": "b", "file": "/a"}, "rows must name"),
        ({**CSV, "file": "/a", "encoding": "klingon"}, "encoding 'klingon'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert({"location": LOCATION, **options}, Options)


async def test_a_file_is_read_and_is_as_old_as_it_was_written(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "stock of today.csv"
    path.write_bytes(as_csv())
    os.utime(path, (NOW_S - 7_200, NOW_S - 7_200))
    options = {**FORMS["csv"][0], "file": str(path)}

    pages = await reader.pages(reader.feed(**options))

    assert {row.sku: row.quantity for row in pages[-1].rows} == UNITS
    with pytest.raises(UnavailableError, match=r"2\.0 hours old"):
        await reader.pages(reader.feed(**options, age_s_max=3_600))


async def test_a_name_with_marks_of_an_address_is_read_and_no_other_file_is(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "stock %41 #1?.csv"
    path.write_bytes(as_csv())
    (tmp_path / "other.csv").write_bytes(as_csv())
    feed = reader.feed(**FORMS["csv"][0], file=str(path))

    assert {row.sku: row.quantity for row in (await reader.pages(feed))[-1].rows} == UNITS
    with pytest.raises(NotSentError, match="only the file that the configuration names"):
        await reader.transport.send(Request("GET", f"file://{tmp_path}/other.csv"))


async def test_what_is_no_file_is_told_without_waiting(reader: Reader, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, message in {
        "none.csv": "No such file",
        "pipe": "is no file",
        ".": "is no file|Is a directory",
    }.items():
        with pytest.raises(NotSentError, match=message):
            await reader.pages(reader.feed(**FORMS["csv"][0], file=str(tmp_path / name)))


async def test_a_file_that_is_too_long_is_not_read_to_its_end(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_bytes(as_csv({f"S{number}": 1 for number in range(1_000)}))

    with pytest.raises(UnavailableError, match="more than 1000 bytes"):
        await reader.pages(reader.feed(**FORMS["csv"][0], file=str(tmp_path / "long.csv"), bytes_max=1_000))


def test_a_feed_is_told_of_nothing(reader: Reader) -> None:
    feed = reader.feed(**JSON)

    assert (feed.is_told, feed.locations, feed.supplies) == (False, (LOCATION,), False)
    with pytest.raises(TypeError):
        feed.tell(SoldOrder("a", "b", "", ()), NOW_S)
