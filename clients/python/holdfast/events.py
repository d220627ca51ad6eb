"""The stream of changes without a network: its lines become changes, and its end becomes what to do next."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from holdfast.calls import Call, Repeat, query_of, read
from holdfast.decisions import Policy
from holdfast.errors import NOT_HOLDFAST, HoldfastError, Refused, Unavailable, refusal
from holdfast.types import AvailabilityView, SnapshotPage
from holdfast.verdicts import Done, Reply, Said, judge

SILENCE_MAX_S: Final = 45.0
"""The server sends something every 15 s at least; what is silent for so long is gone."""
_EVENT_CHARACTERS_MAX: Final = 8_000_000
"""The value of a SKU at thousands of locations has less."""
_RETRY_S: Final = 1.0
_PAUSE_MAX_S: Final = 300.0
"""A stream that stays away longer shows old stock, whatever it is asked for."""
_DIGITS: Final = re.compile(r"[0-9]+")
_READ_ANEW: Final = "partition_changed"
_TOKEN_EXPIRED: Final = "token_expired"  # noqa: S105  # a word of the protocol


class SnapshotNeeded(HoldfastError):
    """The stream cannot go on from where it was: changes were missed.

    Read everything with ``availability.snapshot`` and open the stream with its ``changes_after`` as ``after``.
    ``changes.follow`` does both.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The stream cannot go on from where it was: {reason}. Read everything with availability.snapshot, and open"
            " the stream with its changes_after as after."
        )
        self.reason = reason


class StreamClosed(HoldfastError):
    """The server has ended the stream for good, or for this key: ``reason`` is a word of ``docs/api``.

    ``unreadable``: the same event could not be read twice. Is there a proxy, or a much newer server?
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


@dataclass(frozen=True)
class Change:
    """The newest value of a SKU.

    ``position``: keep it when this change is worked off, and a later stream with it as ``after`` misses nothing. It is
    empty while a snapshot is read. ``is_snapshot``: the value was read, and is no news.
    """

    view: AvailabilityView
    position: str
    is_snapshot: bool = False


@dataclass
class _Event:
    name: str = ""
    id: str = ""
    data: list[str] = field(default_factory=list)


class Lines:
    """Cuts bytes, however they come, into the events of a stream."""

    def __init__(self) -> None:
        self.retry_s = _RETRY_S
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest: list[str] = []
        self._event = _Event()
        self.characters = 0
        """How long the event is that has no end yet."""

    def feed(self, chunk: bytes) -> Iterator[_Event]:
        """Yield each event that is whole by now; one with an id alone is an event, too."""
        *ends, rest = self._decoder.decode(chunk).split("\n")
        for end in ends:
            line = "".join([*self._rest, end]).removesuffix("\r")
            self._rest = []
            self.characters += len(end)
            if line:
                self._take(line)
                continue
            event, self._event, self.characters = self._event, _Event(), 0
            if event.data or event.id:
                yield event
        if rest:  # pieces, since a long line comes in many
            self._rest.append(rest)
            self.characters += len(rest)

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._event.name = value
            case "id":
                self._event.id = value
            case "data":
                self._event.data.append(value)
            case "retry" if _DIGITS.fullmatch(value):
                self.retry_s = float(value) / 1000


class _Reason(msgspec.Struct, frozen=True):
    """What ``reset`` and ``closed`` say."""

    reason: str
    detail: str = ""
    retryable: bool = False


class Following:
    """Where a stream is, and what to do next: read a page of the snapshot, open the stream, or end.

    Parameters
    ----------
    after
        Where to begin: a ``position``, ``0`` for all that the journal has; empty: now.
    reads_all
        Begin with a snapshot where there is no position, and take another one where changes were missed.

    """

    def __init__(self, after: str, policy: Policy, *, reads_all: bool) -> None:
        self.position = after
        self.ending: HoldfastError | None = None
        """Why there is nothing more; raise it when what came before was handed out."""
        self.broke_off = False
        """The stream that is open is of no use any more."""
        self._policy = policy
        self._reads_all = reads_all
        self._page = ""
        self._lines = Lines()
        self._unreadable_at: str | None = None
        self._failures = 0
        self._asked_s = 0.0

    @property
    def wants_page(self) -> bool:
        """Whether a page of the snapshot comes next."""
        return self._reads_all and not self.position

    def page_call(self) -> Call[SnapshotPage]:
        """Return the request of the next page."""
        return read("/v1/snapshot", SnapshotPage, after=self._page or None)

    def take_page(self, page: SnapshotPage) -> list[Change]:
        """Return the values of a page; after the last one the stream comes next."""
        self._page, self._failures = page.next, 0
        if not page.next:
            self.position = page.changes_after
        return [Change(view, "", is_snapshot=True) for view in page.availability]

    def page_refused(self, refused: Refused) -> None:
        """Begin the snapshot again where its place is too old.

        Raises
        ------
        Refused
            That is not why.

        """
        if not self._page:
            raise refused
        self._page = ""

    def begin_stream(self) -> None:
        """Note that a stream is open."""
        self._lines = Lines()
        self.broke_off = False

    def stream_call(self) -> Call[bytes]:
        """Return the request that opens the stream, or goes on with it."""
        path = "/v1/changes" + query_of({"after": self.position or None})
        return Call("GET", path, bytes, Repeat.READS, headers={"Accept": "text/event-stream"})

    def page_away(self, away: Unavailable) -> None:
        """Note that a page could not be read, and is read again after a pause.

        Raises
        ------
        Unavailable
            There is no Holdfast at this address.

        """
        if away.outcome == NOT_HOLDFAST:
            raise away
        self._asked_s = away.retry_after_s

    def take_answer(self, reply: Reply) -> str:
        """Look at what came in place of a stream, and return why it is none.

        Raises
        ------
        Refused, Unavailable
            It will not open one, or is not Holdfast.

        """
        verdict = judge(self.stream_call(), reply)
        if isinstance(verdict, Said):
            raise refusal(verdict.problem)
        if isinstance(verdict, Done):
            return "an answer, and no stream"
        self._asked_s = verdict.retry_after_s
        return verdict.why

    def take_chunk(self, chunk: bytes) -> list[Change]:
        """Return the changes that a piece of the stream completes."""
        changes: list[Change] = []
        try:
            for event in self._lines.feed(chunk):
                changes += self._take(event)
                self._failures = 0
                if self.broke_off:
                    return changes
        except (msgspec.MsgspecError, RecursionError) as error:
            self._unreadable(str(error))
        if self._lines.characters > _EVENT_CHARACTERS_MAX:
            self._unreadable("an event has no end")
        return changes

    def _take(self, event: _Event) -> list[Change]:
        """Return the change that an event tells of, if it is one. The position moves only with what could be read."""
        if event.name == "reset":
            self._reset(_reason(event).reason)
        elif event.name == "closed":
            self._closed(_reason(event))
        elif event.name == "availability":
            view = msgspec.json.decode("\n".join(event.data), type=AvailabilityView)
            self.position = event.id or self.position
            return [Change(view, self.position)]
        else:
            self.position = event.id or self.position
        return []

    def _unreadable(self, why: str) -> None:
        """Go on from where it was; what is unreadable there twice ends the stream."""
        self.broke_off = True
        if self._unreadable_at == self.position:
            self.ending = StreamClosed("unreadable", why)
        self._unreadable_at = self.position

    def _reset(self, reason: str) -> None:
        self.broke_off = True
        if self._reads_all:
            self.position = self._page = ""
        else:
            self.ending = SnapshotNeeded(reason)

    def _closed(self, said: _Reason) -> None:
        if said.reason == _READ_ANEW:
            self._reset(said.detail)
        elif not said.retryable or said.reason == _TOKEN_EXPIRED:
            self.ending = StreamClosed(said.reason, said.detail)
        self.broke_off = True

    @property
    def comes_back(self) -> bool:
        """Whether the stream is opened again after a pause."""
        return self.ending is None and not self.wants_page

    def pause_s(self) -> float:
        """Return how long to wait before what failed is tried again: the stream, or a page."""
        self._failures += 1
        asked_s, self._asked_s = max(self._lines.retry_s, self._asked_s), 0.0
        return min(_PAUSE_MAX_S, self._policy.pause_after(self._failures, asked_s))


def _reason(event: _Event) -> _Reason:
    return msgspec.json.decode("\n".join(event.data), type=_Reason)
