"""The connections of a client: those of one process and one event loop, and others in the next one."""

import asyncio
import os
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import httpx

HttpT = TypeVar("HttpT", httpx.Client, httpx.AsyncClient)
_ELSEWHERE: Final = (
    "the httpx client that you gave was used before a fork, or in another event loop: give each of them its own, or"
    " none, and Holdfast's client makes one where it is needed"
)


class Connections(Generic[HttpT]):
    """What a client sends with.

    Two processes on one connection get each other's answers. So a child has connections of its own after a fork, and so
    has the next event loop, since those of one that has ended are of no use.

    Parameters
    ----------
    given
        The caller's own, which stays the caller's to close.
    make
        Makes one, where none is given.
    where
        Names the process, and the event loop where there is one.

    """

    def __init__(self, given: HttpT | None, make: Callable[[], HttpT], where: Callable[[], object]) -> None:
        self.is_own = given is None
        self._make: Callable[[], HttpT] = make
        self._where = where
        self._http: HttpT = make() if given is None else given
        self._at: object = None
        self._left: list[HttpT] = []

    def http(self) -> HttpT:
        """Return what sends here.

        Raises
        ------
        RuntimeError
            The caller's own was used elsewhere before.

        """
        here = self._where()
        if self._at == here:
            return self._http
        if self._at is not None:
            if not self.is_own:
                raise RuntimeError(_ELSEWHERE)
            # Closed here, the connections would end for those who still use them.
            self._left.append(self._http)
            self._http = self._make()
        self._at = here
        return self._http

    @property
    def last(self) -> HttpT:
        """What was used last, to close it."""
        return self._http


def process() -> object:
    """Name this process."""
    return os.getpid()


def process_and_loop() -> object:
    """Name this process and its event loop."""
    return os.getpid(), asyncio.get_running_loop()
