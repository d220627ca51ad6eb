"""What every adapter must do that reads what its channel holds in a warehouse of its own."""

from abc import abstractmethod
from typing import Final

import pytest

from adapters.contract.errors import ChannelError
from adapters.contract.warehouse import HeldUnits, WarehousePage
from adapters.testing.conformance import AFTER_S, REFUSALS
from adapters.testing.driving import Driven, Driving, S
from adapters.testing.simulator import Fault
from server.channels.connection.http_transport import converse

LISTINGS: Final = 230
"""More than two pages of any channel."""
PAGES_MAX: Final = 100


class WarehouseConformance(Driving[S]):
    """Mix it in, and say how the channel holds units."""

    @abstractmethod
    def hold(self, simulator: S, key: str, quantity: int | None) -> None:
        """Have the channel hold units of a listing that it knows; None: its number is none."""

    def reader(self, simulator: S, channel: Driven) -> Driven:  # noqa: ARG002  # an override may need it
        """Return the adapter with the options by which it reads the warehouse."""
        return channel

    async def pages(self, channel: Driven) -> list[WarehousePage]:
        """Read everything."""
        pages: list[WarehousePage] = []
        while not pages or pages[-1].more:
            pages.append(await self.page(channel, pages[-1].cursor if pages else ""))
            assert len(pages) < PAGES_MAX
        return pages

    async def page(self, channel: Driven, cursor: str = "") -> WarehousePage:
        return await converse(channel.adapter.pull_warehouse(cursor), channel.send)

    async def held(self, channel: Driven) -> dict[str, int]:
        found = [each for page in await self.pages(channel) for each in page.units]
        assert all(isinstance(each, HeldUnits) for each in found)
        return {each.key: each.quantity for each in found}

    def known_as(self, key: str) -> str:
        """Return how the channel writes a key; override where that is not as it was listed."""
        return key

    # -- reading

    async def test_a_kind_that_reads_a_warehouse_says_so(self, simulator: S, channel: Driven) -> None:
        assert self.reader(simulator, channel).adapter.capabilities.warehouse is not None

    async def test_what_the_channel_holds_is_read_over_all_pages_and_nothing_else(
        self, simulator: S, channel: Driven
    ) -> None:
        keys = [self.key(number) for number in range(LISTINGS)]
        self.make_known(simulator, *keys)
        wanted = {key: number % 7 for number, key in enumerate(keys) if number % 2}
        for key, quantity in wanted.items():
            self.hold(simulator, key, quantity)

        found = await self.held(self.reader(simulator, channel))

        assert found == {self.known_as(key): quantity for key, quantity in wanted.items()}

    async def test_a_channel_that_holds_nothing_is_read_as_nothing(self, simulator: S, channel: Driven) -> None:
        assert await self.held(self.reader(simulator, channel)) == {}

    async def test_a_number_that_is_none_is_told_apart_and_keeps_no_other_back(
        self, simulator: S, channel: Driven
    ) -> None:
        self.hold(simulator, self.key(0), 5)
        self.hold(simulator, self.key(1), None)

        pages = await self.pages(self.reader(simulator, channel))

        assert [(each.key, each.quantity) for page in pages for each in page.units] == [(self.known_as(self.key(0)), 5)]
        assert sum(page.unreadable for page in pages) == 1

    async def test_reading_writes_nothing(self, simulator: S, channel: Driven) -> None:
        self.hold(simulator, self.key(0), 5)

        await self.held(self.reader(simulator, channel))

        assert simulator.applied == []

    # -- faults

    @pytest.mark.parametrize("fault", REFUSALS)
    async def test_a_fault_while_a_warehouse_is_read_is_reported_as_what_it_is(
        self, fault: Fault, simulator: S, channel: Driven
    ) -> None:
        self.hold(simulator, self.key(0), 5)
        simulator.always = fault

        with pytest.raises(ChannelError) as caught:
            await self.page(self.reader(simulator, channel))

        assert (type(caught.value), caught.value.after_s) == (REFUSALS[fault], AFTER_S.get(fault))
        simulator.always = None
        assert await self.held(self.reader(simulator, channel)) == {self.known_as(self.key(0)): 5}

    async def test_an_answer_that_breaks_off_is_an_error_and_no_short_page(self, simulator: S, channel: Driven) -> None:
        self.hold(simulator, self.key(0), 5)
        simulator.faults.append("reset_after")

        with pytest.raises(ChannelError):
            await self.page(self.reader(simulator, channel))
