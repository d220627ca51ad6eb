"""A receiver of events: verifies each as any user of Standard Webhooks would, and notes what came."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from aiohttp import web
from standardwebhooks import Webhook

from adapters.testing.simulator import Simulator
from tests.channels.webhook_receiver import SECRET

PATH: Final = "/alerts"


@dataclass
class AlertReceiver(Simulator):
    """``taken`` are the ids and events that it answered with 2xx, repeats included. ``statuses`` are given first."""

    statuses: deque[int] = field(default_factory=deque)
    taken: list[tuple[str, Any]] = field(default_factory=list)

    def routes(self) -> list[web.RouteDef]:
        return [web.post(PATH, self._receive)]

    @property
    def hook(self) -> str:
        return self.url + PATH

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        Webhook(SECRET).verify(body, dict(request.headers))
        event = msgspec.json.decode(body)
        if event["id"] != request.headers["webhook-id"] or event["specversion"] != "1.0":
            self.complain(f"an event of another id: {event}")
        if request.content_type != "application/cloudevents+json":
            self.complain(request.content_type)
        status = self.statuses.popleft() if self.statuses else 204
        if status < 300:
            self.taken.append((event["id"], event))
        return web.Response(status=status)

    @property
    def events(self) -> list[tuple[str, str]]:
        """What came, each id once, in the order of the first time: (type, SKU)."""
        return [(event["type"], event["subject"]) for event in dict(reversed(self.taken)).values()][::-1]

    def ids(self) -> list[str]:
        """Each id once, in the order of the first time."""
        return list(dict.fromkeys(name for name, _ in self.taken))
