"""The real mix, with every answer checked: availability 80 %, reserve 10 %, commit 7 %, release 3 %.

Against a running server, without its web page::

    locust -f bench/http/locustfile.py --headless --host http://127.0.0.1:8080 --users 50 --spawn-rate 50 --run-time 60s

``--skus`` names the SKUs to sell, ``--on-hand`` how many units of each are counted in before the start (0: leave the
stock as it is), ``--token`` an API key with the scopes read, reserve and stock. An answer that is wrong in any way
counts as a failure, and so does stock that does not add up at the end, provided that no one else sells these SKUs.
"""

# locust is an extra that a checkout can do without, and its events carry no types.
# mypy: disable-error-code="import-not-found, misc, no-any-return, untyped-decorator"

import itertools
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

import msgspec
from locust import FastHttpUser, constant, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from server.schemas.availability import AvailabilityView
from server.schemas.problems import Problem
from server.schemas.reservations import ReservationView
from server.schemas.stock import MovedView

SKUS: Final = (
    "8690123456789",
    "TŞRT-Kırmızı/XL",
    "Ayakkabı No 42 (siyah)",
    "cămașă-albă/M",
    "ȘOSETE 3 perechi",
    "kahve fincanı 6'lı",
)
"""As merchants have them: barcodes, spaces, slashes, Turkish and Romanian letters."""
_QUANTITY_MAX: Final = 3
_TTL_S: Final = 3_600
_STOP_TIMEOUT_S: Final = 30.0

_decode_availability = msgspec.json.Decoder(AvailabilityView).decode
_decode_reservation = msgspec.json.Decoder(ReservationView).decode
_decode_problem = msgspec.json.Decoder(Problem).decode
_decode_moved = msgspec.json.Decoder(MovedView).decode

_numbers = itertools.count(1)
_run = secrets.token_hex(4)
_ID: Final = re.compile(rf"{_run}-\d+")
_reserved: Counter[str] = Counter()
"""Units of each SKU that this run holds or has committed: what must be missing at the end."""


class WrongError(Exception):
    """An answer says something that cannot be."""


def expect(truth: bool, message: str) -> None:
    """Refuse an answer unless ``truth``."""
    if not truth:
        raise WrongError(message)


@events.init_command_line_parser.add_listener
def _options(parser: LocustArgumentParser, **_: Any) -> None:
    parser.add_argument("--skus", default="", help="SKUs to sell, separated by |; empty: six of the bench's own")
    parser.add_argument("--on-hand", type=int, default=100_000, help="units of each SKU to count in; 0: none")
    parser.add_argument("--token", default="", help="API key: hf_<id>_<secret>")


def skus_of(environment: Environment) -> tuple[str, ...]:
    """List the SKUs that this run sells."""
    assert environment.parsed_options is not None
    named = environment.parsed_options.skus
    return tuple(named.split("|")) if named else SKUS


class Buyer(FastHttpUser):
    """A caller that looks, reserves, and commits or releases what it holds."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Begin without any reservation."""
        self.skus = skus_of(self.environment)
        self.held: list[ReservationView] = []
        self.newest: dict[str, int] = {}
        token = self.environment.parsed_options.token if self.environment.parsed_options else ""
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.turn = next(_numbers)

    @task(80)
    def look(self) -> None:
        """Ask what is available; a newer answer never shows an older state."""
        sku = self._next_sku()
        with self._request("GET", f"/v1/availability/{quote(sku, safe='')}", "availability") as response:
            expect(response.status_code == 200, f"status {response.status_code}")
            found = _decode_availability(response.content)
            expect(found.sku == sku, f"asked for {sku!r}, answered for {found.sku!r}")
            listed = found.locations if isinstance(found.locations, list) else []
            expect(found.available == sum(each.available for each in listed), "the locations do not add up")
            expect(found.seq >= self.newest.get(sku, 0), "the seq went back")
            self.newest[sku] = found.seq

    @task(10)
    def reserve(self) -> None:
        """Reserve one to three units."""
        sku, quantity = self._next_sku(), 1 + self.turn % _QUANTITY_MAX
        reservation_id = f"{_run}-{next(_numbers)}"
        body = {
            "reservation_id": reservation_id,
            "channel": "locust",
            "ttl_s": _TTL_S,
            "lines": [{"sku": sku, "quantity": quantity}],
        }
        with self._request("POST", "/v1/reservations", "reserve", body) as response:
            if response.status_code == 409:
                _check_out_of_stock(_decode_problem(response.content), sku, quantity)
                return
            expect(response.status_code == 201, f"status {response.status_code}")
            view = _decode_reservation(response.content)
            _reserved[sku] += quantity
            self.held.append(view)
            _check_line(view, reservation_id, "held", sku, held=quantity)
            expect(view.expires_at is not None, "a hold without a deadline")
            [left] = view.availability
            expect(left.sku == sku and left.available >= 0, f"oversold: {left.available} left")

    @task(7)
    def commit(self) -> None:
        """Order what is held."""
        if not self.held:
            return
        hold = self.held.pop(0)
        [line] = hold.lines
        with self._request("POST", f"/v1/reservations/{hold.reservation_id}/commit", "commit", {}) as response:
            expect(response.status_code == 200, f"status {response.status_code}")
            view = _decode_reservation(response.content)
            _check_line(view, hold.reservation_id, "committed", line.sku, committed=line.held)

    @task(3)
    def release(self) -> None:
        """Release what is held."""
        if not self.held:
            return
        hold = self.held.pop(0)
        [line] = hold.lines
        with self._request("POST", f"/v1/reservations/{hold.reservation_id}/release", "release", {}) as response:
            expect(response.status_code == 200, f"status {response.status_code}")
            _reserved[line.sku] -= line.held
            view = _decode_reservation(response.content)
            _check_line(view, hold.reservation_id, "released", line.sku, released=line.held)

    def _next_sku(self) -> str:
        self.turn += 1
        return self.skus[self.turn % len(self.skus)]

    @contextmanager
    def _request(self, method: str, path: str, name: str, body: object = None) -> Iterator[Any]:
        """Send a request; what is found wrong inside the block makes it a failure in locust's report."""
        options: dict[str, Any] = {"name": name, "catch_response": True, "headers": self.headers}
        if body is not None:
            options["json"] = body
        with self.client.request(method, path, **options) as response:
            try:
                yield response
            except (WrongError, msgspec.DecodeError, ValueError) as error:
                # Without the body, so that the report shows one line for each kind of failure.
                response.failure(f"{type(error).__name__}: {_ID.sub('…', str(error))}")
            else:
                # 409 is no failure here: too few units is an answer as good as any.
                response.success()


def _check_line(  # one line, one state, and every unit in one counter
    view: ReservationView,
    reservation_id: str,
    state: str,
    sku: str,
    *,
    held: int = 0,
    committed: int = 0,
    released: int = 0,
) -> None:
    expect(view.reservation_id == reservation_id, f"asked for {reservation_id}, answered for {view.reservation_id}")
    expect(view.state == state, f"state {view.state} instead of {state}")
    [line] = view.lines
    expect(line.sku == sku, f"a line of {line.sku!r} instead of {sku!r}")
    found = (line.held, line.committed, line.released, line.fulfilled, line.expired)
    expect(found == (held, committed, released, 0, 0), f"(held, committed, released, fulfilled, expired) is {found}")
    expect(line.quantity == sum(found), "the counters do not add up to the quantity")


def _check_out_of_stock(problem: Problem, sku: str, quantity: int) -> None:
    expect(problem.outcome == "out_of_stock", f"outcome {problem.outcome}")
    [line] = problem.lines
    expect(line.sku == sku and line.requested == quantity, "the problem is about another line")
    expect(line.available < quantity, f"refused although {line.available} of {quantity} were there")


def _call(environment: Environment, method: str, path: str, body: object = None) -> bytes:
    """Send one request outside the statistics."""
    from urllib.request import Request, urlopen  # noqa: PLC0415  # after locust has patched the sockets

    assert environment.parsed_options is not None
    token = environment.parsed_options.token
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else msgspec.json.encode(body)
    request = Request(f"{environment.host}{path}", data, headers, method=method)  # noqa: S310  # the operator's own URL
    with urlopen(request, timeout=30) as response:  # noqa: S310
        content: bytes = response.read()
    return content


def _available(environment: Environment, sku: str) -> int:
    return _decode_availability(_call(environment, "GET", f"/v1/availability/{quote(sku, safe='')}")).available


_at_start: dict[str, int] = {}


@events.test_start.add_listener
def _begin(environment: Environment, **_: Any) -> None:
    assert environment.parsed_options is not None
    # At the end every buyer waits for the answer to what it has sent, else the sums would not add up.
    environment.stop_timeout = _STOP_TIMEOUT_S
    on_hand = environment.parsed_options.on_hand
    _reserved.clear()
    for sku in skus_of(environment):
        if on_hand:
            body = {"on_hand": on_hand, "reason": "locust"}
            _decode_moved(_call(environment, "PUT", f"/v1/stock/{quote(sku, safe='')}/main", body))
        _at_start[sku] = _available(environment, sku)


@events.quitting.add_listener
def _end(environment: Environment, **_: Any) -> None:
    """Compare the stock with what was answered."""
    for sku, available in _at_start.items():
        missing = available - _available(environment, sku)
        if missing != _reserved[sku]:
            print(f"{sku!r}: {_reserved[sku]} units were reserved, and {missing} are missing from what was available")
            environment.process_exit_code = 1
