"""What every kind that says something about orders must do: nothing is said twice, and what was lost is confirmed."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import pytest

from adapters.contract.commands import PART_OF_PACKAGE
from adapters.contract.errors import ChannelError, NotSentError, UnknownResultError
from adapters.contract.orders import Command, Confirmation, Done, NotDone, Order, Refuse, Refused, Ship, Undecided
from adapters.testing.order_side import OrderSide
from adapters.testing.seller import O, Seller, Selling
from adapters.testing.simulator import Fault
from adapters.testing.waiting import wait_until
from server.channels.connection.http_transport import Transport


class CommandsConformance(Selling[O]):
    """Part of ``adapters.testing.orders_conformance``: what is said about orders."""

    def declared(self, seller: Seller, order: Order) -> list[Command]:
        intake = seller.adapter.capabilities.intake
        assert intake is not None
        made = (self.command(name, order) for name in sorted(intake.commands))
        return [each for each in made if each is not None]

    def placed(self, seller: Seller) -> str:
        return seller.simulator.place((self.key(0), 2), (self.key(1), 1))

    async def test_what_is_said_is_done(self, seller: Seller) -> None:
        for command in self.declared(seller, await seller.order(self.placed(seller))):
            order = await seller.order(self.placed(seller))
            again = self._about(command, order)

            assert isinstance(await seller.say(again, order), Done), again
            assert seller.simulator.carried_out.total() > 0
            assert not isinstance(await self._confirmed(seller, again), NotDone)
            seller.simulator.carried_out.clear()

    def _about(self, command: Command, order: Order) -> Command:
        lines = tuple((line.key, line.ordered - line.cancelled - line.shipped) for line in order.lines)
        changes: dict[str, Any] = {"order": order.key}
        if isinstance(command, Refuse | Ship):
            changes["lines"] = lines
        return msgspec.structs.replace(command, **changes)

    @staticmethod
    def is_carried_out(simulator: OrderSide) -> bool:
        return simulator.carried_out.total() > 0

    async def _confirmed(self, seller: Seller, command: Command) -> Confirmation:
        return seller.adapter.confirm(command, await seller.order(command.order))

    @pytest.mark.parametrize("fault", ["reset_after", "silent_after"])
    async def test_a_command_whose_answer_was_lost_is_never_said_twice(
        self, fault: Fault, seller: Seller, impatient: Transport
    ) -> None:
        for each in self.declared(seller, await seller.order(self.placed(seller))):
            order = await seller.order(self.placed(seller))
            command, simulator = self._about(each, order), seller.simulator
            simulator.carried_out.clear()
            simulator.only = self.command_path
            simulator.faults.append(fault)
            hasty = Seller(seller.adapter, impatient.send, simulator)

            with pytest.raises(UnknownResultError):
                await hasty.say(command, order)
            await wait_until(partial(self.is_carried_out, simulator), "it is carried out")
            simulator.only, simulator.faults = "", type(simulator.faults)()

            assert isinstance(await self._confirmed(seller, command), Done | Undecided), command
            assert max(simulator.carried_out.values()) == 1

    @pytest.mark.parametrize("fault", ["reset", "failing", "not_json"])
    async def test_a_command_that_did_not_arrive_is_found_not_to_be_done(self, fault: Fault, seller: Seller) -> None:
        for each in self.declared(seller, await seller.order(self.placed(seller))):
            order = await seller.order(self.placed(seller))
            command = self._about(each, order)
            seller.simulator.only = self.command_path
            seller.simulator.faults.append(fault)

            with pytest.raises(UnknownResultError):
                await seller.say(command, order)
            seller.simulator.only = ""

            assert isinstance(await self._confirmed(seller, command), NotDone), command
            assert isinstance(await seller.say(command, await seller.order(order.key)), Done)

    async def test_a_throttled_command_is_said_later(self, seller: Seller) -> None:
        order = await seller.order(self.placed(seller))
        for command in self.declared(seller, order):
            seller.simulator.only = self.command_path
            seller.simulator.faults.append("throttled_with_retry_after")

            with pytest.raises(ChannelError) as caught:
                await seller.say(command, order)

            assert not isinstance(caught.value, UnknownResultError | NotSentError)
            assert seller.simulator.carried_out.total() == 0

    async def test_a_package_that_is_named_leaves_with_all_its_pieces_or_not_at_all(self, seller: Seller) -> None:
        order = await seller.order(seller.simulator.place((self.key(0), 2)))
        command = next((each for each in self.declared(seller, order) if isinstance(each, Ship)), None)
        package = next((each for each in order.packages if each.state == "living" and each.lines), None)
        if command is None or package is None:
            pytest.skip("nothing can be shipped, or no package is there before it leaves")
        part = msgspec.structs.replace(command, lines=((order.lines[0].key, 1),), package=package.key)

        outcome = await seller.say(part, order)

        assert isinstance(outcome, Refused)
        assert outcome.code == PART_OF_PACKAGE
        assert seller.simulator.carried_out.total() == 0

    async def test_what_the_order_has_not_is_not_refused(self, seller: Seller) -> None:
        intake = seller.adapter.capabilities.intake
        assert intake is not None
        if "refuse" not in intake.commands:
            pytest.skip("nothing can be refused at this channel")
        order = await seller.order(self.placed(seller))
        many: Sequence[tuple[str, int]] = [(line.key, line.ordered + 1) for line in order.lines]

        outcome = await seller.say(Refuse(order=order.key, lines=tuple(many)), order)

        assert not isinstance(outcome, Done)
        assert seller.simulator.carried_out.total() == 0
