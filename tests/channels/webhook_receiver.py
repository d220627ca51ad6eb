"""A webhook receiver built on public packages: ``standardwebhooks`` verifies what comes in, ``cloudevents`` reads it.

It does what the adapter's documentation asks of a receiver: a message's id is honoured once, and a version that is
lower than the one it holds is dropped.
"""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from adapters.testing.simulator import Simulator

SECRET: Final = "whsec_bWFkZS11cC1mb3ItdGVzdHMtb25seS0wMQ=="
OTHER_SECRET: Final = "whsec_bWFkZS11cC1mb3ItdGVzdHMtb25seS0wMg=="
BEARER: Final = "made-up-bearer-token"
PATH: Final = "/hooks/stock"
SINGLE: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
WILL_NOT: Final = "no listing of that name here"


@dataclass
class WebhookReceiver(Simulator):
    """``answers`` are given in place of its own, after verification. ``bearer`` None: no token is asked for."""

    secret: str = SECRET
    bearer: str | None = None
    takes_batches: bool = False
    answers: deque[tuple[int, str, dict[str, str]]] = field(default_factory=deque)
    events: list[CloudEvent] = field(default_factory=list)
    dropped: list[CloudEvent] = field(default_factory=list)
    message_ids: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    versions: dict[str, tuple[int, int]] = field(default_factory=dict)

    def routes(self) -> list[web.RouteDef]:
        return [web.post(PATH, self._receive)]

    @property
    def hook(self) -> str:
        return self.url + PATH

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.headers.append(request.headers)
        refusal = self._refusal(request, body)
        if refusal is not None:
            self.refused.append(refusal)
            return web.Response(status=401, text=refusal)
        self._check_form(request, body)
        message_id = request.headers["webhook-id"]
        is_repeated = message_id in self.message_ids
        self.message_ids.append(message_id)
        if self.answers:
            status, text, headers = self.answers.popleft()
            return web.Response(status=status, text=text, headers=headers)
        return web.Response(status=204) if is_repeated else self._take(_events(request.content_type, body))

    def _refusal(self, request: web.Request, body: bytes) -> str | None:
        if self.bearer is not None and request.headers.get("Authorization") != f"Bearer {self.bearer}":
            return "no such bearer"
        try:
            Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            return str(error)
        return None

    def _check_form(self, request: web.Request, body: bytes) -> None:
        if request.headers["Content-Type"] != (BATCH if self.takes_batches else SINGLE):
            self.complain(f"content type {request.headers['Content-Type']}")
        if len(body) >= 20_000:
            self.complain(f"a body of {len(body)} bytes")

    def _take(self, events: list[CloudEvent]) -> web.Response:
        """Take all of a message or nothing."""
        unknown = [event for event in events if _data(event)["key"] not in self.shown]
        if unknown:
            return web.Response(status=422, text=WILL_NOT)
        for event in events:
            self._take_one(event)
        return web.Response(status=204)

    def _take_one(self, event: CloudEvent) -> None:
        data = _data(event)
        version = data["version"], data.get("locations_version", 0)
        if version < self.versions.get(data["key"], (0, 0)):
            self.dropped.append(event)
            return
        self.events.append(event)
        if not self.lying:
            self.versions[data["key"]] = version
        self.show(data["key"], data["quantity"], data.get("price"))


def _data(event: CloudEvent) -> dict[str, Any]:
    data = event.get_data()
    assert isinstance(data, dict)
    return data


def _events(content_type: str, body: bytes) -> list[CloudEvent]:
    """Read each event with the public package; it knows no batches, which are arrays of the same."""
    parts = [json.dumps(part).encode() for part in json.loads(body)] if content_type == BATCH else [body]
    read = [from_structured_event(HTTPMessage({"content-type": SINGLE}, part)) for part in parts]
    assert all(isinstance(event, CloudEvent) for event in read)
    return [event for event in read if isinstance(event, CloudEvent)]
