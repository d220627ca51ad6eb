"""One Tryton database: its options, one call by JSON-RPC, and what its errors mean."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from adapters.contract.errors import CredentialsError, UnavailableError
from adapters.contract.http import READ, Answer, Exchange, Request, check_status, excerpt, json_as

T = TypeVar("T")

PAGE_MAX: Final = 1_000
_OK, _UNAUTHORIZED = 200, 401
_REFUSALS: Final = frozenset({"UserError", "UserWarning"})
"""Tryton's errors that are about what was asked for; a warning asks a person, and nobody is there."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach one database.

    ``locations``: Holdfast's locations, each with the id of a warehouse there. ``customer_id``: the party of the
    shipments. ``page_items``: products in one answer.
    """

    base_url: Annotated[str, Meta(pattern=r"^https?://[^/?#@]+(/[^?#@]*)?$")]
    database: Annotated[str, Meta(pattern=r"^[^/?#]+$")]
    login: Annotated[str, Meta(min_length=1)]
    locations: Annotated[dict[str, Annotated[int, Meta(ge=1)]], Meta(min_length=1)]
    customer_id: Annotated[int, Meta(ge=1)]
    company_id: Annotated[int, Meta(ge=1)] = 1
    page_items: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 500

    def __post_init__(self) -> None:
        if len(set(self.locations.values())) < len(self.locations):
            raise ValueError("locations names one warehouse twice; its units would count twice")


class RefusedError(Exception):
    """Tryton understood a call and did not do it: its words say why."""


class _Reply(msgspec.Struct):
    result: Any = msgspec.UNSET
    error: Any = msgspec.UNSET


class Database:
    """Calls one database. Keeps its session, which ends after some minutes without a call."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        self._url = f"{options.base_url.rstrip('/')}/{options.database}/rpc/"
        self._login, self._password = options.login, credentials["password"]
        self._company = options.company_id
        self._session = ""

    def call(
        self,
        model: str,
        method: str,
        arguments: Sequence[Any],
        into: type[T],
        *,
        group: str = READ,
        context: Mapping[str, Any] | None = None,
    ) -> Exchange[T]:
        """Call a method of a model.

        Raises
        ------
        RefusedError
            Tryton does not do it, for a reason that is in what was asked for.
        ChannelError
            It could not be asked.

        """
        words = [*arguments, {"company": self._company, **(context or {})}]
        had_session = self._session != ""
        if not had_session:
            yield from self._sign_in(group)
        answer = yield self._request(f"model.{model}.{method}", words, group)
        if answer.status == _UNAUTHORIZED and had_session:
            # The session has ended meanwhile, so nothing was done.
            yield from self._sign_in(group)
            answer = yield self._request(f"model.{model}.{method}", words, group)
        try:
            return msgspec.convert(_result(answer), into)
        except msgspec.ValidationError as error:
            raise UnavailableError(f"{model}.{method} answered in another form ({error})") from None

    def _sign_in(self, group: str) -> Exchange[None]:
        self._session = ""
        words = [self._login, {"password": self._password}, "en"]
        answer = yield self._request("common.db.login", words, group)
        found = _result(answer)
        if not isinstance(found, list) or len(found) < 2:  # noqa: PLR2004  # the user's number and the session's key
            raise CredentialsError("Tryton knows no such user of this database, or not with this password")
        self._session = b64encode(f"{self._login}:{found[0]}:{found[1]}".encode()).decode()

    def _request(self, method: str, words: Sequence[Any], group: str) -> Request:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._session:
            headers["Authorization"] = f"Session {self._session}"
        body = msgspec.json.encode({"id": 1, "method": method, "params": words})
        return Request("POST", self._url, headers, body, group)


def _result(answer: Answer) -> Any:
    check_status(answer)
    if answer.status != _OK:
        raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
    reply = json_as(_Reply, answer)
    if reply.error is not msgspec.UNSET:
        raise _error(reply.error)
    if reply.result is msgspec.UNSET:
        raise UnavailableError(f"an answer with neither result nor error: {excerpt(answer.body)}")
    return reply.result


def _error(error: Any) -> Exception:
    """Read ``[name, [message, …]]`` of what Tryton raises itself; of anything else its first words."""
    words = error if isinstance(error, list) else [error]
    name = str(words[0]) if words else "an error"
    if name in _REFUSALS and len(words) > 1 and isinstance(words[1], list):
        said = words[1][1:2] if name == "UserWarning" else words[1][:1]
        return RefusedError(excerpt(" ".join(map(str, said)).encode()))
    if name == "LoginException":
        return CredentialsError("Tryton asks for more than a password")
    return UnavailableError(excerpt(name.encode()))


# -- values as Tryton writes them


def moment_of(value: Any) -> datetime | None:
    """Read a time; None: it is none. It has no zone and is the database's own."""
    if not isinstance(value, dict) or value.get("__class__") != "datetime":
        return None
    try:
        day = datetime(value["year"], value["month"], value["day"])  # noqa: DTZ001  # it has no zone
        clock = timedelta(
            hours=value["hour"], minutes=value["minute"], seconds=value["second"], microseconds=value["microsecond"]
        )
        return day + clock
    except (KeyError, TypeError, ValueError):
        return None


def moment_for(moment: datetime) -> dict[str, Any]:
    """Write a time."""
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{name: getattr(moment, name) for name in names}}


def day_of(value: Any) -> date | None:
    """Read a day; None: it is none."""
    if not isinstance(value, dict) or value.get("__class__") != "date":
        return None
    try:
        return date(value["year"], value["month"], value["day"])
    except (KeyError, TypeError, ValueError):
        return None


def decimal_for(text: str) -> dict[str, str]:
    """Write a number with decimals, as text has it."""
    return {"__class__": "Decimal", "decimal": text}
