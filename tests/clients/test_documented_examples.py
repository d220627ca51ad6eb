"""Every method against a real server: the examples of docs/api/, made by the clients, answer as the document says."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.clients.documented import ThroughClient, differences
from tests.clients.js_side import js_side
from tests.clients.methods import METHODS, STREAM
from tests.clients.sides import MODES, PythonSide, Side, python_client
from tests.support.docs_examples import examples, run, whole
from tests.support.http import Api, Server


@contextmanager
def side_of(kind: str, url: str, key: str) -> Iterator[Side]:
    if kind == "js":
        with js_side(url, key) as side:
            yield side
        return
    with python_client(kind, url, key) as client:
        yield PythonSide(client)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", [*MODES, "js"])
async def test_every_example_of_the_page_is_made_by_a_method_that_answers_as_the_page_says(kind: str) -> None:
    found = [each for each in examples(whole()) if not each.request.startswith("GET /v1/changes")]
    answers: list[Any] = []
    called: set[str] = set()
    with ExitStack() as stack:

        def through(server: Server, api: Api) -> Api:
            key = api.key.token if api.key is not None else ""
            return ThroughClient(api, stack.enter_context(side_of(kind, server.url, key)), answers, called)

        await run(found, through)

    wrong = [
        f"{example.request.splitlines()[0]}: {differing}"
        for example, answer in zip(found, answers, strict=True)
        for differing in differences(example, answer)
    ]
    assert not wrong, "\n".join(wrong)
    assert set(METHODS.values()) - called == {STREAM}
