"""What an adapter does that no contract has: it may be of another package, and must not stop other channels."""

from collections.abc import Callable
from typing import TypeVar

from adapters.contract.adapter import Adapter
from adapters.contract.errors import ChannelError
from adapters.contract.http import Answer, Exchange
from adapters.contract.limits import CostLeft
from adapters.contract.stock import Outcome, StillPending, Ticket

T = TypeVar("T")


class AdapterFaultError(Exception):
    """An adapter raised something of its own, or returned what it must not; ``fault`` is what it was."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(type(fault).__name__)
        self.fault = fault


def guarded(
    begin: Callable[[Adapter], Exchange[T]], adapter: Adapter, returns: Callable[[T], bool] | None
) -> Exchange[T]:
    """Run an exchange of an adapter. ``returns``: whether something is what it may return.

    Raises
    ------
    ChannelError
        As the adapter says.
    AdapterFaultError
        It raised something else, or returned something else.

    """
    try:
        result = yield from begin(adapter)
        is_right = returns is None or returns(result)
    except ChannelError:
        raise
    except Exception as error:
        raise AdapterFaultError(error) from error
    if not is_right:
        raise AdapterFaultError(TypeError("it returned what the contract does not have"))
    return result


def cost_left(adapter: Adapter, answer: Answer) -> CostLeft | None:
    """Ask an adapter what is left of its points; None: it does not say, or has a fault."""
    try:
        return adapter.cost_left(answer)
    except Exception:  # noqa: BLE001  # whatever it is; the answer itself is read by another way
        return None


def is_pushed(result: object) -> bool:
    """Whether a push may return it."""
    return isinstance(result, Ticket) or are_outcomes(result)


def is_polled(result: object) -> bool:
    """Whether the poll of a ticket may return it."""
    return are_outcomes(result.settled) if isinstance(result, StillPending) else are_outcomes(result)


def is_read(result: object) -> bool:
    """Whether a reading may return it."""
    return isinstance(result, dict) and all(isinstance(each, int) for each in result.values())


def are_outcomes(result: object) -> bool:
    """Whether it says of keys what became of them."""
    if not isinstance(result, dict):
        return False
    kinds = set(map(type, result.values()))  # few, of many values
    return all(issubclass(each, Outcome) for each in kinds)
