"""Whatever text of a body the description says must be printable is refused where it is not, by every route."""

from typing import Any

import pytest

from server.api.http.api_examples import examples_of
from server.schemas.common import PRINTABLE_OR_EMPTY_SCHEMA, PRINTABLE_SCHEMA
from tests.api.test_schemathesis import CHANNEL, CREDENTIALS
from tests.support.contract import contract
from tests.support.http import Key, Server, opened

ADMIN = Key("fuzz", "fuzz")
BAD = "a\x9b"
"""A control character that is easily forgotten: C1, and valid UTF-8."""
PATTERNS = (PRINTABLE_SCHEMA["pattern"], PRINTABLE_OR_EMPTY_SCHEMA["pattern"])
DOCUMENT = contract().document
BODIES = [
    (method.upper(), path, operation["requestBody"]["content"]["application/json"])
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if "application/json" in operation.get("requestBody", {}).get("content", {})
]
EXAMPLES = examples_of([(method, path) for method, path, _ in BODIES])


def whole(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow the reference of a schema, and take its first object or text where it may be several."""
    while True:
        if "$ref" in schema:
            schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        elif several := schema.get("anyOf") or schema.get("oneOf"):
            schema = next(each for each in several if each.get("type") != "null")
        else:
            return schema


def spoiled(schema: dict[str, Any], body: Any) -> list[tuple[str, Any]]:
    """Make the body anew for each of its texts that must be printable, with that text spoiled."""
    schema = whole(schema)
    if schema.get("pattern") in PATTERNS:
        return [("", BAD)]
    if "items" in schema:
        first, *rest = body if isinstance(body, list) and body else [None]
        return [(f"[0]{at}", [value, *rest]) for at, value in spoiled(schema["items"], first)]
    fields = schema.get("properties", {})
    known = body if isinstance(body, dict) else {}
    return [
        (f".{name}{at}", {**known, name: value})
        for name, of_field in fields.items()
        for at, value in spoiled(of_field, known.get(name))
    ]


CASES = [
    pytest.param(method, path, bad, id=f"{method} {path}{field}")
    for method, path, content in BODIES
    for field, bad in spoiled(
        content["schema"], next((each.body for each in EXAMPLES.get((method, path), []) if each.status < 300), None)
    )
]


@pytest.fixture(scope="module")
def fuzzed() -> Any:
    """Share a server whose channel has the name that stands in every path."""
    with Server(keys=[ADMIN], toml=CHANNEL, environment=CREDENTIALS, role="api") as started:
        yield started


@pytest.mark.parametrize(("method", "path", "body"), CASES)
async def test_an_unprintable_text_is_refused(fuzzed: Server, method: str, path: str, body: Any) -> None:
    named = "/".join("0" if part.startswith("{") else part for part in path.split("/"))
    async with opened(fuzzed, ADMIN) as api:
        answer = await api.send(method, named, body)
    # A batch is taken as a whole, and refuses the element.
    status = answer.ok()["results"][0]["status"] if path.endswith("/batch") else answer.status
    assert 400 <= status < 500, answer.body
