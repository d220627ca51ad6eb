"""The JavaScript client as tests call it: a Node.js process beside, which is told what to call."""

import itertools
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final

from tests.clients.methods import Operation, all_operations
from tests.clients.node import HERE, node
from tests.clients.sides import RefusedError

END_S: Final = 30.0
ANSWER_S: Final = 120.0


def camel(name: str) -> str:
    """Write a name as JavaScript does."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


class JsSide:
    """The JavaScript client in a process of its own; many calls may be on their way at once."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._operations = {(each.resource, each.method): each for each in all_operations()}
        self._reader = threading.Thread(target=self._read, name="answers of Node.js")
        self._reader.start()

    def call(self, resource: str, method: str, named: dict[str, Any]) -> Any:
        came = self._asked(camel(resource), camel(method), arguments(self._operations[resource, method], named))
        if "problem" in came:
            raise RefusedError(came["problem"])
        assert "error" not in came, came["error"]
        return came["text"].encode() if "text" in came else came["answer"]

    def _asked(self, resource: str, method: str, args: list[Any]) -> dict[str, Any]:
        done: Future[dict[str, Any]] = Future()
        with self._lock:
            number = next(self._numbers)
            self._waiting[number] = done
            asked = {"id": number, "resource": resource, "method": method, "args": args}
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
        return done.result(ANSWER_S)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            came = json.loads(line)
            self._waiting.pop(came["id"]).set_result(came)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(END_S)
        self._reader.join(END_S)


def arguments(operation: Operation, named: dict[str, Any]) -> list[Any]:
    """Put parameters in their order: the names in the path, a file, the body or the query, and how the call is made."""
    left = dict(named)
    args = [left.pop(name) for name in operation.parameters("path")]
    if "file" in left:
        args.append(left.pop("file"))
    options = {"idempotencyKey": left.pop("idempotency_key")} if "idempotency_key" in left else {}
    if operation.body_fields or operation.parameters("query"):
        args.append(left)
    return [*args, options]


@contextmanager
def js_side(url: str, key: str = "", **policy: float) -> Iterator[JsSide]:
    """Run the client in Node.js; ``policy`` as the client has it."""
    words = [node(), str(HERE / "driver.mjs"), url, key, json.dumps(policy)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        side = JsSide(process)
        try:
            yield side
        finally:
            side.close()
