"""What generators of clients want of /openapi.json: examples, times, enums, headers, ids, tags, and no defaults."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec
import pytest

import server
from server.api.http import openapi
from server.api.http.api_examples import OF_ONE_STATUS_MAX, examples_of
from server.api.http.try_page import address_of
from server.api.routes import ROUTES
from server.domain.outcomes import OUTCOMES
from tests.support.contract import contract
from tests.support.docs_examples import whole

Schema = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Schema:
    return contract().document


def operations(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def parts(schema: object) -> Iterator[Schema]:
    if isinstance(schema, dict):
        yield schema
        for each in schema.values():
            yield from parts(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from parts(each)


def validator(document: Schema, schema: Schema) -> Any:
    whole = {**schema, "components": document["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def test_every_operation_has_an_id_of_its_own_and_a_tag_that_is_described(document: Schema) -> None:
    ids = Counter(operation["operationId"] for _, _, operation in operations(document))
    described = {tag["name"]: tag["description"] for tag in document["tags"]}

    assert [name for name, times in ids.items() if times > 1] == []
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in ids)
    assert {operation["tags"][0] for _, _, operation in operations(document)} == set(described)
    assert all(text.endswith((".", ":")) for text in described.values())


def asked(document: Schema, part: object, seen: set[str]) -> Iterator[Schema]:
    """Walk through a part of a request, and through what it refers to."""
    for each in parts(part):
        yield each
        name = str(each.get("$ref", "")).rpartition("/")[2]
        if name and name not in seen:
            seen.add(name)
            yield from asked(document, document["components"]["schemas"][name], seen)


def test_no_request_names_a_partition(document: Schema) -> None:
    fields = {
        name
        for path, methods in document["paths"].items()
        for operation in methods.values()
        for part in asked(document, [operation.get("parameters", []), operation.get("requestBody", {})], set())
        for name in (path, part.get("name"), *part.get("properties", ()))
        if isinstance(name, str)
    }

    assert {"sku", "Idempotency-Key", "lines", "quantity"} <= fields, "it looks where the fields are"
    assert [name for name in fields if "partition" in name.lower()] == []


def test_every_body_has_an_example_that_ran(document: Schema) -> None:
    lacking = [
        (method, path)
        for method, path, operation in operations(document)
        if "requestBody" in operation and "notifications" not in path
        and not operation["requestBody"]["content"].get("application/json", {"examples": "a file"}).get("examples")
    ]  # fmt: skip

    assert lacking == []


def test_every_example_is_as_its_schema_says(document: Schema) -> None:
    seen = 0
    for method, path, operation in operations(document):
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        for media_type, content in (each for one in contents for each in one.get("content", {}).items()):
            for name, example in content.get("examples", {}).items():
                seen += 1
                faults = list(validator(document, content["schema"]).iter_errors(example["value"]))
                assert faults == [], (method, path, media_type, name)
    assert seen > 150


def test_nothing_has_a_default(document: Schema) -> None:
    schemas = document["components"]["schemas"]

    assert [part for part in parts(schemas) if "default" in part and "type" in part] == []


def test_a_body_says_what_holds_without_a_field(document: Schema) -> None:
    policy = document["components"]["schemas"]["ReserveBody"]["properties"]["policy"]

    assert policy["description"] == 'Without it: "all_or_nothing".'


def test_what_is_a_time_says_so(document: Schema) -> None:
    lacking = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, property_ in schema.get("properties", {}).items()
        if field.endswith("_at") or field in ("at", "as_of")
        if not any(part.get("format") == "date-time" for part in parts(property_))
    ]

    assert lacking == []


def test_every_enum_has_a_type_and_outcomes_are_one(document: Schema) -> None:
    schemas = document["components"]["schemas"]

    assert [part for part in parts(schemas) if "enum" in part and "type" not in part and None not in part["enum"]] == []
    assert schemas["Outcome"]["enum"] == sorted(OUTCOMES)
    assert schemas["Problem"]["properties"]["outcome"] == {"$ref": "#/components/schemas/Outcome"}
    assert "moved" in schemas["MovementResult"]["properties"]["outcome"]["enum"]
    assert "held" in schemas["ReservationResult"]["properties"]["outcome"]["enum"]


def test_kinds_are_told_apart_by_a_discriminator(document: Schema) -> None:
    items = document["components"]["schemas"]["MovementsBody"]["properties"]["movements"]["items"]

    assert items["discriminator"]["propertyName"] == "kind"
    assert set(items["discriminator"]["mapping"]) == {"receive", "adjust", "count", "move"}


def test_every_answer_names_its_headers(document: Schema) -> None:
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status != "2XX":
                assert "X-Request-Id" in answer["headers"], (method, path, status)
            assert ("Retry-After" in answer.get("headers", {})) == (status in ("429", "503"))
            assert ("WWW-Authenticate" in answer.get("headers", {})) == (status == "401")
    reserve = document["paths"]["/v1/reservations"]["post"]["responses"]["201"]["headers"]
    assert reserve["Idempotent-Replayed"] == {"$ref": "#/components/headers/Replayed"}
    assert "ETag" in document["paths"]["/v1/availability/{sku}"]["get"]["responses"]["200"]["headers"]


def test_every_component_is_used_and_every_reference_leads_somewhere(document: Schema) -> None:
    text = msgspec.json.encode(document).decode()
    for kind in ("schemas", "headers"):
        used = set(re.findall(rf'"#/components/{kind}/([^"]+)"', text))
        assert used == set(document["components"][kind])


def test_examples_are_those_of_the_page_and_so_many_of_a_status() -> None:
    found = examples_of([(route.method, route.path) for route in ROUTES], whole())
    counts = Counter((route, each.status) for route, examples in found.items() for each in examples)

    assert set(found) == {(route.method, route.path) for route in ROUTES}
    assert max(counts.values()) == OF_ONE_STATUS_MAX
    assert all(len({each.name for each in examples}) == len(examples) for examples in found.values())


def test_without_the_page_there_are_no_examples_and_all_else_is_there() -> None:
    assert examples_of([("GET", "/v1/locations")], "") == {}


def test_a_server_that_publishes_alone_has_a_document_too() -> None:
    document = openapi.document([], server.__version__)

    assert set(document["paths"]) == {"/livez", "/readyz"}


@pytest.mark.parametrize(
    ("method", "path", "address"),
    [
        ("GET", "/v1/availability/{sku}", "/docs/try#?route=get-/v1/availability/-sku-"),
        (
            "POST",
            "/v1/reservations/{reservation_id}/commit",
            "/docs/try#?route=post-/v1/reservations/-reservation_id-/commit",
        ),
    ],
)
def test_the_address_at_which_the_viewer_shows_a_route(method: str, path: str, address: str) -> None:
    assert address_of(method, path) == address
