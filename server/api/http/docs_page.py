"""The page at /docs: every route, outcome and body, without a script, a font, or anything from elsewhere."""

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Any, Final

import msgspec

from server.api.http.routing import Route
from server.api.http.try_page import SAFE_HEADERS, address_of
from server.api.http.wire import NOTIFICATION_METHODS, NOTIFICATION_REFUSALS, NOTIFICATION_SUMMARY, NOTIFICATIONS
from server.domain.outcomes import OUTCOMES


def docs_page(routes: list[Route], version: str) -> tuple[bytes, dict[str, str]]:
    """Build the page at /docs and its headers: no script, no font, nothing from elsewhere."""
    rows = "".join(
        f"<tr><td><code>{route.method}</code></td><td>{_address(route)}</td><td>{escape(route.summary)}</td>"
        f"<td>{' '.join(route.scopes)}</td><td>{_body_names(route)}</td>"
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
    page = _PAGE.format(version=escape(version), style=_STYLE, rows=rows, outcomes=outcomes, bodies=common)
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": _POLICY, **SAFE_HEADERS}
    return page.encode(), headers


def _address(route: Route) -> str:
    """Link a path to where requests can be sent to it."""
    return f'<a href="{escape(address_of(route.method, route.path))}"><code>{escape(route.path)}</code></a>'


def _notifications_row() -> str:
    methods = " ".join(f"<code>{method}</code>" for method in NOTIFICATION_METHODS)
    refused = " ".join(f"<a href=#{name}>{name}</a>" for name in NOTIFICATION_REFUSALS)
    path = f"<code>{NOTIFICATIONS}/…</code>"
    return (
        f"<tr><td>{methods}</td><td>{path}</td><td>{NOTIFICATION_SUMMARY}</td><td>none</td><td></td>"
        f"<td>{refused}</td></tr>"
    )


def _body_names(route: Route) -> str:
    return f"<a href=#{route.body.__name__}>{route.body.__name__}</a>" if route.body is not None else ""


def _schema_section(kind: Any) -> str:
    schema = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(kind)), indent=2).decode()
    return f"<details id={kind.__name__}><summary>{kind.__name__}</summary><pre>{escape(schema)}</pre></details>"


_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;width:100%;margin:1rem 0}td,th{text-align:left;padding:.35rem .6rem;
border-bottom:1px solid #d7dce1;vertical-align:top}code,pre{font:14px/1.4 ui-monospace,monospace}
pre{background:#f4f6f8;padding:1rem;overflow:auto}a{color:#0b57d0}tr:target{background:#fff3c4}
summary{cursor:pointer;font-weight:600;padding:.2rem 0}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e9ec}pre{background:#1d2226}
td,th{border-color:#333a41}a{color:#8ab4f8}tr:target{background:#4a3f10}}
"""
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
_PAGE: Final = """<!doctype html><html lang=en><meta charset=utf-8><title>Holdfast {version}</title>
<meta name=viewport content="width=device-width,initial-scale=1"><style>{style}</style><h1>Holdfast {version}</h1>
<p>One available-to-promise count for every sales channel. Machine-readable: <a href=/openapi.json>/openapi.json</a>.
<a href=/docs/try>/docs/try</a> sends requests; so does the path of each route below.
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
