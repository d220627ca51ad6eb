"""Turns: each key of each partition waits in a queue of its own, and none gets more than its share."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from server.store.errors import OverloadedError
from server.store.keys import Keyspace
from server.store.ledger.function_call import FunctionCall, Turn, Waiting
from server.store.ledger.turns import TURNS_PER_BATCH, Turns
from server.store.lua_library import library

A, B, C = Turn("shop", "a"), Turn("shop", "b"), Turn("other", "a")
CALLS: Final[dict[str, FunctionCall]] = {}
_numbers = count()


def call_of(turn: Turn) -> FunctionCall:
    """Return the call of a partition, the same one each time."""
    if turn.partition not in CALLS:
        keyspace = Keyspace(turn.partition)
        CALLS[turn.partition] = FunctionCall(library().function("mutate"), keyspace, b"", bytes, writes=True)
    return CALLS[turn.partition]


@pytest.fixture
async def waits() -> Callable[..., Waiting]:
    """Return a function that makes an operation, numbered in the order in which they are made."""

    def make(turn: Turn, weight: int = 1, since_s: float = 0.0) -> Waiting:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        return Waiting(call_of(turn), b"%d" % next(_numbers), weight, since_s, answer, turn)

    return make


def turns_of(operations_max: int = 128, lines_max: int = 40, queue_max: int = 1_000) -> Turns:
    return Turns(operations_max=operations_max, lines_max=lines_max, queue_max=queue_max)


def add(turns: Turns, *waiting: Waiting) -> None:
    for each in waiting:
        turns.add(each)


def taken(turns: Turns) -> list[Waiting]:
    """Take a batch, in the order of the calls that it makes."""
    return [each for waiting in turns.take().values() for each in waiting]


def lines(waiting: list[Waiting], turn: Turn) -> int:
    return sum(each.weight for each in waiting if each.turn == turn)


# Whose turn it is


async def test_given_one_key_alone_when_taken_then_it_fills_the_batch_in_its_order(
    waits: Callable[..., Waiting],
) -> None:
    turns, mine = turns_of(), [waits(A) for _ in range(100)]
    add(turns, *mine)
    assert [taken(turns), taken(turns), taken(turns)] == [mine[:40], mine[40:80], mine[80:]]
    assert turns.operations == turns.queues == 0


async def test_given_much_of_one_key_when_another_comes_then_it_is_in_the_next_batch_beside_a_quantum(
    waits: Callable[..., Waiting],
) -> None:
    turns, late = turns_of(), waits(B)
    add(turns, *(waits(A) for _ in range(100)), late)
    batch = taken(turns)
    assert late in batch
    assert lines(batch, A) == 40 // TURNS_PER_BATCH


async def test_given_two_keys_of_one_partition_when_taken_then_they_share_a_call(waits: Callable[..., Waiting]) -> None:
    turns = turns_of()
    add(turns, waits(A), waits(B), waits(C))
    assert [len(waiting) for waiting in turns.take().values()] == [2, 1]


async def test_given_light_and_heavy_operations_when_taken_then_both_keys_get_as_many_lines(
    waits: Callable[..., Waiting],
) -> None:
    turns = turns_of()
    add(turns, *(waits(A) for _ in range(400)), *(waits(B, 7) for _ in range(60)))
    sent = [each for _ in range(30) for each in taken(turns)]
    assert abs(lines(sent, A) - lines(sent, B)) <= 10 + 7


async def test_given_an_operation_heavier_than_a_turn_when_others_wait_then_it_goes_after_as_many_turns_as_it_needs(
    waits: Callable[..., Waiting],
) -> None:
    turns, heavy = turns_of(), waits(B, 25)
    add(turns, *(waits(A) for _ in range(400)), heavy)
    assert [heavy in taken(turns) for _ in range(3)] == [False, False, True]


async def test_given_an_operation_heavier_than_a_batch_when_taken_then_it_goes_alone(
    waits: Callable[..., Waiting],
) -> None:
    turns, heavy = turns_of(), waits(A, 1_000)
    add(turns, waits(A), heavy, waits(A))
    assert [len(taken(turns)) for _ in range(3)] == [1, 1, 1]


async def test_given_only_operations_heavier_than_a_turn_when_taken_then_a_batch_is_never_empty(
    waits: Callable[..., Waiting],
) -> None:
    turns = turns_of()
    add(turns, waits(A, 39), waits(B, 39), waits(C, 1_000))
    assert [len(taken(turns)) for _ in range(3)] == [1, 1, 1]


async def test_given_more_keys_than_a_batch_has_room_for_when_taken_then_the_next_batch_goes_on_behind_them(
    waits: Callable[..., Waiting],
) -> None:
    turns = turns_of(operations_max=3)
    keys = [Turn("shop", str(number)) for number in range(5)]
    add(turns, *(waits(key) for _ in range(2) for key in keys))
    order = [each.turn.key for _ in range(4) for each in taken(turns)]
    # Each key's turn covers both of its operations, also where a batch ends between them.
    assert order == ["0", "0", "1", "1", "2", "2", "3", "3", "4", "4"]


async def test_given_a_turn_that_a_full_batch_ended_when_it_goes_on_then_it_has_no_more_than_was_left(
    waits: Callable[..., Waiting],
) -> None:
    turns = turns_of(operations_max=8)
    add(turns, *(waits(A) for _ in range(50)), *(waits(B) for _ in range(50)))
    sent = [each for _ in range(5) for each in taken(turns)]
    assert [each.turn.key for each in sent] == 2 * (10 * ["a"] + 10 * ["b"])


async def test_given_credit_that_was_left_when_a_queue_empties_then_it_is_not_saved_up(
    waits: Callable[..., Waiting],
) -> None:
    turns = turns_of()
    for _ in range(10):
        add(turns, waits(A), waits(B))
        taken(turns)
    add(turns, *(waits(A) for _ in range(100)), waits(B))
    assert lines(taken(turns), A) == 40 // TURNS_PER_BATCH


# How many may wait


async def test_given_a_full_queue_when_its_own_key_asks_for_more_then_that_is_refused(
    waits: Callable[..., Waiting],
) -> None:
    turns = turns_of(queue_max=10)
    add(turns, *(waits(A) for _ in range(10)))
    with pytest.raises(OverloadedError):
        turns.add(waits(A))
    assert turns.operations == 10


async def test_given_a_full_queue_when_another_key_comes_then_the_newest_of_the_longest_makes_room(
    waits: Callable[..., Waiting],
) -> None:
    turns, mine = turns_of(queue_max=10), [waits(A) for _ in range(10)]
    add(turns, *mine)
    late = waits(B), waits(C)
    add(turns, *late)
    assert [type(each.answer.exception()) for each in mine[-2:]] == [OverloadedError] * 2
    assert not any(each.answer.done() for each in mine[:-2])
    assert {*taken(turns)} == {*mine[:-2], *late}


async def test_given_half_of_the_places_when_others_wait_then_a_key_gets_no_more(waits: Callable[..., Waiting]) -> None:
    turns = turns_of(queue_max=10)
    add(turns, waits(B), *(waits(A) for _ in range(5)))
    with pytest.raises(OverloadedError):
        turns.add(waits(A))
    add(turns, *(waits(B) for _ in range(4)))
    assert (turns.operations, turns.longest) == (10, 5)


async def test_given_a_full_queue_when_nobody_has_more_than_who_asks_then_nobody_makes_room(
    waits: Callable[..., Waiting],
) -> None:
    turns = turns_of(queue_max=10)
    add(turns, *(waits(Turn("shop", str(number % 5))) for number in range(10)))
    with pytest.raises(OverloadedError):
        turns.add(waits(Turn("shop", "0")))
    # Who has none is below its share, who has two is above it; where each has one, nobody is.
    for number in range(5, 10):
        turns.add(waits(Turn("shop", str(number))))
    assert (turns.operations, turns.queues, turns.longest) == (10, 10, 1)
    with pytest.raises(OverloadedError):
        turns.add(waits(Turn("shop", "10")))


async def test_given_a_caller_that_has_gone_when_its_operation_makes_room_then_nothing_else_happens(
    waits: Callable[..., Waiting],
) -> None:
    turns, mine = turns_of(queue_max=10), [waits(A) for _ in range(10)]
    add(turns, *mine)
    mine[-1].answer.cancel()
    turns.add(waits(B))
    assert turns.operations == 10


async def test_given_more_waiting_than_may_when_the_bound_falls_then_the_newest_of_who_has_the_most_are_refused(
    waits: Callable[..., Waiting],
) -> None:
    turns, mine, others = turns_of(), [waits(A) for _ in range(20)], [waits(B), waits(B), waits(C)]
    add(turns, *mine, *others)
    turns.bound(10)
    assert [type(each.answer.exception()) for each in mine[7:]] == [OverloadedError] * 13
    assert not any(each.answer.done() for each in [*mine[:7], *others])
    assert (turns.operations, turns.longest) == (10, 7)
    assert {*taken(turns)} == {*mine[:7], *others}


async def test_given_more_keys_than_places_when_the_bound_falls_then_each_keeps_its_oldest(
    waits: Callable[..., Waiting],
) -> None:
    turns = turns_of()
    oldest = [waits(Turn("shop", str(number))) for number in range(5)]
    add(turns, *oldest, *(waits(each.turn) for each in oldest))
    turns.bound(3)
    assert turns.operations == 5
    assert {*taken(turns)} == {*oldest}


async def test_given_one_key_when_the_bound_falls_then_its_oldest_stay(waits: Callable[..., Waiting]) -> None:
    turns, mine = turns_of(), [waits(A) for _ in range(20)]
    add(turns, *mine)
    mine[-1].answer.cancel()
    turns.bound(4)
    assert taken(turns) == mine[:4]
    turns.bound(1_000)
    add(turns, *(waits(A) for _ in range(20)))
    assert turns.operations == 20


# Leaving a queue without being sent


async def test_given_operations_that_waited_too_long_when_taken_out_then_those_of_every_queue_are(
    waits: Callable[..., Waiting],
) -> None:
    turns = turns_of()
    old, new = [waits(A, since_s=1), waits(B, since_s=1)], [waits(A, since_s=3), waits(C, since_s=2)]
    add(turns, old[0], new[0], old[1], new[1])
    assert turns.take_overdue(2) == old
    assert (turns.operations, turns.queues) == (2, 2)
    assert {*taken(turns)} == {*new}


async def test_given_operations_that_another_has_to_send_when_taken_over_then_they_come_before_later_ones(
    waits: Callable[..., Waiting],
) -> None:
    here, there = turns_of(), turns_of()
    moved = [waits(C), waits(A), waits(C)]
    add(here, *moved)
    out = here.take_out(lambda each: each.call is call_of(C))
    assert out == [moved[0], moved[2]]
    later = waits(C)
    there.add(later)
    there.add_first(out)
    assert taken(there) == [moved[0], moved[2], later]
    assert (here.operations, there.operations) == (1, 0)


async def test_given_20000_keys_when_all_were_served_then_nothing_is_left_of_them(
    waits: Callable[..., Waiting],
) -> None:
    turns = turns_of(queue_max=20_000)
    add(turns, *(waits(Turn("shop", str(number))) for number in range(20_000)))
    served = 0
    while turns.operations:
        served += len(taken(turns))
    assert served == 20_000
    assert turns.queues == 0


# At random


class AtRandom(RuleBasedStateMachine):
    """Whatever is added and taken: each is answered once, in its key's order, and none waits for more than it must."""

    QUEUE_MAX, OPERATIONS_MAX, LINES_MAX, WEIGHT_MAX = 40, 60, 120, 40
    QUANTUM = LINES_MAX // TURNS_PER_BATCH

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.turns = turns_of(self.OPERATIONS_MAX, self.LINES_MAX, self.QUEUE_MAX)
        self.waiting: dict[Turn, list[Waiting]] = {}
        self.served_since: dict[bytes, dict[Turn, int]] = {}
        """For the first of each queue: the lines that were sent of each other one since it became the first."""

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()

    def _become_first(self, turn: Turn) -> None:
        if self.waiting.get(turn):
            self.served_since[self.waiting[turn][0].operation] = {}

    @rule(key=st.integers(0, 4), weight=st.one_of(st.just(1), st.integers(1, WEIGHT_MAX)))
    def ask_one(self, key: int, weight: int) -> None:
        self.ask(key, weight)

    def ask(self, key: int, weight: int) -> None:
        turn = Turn("shop", str(key))
        each = Waiting(call_of(turn), b"%d" % next(_numbers), weight, 0.0, self.loop.create_future(), turn)
        held, all_held = len(self.waiting.get(turn, [])), sum(map(len, self.waiting.values()))
        most = max(map(len, self.waiting.values()), default=0)
        try:
            self.turns.add(each)
        except OverloadedError:
            # Whoever is refused has half of the places while others wait, or there is nobody with clearly more.
            over_half = held >= self.QUEUE_MAX // 2 and held < all_held
            assert over_half or (all_held == self.QUEUE_MAX and held + 1 >= most)
            return
        for queue in self.waiting.values():
            while queue and queue[-1].answer.done():
                gone = queue.pop()
                assert isinstance(gone.answer.exception(), OverloadedError)
                assert all_held == self.QUEUE_MAX
                assert len(queue) + 1 == most > held + 1
        self.waiting.setdefault(turn, []).append(each)
        if held == 0:
            self._become_first(turn)

    @rule(key=st.integers(0, 4), number=st.integers(2, QUEUE_MAX + 4))
    def flood(self, key: int, number: int) -> None:
        for _ in range(number):
            self.ask(key, 1)

    @rule()
    def send(self) -> None:
        alone = self.turns.queues == 1
        before = self.turns.operations
        batch = taken(self.turns)
        assert bool(batch) == bool(before)
        assert len(batch) <= self.OPERATIONS_MAX
        assert len(batch) <= 1 or sum(each.weight for each in batch) <= self.LINES_MAX
        firsts = {turn: queue[0] for turn, queue in self.waiting.items() if queue}
        for each in batch:
            assert self.waiting[each.turn].pop(0) is each
            each.answer.set_result(None)
        for turn, first in firsts.items():
            if first.answer.done():
                self._become_first(turn)
                continue
            since = self.served_since[first.operation]
            for other in {each.turn for each in batch} - {turn}:
                since[other] = since.get(other, 0) + lines(batch, other)
                visits = -(-first.weight // self.QUANTUM) + 1
                assert since[other] <= visits * self.QUANTUM + self.WEIGHT_MAX
        if not alone:
            for turn in firsts:
                assert lines(batch, turn) < self.QUANTUM + self.WEIGHT_MAX
        self.waiting = {turn: queue for turn, queue in self.waiting.items() if queue}

    @rule(keys=st.sets(st.integers(0, 4)), come_back=st.booleans())
    def move_away(self, keys: set[int], *, come_back: bool) -> None:
        gone = {Turn("shop", str(key)) for key in keys}
        out = self.turns.take_out(lambda each: each.turn in gone)
        assert {*out} == {each for turn in gone for each in self.waiting.get(turn, [])}
        if come_back:
            self.turns.add_first(out)
        else:
            self.waiting = {turn: queue for turn, queue in self.waiting.items() if turn not in gone}

    @rule()
    def look(self) -> None:
        self.turns.forget_idle()

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "turns"):
            assert self.turns.operations == sum(map(len, self.waiting.values())) <= self.QUEUE_MAX
            assert self.turns.queues == sum(map(bool, self.waiting.values()))


def test_given_anything_at_random_when_added_and_taken_then_turns_are_fair() -> None:
    run_state_machine_as_test(AtRandom, settings=settings(max_examples=60, stateful_step_count=60, deadline=None))
