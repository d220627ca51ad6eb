"""A seller's account at eMAG: its options, its limits, and one call of its API."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from adapters.contract.http import ORDERS, REASON_CHARACTERS_MAX, WRITE, Answer, Request
from adapters.contract.limits import Limit, Window

LIMITS: Final[tuple[Limit, ...]] = (
    Window(3, 1.0, WRITE),
    Window(180, 60.0, WRITE),
    Window(12, 1.0, ORDERS),
    Window(720, 60.0, ORDERS),
)
"""Documented by the channel: what is about orders, and everything else together; invalid requests count, too."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach one seller's account.

    ``country`` is that of the site. ``base_url`` replaces its address. ``warehouse_id``: the seller's warehouse whose
    stock this is. ``quantity_max``: greater quantities are shown as this one; its limit is not documented.
    ``wraps_data``: what is sent stands in a field ``data``, as some clients have it. ``read_back`` False compares
    nothing with the channel. ``time_zone``: that of all times, which are written without one. The last two are
    unverified, as is ``wraps_data``. ``held_warehouse_id``: the warehouse of eMAG's own in which it holds what it ships
    itself; 0: none is read. Its number stands in no description.
    """

    country: Literal["ro", "bg", "hu"] = "ro"
    base_url: str = ""
    warehouse_id: Annotated[int, Meta(ge=1)] = 1
    quantity_max: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 65_535
    wraps_data: bool = False
    read_back: bool = True
    time_zone: str = "Europe/Bucharest"
    held_warehouse_id: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"time_zone {self.time_zone!r} is no zone, such as Europe/Bucharest") from None


class Reply(msgspec.Struct, rename="camel"):
    """The form of every answer. Whatever is not plainly no error is one."""

    is_error: bool | None = None
    messages: Any = None
    results: Any = None

    @property
    def words(self) -> str:
        """What is wrong, on one line."""
        parts = self.messages if isinstance(self.messages, list) else [self.messages]
        texts = (each.get("text") if isinstance(each, dict) else each for each in parts)
        return "; ".join(str(text) for text in texts if text)[:REASON_CHARACTERS_MAX] or "no reason was given"


class Session:
    """Calls one account. Keeps nothing."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        self._root = (options.base_url or f"https://marketplace-api.emag.{options.country}/api-3").rstrip("/")
        self._wraps = options.wraps_data
        login = f"{credentials['username']}:{credentials['password']}".encode()
        self._headers = {
            "Authorization": "Basic " + b64encode(login).decode(),
            "Accept": "application/json",
            "Content-Type": "application/json",
        }

    def request(self, path: str, data: Any, group: str = WRITE) -> Request:
        """Return the request of a resource's action."""
        body = msgspec.json.encode({"data": data} if self._wraps else data)
        return Request("POST", f"{self._root}/{path}", self._headers, body, group=group)


def reply_of(answer: Answer) -> Reply | None:
    """Read an answer; None: it has another form."""
    try:
        return msgspec.json.decode(answer.body, type=Reply)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
