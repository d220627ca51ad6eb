"""A profile is added up by parts, by what it was innermost."""

import pytest

from bench.http.shares import part_of, shares

SERVE = "serve (server/cli/serve.py:96);run (uvloop/__init__.py:92);loop_cb_idle_callback (loop.c:92362)"
LANE = f"{SERVE};ExpressConnection._serve (server/api/http/express_lane.py:144)"


@pytest.mark.parametrize(
    ("stack", "part"),
    [
        (f"{LANE};write (libc.so.6)", "write to callers"),
        (f"{SERVE};send (server/store/connection/call_connection.py:90);write (libc.so.6)", "write to the store"),
        (f"{SERVE};epoll_pwait (libc.so.6)", "wait for what comes next"),
        (f"{LANE};JSONDecoder_decode (msgspec/_core.so)", "HTTP: the lane and the routes"),
        (f"{LANE};reserve (server/service/reservations.py:30);Struct (msgspec/_core.so)", "checks and answers"),
        (f"{LANE};__pyx_f_7aiohttp (aiohttp/_http_parser.so)", "aiohttp"),
        (SERVE, "the event loop"),
    ],
)  # fmt: skip
def test_given_a_stack_when_asked_then_its_innermost_part_is_named(stack: str, part: str) -> None:
    assert part_of(stack.split(";")) == part


def test_given_a_profile_when_added_up_then_threads_that_wait_for_work_do_not_count() -> None:
    profile = [
        f"{SERVE} 3\n",
        f"{LANE} 1\n",
        "_worker (thread.py:81);_queue_SimpleQueue_get (q.h:1);0x7f97 (libc.so.6) 96\n",
    ]
    assert shares(profile) == {"the event loop": 0.75, "HTTP: the lane and the routes": 0.25}
