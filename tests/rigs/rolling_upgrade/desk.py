"""Where a caller asks: sends a request, asks again where the outcome is unknown, and has some replayed.

A share of all requests is sent once more through the *other* release, some even at the same moment. Both must get the
same answer, which neither release can give if it does not understand what the other one has written.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from tests.rigs.rolling_upgrade.balancer import Balancer, LostError, NobodyReadyError
from tests.rigs.rolling_upgrade.expected import reservations_in
from tests.rigs.rolling_upgrade.records import NOT_ENOUGH, Ask, Diary, Record, Reply

REPLAY_SHARE: Final = 0.2
AT_ONCE_SHARE: Final = 0.05
REPLAYS_MIN: Final = 5
"""Of each kind in each direction: until there are so many, every request of it is replayed."""
TRIES_MAX: Final = 10
TRY_AGAIN_S: Final = 0.2


class StoryEndsError(Exception):
    """The story cannot go on: it was refused for want of units, the run ends, or something is wrong and noted."""


@dataclass
class Crossings:
    """How many replays went from one release to the other, by (kind, who wrote); ``at_once``: both at one moment."""

    replays: Counter[tuple[str, str]] = field(default_factory=Counter)
    at_once: Counter[str] = field(default_factory=Counter)

    def fewest(self, kind: str, wrote: str) -> bool:
        """Whether there were so few of this kind in this direction that the next one should be replayed."""
        return self.replays[kind, wrote] < REPLAYS_MIN


@dataclass
class Desk:
    """What all callers share. ``rest_s`` is how long a caller rests after an answer, on average."""

    balancer: Balancer
    diary: Diary
    chance: random.Random
    rest_s: float
    crossings: Crossings = field(default_factory=Crossings)
    ending: bool = False
    _newest: dict[str, Any] = field(default_factory=dict)

    def state(self, reservation_id: str) -> str:
        """Return the state of a reservation, as its newest answer said."""
        return str(self._newest[reservation_id]["state"])

    async def ask(self, ask: Ask, *, rests: bool = True) -> Any:
        """Send a request and note its answer; returns the answer's body.

        Raises
        ------
        StoryEndsError
            It was refused, or the run is over.

        """
        reply = await self._answered(ask)
        self.diary.records.append(Record(ask, reply))
        if not reply.granted:
            if not (ask.may_lack and reply.outcome in NOT_ENOUGH):
                self._odd(ask, reply)
            raise StoryEndsError
        self._note(reply.body)
        if self.chance.random() < REPLAY_SHARE or self.crossings.fewest(ask.kind, reply.release):
            await self.replay(Record(ask, reply))
        if rests:
            await self._rest()
        body = reply.body
        return body["reservation"] if ask.kind == "exchange" else body

    async def read(self, reservation_id: str) -> Any:
        """Read a reservation, and note it as what is true now."""
        return await self.ask(Ask("read", "GET", f"/v1/reservations/{reservation_id}", None))

    async def replay(self, record: Record) -> None:
        """Send a request once more through the other release, if there is one: the answer must be the first one."""
        ask, first = record.ask, record.reply
        other = self.balancer.other(first.release)
        if not other:
            return
        try:
            again = await self.balancer.send(ask, other)
        except NobodyReadyError:
            return  # the last one of that release has just left
        except LostError as error:
            self.diary.failed.append(f"{_named(ask)} replayed: no answer: {error}")
            return
        if self._failed(ask, again):
            return
        self.crossings.replays[ask.kind, first.release] += 1
        self._compare(ask, first, again)

    def _compare(self, ask: Ask, first: Reply, again: Reply) -> None:
        how = f"{_named(ask)}, written by {first.release}, replayed by {again.release}"
        if again.status != first.status:
            self.diary.unlike.append(f"{how}: {first.status} became {again.status} {again.outcome}")
        elif again.answer != first.answer:
            self.diary.unlike.append(f"{how}: {difference(first.answer, again.answer)}")
        elif ask.is_protected and not again.is_replay:
            self.diary.unlike.append(f"{how}: not said to be a replay")

    async def _answered(self, ask: Ask) -> Reply:
        """Get an answer that decides it; what failed is noted, and asked again with the same key as callers do."""
        for number in range(TRIES_MAX):
            try:
                if ask.is_protected and self.chance.random() < AT_ONCE_SHARE and len(self.balancer.releases()) > 1:
                    reply = await self._at_once(ask)
                else:
                    reply = await self.balancer.send(ask)
            except (LostError, NobodyReadyError) as error:
                self.diary.failed.append(f"{_named(ask)}: no answer: {error}")
            else:
                if not self._failed(ask, reply):
                    return reply
            self.diary.asked_again += number == 0
            await asyncio.sleep(TRY_AGAIN_S)
        raise StoryEndsError

    async def _at_once(self, ask: Ask) -> Reply:
        """Send a request through both releases at one moment: one of them does it, both return the same."""
        sent = [self.balancer.send(ask, release) for release in sorted(self.balancer.releases())]
        replies = await asyncio.gather(*sent, return_exceptions=True)
        for reply in replies:
            if isinstance(reply, LostError):
                self.diary.failed.append(f"{_named(ask)} at once: no answer: {reply}")
        found = [reply for reply in replies if isinstance(reply, Reply)]
        if not found:
            raise NobodyReadyError("both releases at once")
        usable = [reply for reply in found if not self._failed(ask, reply)]
        if len(usable) < len(found) or len(usable) == 1:
            return (usable or found)[0]
        self.crossings.at_once[ask.kind] += 1
        first, again = sorted(usable, key=lambda reply: (not reply.granted, reply.is_replay))
        # For want of units each may be refused by itself, and the second may still have found some.
        if first.granted and again.granted:
            if first.is_replay:
                self.diary.unlike.append(f"{_named(ask)}: sent through both at once, and neither did it first")
            self._compare(ask, first, again)
        elif first.granted and again.outcome not in NOT_ENOUGH:
            self._odd(ask, again)
        return first

    def _failed(self, ask: Ask, reply: Reply) -> bool:
        failed = reply.status >= 500
        if failed:
            self.diary.failed.append(f"{_named(ask)}: {reply.server} answered {reply.status} {reply.outcome}")
        return failed

    def _odd(self, ask: Ask, reply: Reply) -> None:
        self.diary.odd.append(f"{_named(ask)}: {reply.server} answered {reply.status} {reply.outcome}")

    def _note(self, body: Any) -> None:
        for each in reservations_in(body):
            self._newest[each["reservation_id"]] = each

    async def _rest(self) -> None:
        if self.ending:
            raise StoryEndsError
        await asyncio.sleep(self.chance.uniform(0, 2 * self.rest_s))


def difference(first: Any, again: Any, at: str = "") -> str:
    """Report where two answers differ first."""
    if isinstance(first, dict) and isinstance(again, dict):
        for name in sorted(first.keys() | again.keys()):
            if first.get(name) != again.get(name):
                return difference(first.get(name), again.get(name), f"{at}.{name}" if at else name)
    if isinstance(first, list) and isinstance(again, list) and len(first) == len(again):
        for number, (one, other) in enumerate(zip(first, again, strict=True)):
            if one != other:
                return difference(one, other, f"{at}[{number}]")
    return f"{at}: {first!r} became {again!r}"


def _named(ask: Ask) -> str:
    return f"{ask.kind} {ask.key or ask.reservation_id or ask.path}"
