"""Written by a person against the client that openapi-python-client made; mypy reads it beside that client."""

import json
import sys

from holdfast_client import AuthenticatedClient
from holdfast_client.api.reservations import reservations_commit, reservations_reserve
from holdfast_client.api.stock import stock_move_many
from holdfast_client.models import (
    CommitBody,
    CountMovement,
    CountMovementKind,
    LineBody,
    MovementsBody,
    Outcome,
    Problem,
    ReservationView,
    ReserveBody,
)

base_url, token = sys.argv[1:3]
client = AuthenticatedClient(base_url=base_url, token=token)

movement = CountMovement(kind=CountMovementKind.COUNT, sku="PY-1", on_hand=5)
stock_move_many.sync(client=client, body=MovementsBody(movements=[movement]))

held = reservations_reserve.sync(
    client=client,
    body=ReserveBody(channel="web", reservation_id="py-1", lines=[LineBody(sku="PY-1", quantity=2)]),
)
assert isinstance(held, ReservationView), held
committed = reservations_commit.sync(reservation_id="py-1", client=client, body=CommitBody())
assert isinstance(committed, ReservationView), committed
answer = reservations_reserve.sync_detailed(
    client=client,
    body=ReserveBody(channel="web", reservation_id="py-2", lines=[LineBody(sku="PY-1", quantity=9)]),
)
short = answer.parsed
assert isinstance(short, Problem), short
outcome: Outcome = short.outcome

told = {
    "state": held.state.value,
    "committed": committed.state.value,
    "outcome": outcome.value,
    "available": short.lines[0].available if short.lines else None,
    "request_id": short.request_id == answer.headers["X-Request-Id"],
    "created": held.created_at.tzinfo is not None,
}
sys.stdout.write(json.dumps(told) + "\n")
