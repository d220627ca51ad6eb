"""What the OpenAPI description says of bodies and answers, so that types of any language can be written from it."""

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any, Final, NamedTuple

OF_BROWSERS: Final = ("console", "notifications")
"""Operations that no client has: the console's session is for its page, and notifications are what channels send."""
COMMON: Final = "common"
PROBLEMS: Final = "problems"
GROUPS: Final = {
    "allocations": "channels",
    "atp": "availability",
    "api_keys": "keys",
    "backorders": "supply",
    "barcodes": "stock",
    "browser_tokens": "availability",
    "calendars": "rules",
    "finding": "skus",
    "history": "reports",
    "imports": "files",
    "intake": "listings",
    "map_lines": "reservations",
    "move": "reservations",
    "nearby": "availability",
    "renames": "skus",
    "replenishment": "rules",
    "returns": "reservations",
    "safety": "rules",
    "shortage_preview": "shortages",
    "sourcing": "locations",
    "system": "reports",
    "today": "reports",
    "transfers": "supply",
}
"""In which file the schemas of a tag stand, where it is not its own; those of several tags are common."""


class Plain(NamedTuple):
    """A type without parts: ``text``, ``integer``, ``number``, ``boolean``, ``time``, ``date`` or ``anything``."""

    name: str


class Words(NamedTuple):
    """One of some words."""

    words: tuple[str, ...]


class Reference(NamedTuple):
    """Another schema, by its name."""

    name: str


class Many(NamedTuple):
    """A list."""

    each: "Kind"


class ByName(NamedTuple):
    """An object whose names are data."""

    each: "Kind"


class Either(NamedTuple):
    """One of several."""

    kinds: tuple["Kind", ...]


Kind = Plain | Words | Reference | Many | ByName | Either


class Field(NamedTuple):
    """A field of a schema. ``nullable``: null may be said, which is more than leaving it out."""

    name: str
    kind: Kind
    required: bool
    nullable: bool
    about: str


class Schema(NamedTuple):
    """One body, answer, or part of one. ``sent``: it stands in a request; no schema stands in both."""

    name: str
    about: str
    fields: tuple[Field, ...]
    sent: bool
    group: str


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and description of each operation that a client has."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation["tags"][0] not in OF_BROWSERS:
                yield method.upper(), path, operation


def schemas(document: Mapping[str, Any]) -> list[Schema]:
    """Return what clients need of the components, in the order of their names."""
    components = _with_words(document["components"]["schemas"])
    sent: set[str] = set()
    tags: dict[str, set[str]] = {}
    for _, _, operation in operations(document):
        asked = _with_parts(_references(operation.get("requestBody", {})), components)
        answered = _with_parts(_references(_successes(operation)), components)
        sent |= asked
        for name in asked | answered:
            tags.setdefault(name, set()).add(_group(operation["tags"][0]))
    tags |= {name: {PROBLEMS} for name in _with_parts({"Problem"}, components)}
    return [
        _schema(name, components[name], sent=name in sent, group=next(iter(of)) if len(of) == 1 else COMMON)
        for name, of in sorted(tags.items())
        if "properties" in components[name]
    ]


def queries(document: Mapping[str, Any]) -> list[Schema]:
    """Return the query of each operation that has one, in the order of the description."""
    return [
        _query(f"{verb} {path}", operation, given)
        for verb, path, operation in operations(document)
        if (given := [each for each in operation.get("parameters", ()) if each["in"] == "query"])
    ]


def _query(route: str, operation: Mapping[str, Any], given: list[dict[str, Any]]) -> Schema:
    name = "".join(word.capitalize() for word in operation["operationId"].split("_"))
    fields = [_field(each["name"], each["schema"], required=each.get("required", False)) for each in given]
    group = _group(operation["tags"][0])
    return Schema(f"{name}Query", f"The query of `{route}`.", tuple(fields), sent=True, group=group)


def by_group(of: list[Schema]) -> dict[str, list[Schema]]:
    """Sort schemas into the files in which they stand, each behind those that it is made of."""
    groups: dict[str, list[Schema]] = {}
    by_name = {schema.name: schema for schema in of}
    for name in TopologicalSorter({schema.name: sorted(parts(schema)) for schema in of}).static_order():
        if name in by_name:
            groups.setdefault(by_name[name].group, []).append(by_name[name])
    return dict(sorted(groups.items()))


def parts(schema: Schema) -> set[str]:
    """Return the names of the schemas that a schema is made of."""
    return set[str]().union(*(referred(field.kind) for field in schema.fields))


def of_other_groups(names: set[str], group: str, known: list[Schema]) -> dict[str, list[str]]:
    """Return which of some schemas stand in which other files."""
    found: dict[str, list[str]] = {}
    for schema in known:
        if schema.name in names and schema.group != group:
            found.setdefault(schema.group, []).append(schema.name)
    return dict(sorted(found.items()))


def referred(kind: Kind) -> set[str]:
    """Return the names of the schemas that a kind is made of."""
    match kind:
        case Reference(name):
            return {name}
        case Many(each) | ByName(each):
            return referred(each)
        case Either(kinds):
            return set().union(*map(referred, kinds))
        case _:
            return set()


def _group(tag: str) -> str:
    return GROUPS.get(tag, tag)


def _successes(operation: Mapping[str, Any]) -> list[Any]:
    return [answer for status, answer in operation["responses"].items() if status.startswith("2")]


def _references(part: Any) -> set[str]:
    if isinstance(part, list):
        return set().union(*map(_references, part))
    if not isinstance(part, dict):
        return set()
    own = {part["$ref"].rpartition("/")[2]} if "/schemas/" in part.get("$ref", "") else set()
    return own.union(*(_references(value) for value in part.values()))


def _with_parts(names: set[str], components: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    while names - found:
        name = next(iter(names - found))
        found.add(name)
        names = names | _references(components[name])
    return found


def _with_words(components: Mapping[str, Any]) -> dict[str, Any]:
    """Put the words of enumerations where they are named: a name for some words is no type of its own."""
    words = {f"#/components/schemas/{name}": each for name, each in components.items() if "enum" in each}

    def put(part: Any) -> Any:
        if isinstance(part, list):
            return [put(each) for each in part]
        if not isinstance(part, dict):
            return part
        return words.get(part.get("$ref", "")) or {name: put(value) for name, value in part.items()}

    found: dict[str, Any] = put(components)
    return found


def _schema(name: str, described: Mapping[str, Any], *, sent: bool, group: str) -> Schema:
    required = set(described.get("required", ()))
    fields = [_field(each, schema, required=each in required) for each, schema in described["properties"].items()]
    return Schema(name, described["description"], tuple(fields), sent, group)


def _field(name: str, schema: Mapping[str, Any], *, required: bool) -> Field:
    options = schema.get("anyOf", [schema])
    given = [each for each in options if each != {"type": "null"}]
    kind = _kind(given[0]) if len(given) == 1 else Either(tuple(map(_kind, given)))
    about = schema.get("description", given[0].get("description", ""))
    return Field(name, kind, required, len(given) < len(options), about)


_PLAIN: Final = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
_OF_TEXT: Final = {"date-time": "time", "date": "date"}


def _kind(schema: Mapping[str, Any]) -> Kind:
    if "$ref" in schema:
        return Reference(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return Either(tuple(_kind(each) for each in schema["anyOf"]))
    return Words(tuple(schema["enum"])) if "enum" in schema else _kind_of_type(schema)


def _kind_of_type(schema: Mapping[str, Any]) -> Kind:
    match schema.get("type"):
        case "array":
            return Many(_kind(schema["items"]))
        case "object":
            return ByName(_kind(schema.get("additionalProperties", {})))
        case "string":
            return Plain(_OF_TEXT.get(schema.get("format", ""), "text"))
        case str(name):
            return Plain(_PLAIN[name])
        case _:
            return Plain("anything")
