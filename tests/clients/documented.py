"""Sends the examples of docs/api/ by the methods of a client, and compares what they answer."""

import asyncio
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

from tests.clients.methods import operation_of
from tests.clients.sides import RefusedError, Side
from tests.support.docs_examples import Example, comparable
from tests.support.http import JSON, PROBLEM, Answer, Api

BY_OTHERS: Final = ("/v1/console", "/v1/notifications", "/metrics", "/openapi.json", "/docs", "/console")
"""No client has these."""
KEY: Final = "Idempotency-Key"
IN_BODY: Final = "application/json"


class ThroughClient(Api):
    """Takes requests as they stand in a document, and makes each by the method that is for it.

    ``answers`` gets what the client answered to each request, a problem where it was refused; None: not by the client.
    ``called`` gets the methods.
    """

    def __init__(self, api: Api, side: Side, answers: list[Any], called: set[str]) -> None:
        super().__init__(api._session, api._url, api.key)
        self._side = side
        self._answers = answers
        self._called = called

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,  # noqa: ARG002  # documents have them raw
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        msgpack: bool = False,  # noqa: ARG002  # and so they say themselves
    ) -> Answer:
        headers = headers or {}
        if not is_by_client(method, path, raw, headers):
            self._answers.append(None)
            return await super().send(method, path, raw=raw, headers=headers)
        operation, names = operation_of(method, urlsplit(path).path)
        self._called.add(f"{operation.resource}.{operation.method}")
        named: dict[str, Any] = {name: unquote(value) for name, value in names.items()}
        named = {name: plain_id(value) for name, value in named.items()}
        named |= {name: plain(value) for name, value in parse_qsl(urlsplit(path).query, keep_blank_values=True)}
        if operation.resource == "files" and operation.method == "send":
            named["file"] = (raw or b"").decode()
        elif raw is not None:
            named |= msgspec.json.decode(raw)
        if KEY in headers:
            named["idempotency_key"] = headers[KEY]
        return await asyncio.to_thread(self._made, operation.resource, operation.method, named)

    async def get(self, path: str, **options: Any) -> Answer:
        """Read what an example needs, by no client."""
        return await super().send("GET", path, **options)

    def _made(self, resource: str, method: str, named: dict[str, Any]) -> Answer:
        try:
            answer = self._side.call(resource, method, named)
        except RefusedError as refused:
            self._answers.append(refused.problem)
            return answer_of(refused.problem["status"], refused.problem, PROBLEM)
        self._answers.append(answer)
        return answer_of(200, answer, "text/csv" if isinstance(answer, bytes) else JSON)


def is_by_client(method: str, path: str, raw: bytes | None, headers: Mapping[str, str]) -> bool:
    """Tell whether a client can send a request: it encodes no nonsense, and has no headers for others."""
    if path.startswith(BY_OTHERS) or method == "HEAD" or "If-None-Match" in headers or "Authorization" in headers:
        return False
    if headers.get("Content-Type", IN_BODY) not in (IN_BODY, "text/csv"):
        return False
    if raw is None or path.startswith("/v1/files"):
        return True
    try:
        operation, _ = operation_of(method, urlsplit(path).path)
        return set(msgspec.json.decode(raw)) <= set(operation.body_fields)
    except (msgspec.DecodeError, LookupError):
        return False


def answer_of(status: int, body: Any, media_type: str) -> Answer:
    headers = CIMultiDictProxy(CIMultiDict({"Content-Type": media_type}))
    return Answer(status, headers, body if isinstance(body, bytes) else msgspec.json.encode(body))


def plain_id(text: str) -> str:
    """Read an id of a path that is written in base64url."""
    code = text.removeprefix("~")
    return text if code == text else urlsafe_b64decode(code + "=" * (-len(code) % 4)).decode()


def plain(text: str) -> object:
    """Read a value of a query as a program has it."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?\d{1,9}", text) else text


def differences(example: Example, answer: Any) -> list[str]:
    """Compare what a client answered with the document: nothing of it is missing, and what is more is empty."""
    _, _, body = example.answer.partition("\n\n")
    if answer is None or not body.strip() or isinstance(answer, bytes):
        return []
    documented = msgspec.json.decode(comparable(body))
    got = msgspec.json.decode(comparable(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode()))
    return list(_differ(documented, got, "answer"))


def _differ(documented: Any, got: Any, at: str) -> Any:
    if isinstance(documented, dict) and isinstance(got, dict):
        for name in documented.keys() | got.keys():
            if name not in documented:
                if got[name] not in (None, [], {}):
                    yield f"{at}.{name}: not documented, {got[name]!r}"
            elif name not in got:
                yield f"{at}.{name}: missing"
            else:
                yield from _differ(documented[name], got[name], f"{at}.{name}")
    elif isinstance(documented, list) and isinstance(got, list) and len(documented) == len(got):
        for number, (one, other) in enumerate(zip(documented, got, strict=True)):
            yield from _differ(one, other, f"{at}[{number}]")
    elif documented != got:
        yield f"{at}: {documented!r} != {got!r}"
