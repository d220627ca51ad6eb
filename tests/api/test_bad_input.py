"""Bad input: each fault is a problem+json of the right status, names the field and the rule, and changes nothing."""

import gzip
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from server.store.connection.connect import client, connection_pool
from server.store.repositories.api_keys import ApiKeyStore
from tests.conftest import wait_until
from tests.support.http import READER, RESERVER, STOCKER, Answer, Api, Key, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

RESERVE = "/v1/reservations"
BATCH = "/v1/reservations/batch"
ORDER = "/v1/orders"
MOVEMENTS = "/v1/stock/movements"
QUERY = "/v1/availability/query"
HELD = "/v1/reservations/held"
COUNT = "/v1/stock/A/main"
LINE = {"sku": "A", "quantity": 1}
GOOD = {"reservation_id": "bad", "channel": "web", "lines": [LINE]}
WHOLE = "must be a whole number from 1 to 1,000,000,000, not"
PRINTABLE = "must not hold control characters or line breaks"
FEW_CHARACTERS = "ş" * 65
"""65 characters, 130 bytes."""


def with_line(**fields: object) -> dict[str, object]:
    return {**GOOD, "lines": [LINE | fields]}


def movement(**fields: object) -> dict[str, object]:
    return {"movements": [fields]}


# route, body, the field that is named, a part of the rule
BODIES: list[tuple[str, object, str, str]] = [
    # what is not known
    (RESERVE, GOOD | {"colour": 1}, "colour", "not known"),
    (RESERVE, with_line(colour=1), "lines[0].colour", "not known"),
    (RESERVE, GOOD | {"on_shortage": "accept"}, "on_shortage", "not known"),
    (RESERVE, GOOD | {"Channel": "web"}, "Channel", "not known"),
    (HELD + "/extend", {"ttl_s": 1, "ttl": 1}, "ttl", "not known"),
    (MOVEMENTS, movement(kind="receive", sku="A", quantity=1, bucket="safety"), "movements[0].bucket", "not known"),
    # what is missing
    (RESERVE, {"lines": [LINE]}, "channel", "required"),
    (RESERVE, {"channel": "web"}, "lines", "required"),
    (RESERVE, GOOD | {"lines": [{"sku": "A"}]}, "lines[0].quantity", "required"),
    (HELD + "/extend", {}, "ttl_s", "required"),
    (COUNT, {}, "on_hand", "required"),
    (MOVEMENTS, movement(kind="adjust", sku="A", quantity=1), "movements[0].reason", "required"),
    # wrong types
    (RESERVE, [], "body", "must be an object, not a list of 0"),
    (RESERVE, None, "body", "must be an object, not null"),
    (RESERVE, "x", "body", "must be an object, not 'x'"),
    (RESERVE, GOOD | {"channel": 7}, "channel", "must be text of 1 to 64 characters, not 7"),
    (RESERVE, GOOD | {"channel": None}, "channel", "must be text of 1 to 64 characters, not null"),
    (RESERVE, GOOD | {"lines": {"sku": "A"}}, "lines", "must be a list of 1 to 100 elements, not an object"),
    (RESERVE, GOOD | {"lines": ["A"]}, "lines[0]", "must be an object, not 'A'"),
    (RESERVE, with_line(quantity="1"), "lines[0].quantity", WHOLE),
    (RESERVE, with_line(quantity=1.5), "lines[0].quantity", "1,000,000,000, not 1.5"),
    (RESERVE, with_line(quantity=True), "lines[0].quantity", "1,000,000,000, not true"),
    (RESERVE, GOOD | {"flags": "vip"}, "flags", "must be a list of at most 16 elements"),
    (RESERVE, GOOD | {"policy": "some"}, "policy", "some"),
    (ORDER, GOOD | {"on_shortage": "maybe"}, "on_shortage", "maybe"),
    (HELD + "/commit", {"remainder": "burn"}, "remainder", "burn"),
    (HELD + "/commit", {"lines": [[1, 1]]}, "lines[0]", "must be an object, not a list of 2"),
    (MOVEMENTS, movement(kind="steal", sku="A", quantity=1), "movements[0].kind", "steal"),
    (MOVEMENTS, movement(kind="adjust", sku="A", quantity=1, reason="x", bucket="held"), "movements[0].bucket", "held"),
    # quantities
    (RESERVE, with_line(quantity=0), "lines[0].quantity", f"{WHOLE} 0"),
    (RESERVE, with_line(quantity=-1), "lines[0].quantity", f"{WHOLE} -1"),
    (RESERVE, with_line(quantity=1_000_000_001), "lines[0].quantity", WHOLE),
    (RESERVE, with_line(quantity=2**63), "lines[0].quantity", WHOLE),
    (RESERVE, with_line(quantity=-(2**63)), "lines[0].quantity", WHOLE),
    (COUNT, {"on_hand": -1}, "on_hand", "0 to "),
    (COUNT, {"on_hand": 1, "baseline_seq": -1}, "baseline_seq", "0 to "),
    (COUNT, {"on_hand": 1, "baseline_seq": 2**53}, "baseline_seq", "gave out"),
    (COUNT, {"on_hand": 1, "safety": -1}, "safety", "0 to "),
    (MOVEMENTS, movement(kind="adjust", sku="A", quantity=0, reason="x"), "movements[0].quantity", "must not be 0"),
    (HELD + "/release", {"lines": [{"line": 0, "quantity": 1}]}, "lines[0].line", "1 to "),
    (HELD + "/release", {"lines": [{"line": 201, "quantity": 1}]}, "lines[0].line", " to 200"),
    (HELD + "/release", {"lines": [{"line": 1, "quantity": 0}]}, "lines[0].quantity", "1 to "),
    # how many
    (RESERVE, GOOD | {"lines": []}, "lines", "1 to "),
    (RESERVE, GOOD | {"lines": [LINE] * 101}, "lines", " to 100"),
    (RESERVE, GOOD | {"flags": ["f"] * 17}, "flags", " 16 elements, not a list of 17"),
    (HELD + "/release", {"lines": []}, "lines", "1 to "),
    (BATCH, {"reservations": []}, "reservations", "1 to "),
    (BATCH, {"reservations": [GOOD] * 501}, "reservations", " to 500"),
    (MOVEMENTS, {"movements": []}, "movements", "1 to "),
    (MOVEMENTS, {"movements": [{"kind": "receive", "sku": "A", "quantity": 1}] * 1001}, "movements", " to 1,000"),
    (QUERY, {"skus": []}, "skus", "1 to "),
    (QUERY, {"skus": ["A"] * 1001}, "skus", " to 1,000"),
    # times
    (RESERVE, GOOD | {"ttl_s": 0}, "ttl_s", "1 to "),
    (RESERVE, GOOD | {"ttl_s": -5}, "ttl_s", "1 to "),
    (RESERVE, GOOD | {"ttl_s": 31_536_000}, "ttl_s", " to 86,400"),
    (RESERVE, GOOD | {"ttl_s": 0.5}, "ttl_s", "must be a whole number from 1 to 86,400, not 0.5"),
    (HELD + "/extend", {"ttl_s": 0}, "ttl_s", "1 to "),
    (HELD + "/extend", {"ttl_s": 31_536_000}, "ttl_s", " to 86,400"),
    # names
    (RESERVE, with_line(sku=""), "lines[0].sku", "1 to "),
    (RESERVE, with_line(sku="a\x00b"), "lines[0].sku", PRINTABLE),
    (RESERVE, with_line(sku="a\nb"), "lines[0].sku", PRINTABLE),
    (RESERVE, with_line(sku="a\x7f"), "lines[0].sku", PRINTABLE),
    (RESERVE, with_line(sku="a\x85"), "lines[0].sku", PRINTABLE),
    (RESERVE, with_line(sku="a\u2028b"), "lines[0].sku", PRINTABLE),
    (RESERVE, with_line(sku="x" * 129), "lines[0].sku", " to 128"),
    (RESERVE, with_line(sku=FEW_CHARACTERS), "lines[0].sku", "1 to 128 bytes in UTF-8"),
    (RESERVE, with_line(location="x" * 65), "lines[0].location", " to 64"),
    (RESERVE, with_line(location="ğ" * 33), "lines[0].location", "1 to 64 bytes in UTF-8"),
    (RESERVE, GOOD | {"channel": "w\tb"}, "channel", PRINTABLE),
    (RESERVE, GOOD | {"channel": "ü" * 33}, "channel", "1 to 64 bytes in UTF-8"),
    (RESERVE, GOOD | {"order_ref": "é" * 129}, "order_ref", "1 to 256 bytes in UTF-8"),
    (RESERVE, GOOD | {"customer_ref": ""}, "customer_ref", "1 to "),
    (RESERVE, GOOD | {"flags": ["vip", "a\r\nb"]}, "flags[1]", PRINTABLE),
    (RESERVE, GOOD | {"reservation_id": ""}, "reservation_id", "1 to "),
    (RESERVE, GOOD | {"reservation_id": " "}, "reservation_id", "1 to 64 bytes in UTF-8"),
    (RESERVE, GOOD | {"reservation_id": "a\n"}, "reservation_id", PRINTABLE),
    (RESERVE, GOOD | {"reservation_id": "ş" * 33}, "reservation_id", "1 to 64 bytes in UTF-8"),
    (RESERVE, GOOD | {"reservation_id": "a\u200bb"}, "reservation_id", "which cannot be seen"),
    (RESERVE, GOOD | {"reservation_id": "#####"}, "reservation_id", "error of a spreadsheet"),
    (RESERVE, GOOD | {"reservation_id": "~1001"}, "reservation_id", "must not begin with ~"),
    ("/v1/reservations/lookup", {"reservation_id": "~1001"}, "reservation_id", "must not begin with ~"),
    (RESERVE, GOOD | {"reservation_id": "r" * 65}, "reservation_id", " to 64"),
    (HELD + "/cancel", {"reason": "a\x1b[2J"}, "reason", PRINTABLE),
    (HELD + "/fulfil", {"tracking": "x" * 257}, "tracking", " to 256"),
    (HELD + "/fulfil", {"carrier": "\u2029"}, "carrier", PRINTABLE),
    (HELD + "/fulfil", {"invoice_ref": ""}, "invoice_ref", "1 to "),
    (HELD + "/commit", {"order_ref": "a\x00"}, "order_ref", PRINTABLE),
    (MOVEMENTS, movement(kind="receive", sku="a\x00", quantity=1), "movements[0].sku", PRINTABLE),
    (MOVEMENTS, movement(kind="receive", sku="A", quantity=1, reason="\x07"), "movements[0].reason", PRINTABLE),
    (QUERY, {"skus": ["A", "\x00"]}, "skus[1]", PRINTABLE),
    (QUERY, {"skus": ["A"], "channel": "\x00"}, "channel", PRINTABLE),
    (QUERY, {"skus": ["A"], "location": "ü" * 33}, "location", "1 to 64 bytes in UTF-8"),
]

# name, the bytes, whether they are MessagePack, a part of the rule
BYTES: list[tuple[str, bytes, bool, str]] = [
    ("nothing", b"", False, "is empty"),
    ("truncated", b'{"channel":"web","lines":[{"sku"', False, "at line 1, column 33: it was truncated"),
    ("two values", msgspec.json.encode(GOOD) + b"{}", False, "trailing"),
    ("not JSON", b"channel=web&sku=A", False, "not valid JSON at line 1, column 1"),
    ("a comment", b'{"channel":"web"/*x*/}', False, "at line 1, column 17: expected ',' or '}'; JSON has no comments"),
    (
        "NaN",
        b'{"reservation_id":"bad","channel":"web","lines":[{"sku":"A","quantity":NaN}]}',
        False,
        "NaN is no number",
    ),
    ("Infinity", b'{"reservation_id":"bad","channel":"web","lines":[{"sku":"A","quantity":Infinity}]}', False, ""),
    ("a lone surrogate", b'{"reservation_id":"bad","channel":"\\ud800","lines":[]}', False, "half of a character"),
    ("a low surrogate first", b'{"reservation_id":"bad","channel":"\\udc00","lines":[]}', False, "half of a character"),
    ("bytes that are not UTF-8", b'{"channel":"\xff\xfe"}', False, "UTF-8"),
    ("UTF-16", '{"channel":"web"}'.encode("utf-16"), False, "it is UTF-16; send UTF-8"),
    ("a byte order mark", b"\xef\xbb\xbf{}", False, "byte order mark"),
    ("deep nesting of arrays", b"[" * 60_000, False, ""),
    ("deep nesting below an unknown field", b'{"x":' * 12_000, False, ""),
    ("deep nesting of MessagePack", b"\x81\xa1x" * 20_000, True, ""),
    ("garbage as MessagePack", b"\xc1\xc1\xc1", True, "msgpack"),
    ("truncated MessagePack", b"\x83\xa7channel", True, "truncated"),
    ("an array that claims four billion elements", b"\x81\xa5lines\xdd\xff\xff\xff\xff", True, "<= 100"),
    ("a text that claims four gigabytes", b"\x81\xa7channel\xdb\xff\xff\xff\xff", True, "truncated"),
    ("MessagePack text that is not UTF-8", b"\x81\xa7channel\xa3\xed\xa0\x80", True, "UTF-8"),
    (
        "a MessagePack extension",
        b"\x82\xa7channel\xd4\x01\x00\xa5lines\x91" + msgspec.msgpack.encode(LINE),
        True,
        "not an extension",
    ),
    ("NaN in MessagePack", msgspec.msgpack.encode(with_line(quantity=float("nan"))), True, "not nan"),
    ("bytes for text in MessagePack", msgspec.msgpack.encode(GOOD | {"channel": b"web"}), True, "not binary data"),
]

QUERIES: list[tuple[str, str, str]] = [
    ("/v1/availability/A?x=1", "x", "not known"),
    ("/v1/availability/A?location=a&location=a", "location", "once"),
    ("/v1/availability/A?location=", "location", "1 to "),
    ("/v1/availability/A?location=%00", "location", PRINTABLE),
    ("/v1/availability/A?channel=" + "x" * 65, "channel", " to 64"),
    ("/v1/availability/A?channel=" + "%C3%BC" * 33, "channel", "1 to 64 bytes in UTF-8"),
    ("/v1/reservations?limit=0", "limit", "1 to "),
    ("/v1/reservations?limit=201", "limit", " to 200"),
    ("/v1/reservations?limit=ten", "limit", "must be a whole number from 1 to 200, not '"),
    ("/v1/reservations?limit=1.5", "limit", "must be a whole number from 1 to 200, not '"),
    ("/v1/reservations?limit=NaN", "limit", "must be a whole number from 1 to 200, not '"),
    ("/v1/reservations?to=0.5", "to", "must be a time with its zone"),
    ("/v1/reservations?from=1764000000", "from", "must be a time with its zone"),
    ("/v1/reservations?state=lost", "state", "lost"),
    ("/v1/reservations?state=null", "state", "null"),
    ("/v1/reservations?state=held&state=held", "state", "once"),
    ("/v1/reservations?channel=%00", "channel", PRINTABLE),
    ("/v1/reservations?sku=" + "%C5%9F" * 65, "sku", "1 to 128 bytes in UTF-8"),
    ("/v1/reservations?after=nonsense", "after", ""),
    ("/v1/reservations?after=" + "9" * 257, "after", "at most 256 characters"),
    ("/v1/reservations?page=2", "page", "not known"),
    ("/v1/changes?after=yesterday", "after", "must be the id of an event"),
    ("/v1/changes?after=" + "9" * 64, "after", "must be the id of an event"),
    ("/v1/changes?since=0", "since", "not known"),
    # ids and names in the path
    ("/v1/availability/%00", "sku", PRINTABLE),
    ("/v1/availability/a%0Ab", "sku", PRINTABLE),
    ("/v1/availability/" + "x" * 129, "sku", "1 to 128 bytes"),
    ("/v1/availability/" + "%C5%9F" * 65, "sku", "1 to 128 bytes"),
    ("/v1/stock/%1B", "sku", PRINTABLE),
    ("/v1/reservations/a%09b", "reservation_id", PRINTABLE),
    ("/v1/reservations/%FF", "reservation_id", "must be UTF-8"),
    ("/v1/reservations/" + "r" * 65, "reservation_id", "1 to 64 bytes in UTF-8"),
    ("/v1/reservations/~a", "reservation_id", "base64url"),
    ("/v1/reservations/~_w", "reservation_id", "base64url"),
    ("/v1/reservations/~a=b", "reservation_id", "base64url"),
    ("/v1/transfers/~a", "transfer_id", "base64url"),
    ("/v1/supply/~a", "supply_id", "base64url"),
]


class Watched:
    """A partition with stock and reservations, which says whether anything in it changed."""

    def __init__(self, api: Api, server: Server) -> None:
        self.api = api
        self._server = server
        self._before = server.state(api.partition)

    def unchanged(self) -> bool:
        return self._server.state(self.api.partition) == self._before


@pytest.fixture
async def watched(api: Api, server: Server) -> Watched:
    await api.count("A", 10)
    (await api.reserve("A", 2, "held")).ok(201)
    (await api.reserve("A", 1, "done")).ok(201)
    (await api.post("/v1/reservations/done/commit", {})).ok()
    return Watched(api, server)


def names(answer: Answer, field: str, rule: str) -> bool:
    problem = answer.problem(400, "invalid")
    [error] = problem["errors"]
    assert not problem["retryable"]
    assert error["field"] == field, problem
    assert rule in error["rule"], problem
    return field in problem["detail"]


async def test_given_a_body_that_breaks_a_rule_when_sent_then_field_and_rule_are_named(watched: Watched) -> None:
    wrong = []
    for path, body, field, rule in BODIES:
        method = "PUT" if path == COUNT else "POST"
        for msgpack in (False, True):
            if msgpack and _too_large_for_msgpack(body):
                continue
            answer = await watched.api.send(method, path, body, msgpack=msgpack)
            try:
                assert names(answer, field, rule)
                assert watched.unchanged(), "something changed"
            except (AssertionError, KeyError, ValueError) as error:
                wrong.append(f"{path} {str(body)[:80]} {'msgpack' if msgpack else 'json'}: {error}")
    assert not wrong, "\n".join(wrong)


def _too_large_for_msgpack(body: object) -> bool:
    """Whether a body holds an integer that MessagePack cannot say."""
    try:
        msgspec.msgpack.encode(body)
    except OverflowError:
        return True
    return False


@pytest.mark.parametrize(("name", "raw", "msgpack", "rule"), BYTES, ids=[row[0] for row in BYTES])
async def test_given_bytes_that_are_no_body_when_sent_then_it_is_said_why(
    watched: Watched, name: str, raw: bytes, msgpack: bool, rule: str
) -> None:
    answer = await watched.api.send("POST", RESERVE, raw=raw, msgpack=msgpack)
    [error] = answer.problem(400, "invalid")["errors"]
    assert rule.casefold() in error["rule"].casefold(), name  # its case depends on the version of msgspec
    assert watched.unchanged()


@pytest.mark.parametrize(("path", "field", "rule"), QUERIES, ids=[row[0][:60] for row in QUERIES])
async def test_given_a_bad_query_or_path_when_asked_then_field_and_rule_are_named(
    watched: Watched, path: str, field: str, rule: str
) -> None:
    assert names(await watched.api.get(path), field, rule)
    assert watched.unchanged()


@pytest.mark.parametrize("path", [RESERVE, ORDER, HELD + "/commit", HELD + "/extend", COUNT])
async def test_given_more_than_64_kib_when_sent_then_it_is_too_large(watched: Watched, path: str) -> None:
    answer = await watched.api.send("PUT" if path == COUNT else "POST", path, raw=b" " * (64 * 1024 + 1))
    assert "65,536 bytes" in answer.problem(413, "too_large")["detail"]
    assert watched.unchanged()


@pytest.mark.parametrize("path", [RESERVE, BATCH, MOVEMENTS, QUERY])
async def test_given_10_mib_when_sent_then_it_is_too_large(watched: Watched, path: str) -> None:
    answer = await watched.api.send("POST", path, raw=b" " * (10 * 1024 * 1024))
    answer.problem(413, "too_large")
    assert watched.unchanged()


async def test_given_10_mib_in_chunks_when_sent_then_it_is_too_large(watched: Watched) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield b" " * 65_536

    session = watched.api._session
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {watched.api.key.token}"}  # type: ignore[union-attr]
    async with session.post(watched.api._url + RESERVE, data=chunks(), headers=headers) as response:
        assert (response.status, (await response.json(content_type=None))["outcome"]) == (413, "too_large")
    assert watched.unchanged()


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/xml", "application/jsonp", "application/json; charset=latin-1", "json", ";", "*/*"],
)
async def test_given_another_content_type_when_sent_then_it_is_not_understood(
    watched: Watched, content_type: str
) -> None:
    answer = await watched.api.send("POST", RESERVE, GOOD, headers={"Content-Type": content_type})
    answer.problem(415, "unsupported_media_type")
    assert watched.unchanged()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_given_a_compressed_body_when_sent_then_it_is_not_unpacked(watched: Watched, encoding: str) -> None:
    packed = gzip.compress(msgspec.json.encode(GOOD))
    answer = await watched.api.send("POST", RESERVE, raw=packed, headers={"Content-Encoding": encoding})
    assert "uncompressed" in answer.problem(415, "unsupported_media_type")["detail"]
    assert watched.unchanged()


@pytest.mark.parametrize("value", ["k" * 129, "schlüssel", "a\tb"])
async def test_given_a_bad_idempotency_key_when_sent_then_it_is_named(watched: Watched, value: str) -> None:
    answer = await watched.api.post(RESERVE, GOOD, headers={"Idempotency-Key": value})
    assert names(answer, "Idempotency-Key", "1 to 128 printable ASCII")
    assert watched.unchanged()


async def test_given_an_unknown_expectation_when_sent_then_it_is_ignored(watched: Watched) -> None:
    answer = await watched.api.post(RESERVE, GOOD | {"lines": []}, headers={"Expect": "a miracle"})
    assert names(answer, "lines", "1 to ")


async def test_given_a_repeated_json_key_when_sent_then_the_last_one_counts(watched: Watched) -> None:
    raw = b'{"channel":"web","channel":"shop","lines":[{"sku":"A","quantity":9,"quantity":1}]}'
    view = (await watched.api.send("POST", RESERVE, raw=raw)).ok(201)
    assert (view["channel"], view["lines"][0]["quantity"]) == ("shop", 1)


# -- what does not exist


@pytest.mark.parametrize("operation", ["extend", "commit", "release", "cancel", "fulfil"])
async def test_given_an_unknown_id_when_used_then_it_is_unknown(watched: Watched, operation: str) -> None:
    body = {"ttl_s": 60} if operation == "extend" else {}
    answer = await watched.api.post(f"/v1/reservations/nobody/{operation}", body)
    assert answer.problem(404, "unknown_reservation")["reservation_id"] == "nobody"
    assert watched.unchanged()


async def test_given_an_unknown_id_when_read_then_it_is_unknown(watched: Watched) -> None:
    (await watched.api.get("/v1/reservations/nobody")).problem(404, "unknown_reservation")


@pytest.mark.parametrize("path", ["/v1/availability/nothing", "/v1/stock/nothing", "/v1/availability/A?location=moon"])
async def test_given_an_unknown_sku_when_asked_then_it_is_unknown(watched: Watched, path: str) -> None:
    (await watched.api.get(path)).problem(422, "unknown_sku")


@pytest.mark.parametrize("path", [RESERVE, ORDER])
async def test_given_an_unknown_sku_when_wanted_then_every_unknown_line_is_named(watched: Watched, path: str) -> None:
    lines = [LINE, {"sku": "?", "quantity": 2}, {"sku": "A", "quantity": 3, "location": "moon"}]
    problem = (await watched.api.post(path, GOOD | {"lines": lines})).problem(422, "unknown_sku")
    assert [(line["line"], line["sku"], line["location"]) for line in problem["lines"]] == [
        (2, "?", "main"),
        (3, "A", "moon"),
    ]
    assert watched.unchanged()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", HELD, None),
        ("POST", HELD + "/extend", {"ttl_s": 60}),
        ("POST", HELD + "/commit", {}),
        ("POST", HELD + "/release", {}),
        ("POST", "/v1/reservations/done/cancel", {}),
        ("POST", "/v1/reservations/done/fulfil", {}),
    ],
)
async def test_given_another_merchant_s_id_when_used_then_it_does_not_exist(
    watched: Watched, server: Server, method: str, path: str, body: object
) -> None:
    async with opened(server, Key("p0", "p0")) as other:
        answer = await (other.get(path) if body is None else other.send(method, path, body))
        answer.problem(404, "unknown_reservation")
    assert watched.unchanged()


async def test_given_another_merchant_s_stock_when_listed_then_nothing_is_seen(
    watched: Watched, server: Server
) -> None:
    async with opened(server, READER) as other:
        assert (await other.get("/v1/reservations")).ok()["reservations"] == []
        (await other.get("/v1/stock/A")).problem(422, "unknown_sku")
    assert len((await watched.api.get("/v1/reservations")).ok()["reservations"]) == 2


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v2/reservations", "/v1/reservations/", "/v1/reservations/a/b/c", "/%00"]
)
async def test_given_a_path_that_is_none_when_asked_then_it_is_not_found(api: Api, path: str) -> None:
    (await api.get(path)).problem(404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/reservations/held", {"GET", "HEAD", "OPTIONS"}),
        ("PUT", "/v1/reservations", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("PUT", "/v1/orders", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("PATCH", "/v1/stock/A/main", {"OPTIONS", "PUT"}),
        ("POST", "/livez", {"GET", "HEAD", "OPTIONS"}),
    ],
)
async def test_given_a_method_that_a_path_does_not_take_when_sent_then_it_is_said_which_it_takes(
    api: Api, method: str, path: str, allowed: set[str]
) -> None:
    answer = await api.send(method, path)
    answer.problem(405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == allowed


# -- who asks

HOLD: dict[str, Any] = {"channel": "web", "lines": [{"sku": "A", "quantity": 1}]}
CALLS: list[tuple[str, str, Any]] = [
    ("POST", RESERVE, GOOD),
    ("POST", BATCH, {"reservations": [GOOD]}),
    ("POST", ORDER, GOOD),
    ("GET", RESERVE, None),
    ("GET", HELD, None),
    ("POST", HELD + "/extend", {"ttl_s": 60}),
    ("POST", HELD + "/commit", {}),
    ("POST", HELD + "/release", {}),
    ("POST", HELD + "/cancel", {}),
    ("POST", HELD + "/fulfil", {}),
    ("GET", "/v1/availability/A", None),
    ("POST", QUERY, {"skus": ["A"]}),
    ("GET", "/v1/changes", None),
    ("GET", "/v1/stock/A", None),
    ("PUT", COUNT, {"on_hand": 1}),
    ("POST", MOVEMENTS, movement(kind="receive", sku="A", quantity=1)),
]
READS = {(method, path) for method, path, _ in CALLS if method == "GET"} | {("POST", QUERY)}
STOCKS = {("PUT", COUNT), ("POST", MOVEMENTS)}
AUTHORIZATIONS = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer hf_p0",
    "Bearer hf_p0_",
    "Bearer hf_p0_wrong",
    "Bearer hf_nobody_secret",
    "Bearer p0_secret-of-p0",
    "Basic cDA6c2VjcmV0",
    "hf_p0_secret-of-p0",
    "Bearer hf_p0_şifre",
    "Bearer " + "x" * 4000,
]


@pytest.mark.parametrize("authorization", AUTHORIZATIONS, ids=[value[:24] or "none" for value in AUTHORIZATIONS])
async def test_given_no_valid_key_when_asked_then_no_caller_is_let_in(
    watched: Watched, server: Server, authorization: str
) -> None:
    async with opened(server) as anonymous:
        for method, path, body in CALLS:
            headers = {"Authorization": authorization}
            raw = None if body is None else msgspec.json.encode(body)
            answer = await anonymous.send(method, path, raw=raw, headers=headers)
            answer.problem(401, "unauthorized")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert watched.unchanged()


@pytest.mark.parametrize("key_of_scope", [READER, RESERVER, STOCKER], ids=lambda key: key.id)
async def test_given_a_key_without_the_scope_when_used_then_it_is_forbidden(server: Server, key_of_scope: Key) -> None:
    [scope] = key_of_scope.scopes
    async with opened(server, key_of_scope) as limited:
        for method, path, body in CALLS:
            needed = "read" if (method, path) in READS else "stock" if (method, path) in STOCKS else "reserve"
            if needed == scope:
                continue
            answer = await (limited.get(path) if body is None else limited.send(method, path, body))
            assert needed in answer.problem(403, "forbidden")["detail"]


async def test_given_a_key_in_the_store_when_revoked_then_it_opens_nothing(server: Server) -> None:
    pool = connection_pool(f"unix://{server.data_dir}/store.sock")
    try:
        keys = ApiKeyStore(client(pool))
        token, made = await keys.create(["read"], "scopes")  # type: ignore[list-item]
        async with opened(server) as anonymous:

            async def status() -> int:
                return (await anonymous.get(RESERVE, headers={"Authorization": f"Bearer {token}"})).status

            async def let_in() -> bool:
                return await status() == 200

            async def shut_out() -> bool:
                return await status() == 401

            await wait_until(let_in, "a new key is known")
            await keys.revoke(made.id)
            await wait_until(shut_out, "a revoked key opens nothing")
    finally:
        await pool.aclose()


@pytest.mark.parametrize(
    ("path", "body", "field", "rule"),
    [
        (
            "/v1/reservations",
            {**HOLD, "policy": "most"},
            "policy",
            "'all_or_nothing' or 'backorder' or 'partial', not 'most'",
        ),
        ("/v1/orders", {**HOLD, "on_shortage": "maybe"}, "on_shortage", "'accept' or 'reject', not 'maybe'"),
        (
            "/v1/reservations/r/return",
            {"lines": [{"line": 1, "quantity": 1, "disposition": "burnt"}]},
            "lines[0].disposition",
            "'damaged' or 'quality_control' or 'restock', not 'burnt'",
        ),
        (
            "/v1/sourcing/explain",
            {"lines": HOLD["lines"], "sourcing": {"strategy": ["nearest", "best"]}},
            "sourcing.strategy[1]",
            "'lowest_footfall' or 'most_stock' or 'nearest' or 'priority', not 'best'",
        ),
        (
            "/v1/stock/movements",
            {"movements": [{"kind": "sell", "sku": "A", "quantity": 1}]},
            "movements[0].kind",
            "'receive' or 'adjust' or 'count' or 'move', not 'sell'",
        ),
    ],
)
async def test_given_a_word_that_is_not_allowed_when_sent_then_the_allowed_ones_are_named(
    api: Api, path: str, body: dict[str, Any], field: str, rule: str
) -> None:
    [error] = (await api.post(path, body)).problem(400, "invalid")["errors"]

    assert error == {"field": field, "rule": f"must be {rule}"}


async def test_given_a_word_that_is_not_allowed_in_a_query_or_an_element_then_the_allowed_ones_are_named(
    api: Api,
) -> None:
    [error] = (await api.get("/v1/reservations?state=gone")).problem(400, "invalid")["errors"]
    batch = {"reservations": [{**HOLD, "policy": "most"}, HOLD]}
    [first, second] = (await api.post("/v1/reservations/batch", batch)).ok()["results"]

    assert "'held'" in error["rule"]
    assert "'partial'" in first["problem"]["errors"][0]["rule"]
    assert second["status"] != 400
