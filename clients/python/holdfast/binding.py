"""Each operation is written once, as a function that returns its call; here it becomes a method of both clients."""

from collections.abc import Callable, Coroutine
from functools import update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from holdfast.calls import Call
from holdfast.decisions import Plan, Policy

P = ParamSpec("P")
T = TypeVar("T")


class Sync:
    """The mode of a client whose methods return answers."""


class Async:
    """The mode of a client whose methods return coroutines."""


ModeT = TypeVar("ModeT", bound=Sync | Async)
Run = Callable[[Any], Any]


class Resource(Generic[ModeT]):
    """The operations about one thing, bound to a client: ``run`` carries a call out, as its mode says."""

    def __init__(self, run: Run, policy: Policy) -> None:
        self._run = run
        self._policy = policy


class Operation(Generic[P, T]):
    """A method of a resource: called, it makes its call and has the client run it."""

    def __init__(self, make: Callable[Concatenate[Any, P], Call[T] | Plan[T]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, at: None, owner: type) -> Self: ...
    @overload
    def __get__(self, at: Resource[Sync], owner: type | None = None) -> Callable[P, T]: ...
    @overload
    def __get__(self, at: Resource[Async], owner: type | None = None) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, at: Any, owner: type | None = None) -> Any:
        """Return the method of a resource."""
        return self if at is None else _Bound(self._make, at)


class _Bound(Generic[P, T]):
    """A method of one client's resource."""

    def __init__(self, make: Callable[Concatenate[Any, P], Call[T] | Plan[T]], at: Resource[Any]) -> None:
        self._make = make
        self._at = at
        update_wrapper(self, make)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        return self._at._run(self._make(self._at, *args, **kwargs))  # noqa: SLF001  # the two are one thing

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Return the call without making it: ``client.run`` makes it, once or again."""
        return self._make(self._at, *args, **kwargs)


def operation(make: Callable[Concatenate[Any, P], Call[T] | Plan[T]]) -> Operation[P, T]:
    """Turn a function that returns a call into a method of both clients."""
    return Operation(make)
