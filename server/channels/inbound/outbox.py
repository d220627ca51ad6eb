"""What is said to a channel about its orders: durable before it leaves, one at a time for an order, never said twice.

A command whose answer was lost, or whose sender was killed, is looked for in the order before it is sent again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec
import structlog
from msgspec.structs import replace

from adapters.contract.orders import (
    Command,
    CommandOutcome,
    Confirmation,
    Done,
    NotDone,
    Order,
    Refuse,
    Refused,
    Ship,
    Superseded,
    Undecided,
)
from server.channels.inbound.lost_answers import figures_of
from server.channels.inbound.words import WORDS_MAX, plain_reason, without_words
from server.domain.intake import SETTLED_KEPT_MS, OutboxEntry, OutboxState
from server.store.repositories.intake import IntakeWrites

log = structlog.get_logger("holdfast.intake")

LATE_MS: Final = 60_000
"""So long after it was sent, a request without an answer may still take effect; before that it is not sent again."""
LOOK_MS: Final = 2_000
RETRY_MS: Final = 5_000
RETRY_MS_MAX: Final = 600_000
BY_RULE: Final = "rule:"
"""How the names of rules begin, where a command is asked for by itself."""
_DOUBLINGS_MAX: Final = 10
_AT_ONCE: Final = 2
"""So often a command that its order's changes supersede is sent without a pause."""
SEEN: Final = "a person has seen it there"
_pack = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Command).decode


def command_of(entry: OutboxEntry) -> Command:
    """Read the command of an entry."""
    return _decode(entry.command)


class Outbox:
    """The commands of one channel. What changes here is written with the next save."""

    def __init__(self, writes: IntakeWrites) -> None:
        self.on_work: Callable[[], None] = lambda: None
        """Called when something is to be sent."""
        self.released_ms = 0
        """When a restored store began to speak again; what is from before is looked for before it is sent."""
        self._writes = writes
        self._entries: dict[str, OutboxEntry] = {}
        self._by_order: dict[str, list[str]] = {}

    def load(self, entries: Iterable[OutboxEntry], now_ms: int) -> None:
        """Take over what is stored; what was being sent may have arrived. What a later release said waits for it."""
        for entry in entries:
            if not _is_readable(entry):
                continue
            if entry.state == "sending":
                entry = replace(entry, state="unsure", due_ms=now_ms)  # noqa: PLW2901
            self._put(entry)

    def __len__(self) -> int:
        return len(self._entries)

    # -- what is asked for

    def say(self, entry_id: str, command: Command, *, by: str, now_ms: int, since_ms: int = 0) -> None:
        """Have something said, unless it was before; what the order's change has superseded is said anew.

        That happens at once the first time. A channel that answers so again and again is asked ever less often.

        ``since_ms``: from when on it may have been said, 0: not before now.
        """
        before = self._entries.get(entry_id)
        if before is not None and before.state != "superseded":
            return
        tries, name = before.tries if before is not None else 0, str(type(command).__struct_config__.tag)
        due_ms = now_ms + (_pause_ms(tries - _AT_ONCE) if tries >= _AT_ONCE else 0)
        packed = _pack(command)
        entry = OutboxEntry(entry_id, command.order, name, packed, by, "waiting", now_ms, now_ms, due_ms, tries=tries)
        self.add(entry, since_ms)

    def add(self, entry: OutboxEntry, since_ms: int = 0) -> None:
        """Add a command, unless it is there; ``since_ms``: as for :meth:`say`, 0: not before it was made."""
        if entry.state == "waiting" and (since_ms or entry.created_ms) < self.released_ms:
            entry = replace(entry, state="unsure")
        before = self._entries.get(entry.id)
        if not _is_readable(entry):
            self._writes.entry(entry.id, replace(entry, state="refused", reason="not a command"))
        elif before is None or before.state == "superseded":
            self._change(entry)
            self.on_work()

    def again(self, entry_id: str, now_ms: int) -> None:
        """Send a settled command again that is not done, as a person asks for."""
        entry = self._entries.get(entry_id)
        if entry is not None and entry.is_settled and entry.state != "done":
            self._change(replace(entry, state="waiting", due_ms=now_ms, changed_ms=now_ms, tries=0, reason=""))
            self.on_work()

    def cancel(self, entry_id: str, now_ms: int) -> None:
        """Take a command back that was not sent yet, or of which nobody knows and that a person lets go."""
        entry = self._entries.get(entry_id)
        if entry is not None and entry.state in ("waiting", "undecided"):
            self._change(replace(entry, state="cancelled", changed_ms=now_ms))

    def seen_done(self, entry_id: str, now_ms: int) -> None:
        """Settle a command whose answer was lost: a person has seen at the channel that it was carried out."""
        entry = self._entries.get(entry_id)
        if entry is not None and entry.state in ("unsure", "undecided"):
            self._settle(entry, "done", now_ms, reason=SEEN)

    def erase(self, order: str) -> None:
        """Take from an order's commands what may be personal, as a person asks for."""
        for entry in list(self._of(order)):
            self._change(replace(entry, erased=True))

    def orders_with_words(self) -> set[str]:
        """Return the orders of commands from which nothing personal was taken."""
        return {entry.order for entry in self._entries.values() if not entry.erased}

    def is_waiting(self, entry_id: str) -> bool:
        """Whether a command is still to be sent."""
        return self._entries[entry_id].state == "waiting"

    def is_superseded(self, entry_id: str) -> bool:
        """Whether an order had changed before a command came, so that it is to be said anew."""
        entry = self._entries.get(entry_id)
        return entry is not None and entry.state == "superseded"

    def pieces_said(self, order: str, kind: type[Ship] | type[Refuse]) -> Mapping[str, int] | None:
        """Return how many pieces of each line such commands were about; None: one of them is not settled yet."""
        pieces: Counter[str] = Counter()
        for entry in self._of(order):
            command = command_of(entry)
            if not isinstance(command, kind):
                continue
            if not entry.is_settled:
                return None
            if entry.state in ("done", "undecided", "refused"):
                pieces.update(dict(command.lines))
        return pieces

    # -- what is to be done

    def next_due_ms(self) -> int | None:
        """Return when a command is due; None: none is left."""
        return min((each.due_ms for each in self._open()), default=None)

    def due(self, now_ms: int) -> OutboxEntry | None:
        """Return the command that is to be sent or looked for next: of each order the oldest one comes first."""
        first: dict[str, OutboxEntry] = {}
        for entry in sorted(self._open(), key=lambda each: (each.created_ms, each.id)):
            first.setdefault(entry.order, entry)
        due = [entry for entry in first.values() if entry.due_ms <= now_ms]
        return min(due, key=lambda each: each.due_ms, default=None)

    def sending(self, entry: OutboxEntry, order: Order, now_ms: int) -> OutboxEntry:
        """Note that a command is about to leave, and how its order stood then; it must be written before it does."""
        sent = replace(
            entry, state="sending", sent_ms=now_ms, changed_ms=now_ms, tries=entry.tries + 1,
            before=figures_of(command_of(entry), order),
        )  # fmt: skip
        self._change(sent)
        return sent

    def answered(self, entry: OutboxEntry, outcome: CommandOutcome, now_ms: int) -> OutboxEntry:
        """Note what the channel has answered."""
        match outcome:
            case Done():
                return self._settle(entry, "done", now_ms, remote_id=outcome.remote_id)
            case Refused():
                return self._settle(entry, "refused", now_ms, reason=plain_reason(outcome))
            case Superseded():
                return self._settle(entry, "superseded", now_ms, reason=plain_reason(outcome))

    def lost(self, entry: OutboxEntry, reason: str, now_ms: int) -> None:
        """Note that a command may or may not have been carried out."""
        due_ms = now_ms + LOOK_MS
        self._change(replace(entry, state="unsure", reason=reason, changed_ms=now_ms, due_ms=due_ms))

    def not_sent(self, entry: OutboxEntry, reason: str, now_ms: int, pause_ms: int = 0) -> None:
        """Note that a command did not leave, or had no effect for certain; it is sent later."""
        pause_ms = max(pause_ms, _pause_ms(entry.tries))
        self._change(replace(entry, state="waiting", reason=reason, changed_ms=now_ms, due_ms=now_ms + pause_ms))

    def looked(self, entry: OutboxEntry, found: Confirmation, now_ms: int) -> None:
        """Note what an order says of a command whose answer was lost."""
        may_come_late = now_ms < entry.sent_ms + LATE_MS
        match found:
            case Done():
                self._settle(entry, "done", now_ms, remote_id=found.remote_id)
            case _ if may_come_late:
                due_ms = min(entry.sent_ms + LATE_MS, now_ms + 10 * LOOK_MS)
                self._change(replace(entry, changed_ms=now_ms, due_ms=due_ms))
            case NotDone():
                self._change(replace(entry, state="waiting", changed_ms=now_ms, due_ms=now_ms))
            case Undecided():
                self._settle(entry, "undecided", now_ms, reason=found.reason)

    def put_off(self, entry: OutboxEntry, reason: str, now_ms: int, pause_ms: int) -> None:
        """Leave a command as it is for now: what it is about could not be read. It may be taken back meanwhile."""
        now = self._entries[entry.id]
        if not now.is_settled:
            self._change(replace(now, reason=reason, due_ms=now_ms + max(pause_ms, RETRY_MS)))

    def purge(self, now_ms: int, is_open: Callable[[str], bool]) -> None:
        """Forget what was settled long ago, but not what a rule has said of an order that is open: it would again."""
        old = [
            each
            for each in self._entries.values()
            if each.is_settled
            and each.changed_ms < now_ms - SETTLED_KEPT_MS
            and not (each.by.startswith(BY_RULE) and is_open(each.order))
        ]
        for entry in old:
            del self._entries[entry.id]
            self._by_order[entry.order].remove(entry.id)
            if not self._by_order[entry.order]:
                del self._by_order[entry.order]
            self._writes.entry(entry.id, None)

    # -- figures

    def counts(self, now_ms: int) -> tuple[int, int, float]:
        """Return how many commands are not settled, how many a person has to look at, and how old the oldest is."""
        created = [each.created_ms for each in self._open()]
        undecided = sum(1 for each in self._entries.values() if each.state == "undecided")
        return len(created), undecided, max(0.0, (now_ms - min(created, default=now_ms)) / 1000)

    # -- the details

    def _open(self) -> Iterable[OutboxEntry]:
        return (each for each in self._entries.values() if not each.is_settled)

    def _of(self, order: str) -> Iterable[OutboxEntry]:
        return (self._entries[each] for each in self._by_order.get(order, ()))

    def _settle(
        self, entry: OutboxEntry, state: OutboxState, now_ms: int, *, reason: str = "", remote_id: str = ""
    ) -> OutboxEntry:
        settled = replace(entry, state=state, reason=reason[:WORDS_MAX], remote_id=remote_id, changed_ms=now_ms)
        self._change(settled)
        log.info("command_settled", order=entry.order, command=entry.name, state=state, reason=settled.reason)
        return settled

    def _put(self, entry: OutboxEntry) -> None:
        if entry.id not in self._entries:
            self._by_order.setdefault(entry.order, []).append(entry.id)
        self._entries[entry.id] = entry

    def _change(self, entry: OutboxEntry) -> None:
        before = self._entries.get(entry.id)
        if entry.erased or (before is not None and before.erased):  # it may have been on its way meanwhile
            entry = without_words(replace(entry, erased=True))
        self._put(entry)
        self._writes.entry(entry.id, entry)


def _pause_ms(tries: int) -> int:
    doublings = max(0, min(tries, _DOUBLINGS_MAX))
    return min(RETRY_MS_MAX, RETRY_MS << doublings)


def _is_readable(entry: OutboxEntry) -> bool:
    try:
        command_of(entry)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True
