"""What must hold: the value that each channel shows at the end, and the order in which values took effect."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from redis.asyncio import Redis

from server.domain.channels import ChannelRules, publishable
from server.store.journal import journal
from server.store.keys import Keyspace


@dataclass
class History:
    """Every number that was ever available of each SKU, in order, and how many changes that were."""

    available: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    changes: int = 0

    def published(self, sku: str, rules: ChannelRules, quantity_max: int | None) -> list[int]:
        """Return the values of a SKU that a channel may have got, in order; before the first change it is 0."""
        values = [0, *(publishable(rules, {"main": units}) for units in self.available[sku])]
        return values if quantity_max is None else [min(value, quantity_max) for value in values]


async def read_history(client: Redis, keyspace: Keyspace) -> History:
    """Read the whole journal, which has not been trimmed yet."""
    history = History()
    async for _, changes in journal.read(client, keyspace):
        for change in changes:
            history.changes += bool(change.lines)
            for line in change.lines:
                history.available[line.sku].append(line.available)
    return history


class Order:
    """Follows what took effect for one key of one channel, against the values that were true, in their order.

    A value that was true several times counts as the earliest of those that is not older than the one before it: so
    nothing is called old that need not be.
    """

    def __init__(self, values: Sequence[int]) -> None:
        self._places: dict[int, list[int]] = defaultdict(list)
        for place, value in enumerate(values):
            self._places[value].append(place)
        self._newest = 0

    def fault(self, value: int) -> str:
        """Take note of the next value; says what is wrong with it, or nothing."""
        places = self._places.get(value)
        if not places:
            return f"{value} was never true"
        found = bisect_left(places, self._newest)
        if found == len(places):
            return f"{value}, true as number {places[-1]}, came after number {self._newest}"
        self._newest = places[found]
        return ""


def disorder(effects: Iterable[tuple[str, int]], values: Mapping[str, Sequence[int]]) -> list[str]:
    """List what took effect after something newer, or was never true; ``values`` by key."""
    orders = {key: Order(each) for key, each in values.items()}
    return [f"{key}: {fault}" for key, value in effects if (fault := orders[key].fault(value))]
