"""The HTTP API without HTTP: the routes answer a command on the store that it has opened.

So a command for daily work is written once, and says the same whether it works here or asks a server elsewhere.
"""

from collections.abc import Mapping
from typing import Final, NoReturn, cast

from aiohttp.streams import StreamReader
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from server.api.http.app_state import AppState
from server.api.http.auth import Authenticator
from server.api.http.express_requests import ExpressAnswer, ExpressRequest
from server.api.http.routing import answering
from server.api.routes import ROUTES
from server.domain.principal import Principal
from server.service.caller import Caller
from server.store.command_session import OpenStore
from server.store.keys import Keyspace
from server.streams.loop_share import LoopShare
from server.streams.open_streams import OpenStreams, StreamLimits

_TIME_S: Final = 10.0
_ROUTES: Final = {(route.method, route.path): route for route in ROUTES}


class LocalApi:
    """Answers requests on behalf of one caller, whose partition has what the routes work with."""

    def __init__(self, store: OpenStore, caller: Caller) -> None:
        owner, partition = _Owner(caller.principal), caller.partition
        self._state = AppState(
            authenticator=owner,
            batcher=store.batcher,
            client=store.client,
            maintenance_client=store.client,
            retention=store.retention,
            new_id=partition.new_id,
            new_feed=_no_feed,
            ttl_default_s=partition.ttl_default_s,
            body_timeout_s=_TIME_S,
            slow_request_s=0,
            write_timeout_s=_TIME_S,
            streams=OpenStreams(StreamLimits(1), owner.authenticate),
            loop_share=LoopShare(1),
            documents=partition.documents,
            partitions={caller.principal.partition: partition},
        )

    async def answer(
        self, method: str, path: str, *, url: URL, names: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Return status and body of the answer of a route, which ``path`` names as :data:`ROUTES` does."""
        handle = answering(self._state, _ROUTES[method, path], ExpressAnswer)
        content = cast("StreamReader", _Body(body))  # as much of one as is asked of a body that has come
        request = ExpressRequest(CIMultiDictProxy(CIMultiDict(headers)), content, _Here(), url, names)
        answer = await handle(request)  # type: ignore[arg-type]  # as much of a request as a route of the lane asks for
        assert isinstance(answer, ExpressAnswer)  # noqa: S101  # no route that streams is asked here
        return answer.status, answer.body


class _Owner(Authenticator):
    """Lets in whoever has the store: its files are theirs."""

    def __init__(self, principal: Principal) -> None:
        super().__init__((), None, open_to_loopback=False)
        self._principal = principal

    def authenticate(self, header: str | None) -> Principal | None:  # noqa: ARG002  # the signature of its base
        return self._principal


class _Here:
    """A connection that nobody has to be let in through."""

    admitted = True


class _Body:
    """A body that is there as a whole."""

    def __init__(self, whole: bytes) -> None:
        self._whole = whole

    def is_eof(self) -> bool:
        return True

    def read_nowait(self) -> bytes:
        return self._whole


def _no_feed(keyspace: Keyspace) -> NoReturn:
    raise RuntimeError(f"a command follows no journal: {keyspace.journal}")
