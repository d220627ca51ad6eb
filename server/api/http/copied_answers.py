"""Answers from memory on the express lane: they have nothing to wait for, so they are made at once, without a task.

What cannot be answered so, and what is to be refused, goes the way of all requests: nothing was counted of it here.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from server.api.http.access_lines import Asked, RequestNotes
from server.api.http.admission import admit_key
from server.api.http.app_state import AppState
from server.api.http.request_ids import request_id_of
from server.api.http.routing import Call, Route
from server.api.http.wire import Make, SentT, answer_as
from server.service.caller import Caller
from server.telemetry.request_tally import TALLY


def answering_copied(state: AppState, route: Route, make: Make[SentT]) -> Callable[[Any], SentT | None] | None:
    """Make what answers requests of a route from memory, as :func:`answering`; None: the route has nothing there."""
    read = route.copied
    if read is None:
        return None
    loop_time = asyncio.get_running_loop().time
    needs, name = route.needs, (route.method, route.path)
    status = next(iter(route.answers))
    notes = RequestNotes(state.access_log, *name, slow_s=state.slow_request_s)

    def handle(request: Any) -> SentT | None:
        started_s = loop_time()
        try:
            principal = admit_key(state, request, needs)  # a browser's token is looked at elsewhere
            if principal is None or (principal.limits is not None and principal.limits.requests_per_s):
                return None
            request_id = request_id_of(request.headers)
            caller = Caller(principal, state.partition(principal.partition))
            call = Call(state, request, caller, None, "", request_id)
            answer = read(call)
            if answer is None:
                return None
            response = answer_as(make, request, answer.view, status, request_id, more=answer.headers)
        except Exception:  # noqa: BLE001  # whoever answers it then says what is wrong
            return None
        elapsed_s = loop_time() - started_s
        TALLY.request(name, status, elapsed_s)
        if notes.wants(status, elapsed_s):
            notes.note(Asked(request_id, principal, answer, (call,)), status, elapsed_s)
        return response

    return handle
