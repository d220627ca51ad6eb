"""OpenAPI 3.1, generated from the very types that validate, and a page that shows it without any network."""

import re
from html import escape
from typing import Annotated, Any, Final

import msgspec

from server.api.http.routing import Route
from server.api.http.wire import JSON, MSGPACK, NOTIFICATION_METHODS, NOTIFICATIONS, PROBLEM_TYPE
from server.domain.outcomes import OUTCOMES
from server.schemas.channels import ChannelName
from server.schemas.common import Health
from server.schemas.problems import Problem

_REF: Final = "#/components/schemas/{name}"
_EVERYWHERE: Final = ("unauthorized", "local_only", "forbidden", "overloaded", "outcome_unknown", "store_unavailable")
_HEADER_MEANING: Final = {
    "Idempotency-Key": "1–128 printable ASCII characters; the same key and body have one effect.",
    "If-None-Match": "An ETag of an earlier answer; 304 if nothing changed since.",
    "Last-Event-ID": "The id of the last event received.",
}


def document(routes: list[Route], version: str) -> dict[str, Any]:
    """Build the OpenAPI document."""
    types = {
        kind for route in routes for kind in (route.body, route.query, *route.answers.values()) if kind is not None
    }
    ordered = sorted(types | {Problem, Health}, key=lambda kind: kind.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    by_type = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_type, components)
    if routes:
        paths |= _notifications(by_type)
    for path, summary in (("/livez", "The process is alive"), ("/readyz", "It can take work")):
        paths[path] = {"get": _health(summary, by_type)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Holdfast",
            "version": version,
            "summary": "Stock reservations that never oversell.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "hf_<id>_<secret>"}},
        },
        "security": [{"key": []}, {}],
    }


def _health(summary: str, by_type: dict[Any, Any]) -> dict[str, Any]:
    return {
        "summary": summary,
        "security": [{}],
        "responses": {"200": _content("Yes", by_type[Health], JSON), "503": _problems(["store_unavailable"], by_type)},
    }


_REFUSED: Final = (
    "unauthorized", "forbidden", "unknown_channel", "invalid", "too_large", "request_timeout", "overloaded",
)  # fmt: skip
"""Of a delivery; no key is asked for."""
_HEARS: Final = "A channel tells what has changed of its orders"
_PROVED: Final = (
    "The path goes on as the channel likes. No key: each delivery proves itself by the channel's own signature or"
    " secret, and its answer has the status and the body that the channel expects."
)


def _notifications(by_type: dict[Any, Any]) -> dict[str, Any]:
    """Describe the routes on which channels are heard: what they send is theirs to say."""
    paths: dict[str, Any] = {}
    for path, suffix in ((NOTIFICATIONS, ""), (f"{NOTIFICATIONS}/{{rest}}", "_below")):
        names = re.findall(r"{(\w+)}", path)
        for method in NOTIFICATION_METHODS:
            operation: dict[str, Any] = {
                "operationId": f"notifications_{method.lower()}{suffix}",
                "summary": _HEARS,
                "description": _PROVED,
                "tags": ["notifications"],
                "security": [{}],
                "parameters": [
                    {"name": name, "in": "path", "required": True, "schema": _path_schema(name)} for name in names
                ],
                "responses": {"2XX": {"description": "Taken, and answered as the channel expects it."}},
            }
            for outcome in _REFUSED:
                operation["responses"][str(OUTCOMES[outcome].status)] = _problems([outcome], by_type)
            if method != "GET":
                operation["requestBody"] = {"content": {JSON: {"schema": {}}}}
            paths.setdefault(path, {})[method.lower()] = operation
    return paths


_GROUPS: Final = {
    "available_to_promise": "atp",
    "expected_receipts": "supply",
    "relocate": "move",
    "returns_and_exchanges": "returns",
    "safety_stock": "safety",
}
"""Modules whose name is not that of their operations: generated clients know these, so they do not change."""


def _group(route: Route) -> str:
    module = route.handler.__module__.rpartition(".")[2]
    return _GROUPS.get(module, module)


def _operation(route: Route, by_type: dict[Any, Any], components: dict[str, Any]) -> dict[str, Any]:
    responses = {str(status): _answer(route, kind, by_type) for status, kind in route.answers.items()}
    by_status: dict[int, list[str]] = {}
    for outcome in dict.fromkeys((*route.refusals, *_EVERYWHERE)):
        by_status.setdefault(OUTCOMES[outcome].status, []).append(outcome)
    for status, outcomes in sorted(by_status.items()):
        responses[str(status)] = _problems(outcomes, by_type)
    group = _group(route)
    operation: dict[str, Any] = {
        "operationId": f"{group}_{route.handler.__name__}",
        "summary": route.summary,
        "description": (route.handler.__doc__ or "").strip() + f" Scope: {route.scope}.",
        "tags": [group],
        "parameters": _parameters(route, components),
        "responses": responses,
    }
    if route.body is not None:
        schema = by_type[route.body]
        operation["requestBody"] = {
            "required": True,
            "content": {JSON: {"schema": schema}, MSGPACK: {"schema": schema}},
        }
    return operation


def _parameters(route: Route, components: dict[str, Any]) -> list[dict[str, Any]]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(name)}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.query is not None:
        query = components[route.query.__name__]
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


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query string cannot say null: absent is how it is left out."""
    kept = {name: value for name, value in schema.items() if name != "default" or value is not None}
    options = [each for each in kept.pop("anyOf", []) if each != {"type": "null"}]
    if len(options) == 1:
        return {**kept, **options[0]}
    if "enum" in kept:
        kept["enum"] = [each for each in kept["enum"] if each is not None]
    return {**kept, **({"anyOf": options} if options else {})}


def _path_schema(name: str) -> dict[str, Any]:
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
        "rest": Annotated[str, msgspec.Meta(min_length=1)],
    }
    return msgspec.json.schema(kinds[name])


def _answer(route: Route, kind: Any, by_type: dict[Any, Any]) -> dict[str, Any]:
    if kind is not None:
        content = _content(route.summary, by_type[kind], JSON, MSGPACK)
        content["headers"] = {"Idempotent-Replayed": {"schema": {"const": "true"}, "required": False}}
        return content
    if route.streams:
        return _content("Events: availability (data: AvailabilityView), reset", {"type": "string"}, "text/event-stream")
    return {"description": "Nothing changed since the ETag."}


def _content(description: str, schema: Any, *media_types: str) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema} for media_type in media_types}}


def _problems(outcomes: list[str], by_type: dict[Any, Any]) -> dict[str, Any]:
    return _content(" · ".join(outcomes), by_type[Problem], PROBLEM_TYPE)


def docs_page(routes: list[Route], version: str) -> bytes:
    """Build the page at /docs: no script, no font, nothing from elsewhere."""
    rows = "".join(
        f"<tr><td><code>{route.method}</code></td><td><code>{escape(route.path)}</code></td><td>{escape(route.summary)}</td>"
        f"<td>{route.scope}</td><td>{_body_names(route)}</td>"
        f"<td>{' '.join(f'<a href=#{name}>{name}</a>' for name in route.refusals)}</td></tr>"
        for route in routes
    )
    if routes:
        rows += _notifications_row()
    outcomes = "".join(
        f"<tr id={name}><td><code>{name}</code></td><td>{outcome.status}</td><td>{escape(outcome.title)}</td>"
        f"<td>{escape(outcome.detail)}</td><td>{'yes' if outcome.retryable else 'no'}</td></tr>"
        for name, outcome in OUTCOMES.items()
    )
    kinds = sorted({route.body for route in routes if route.body is not None}, key=lambda kind: kind.__name__)
    common = "".join(_schema_section(kind) for kind in kinds)
    return _PAGE.format(version=escape(version), rows=rows, outcomes=outcomes, bodies=common).encode()


def _notifications_row() -> str:
    methods = " ".join(f"<code>{method}</code>" for method in NOTIFICATION_METHODS)
    refused = " ".join(f"<a href=#{name}>{name}</a>" for name in _REFUSED)
    path = f"<code>{NOTIFICATIONS}/…</code>"
    return f"<tr><td>{methods}</td><td>{path}</td><td>{_HEARS}</td><td>none</td><td></td><td>{refused}</td></tr>"


def _body_names(route: Route) -> str:
    return f"<a href=#{route.body.__name__}>{route.body.__name__}</a>" if route.body is not None else ""


def _schema_section(kind: Any) -> str:
    schema = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(kind)), indent=2).decode()
    return f"<details id={kind.__name__}><summary>{kind.__name__}</summary><pre>{escape(schema)}</pre></details>"


_PAGE: Final = """<!doctype html><html lang=en><meta charset=utf-8><title>Holdfast {version}</title>
<meta name=viewport content="width=device-width,initial-scale=1"><style>
body{{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1b1f24;background:#fff}}
table{{border-collapse:collapse;width:100%;margin:1rem 0}}td,th{{text-align:left;padding:.35rem .6rem;
border-bottom:1px solid #d7dce1;vertical-align:top}}code,pre{{font:14px/1.4 ui-monospace,monospace}}
pre{{background:#f4f6f8;padding:1rem;overflow:auto}}a{{color:#0b57d0}}tr:target{{background:#fff3c4}}
summary{{cursor:pointer;font-weight:600;padding:.2rem 0}}
@media(prefers-color-scheme:dark){{body{{background:#14171a;color:#e6e9ec}}pre{{background:#1d2226}}
td,th{{border-color:#333a41}}a{{color:#8ab4f8}}tr:target{{background:#4a3f10}}}}
</style><h1>Holdfast {version}</h1>
<p>One available-to-promise count for every sales channel. Machine-readable: <a href=/openapi.json>/openapi.json</a>.
Send an API key as <code>Authorization: Bearer hf_…</code>; without any key the server answers only its own machine.
JSON by default, <code>application/msgpack</code> in and out for those who want it. A retry with the same
<code>reservation_id</code> or <code>Idempotency-Key</code> has one effect.</p>
<h2>Routes</h2><table><tr><th>Method<th>Path<th>What it does<th>Scope<th>Body<th>Refusals</tr>{rows}</table>
<h2>Outcomes</h2>
<p>Errors are <code>application/problem+json</code>; programs look at <code>outcome</code>. If several apply, the
first in this table is returned.</p>
<table><tr><th>Outcome<th>Status<th>Meaning<th>What to do<th>Same request may succeed later</tr>{outcomes}</table>
<h2>Bodies</h2>{bodies}</html>
"""
