"""take_back: an import is taken back at a place, unless that was counted since, or units would be missing."""

import msgspec

from server.domain.answers import LineRefusal, Refused
from server.domain.operations.stock import Bucket
from server.domain.stock import StockChanged
from server.store.ledger.ledger import Ledger
from tests.support.operations import adjust, count, order, receive, undo


async def counted(ledger: Ledger, on_hand: int, sku: str = "A") -> int:
    """Count, and return the seq of that."""
    answer = await ledger.run(count(sku, on_hand))
    assert isinstance(answer, StockChanged)
    return answer.level.seq


async def test_given_a_count_when_taken_back_then_what_came_since_stays(ledger: Ledger) -> None:
    await counted(ledger, 10)
    seq = await counted(ledger, 50)
    await ledger.run(receive("A", 4))

    answer = await ledger.run(undo("A", seq, on_hand=-40, key="u"))
    again = await ledger.run(undo("A", seq, on_hand=-40, key="u"))

    assert isinstance(answer, StockChanged)
    assert isinstance(again, StockChanged)
    assert (answer.level.on_hand, again.level.on_hand, again.replayed) == (14, 14, True)


async def test_given_a_later_count_when_taken_back_then_its_number_stands(ledger: Ledger) -> None:
    await counted(ledger, 10)
    seq = await counted(ledger, 50)
    await counted(ledger, 49)

    assert await ledger.run(undo("A", seq, on_hand=-40)) == Refused("counted_since", "", [])
    assert isinstance(await ledger.run(undo("A", seq, safety=2)), StockChanged)  # nobody has counted that


async def test_given_a_count_without_a_difference_when_taken_back_then_its_number_stands(ledger: Ledger) -> None:
    """Nothing else has moved, so it has the seq of the change before it; the time tells them apart."""
    await counted(ledger, 10)
    seq = await counted(ledger, 50)
    assert await counted(ledger, 50) == seq

    answer = await ledger.run(msgspec.structs.replace(undo("A", seq, on_hand=-40, key="u"), at_ms=1_796_031_244_793))

    assert answer == Refused("counted_since", "", [])


async def test_given_orders_when_taken_back_then_their_units_stay_unless_a_shortage_is_meant(ledger: Ledger) -> None:
    await counted(ledger, 10)
    seq = await counted(ledger, 50)
    await ledger.run(order("o", ("A", 35)))

    refused = await ledger.run(undo("A", seq, on_hand=-40))
    taken = await ledger.run(undo("A", seq, on_hand=-40, may_be_short=True))

    assert refused == Refused("out_of_stock", "", [LineRefusal(1, "A", "main", 40, 15)])
    assert isinstance(taken, StockChanged)
    assert (taken.level.on_hand, taken.level.available, taken.level.lacks) == (10, -25, 25)


async def test_given_fewer_units_than_are_taken_back_when_asked_then_it_is_refused(ledger: Ledger) -> None:
    seq = await counted(ledger, 5)
    await ledger.run(adjust("A", Bucket.DAMAGED, 2))

    too_many = [
        (undo("A", seq, on_hand=-6, may_be_short=True), -6, 5),
        (undo("A", seq, damaged=-3, may_be_short=True), -3, 2),
        (undo("A", seq, safety=-1, may_be_short=True), -1, 0),
    ]
    for operation, units, there in too_many:
        answer = await ledger.run(operation)
        assert answer == Refused("exceeds_remaining", "", [LineRefusal(1, "A", "main", -units, there)])
    assert (await ledger.run(undo("B", seq, on_hand=-1))) == Refused(
        "unknown_sku", "", [LineRefusal(1, "B", "main", 0, 0)]
    )
