"""OpenAPI 3.1, generated from the very types that validate, with the examples that the documentation runs."""

import re
import sys
from typing import Annotated, Any, Final

import msgspec

from server.api.http.api_examples import Example, examples_of
from server.api.http.openapi_schemas import Schema, Schemas
from server.api.http.request_ids import REQUEST_ID
from server.api.http.routing import IDEMPOTENCY_KEY, Route
from server.api.http.wire import (
    JSON,
    MSGPACK,
    NOTIFICATION_METHODS,
    NOTIFICATION_REFUSALS,
    NOTIFICATION_SUMMARY,
    NOTIFICATIONS,
    PROBLEM_TYPE,
)
from server.domain.outcomes import OUTCOMES
from server.schemas.api_keys import KeyId
from server.schemas.channels import ChannelName
from server.schemas.common import Health
from server.schemas.files import FileKind, FileToken
from server.schemas.imports import ImportId
from server.schemas.problems import Problem

_EVERYWHERE: Final = (
    "unauthorized", "local_only", "forbidden", "rate_limited", "overloaded", "outcome_unknown", "store_unavailable",
)  # fmt: skip
_HEADER_MEANING: Final = {
    "Idempotency-Key": "1–128 printable ASCII characters; the same key and body have one effect.",
    "If-None-Match": "An ETag of an earlier answer; 304 if nothing changed since.",
    "Last-Event-ID": "The id of the last event received.",
}
_HEADERS: Final[dict[str, Schema]] = {
    "RequestId": {
        "description": "The id that came with the request, or one that was made; the log names it.",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    },
    "Replayed": {
        "description": "There where an earlier request had its effect, and this one none.",
        "required": False,
        "schema": {"type": "string", "const": "true"},
    },
    "ETag": {"description": "For If-None-Match.", "required": False, "schema": {"type": "string"}},
    "RetryAfter": {"description": "Seconds.", "required": False, "schema": {"type": "string", "pattern": "^[0-9]+$"}},
    "RateLimit": {
        "description": "How many requests the key may make in a second, where it has a rate.",
        "required": False,
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "RateLimitRemaining": {
        "description": "About how many of them are left in this second.",
        "required": False,
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "RateLimitReset": {
        "description": "In how many seconds the next second begins.",
        "required": False,
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "Authenticate": {"description": "How to send a key.", "required": False, "schema": {"type": "string"}},
}
_RATE: Final = {
    "RateLimit-Limit": "RateLimit",
    "RateLimit-Remaining": "RateLimitRemaining",
    "RateLimit-Reset": "RateLimitReset",
}
"""Of every answer to a key that has a rate."""
_OF_STATUS: Final = {
    401: {"WWW-Authenticate": "Authenticate"},
    429: {"Retry-After": "RetryAfter", **_RATE},
    503: {"Retry-After": "RetryAfter"},
}
_SYSTEM: Final = "system"
_REFUSED: Final = 400
_PROVED: Final = (
    "The path goes on as the channel likes. No key: each delivery proves itself by the channel's own signature or"
    " secret, and its answer has the status and the body that the channel expects."
)
_GROUPS: Final = {
    "available_to_promise": "atp",
    "expected_receipts": "supply",
    "relocate": "move",
    "returns_and_exchanges": "returns",
    "safety_stock": "safety",
}
"""Modules whose name is not that of their operations: generated clients know these, so they do not change."""
_EVENTS: Final = "Events: availability (data: AvailabilityView), reset"


def document(routes: list[Route], version: str) -> Schema:
    """Build the OpenAPI document."""
    schemas = Schemas(
        bodies={route.body for route in routes if route.body is not None},
        answers={kind for route in routes for kind in route.answers.values() if kind is not None} | {Problem, Health},
        queries={route.query for route in routes if route.query is not None},
    )
    examples = examples_of([(route.method, route.path) for route in routes])
    paths: dict[str, Schema] = {}
    for route in routes:
        known = examples.get((route.method, route.path), [])
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas, known)
    if routes:
        paths |= _notifications(schemas)
    for path, summary in (("/livez", "The process is alive"), ("/readyz", "It can take work")):
        paths[path] = {"get": _health(path, summary, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Holdfast",
            "version": version,
            "summary": "Stock reservations that never oversell.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": _tags(routes),
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "headers": _HEADERS,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "hf_<id>_<secret>"}},
        },
        "security": [{"key": []}, {}],
    }


def _tags(routes: list[Route]) -> list[dict[str, str]]:
    """Describe each group of operations by the first line of its module."""
    about = {_group(route): sys.modules[route.handler.__module__].__doc__ or "" for route in routes}
    if routes:
        about["notifications"] = f"{NOTIFICATION_SUMMARY}."
    about[_SYSTEM] = "Whether it is alive, and whether it can take work."
    return [{"name": name, "description": text.partition("\n")[0]} for name, text in sorted(about.items())]


def _health(path: str, summary: str, schemas: Schemas) -> Schema:
    return {
        "operationId": f"{_SYSTEM}_{path.strip('/')}",
        "summary": summary,
        "tags": [_SYSTEM],
        "security": [{}],
        "responses": {
            "200": _content("Yes", schemas[Health], JSON),
            "503": _problems(503, ["store_unavailable"], schemas, []),
        },
    }


def _notifications(schemas: Schemas) -> dict[str, Schema]:
    """Describe the routes on which channels are heard: what they send is theirs to say."""
    paths: dict[str, Schema] = {}
    for path, suffix in ((NOTIFICATIONS, ""), (f"{NOTIFICATIONS}/{{rest}}", "_below")):
        names = re.findall(r"{(\w+)}", path)
        for method in NOTIFICATION_METHODS:
            operation: Schema = {
                "operationId": f"notifications_{method.lower()}{suffix}",
                "summary": NOTIFICATION_SUMMARY,
                "description": _PROVED,
                "tags": ["notifications"],
                "security": [{}],
                "parameters": [
                    {"name": name, "in": "path", "required": True, "schema": _path_schema(name)} for name in names
                ],
                "responses": {"2XX": {"description": "Taken, and answered as the channel expects it."}},
            }
            for outcome in NOTIFICATION_REFUSALS:
                status = OUTCOMES[outcome].status
                operation["responses"][str(status)] = _problems(status, [outcome], schemas, [])
            if method != "GET":
                operation["requestBody"] = {"content": {JSON: {"schema": {}}}}
            paths.setdefault(path, {})[method.lower()] = operation
    return paths


_FILE: Final = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
_FILE_BODY: Final = {
    "required": True,
    "description": "The file: as it is, or as the part `file` of a form.",
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/octet-stream": {"schema": _FILE},
        "multipart/form-data": {"schema": {"type": "object", "properties": {"file": _FILE}, "required": ["file"]}},
    },
}


def _group(route: Route) -> str:
    module = route.handler.__module__.rpartition(".")[2]
    return _GROUPS.get(module, module)


def _operation(route: Route, schemas: Schemas, examples: list[Example]) -> Schema:
    responses = {str(status): _answer(route, status, kind, schemas, examples) for status, kind in route.answers.items()}
    by_status: dict[int, list[str]] = {}
    for outcome in dict.fromkeys((*route.refusals, *_EVERYWHERE)):
        by_status.setdefault(OUTCOMES[outcome].status, []).append(outcome)
    for status, outcomes in sorted(by_status.items()):
        responses[str(status)] = _problems(status, outcomes, schemas, examples)
    group = _group(route)
    operation: Schema = {
        "operationId": f"{group}_{route.handler.__name__}",
        "summary": route.summary,
        "description": (route.handler.__doc__ or "").strip() + f" Scope: {' or '.join(route.scopes)}.",
        "tags": [group],
        "parameters": _parameters(route, schemas, examples),
        "responses": responses,
    }
    if route.body is not None:
        schema = schemas[route.body]
        sent = {
            each.name: {"value": each.body} for each in examples if each.body is not None and each.status < _REFUSED
        }
        operation["requestBody"] = {
            "required": True,
            "content": {JSON: {"schema": schema, **_shown(sent)}, MSGPACK: {"schema": schema}},
        }
    if route.takes_file:
        operation["requestBody"] = _FILE_BODY
    return operation


def _parameters(route: Route, schemas: Schemas, examples: list[Example]) -> list[Schema]:
    named = next((each.names_in_path for each in examples if each.status < _REFUSED), {})
    parameters: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(name), **_example(named, name)}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.query is not None:
        query = schemas.queries[route.query]
        parameters += [
            {
                "name": name,
                "in": "query",
                "required": name in query.get("required", ()),
                "schema": _without_null(schema),
            }
            for name, schema in query["properties"].items()
        ]
    parameters += [
        {
            "name": name,
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": _HEADER_MEANING[name],
        }
        for name in route.headers
    ]
    return parameters


def _example(names: dict[str, str], name: str) -> Schema:
    return {"example": names[name]} if name in names and "%" not in names[name] else {}


def _without_null(schema: Schema) -> Schema:
    """A query string cannot say null: absent is how it is left out."""
    kept = {name: value for name, value in schema.items() if name != "default" or value is not None}
    options = [each for each in kept.pop("anyOf", []) if each != {"type": "null"}]
    if len(options) == 1:
        return {**kept, **options[0]}
    if "enum" in kept:
        kept["enum"] = [each for each in kept["enum"] if each is not None]
        kept.setdefault("type", "string")
    return {**kept, **({"anyOf": options} if options else {})}


def _path_schema(name: str) -> Schema:
    from server.schemas import common  # noqa: PLC0415

    kinds = {
        "sku": common.Sku,
        "location": common.Location,
        "reservation_id": common.ReservationId,
        "barcode": common.Scan,
        "sscc": common.Scan,
        "transfer_id": common.ReservationId,
        "supply_id": common.ReservationId,
        "channel": ChannelName,
        "source": ChannelName,
        "name": common.Location,
        "number": common.OrderNumber,
        "command_id": common.Reference,
        "kind": FileKind,
        "token": FileToken,
        "import_id": ImportId,
        "key_id": KeyId,
        "rest": Annotated[str, msgspec.Meta(min_length=1)],
    }
    return msgspec.json.schema(kinds[name])


def _answer(route: Route, status: int, kind: Any, schemas: Schemas, examples: list[Example]) -> Schema:
    headers = {"ETag": "ETag"} if "If-None-Match" in route.headers else {}
    if kind is not None:
        if IDEMPOTENCY_KEY in route.headers or route.body is not None:
            headers["Idempotent-Replayed"] = "Replayed"
        content = _content(route.summary, schemas[kind], JSON, MSGPACK, headers=headers)
        content["content"][JSON] |= _shown(_answers(examples, status))
        return content
    if route.answers_file:
        return _content(route.summary, {"type": "string"}, route.answers_file)
    if route.streams:
        return _content(_EVENTS, {"type": "string"}, "text/event-stream")
    return {"description": "Nothing changed since the ETag.", "headers": _headers(headers)}


def _answers(examples: list[Example], status: int) -> Schema:
    return {each.name: {"value": each.answer} for each in examples if each.status == status and each.answer is not None}


def _shown(examples: Schema) -> Schema:
    return {"examples": examples} if examples else {}


def _headers(more: dict[str, str]) -> Schema:
    named = {str(REQUEST_ID): "RequestId", **more}
    return {name: {"$ref": f"#/components/headers/{component}"} for name, component in named.items()}


def _content(description: str, schema: Schema, *media_types: str, headers: dict[str, str] | None = None) -> Schema:
    return {
        "description": description,
        "headers": _headers(headers or {}),
        "content": {media_type: {"schema": schema} for media_type in media_types},
    }


def _problems(status: int, outcomes: list[str], schemas: Schemas, examples: list[Example]) -> Schema:
    headers = _OF_STATUS.get(status)
    content = _content(" · ".join(outcomes), schemas[Problem], PROBLEM_TYPE, headers=headers)
    content["content"][PROBLEM_TYPE] |= _shown(_answers(examples, status))
    return content
