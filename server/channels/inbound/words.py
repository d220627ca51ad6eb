"""What of a channel's answers about orders may stand in the store and in logs: no words, for they may be personal.

What it says of a command stands in the notes of the order, and is erased with them.
"""

import re
from typing import Final

import msgspec
from msgspec.structs import replace

from adapters.contract.errors import (
    ChannelError,
    ClosedError,
    CredentialsError,
    NotSentError,
    ThrottledError,
    UnavailableError,
    UnknownResultError,
    UnreadableOrderError,
)
from adapters.contract.orders import Command, CommandOutcome, Invoice, Refused, SettleReturn, Ship, Superseded
from server.domain.intake import OutboxEntry

WORDS_MAX: Final = 300
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_STATUS: Final = re.compile(r"HTTP \d{3}")
_FAILURES: Final[tuple[tuple[type[ChannelError], str], ...]] = (
    (NotSentError, "the channel was not reached"),
    (UnknownResultError, "no answer tells what was done"),
    (ThrottledError, "too many requests for the channel"),
    (CredentialsError, "the channel does not accept the credentials"),
    (ClosedError, "the channel has closed this interface"),
    (UnreadableOrderError, "the order is not understood"),
    (UnavailableError, "the channel cannot now"),
)
_pack = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Command).decode


def failure(error: ChannelError) -> str:
    """Say why a call failed, in our words."""
    words = next((words for kind, words in _FAILURES if isinstance(error, kind)), "the call failed")
    status = _STATUS.match(error.reason)
    return f"{words} ({status.group()})" if status else words


def plain_reason(outcome: CommandOutcome) -> str:
    """Say why a command was not taken: by the channel's code alone."""
    match outcome:
        case Refused():
            return outcome.code if _CODE.fullmatch(outcome.code) else "refused"
        case Superseded():
            return "the order has changed there"
    return ""


def words_of(outcome: CommandOutcome) -> str:
    """Return what the channel says of a command that it does not take."""
    return outcome.reason[:WORDS_MAX] if isinstance(outcome, Refused | Superseded) else ""


def without_words(entry: OutboxEntry) -> OutboxEntry:
    """Take from a command what may be personal; of one that is not settled only what a person wrote freely."""
    try:
        command = _decode(entry.command)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return replace(entry, reason="")
    match command:
        case SettleReturn():
            lines = tuple(replace(line, reason="") for line in command.lines)
            command = replace(command, lines=lines, reason="")
        case Ship() if entry.is_settled:
            command = replace(command, tracking="", url="")
        case Invoice() if entry.is_settled:
            command = replace(command, number="", url="")
    return replace(entry, command=_pack(command), reason="", remote_id="" if entry.is_settled else entry.remote_id)
