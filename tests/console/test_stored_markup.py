"""Markup that is stored through the API, in every text of every request, and in all of an order that a channel tells.

A request whose schema gets a new text fails here until that is planted, too, or is said to be shown nowhere.
"""

from collections.abc import Iterator
from typing import Any, Final, get_args, get_origin
from urllib.parse import quote

import msgspec
import pytest

from server.domain.channels import ChannelStatus, DeadLetter
from server.domain.order_documents import (
    Booking,
    InboxEntry,
    OrderDocument,
    StockLine,
)
from server.store.documents.documents import Documents
from server.store.keys import ChannelKeys, Keyspace
from tests.console.harm import assert_unharmed
from tests.console.pages import console
from tests.console.screens import dialogs, settled
from tests.console.sold_orders import ON_A_CHANNEL
from tests.support.contract import contract
from tests.support.http import Api, Server

pytestmark = pytest.mark.timeout(300)


def planted(name: str) -> str:
    """Make a text that would be seen as an element, and could run; names have 64 characters at most."""
    return f"<img class=planted src=x: onerror=planted=1>{name}"


SKU, PLACE, OTHER = planted("sku"), planted("place"), planted("other")
ORDER, HOLD, PARCEL, DELIVERY = planted("order"), planted("hold"), planted("parcel"), planted("delivery")
LINE: Final = {"sku": SKU, "location": PLACE, "quantity": 2}


def at(*names: str) -> str:
    return "/".join(quote(name, safe="") for name in names)


STORED: Final[list[tuple[str, str, str, dict[str, Any]]]] = [
    ("PUT", "/v1/locations/{name}", at(PLACE), {"groups": [planted("group")]}),
    ("PUT", "/v1/locations/{name}", at(OTHER), {}),
    ("PUT", "/v1/stock/{sku}/{location}", at(SKU, PLACE), {"on_hand": 20, "reason": planted("counted")}),
    ("PUT", "/v1/stock/{sku}/{location}", at(SKU, OTHER), {"on_hand": 5, "reason": "-"}),
    (
        "PUT",
        "/v1/supply/{supply_id}",
        at(DELIVERY),
        {"sku": SKU, "location": PLACE, "reference": planted("ref"), "quantity": 9, "expected_on": "2026-11-01"},
    ),
    (
        "POST",
        "/v1/stock/movements",
        "",
        {
            "movements": [
                {
                    "kind": "receive",
                    "sku": SKU,
                    "location": PLACE,
                    "quantity": 1,
                    "reason": planted("why"),
                    "supply_id": DELIVERY,
                }
            ]
        },
    ),
    ("PUT", "/v1/skus", "", {"skus": [{"sku": SKU, "category": planted("category")}]}),
    ("PUT", "/v1/skus/{sku}", at(SKU), {"category": planted("category")}),
    ("PUT", "/v1/barcodes", "", {"barcodes": [{"barcode": "8690000000036", "sku": SKU}], "reason": planted("label")}),
    (
        "PUT",
        "/v1/replenishment/rules",
        "",
        {"rules": [{"sku": SKU, "location": PLACE, "reorder_point": 90, "target": 99}]},
    ),
    ("PUT", "/v1/safety/rules", "", {"rules": [{"category": planted("category"), "location": OTHER, "units": 1}]}),
    (
        "POST",
        "/v1/orders",
        "",
        {
            "channel": planted("channel"),
            "customer_ref": planted("customer"),
            "flags": [planted("flag")],
            "order_ref": planted("number"),
            "reservation_id": ORDER,
            "on_shortage": "accept",
            "lines": [LINE, {**LINE, "quantity": 30}],
        },
    ),
    (
        "POST",
        "/v1/reservations",
        "",
        {
            "channel": planted("channel"),
            "customer_ref": planted("customer"),
            "flags": [planted("flag")],
            "order_ref": planted("number"),
            "reservation_id": HOLD,
            "ttl_s": 600,
            "lines": [{"sku": SKU, "location": OTHER, "quantity": 1}],
        },
    ),
    (
        "POST",
        "/v1/reservations/{reservation_id}/fulfil",
        at(ORDER),
        {
            "lines": [{"line": 1, "quantity": 1}],
            "carrier": planted("carrier"),
            "tracking": planted("tracking"),
            "invoice_ref": planted("invoice"),
            "reason": planted("shipping"),
        },
    ),
    (
        "POST",
        "/v1/reservations/{reservation_id}/return",
        at(ORDER),
        {"lines": [{"line": 1, "quantity": 1, "disposition": "restock", "location": OTHER}], "reason": planted("back")},
    ),
    (
        "POST",
        "/v1/reservations/{reservation_id}/cancel",
        at(ORDER),
        {"lines": [{"line": 1, "quantity": 1}], "reason": planted("cancelled")},
    ),
    (
        "POST",
        "/v1/reservations/{reservation_id}/move",
        at(ORDER),
        {"lines": [{"line": 2, "quantity": 1, "to": OTHER}], "reason": planted("moving")},
    ),
    (
        "POST",
        "/v1/transfers",
        "",
        {
            "from": OTHER,
            "to": PLACE,
            "transfer_id": PARCEL,
            "reason": planted("sent"),
            "lines": [{"sku": SKU, "quantity": 1}],
        },
    ),
    ("POST", "/v1/channels/{channel}/pause", "trendyol", {"reason": planted("paused")}),
    ("POST", "/v1/channels/{channel}/resume", "trendyol", {"reason": planted("resumed")}),
    ("PUT", "/v1/channels/{channel}", "trendyol", {"locations": [PLACE], "reason": planted("rules")}),
    (
        "PUT",
        "/v1/channels/{channel}/listings",
        "trendyol",
        {
            "listings": [
                {"sku": SKU, "key": planted("key"), "attributes": {"note": planted("attribute")}},
                {"key": planted("bundle"), "components": [{"sku": SKU, "quantity": 2}]},
            ]
        },
    ),
    ("POST", "/v1/orders/{channel}/{number}/notes", at("trendyol", planted("told")), {"text": planted("note")}),
]
"""Method, path as it is documented, its names, and the body. In their order."""
NO_TEXT: Final = {"barcode", "sscc", "key", "currency", "price", "list_price", "time_zone", "group", "format"}
"""Names of fields that take no free text, or stand for another one that is planted: a barcode or a key for a SKU."""
NOT_STORED: Final = {
    "/v1/console/session": "signed in with it below",
    "/v1/reservations/lookup": "asks",
    "/v1/availability/query": "asks",
    "/v1/sourcing/explain": "asks",
    "/v1/browser-tokens": "is in the token alone",
    "/v1/channels/{channel}/dead-letters/retry": "asks for what is there",
    "/v1/channels/{channel}/orders/read": "asks for what is there",
    "/v1/channels/{channel}/outbox/again": "asks for what is there",
    "/v1/channels/{channel}/outbox/cancel": "asks for what is there",
    "/v1/channels/{channel}/outbox/done": "asks for what is there",
    "/v1/channels/{channel}/outbox": "says what a channel is told; its words come back in the order's timeline",
    "/v1/inbox/{channel}/{number}/map": "the body of listings",
    "/v1/sources/{source}/decisions": "asks about places that are there",
    "/v1/reservations/batch": "the bodies of reservations",
    "/v1/reservations/{reservation_id}/commit": "its texts are those of an order",
    "/v1/reservations/{reservation_id}/release": "names lines that are there",
    "/v1/reservations/{reservation_id}/lines": "its texts are those of an order",
    "/v1/reservations/{reservation_id}/exchange": "a return and an order",
    "/v1/stock/{sku}/{location}/allocations/{channel}": "a reason, in the history as that of a count",
    "/v1/allocations/move": "a reason, in the history as that of a count",
    "/v1/transfers/{transfer_id}/receive": "a reason, in the history as that of a count",
    "/v1/transfers/{transfer_id}/cancel": "a reason, in the history as that of a count",
    "/v1/keys": "no screen lists keys; the name of one's own, which the page shows, is in every answer that is hostile",
    "/v1/keys/{key_id}": "as of a new one",
    "/v1/locations/{name}/rename": "a name, as of a location",
    "/v1/skus/{sku}/rename": "a name, as of a SKU",
}
HIDDEN: Final = {"group", "attribute", "rules", "resumed", "paused", "other", "parcel", "sent", "delivery"}
"""What no screen shows by itself: it need not be found, and may be."""
SERVED = ON_A_CHANNEL


def texts(schema: dict[str, Any], field: str = "") -> Iterator[str]:
    """Yield the fields of a body that take any text: "lines[].sku"."""
    schemas = contract().document["components"]["schemas"]
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from texts(choice, field)
    if schema.get("type") == "string" and not schema.keys() & {"enum", "const", "format"}:
        yield field
    for name, each in schema.get("properties", {}).items():
        yield from texts(each, f"{field}.{name}")
    for part, kind in ((schema.get("additionalProperties"), ".*"), (schema.get("items"), "[]")):
        if isinstance(part, dict):
            yield from texts(part, field + kind)


def planted_in(body: object, field: str = "") -> Iterator[str]:
    """Yield the fields of a body in which something is planted."""
    if isinstance(body, dict):
        for name, each in body.items():
            yield from planted_in(each, f"{field}.{name}")
    elif isinstance(body, list):
        for each in body:
            yield from planted_in(each, f"{field}[]")
    elif isinstance(body, str) and "planted" in body:
        yield field


def wanted(method: str, path: str) -> set[str]:
    """Return the fields of a route's body that take any text."""
    body = contract().document["paths"][path][method.lower()].get("requestBody")
    schema = body and body["content"].get("application/json", {}).get("schema")
    return {each for each in texts(schema or {}) if each.rpartition(".")[2].rstrip("[]") not in NO_TEXT}


def test_something_is_planted_in_every_text_that_a_request_stores() -> None:
    found: dict[tuple[str, str], set[str]] = {}
    for method, path, _, body in STORED:
        there = {each.replace(".attributes.note", ".attributes.*") for each in planted_in(body)}
        found.setdefault((method, path), set()).update(there)
    missing = {path: wanted(method, path) - there for (method, path), there in found.items()}

    # A line is of a SKU or of another name of one, at a location or at none; fulfil binds lines that have none.
    binding = {"/v1/reservations/{reservation_id}/fulfil": {".location"}}
    assert {
        path: left - binding.get(path, set()) for path, left in missing.items() if left - binding.get(path, set())
    } == {}


def test_every_other_request_with_a_text_has_a_reason_why_it_is_not_planted() -> None:
    known = {path for _, path, _, _ in STORED} | NOT_STORED.keys()
    paths = contract().document["paths"]
    there = {path for path, each in paths.items() for method in each if method != "get" and wanted(method, path)}

    assert there <= known, "say where it is shown: add it to STORED, or to NOT_STORED with the reason"
    assert NOT_STORED.keys() <= paths.keys()


async def test_what_is_stored_stays_text_on_every_screen(server: Server, documents: Documents) -> None:
    await documents.put_order(
        "default",
        "trendyol",
        filled(
            OrderDocument, key=planted("told"), state="open", currency="TRY", packages=(), changed_ms=1, placed_ms=1
        ),
        filled(Booking, state="booked", reservations=(ORDER,), reason="", lines=(filled(StockLine, sku=SKU),)),
        entry=filled(InboxEntry, channel="trendyol", number=planted("told"), state="open"),
    )
    async with console(server, person=planted("person")) as opened:
        await store(opened.api)
        stand(server)
        seen = ""
        for address in ADDRESSES:
            await opened.show(address)
            await settled(opened)
            await assert_unharmed(opened.page)
            seen += await opened.page.locator("body").inner_text()
            async for _ in dialogs(opened):
                await assert_unharmed(opened.page)

    labels = {name for *_, body in STORED for name in labels_of(body)} | {"person", "told", "note"}
    assert {name for name in labels - HIDDEN if planted(name) not in seen} == set(), "it is shown nowhere any more"


ADDRESSES: Final = (
    "#/today",
    "#/product",
    f"#/product?q={quote(SKU, safe='')}",
    f"#/product/{at(SKU)}",
    *("#/orders", "#/orders?tab=reservations", "#/orders?tab=short", "#/orders?tab=inbox"),
    f"#/orders/{at('trendyol', planted('told'))}",
    f"#/orders/{at(ORDER)}",
    f"#/orders/{at(HOLD)}",
    "#/files",
    *("#/channels", "#/channels?tab=matrix", "#/channels/trendyol", "#/channels/trendyol?tab=listings"),
    *("#/channels/trendyol?tab=refused", "#/channels/trendyol?tab=step"),
    "#/count",
)


async def store(api: Api) -> None:
    """Send all requests; each must be taken."""
    for method, path, names, body in STORED:
        whole = path.partition("{")[0] + names + path.rpartition("}")[2] if names else path
        answer = await api.send(method, whole, body)
        assert answer.status in (200, 201, 202), (method, path, answer.body)


def stand(server: Server) -> None:
    """Let the channel refuse our access and a product, in its own words."""
    letter = filled(DeadLetter, sku=SKU, key=planted("key"))
    with server.store() as store:
        now_ms = store.time()[0] * 1000
        stands = ChannelStatus(
            publisher=planted("publisher"), written_ms=now_ms + 60_000, circuit="halted", reason=planted("halted")
        )
        store.hset(Keyspace("default").channel_status, "trendyol", msgspec.json.encode(stands))
        key = ChannelKeys(Keyspace("default"), "trendyol").dead_letters
        store.hset(key, letter.sku, msgspec.msgpack.encode(letter))


def labels_of(body: object) -> Iterator[str]:
    """Yield the names of what is planted in a body."""
    if isinstance(body, dict | list):
        for each in body.values() if isinstance(body, dict) else body:
            yield from labels_of(each)
    elif isinstance(body, str) and "planted" in body:
        yield body.rpartition(">")[2]


def filled(kind: Any, **given: Any) -> Any:
    """Make a struct whose every text is planted, named after its field."""
    values: dict[str, Any] = dict(given)
    for field in msgspec.structs.fields(kind):
        if field.name not in values:
            value = _planted_for(field.type, field.name)
            if value is not None:
                values[field.name] = value
    return kind(**values)


def _planted_for(kind: Any, name: str) -> Any:
    if kind is str:
        return planted(name)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return filled(kind)
    parts = [part for part in get_args(kind) if part not in (type(None), Ellipsis)]
    if get_origin(kind) is tuple and len(parts) == 1:
        return (_planted_for(parts[0], name),)
    structs = [part for part in parts if isinstance(part, type) and issubclass(part, msgspec.Struct)]
    if structs:
        return filled(structs[0])
    return 2 if kind is int else None
