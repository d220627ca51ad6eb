"""The clients as tests call them: one way for all, whatever waits behind it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, Protocol, cast, get_type_hints

import msgspec

import holdfast
from holdfast.async_streams import AsyncChangeStream

PYTHON_KEEPS: Final = ("from", "return", "open")
"""Names of the API that Python keeps for itself; with an underscore they are parameters."""


Run = Callable[[Any], Any]
"""Waits for a coroutine."""


class Side(Protocol):
    """A client of one kind. What it answers is plain data, as it stands in JSON."""

    def call(self, resource: str, method: str, named: dict[str, Any]) -> Any:
        """Call a method with its parameters by name, as the API names them.

        Raises
        ------
        RefusedError
            The server refused it.

        """


class RefusedError(Exception):
    """A refusal, with the problem as it came."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(f"{problem['outcome']}: {problem['detail']}")
        self.problem = problem


class PythonSide:
    """The Python client, in either mode."""

    def __init__(self, client: "holdfast.Client") -> None:
        self._client = client

    def call(self, resource: str, method: str, named: dict[str, Any]) -> Any:
        made = getattr(getattr(self._client, resource), method)
        hints = get_type_hints(getattr(type(holdfast.Client("http://unused").__dict__[resource]), method)._make)
        given = {f"{name}_" if name in PYTHON_KEEPS else name: value for name, value in named.items()}
        try:
            answer = made(**{name: _typed(value, hints[name]) for name, value in given.items()})
        except holdfast.Refused as refused:
            raise RefusedError(msgspec.to_builtins(refused.problem)) from refused
        if isinstance(answer, list):  # of a batch
            answer = {"results": answer}
        return answer if isinstance(answer, bytes) else msgspec.to_builtins(answer)


def _typed(value: Any, hint: Any) -> Any:
    """Make of plain data what a caller in Python has: structs, days and times. What breaks a rule is sent as it is."""
    try:
        return value.encode() if hint is bytes else msgspec.convert(value, hint)
    except msgspec.ValidationError:
        return value


class Blocking:
    """An asynchronous client whose methods wait, on an event loop of their own in another thread."""

    def __init__(self, client: holdfast.AsyncClient, run: Run) -> None:
        self._client = client
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return _BlockingPart(getattr(self._client, name), self._run)

    def pages(self, read: "_BlockingPart", *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Yield every page of a list."""
        return _waiting(self._client.pages(read.part, *args, **kwargs), self._run)

    def with_options(self, **options: Any) -> "Blocking":
        """Return a client with other deadlines and tries."""
        return Blocking(self._client.with_options(**options), self._run)


class _BlockingPart:
    """A resource, or a method of one."""

    def __init__(self, part: Any, run: Run) -> None:
        self.part = part
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return _BlockingPart(getattr(self.part, name), self._run)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        made = self.part(*args, **kwargs)
        if isinstance(made, AsyncChangeStream):
            return _BlockingStream(made, self._run)
        return self._run(made) if asyncio.iscoroutine(made) else made


class _BlockingStream:
    def __init__(self, changes: AsyncChangeStream, run: Run) -> None:
        self._changes = changes
        self._run = run

    def __enter__(self) -> Iterator[holdfast.Change]:
        self._run(self._changes.__aenter__())
        return _waiting(self._changes, self._run)

    def __exit__(self, *_: object) -> None:
        self._run(self._changes.aclose())


def _waiting(items: Any, run: Run) -> Iterator[Any]:
    iterator = aiter(items)
    while True:
        try:
            yield run(_next(iterator))
        except StopAsyncIteration:
            return


async def _next(iterator: Any) -> Any:
    return await anext(iterator)


@contextmanager
def loop_in_a_thread() -> Iterator[Run]:
    """Run an event loop beside; what is yielded waits for a coroutine on it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="async client")
    thread.start()
    try:
        yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


MODES: Final = ("sync", "async")


@contextmanager
def python_client(mode: str, url: str, key: str = "", **options: Any) -> Iterator[holdfast.Client]:
    """Open a client in either mode; the asynchronous one waits as the other does."""
    if mode == "sync":
        with holdfast.Client(url, key, **options) as client:
            yield client
        return
    with ExitStack() as stack:
        run = stack.enter_context(loop_in_a_thread())
        waiting = holdfast.AsyncClient(url, key, **options)
        stack.callback(lambda: run(waiting.aclose()))
        yield cast("holdfast.Client", Blocking(waiting, run))
