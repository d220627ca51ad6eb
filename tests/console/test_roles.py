"""Each role of the console tries every change, and every forgery of a request tries every change.

The table says which scope a change needs. A route that is not in it fails here, so nobody adds one without a thought.
"""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest

from server.api.routes import ROUTES
from server.domain.principal import Scope
from tests.console.signed_in import Session, signed_in
from tests.support.http import Api, Key, Server, opened

ROLES: Final = {
    "owner": ("admin",),
    "counter": ("read", "stock", "reserve"),
    "stock": ("read", "stock"),
    "orders": ("read", "reserve"),
    "read": ("read",),
}
"""The roles of docs/console.md, as the API names them, and the scopes of their keys."""
CLOSED: Final = ("reserve", "stock", "metrics", "availability", "reserve:own")
"""Scopes that by themselves do not open the console: their keys are for programs."""
SESSION: Final = ("POST /v1/console/session", "DELETE /v1/console/session")
"""Begins with a key alone, and ends itself: tests/console/test_session.py has them."""
CHANGES: Final = {
    "reserve": """
        POST /v1/reservations
        POST /v1/reservations/batch
        POST /v1/orders
        POST /v1/reservations/{reservation_id}/extend
        POST /v1/reservations/{reservation_id}/commit
        POST /v1/reservations/{reservation_id}/release
        POST /v1/reservations/{reservation_id}/cancel
        POST /v1/reservations/{reservation_id}/fulfil
        POST /v1/reservations/{reservation_id}/return
        POST /v1/reservations/{reservation_id}/exchange
        POST /v1/reservations/{reservation_id}/move
        POST /v1/reservations/{reservation_id}/lines
    """,
    "stock": """
        PUT /v1/stock/{sku}/{location}
        POST /v1/stock/movements
        PUT /v1/stock/{sku}/{location}/allocations/{channel}
        DELETE /v1/stock/{sku}/{location}/allocations/{channel}
        POST /v1/allocations/move
        POST /v1/transfers
        POST /v1/transfers/{transfer_id}/receive
        POST /v1/transfers/{transfer_id}/cancel
        PUT /v1/supply/{supply_id}
        DELETE /v1/supply/{supply_id}
        PUT /v1/barcodes
        DELETE /v1/barcodes/{barcode}
        POST /v1/files/{kind}
        POST /v1/files/{kind}/{token}
        POST /v1/imports/{import_id}/undo
        PUT /v1/stock/{sku}/{location}/backorder
        PUT /v1/locations/{name}
        PUT /v1/replenishment/rules
        PUT /v1/time-zone
        PUT /v1/safety/rules
        PUT /v1/skus
        PUT /v1/skus/{sku}
    """,
    "admin": """
        POST /v1/orders/{channel}/{number}/notes
        POST /v1/orders/{channel}/{number}/erase
        POST /v1/inbox/{channel}/{number}/retry
        POST /v1/inbox/{channel}/{number}/ignore
        POST /v1/inbox/{channel}/{number}/map
        PUT /v1/channels/{channel}
        POST /v1/channels/{channel}/reconcile
        POST /v1/channels/{channel}/test
        POST /v1/channels/{channel}/pause
        POST /v1/channels/{channel}/resume
        POST /v1/channels/{channel}/dead-letters/retry
        POST /v1/channels/{channel}/outbox
        POST /v1/channels/{channel}/outbox/again
        POST /v1/channels/{channel}/outbox/cancel
        POST /v1/channels/{channel}/outbox/done
        POST /v1/channels/{channel}/orders/read
        POST /v1/sources/{source}/decisions
        POST /v1/sources/{source}/pull
        PUT /v1/channels/{channel}/listings
        POST /v1/locations/{name}/rename
        DELETE /v1/locations/{name}
        POST /v1/skus/{sku}/rename
        DELETE /v1/skus/{sku}
        DELETE /v1/channels/{channel}/listings/{sku}
        DELETE /v1/channels/{channel}/listings
        POST /v1/keys
        PUT /v1/keys/{key_id}
        POST /v1/keys/{key_id}/rotate
        DELETE /v1/keys/{key_id}
    """,
    "read": """
        POST /v1/reservations/lookup
        POST /v1/availability/query
        POST /v1/browser-tokens
        POST /v1/sourcing/explain
    """,
}
"""What a request needs that changes something, or (the last) asks with a body."""
NEEDS: Final = {line.strip(): scope for scope, lines in CHANGES.items() for line in lines.strip().splitlines()}
PATHS: Final = [(line.split()[0], re.sub(r"{\w+}", "none-such", line.split()[1])) for line in NEEDS]
FORGERIES: Final = {
    "no token": {"X_CSRF_Token": ""},
    "a token that was guessed": {"X_CSRF_Token": "0" * 64},
    "from another site": {"Sec_Fetch_Site": "cross-site"},
    "from another host of the same site": {"Sec_Fetch_Site": "same-site"},
    "an old browser at another origin": {"Sec_Fetch_Site": "", "Origin": "https://evil.example"},
    "an origin that is not told": {"Sec_Fetch_Site": "", "Origin": "null"},
}


@pytest.fixture(scope="module")
def served() -> Iterator[Server]:
    with Server(keys=[*map(key_of, ROLES), *map(program_of, CLOSED)]) as started:
        yield started
        assert started.faults == []


@pytest.fixture
async def anybody(served: Server) -> AsyncIterator[Api]:
    async with opened(served) as api:
        yield api


def key_of(role: str) -> Key:
    return Key(role, "shop", ROLES[role])


def program_of(scope: str) -> Key:
    return Key(f"only-{scope.replace(':', '-')}", "shop", (scope,))


def may(role: str, scope: str) -> bool:
    return scope in ROLES[role] or "admin" in ROLES[role]


def test_the_table_has_every_route_that_changes_something() -> None:
    there = {f"{route.method} {route.path}" for route in ROUTES if route.method != "GET"}

    assert there - set(SESSION) == set(NEEDS)


@pytest.mark.parametrize("scope", CLOSED)
async def test_a_key_of_a_program_opens_no_session(anybody: Api, scope: str) -> None:
    sent = {"Authorization": f"Bearer {program_of(scope).token}"}

    answer = await anybody.post("/v1/console/session", {"person": "Eve"}, headers=sent)

    answer.problem(403, "forbidden")
    assert "Set-Cookie" not in answer.headers


def test_a_new_scope_is_thought_of() -> None:
    assert {scope.value for scope in Scope} == {"admin", "read", *CLOSED}


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_changes_what_its_scopes_allow_and_nothing_else(anybody: Api, role: str) -> None:
    session = await signed_in(anybody, key_of(role))
    assert (await session.send("GET", "/v1/console/session")).ok()["role"] == role

    answers = {line: await session.send(*path) for line, path in zip(NEEDS, PATHS, strict=True)}

    refused = {line for line, answer in answers.items() if answer.status in (401, 403)}
    assert refused == {line for line, scope in NEEDS.items() if not may(role, scope)}
    assert {answers[line].body["outcome"] for line in refused} <= {"forbidden"}


@pytest.mark.parametrize("how", FORGERIES)
async def test_a_forged_request_changes_nothing_whatever_it_asks_for(anybody: Api, how: str) -> None:
    owner = await signed_in(anybody, key_of("owner"))

    statuses = {path: (await owner.send(*path, **FORGERIES[how])).status for path in PATHS}

    assert set(statuses.values()) == {403}, {path: status for path, status in statuses.items() if status != 403}


async def test_neither_does_the_token_of_another_session_nor_the_cookie_of_one(anybody: Api) -> None:
    owner, other = await signed_in(anybody, key_of("owner")), await signed_in(anybody, key_of("owner"), "Eve")
    mixed = Session(anybody, owner.cookie, other.csrf, "")

    statuses = {path: (await mixed.send(*path)).status for path in PATHS}

    assert set(statuses.values()) == {403}


async def test_the_token_of_a_lower_role_lends_the_cookie_of_a_higher_nothing(anybody: Api) -> None:
    owner, reader = await signed_in(anybody, key_of("owner")), await signed_in(anybody, key_of("read"))
    both = f"{reader.cookie}; {owner.cookie}"

    answer = await reader.send("DELETE", "/v1/skus/none-such", Cookie=both)

    answer.problem(401, "unauthorized")


async def test_a_session_shows_a_lower_role_no_page_of_a_higher(anybody: Api) -> None:
    """Reading, too: what needs more than ``read`` is refused."""
    reader = await signed_in(anybody, key_of("read"))
    closed = [route.path for route in ROUTES if route.method == "GET" and route.scope is not Scope.READ]

    answers = [await reader.send("GET", re.sub(r"{\w+}", "none-such", path)) for path in closed]

    assert {answer.status for answer in answers} == {403}
