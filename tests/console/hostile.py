"""Answers of the API whose every text is hostile, made of its schemas: a field that is added tomorrow is in them."""

import json
import re
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import Page, Route

from tests.support.contract import contract

Schema = dict[str, Any]

MARKUP: Final = "<img class=planted src=x: onerror=planted=1>{field}"
ADDRESS: Final = "javascript:window.planted=1//{field}"
NAME: Final = "constructor"
"""A name that every object of JavaScript has."""
TEXTS: Final = {"markup": MARKUP, "address": ADDRESS, "name": NAME}
SESSION: Final = "/v1/console/session"
STREAM: Final = "/v1/changes"
FORMATS: Final = {"date-time": "2026-11-30T08:00:00Z", "date": "2026-11-30", "decimal": "19.90"}
CHECKED: Final = {"time_zone": "Europe/Bucharest", "next": "", "csrf_token": "x"}
"""Texts that cannot be just any: the name of a time zone; the mark of a next page, of which there would be no end; a
value for a header."""
UNKNOWN: Final = ".unknown"
"""What of a question is known nowhere: nothing, or the page would go no further."""
REFUSALS: Final = ("422", "409", "404", "400", "403")
"""The first of these that a route has: none that ends the session, or that the page asks for again."""
DEPTH_MAX: Final = 12


class Hostile:
    """Answers whatever a page asks. ``text``: of every field. ``turn``: which of several values, and of yes and no."""

    def __init__(self, text: str, turn: int = 0, *, refuses: bool = False) -> None:
        self.asked: set[str] = set()
        self.fields: set[str] = set()
        self.faults: list[str] = []
        self._text = text
        self._turn = turn
        self._refuses = refuses
        self._contract = contract()
        self._schemas = self._contract.document["components"]["schemas"]
        self._paths = sorted(self._contract.document["paths"], key=lambda path: path.count("{"))

    async def stand_before(self, page: Page) -> None:
        """Answer from now on in the server's place, but for the stream of changes."""
        await page.route("**/v1/**", self._answer)

    async def _answer(self, route: Route) -> None:
        request, path = route.request, urlsplit(route.request.url).path
        if path == STREAM:
            await route.fallback()
            return
        template = next(each for each in self._paths if _pattern(each).fullmatch(path))
        self.asked.add(template)
        responses = self._contract.document["paths"][template][request.method.lower()]["responses"]
        refuses = self._refuses and template != SESSION
        status = next(each for each in REFUSALS if each in responses) if refuses else min(responses)
        media, described = next(iter(responses[status]["content"].items()))
        body = self.made(described["schema"])
        if template == SESSION:
            body["open"] = False  # else the page asks nobody to sign in, and no more who is there
        self.faults += self._contract.faults(request.method, path, int(status), media, body)
        await route.fulfill(status=int(status), content_type=media, body=json.dumps(body))

    def made(self, schema: Schema, field: str = "", depth: int = 0) -> Any:
        """Make what a schema allows."""
        if "$ref" in schema:
            return self.made(self._schemas[schema["$ref"].rpartition("/")[2]], field, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._one_of(schema["enum"])
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return self.made(self._one_of([each for each in choices if each.get("type") != "null"]), field, depth)
        return self._of_type(schema, field, depth)

    def _of_type(self, schema: Schema, field: str, depth: int) -> Any:
        match schema.get("type"):
            case "string":
                return self._string(schema, field)
            case "integer" | "number":
                return max(3, schema.get("minimum", 3))
            case "boolean":
                return self._turn % 2 == 0
            case "array":
                return self._array(schema, field, depth)
            case "object":
                return self._object(schema, field, depth)
        return self._string(schema, field)

    def _string(self, schema: Schema, field: str) -> str:
        if "format" in schema:
            return FORMATS[schema["format"]]
        if (name := field.rpartition(".")[2]) in CHECKED:
            return CHECKED[name]
        self.fields.add(field)
        return self._text.format(field=name)[: schema.get("maxLength")]

    def _array(self, schema: Schema, field: str, depth: int) -> list[Any]:
        items = schema.get("items", {})
        items = self._schemas[items["$ref"].rpartition("/")[2]] if "$ref" in items else items
        if "enum" in items:
            return list(items["enum"])
        if depth > DEPTH_MAX or field == UNKNOWN:
            return []
        return [self.made(items, field, depth + 1)]

    def _object(self, schema: Schema, field: str, depth: int) -> dict[str, Any]:
        known = schema.get("properties", {})
        made = {name: self.made(each, f"{field}.{name}", depth + 1) for name, each in known.items()}
        if isinstance(others := schema.get("additionalProperties"), dict):
            made[self._text.format(field=f"{field}.*")] = self.made(others, f"{field}.*", depth + 1)
        return made

    def _one_of(self, values: list[Any]) -> Any:
        return values[self._turn % len(values)]


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{\w+}", "[^/]+", template))
