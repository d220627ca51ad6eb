"""The errands of docs/errands.md that operators and merchants have, each request of them made by the clients."""

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest

from tests.api.test_errands import documented
from tests.clients.documented import ThroughClient
from tests.clients.js_side import js_side
from tests.clients.sides import MODES, PythonSide, Side, python_client
from tests.support.docs_examples import CHANNEL, CREDENTIALS
from tests.support.errands import merchant, operator
from tests.support.errands.errand import ERRANDS, Asking, Errand
from tests.support.http import Answer, Key, Server, opened

BY_PROMETHEUS = "Read the figures for the monitoring"
"""It is read by a monitoring system, and so has no method."""
OTHERS = [
    each for each in ERRANDS if each.role in (operator.ROLE, merchant.ROLE) and each.title != BY_PROMETHEUS
]  # fmt: skip
KEY = Key("errands", "default", ("admin", "metrics"))


class Done(Answer, frozen=True):
    """The answer of a method: the client has looked at its status."""

    def ok(self, status: int = 200) -> Any:  # noqa: ARG002  # see above
        """Return the body, if it was not refused."""
        return super().ok(200)


class ByMethods(ThroughClient):
    """Takes the requests of an errand, and makes each by the method that is for it."""

    async def send(
        self, method: str, path: str, body: object = None, *, raw: bytes | None = None, **options: Any
    ) -> Answer:
        raw = raw if body is None else msgspec.json.encode(body)
        answer = await super().send(method, path, raw=raw, **options)
        return Done(answer.status, answer.headers, answer.raw)


@pytest.fixture(scope="module", params=[*MODES, "js"])
def servers(request: pytest.FixtureRequest) -> Iterator[dict[str, tuple[Server, Side]]]:
    """A server for each role, and a client of one kind at each."""
    plain: dict[str, Any] = {"keys": [KEY], "secret_key": base64.b64encode(b"e" * 32).decode()}
    with ExitStack() as stack:
        started = {
            merchant.ROLE: stack.enter_context(Server(**plain, figures_interval_s=0.05)),
            operator.ROLE: stack.enter_context(Server(**plain, toml=CHANNEL, environment=CREDENTIALS, role="api")),
        }
        sides: dict[str, Side] = {}
        for role, server in started.items():
            if request.param == "js":
                sides[role] = stack.enter_context(js_side(server.url, KEY.token))
            else:
                client = stack.enter_context(python_client(request.param, server.url, KEY.token))
                sides[role] = PythonSide(client)
        yield {role: (started[role], sides[role]) for role in started}
        assert [server.faults for server in started.values()] == [[], []]


@pytest.mark.parametrize("errand", OTHERS, ids=lambda each: f"{each.role}: {each.title}")
async def test_an_errand_is_done_by_the_methods_of_a_client(
    servers: dict[str, tuple[Server, Side]], errand: Errand
) -> None:
    server, side = servers[errand.role]
    answers: list[Any] = []
    async with opened(server, KEY) as api:
        ask = Asking(ByMethods(api, side, answers, set()))
        await errand.do(ask)

    assert None not in answers, "a request was made by no client"
    assert list(ask.taken) == documented()[errand.role, errand.title]


def test_there_are_nineteen() -> None:
    assert len(OTHERS) == 19
