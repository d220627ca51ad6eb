"""The schemas of the API's types, as generators of clients want them.

The library that validates makes them. What it leaves out is added: which texts are times, which outcomes there are,
and that an enum is one of texts. Defaults stand in the descriptions of bodies, and nowhere in answers: generated
clients would send them, ask for them, or invent them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, get_args

import msgspec
from msgspec import inspect

from server.domain.outcomes import OUTCOMES
from server.schemas.reservations import State

REF: Final = "#/components/schemas/{name}"
_PREFIX: Final = REF.partition("{")[0]
OUTCOME: Final = "Outcome"
_MOVED: Final = ("moved",)

Schema = dict[str, Any]


class Schemas:
    """The schemas of some types, and all that these are made of.

    Parameters
    ----------
    bodies
        Types that callers send.
    answers
        Types that they get.
    queries
        Types of queries; these become parameters, and no component.

    """

    def __init__(self, bodies: Iterable[Any], answers: Iterable[Any], queries: Iterable[Any]) -> None:
        bodies, answers, queries = set(bodies), set(answers), set(queries)
        types = sorted(bodies | answers | queries, key=lambda kind: str(kind.__name__))
        schemas, components = msgspec.json.schema_components(types, ref_template=REF)
        self._by_type: Mapping[Any, Schema] = dict(zip(types, schemas, strict=True))
        for name, kind in _structs(types):
            _mark_times(components[name], kind)
        for schema in components.values():
            _type_enums(schema)
        _name_outcomes(components)
        sent = _reached(components, (self[kind] for kind in bodies))
        for name, schema in components.items():
            _drop_defaults(schema, says_so=name in sent)
        self.queries = {kind: components[kind.__name__] for kind in queries}
        kept = _reached(components, (self[kind] for kind in bodies | answers))
        self.components = {name: schema for name, schema in components.items() if name in kept}

    def __getitem__(self, kind: Any) -> Schema:
        """Return what refers to a type's schema."""
        return self._by_type[kind]


def _structs(types: Iterable[Any]) -> Iterator[tuple[str, inspect.StructType]]:
    """Go through all structs that types are made of, each once."""
    seen: set[str] = set()
    left: list[inspect.Type] = list(inspect.multi_type_info(types))
    while left:
        kind = left.pop()
        if isinstance(kind, inspect.StructType):
            name = kind.cls.__name__
            if name not in seen:
                seen.add(name)
                yield name, kind
                left += [field.type for field in kind.fields]
        else:
            left += _inside(kind)


def _inside(kind: inspect.Type) -> list[inspect.Type]:
    if isinstance(kind, inspect.Metadata):
        return [kind.type]
    if isinstance(kind, inspect.UnionType):
        return list(kind.types)
    if isinstance(kind, inspect.DictType):
        return [kind.value_type]
    return [kind.item_type] if isinstance(kind, inspect.CollectionType) else []


def _mark_times(schema: Schema, kind: inspect.StructType) -> None:
    """Say of each text that is a time that it is one: of times in UTC the library does not."""
    for field in kind.fields:
        left, is_time = [field.type], False
        while left:
            part = left.pop()
            is_time = is_time or isinstance(part, inspect.DateTimeType)
            left += _inside(part)
        if is_time:
            for text in _parts(schema["properties"][field.encode_name]):
                if text.get("type") == "string":
                    text.setdefault("format", "date-time")


def _parts(schema: Any) -> Iterator[Schema]:
    """Go through a schema and all schemas in it."""
    if isinstance(schema, dict):
        yield schema
        for each in schema.values():
            yield from _parts(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _parts(each)


def _type_enums(schema: Schema) -> None:
    for part in _parts(schema):
        values = part.get("enum")
        if isinstance(values, list) and "type" not in part and all(isinstance(each, str) for each in values):
            part["type"] = "string"


def _name_outcomes(components: dict[str, Schema]) -> None:
    """Say which outcomes there are: of problems, and of the results of batches."""
    refusals = sorted(OUTCOMES)
    components[OUTCOME] = {
        "title": OUTCOME,
        "description": "Why a request was refused; /docs says of each what to do.",
        "type": "string",
        "enum": refusals,
    }
    components["Problem"]["properties"]["outcome"] = {"$ref": REF.format(name=OUTCOME)}
    for name, successes in {"MovementResult": _MOVED, "ReservationResult": get_args(State)}.items():
        if name in components:
            values = sorted({*successes, *refusals})
            components[name]["properties"]["outcome"] = {"type": "string", "enum": values}


def _reached(components: Mapping[str, Schema], schemas: Iterable[Schema]) -> set[str]:
    """Return the names of all components that schemas refer to, directly or by others."""
    names: set[str] = set()
    left = list(schemas)
    while left:
        for part in _parts(left.pop()):
            name = str(part.get("$ref", "")).removeprefix(_PREFIX)
            named = [name, *(str(each).removeprefix(_PREFIX) for each in part.get("mapping", {}).values())]
            for each in named:
                if each in components and each not in names:
                    names.add(each)
                    left.append(components[each])
    return names


def _drop_defaults(schema: Schema, *, says_so: bool) -> None:
    for field in schema.get("properties", {}).values():
        default = field.get("default")
        if says_so and default and "$ref" not in field:
            said = f"Without it: {msgspec.json.encode(default).decode()}."
            field["description"] = f"{field['description']} {said}" if "description" in field else said
        for part in _parts(field):
            part.pop("default", None)
