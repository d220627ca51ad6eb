"""One Odoo database: its options, one call by JSON-RPC, and what its errors mean."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from adapters.contract.errors import CredentialsError, UnavailableError
from adapters.contract.http import COMMANDS, READ, Answer, Exchange, Request, check_status, excerpt, json_as

T = TypeVar("T")

PAGE_MAX: Final = 1_000
_OK: Final = 200
_REFUSALS: Final = frozenset({"UserError", "ValidationError", "MissingError"})
"""Odoo's errors that are about what was asked for; it understood, and did nothing."""
_STRANGER: Final = frozenset({"AccessDenied", "AccessError"})
_TIME: Final = "%Y-%m-%d %H:%M:%S"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach one database.

    ``locations``: Holdfast's locations, each with the id of a warehouse there. ``partner_id``: the customer of the sale
    orders. ``sku_is``: the field of a product that has the SKU. ``page_items``: products in one answer.
    """

    base_url: Annotated[str, Meta(pattern=r"^https?://[^/?#@]+(/[^?#@]*)?$")]
    database: Annotated[str, Meta(min_length=1)]
    login: Annotated[str, Meta(min_length=1)]
    locations: Annotated[dict[str, Annotated[int, Meta(ge=1)]], Meta(min_length=1)]
    partner_id: Annotated[int, Meta(ge=1)]
    sku_is: Literal["default_code", "barcode"] = "default_code"
    page_items: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 500

    def __post_init__(self) -> None:
        if len(set(self.locations.values())) < len(self.locations):
            raise ValueError("locations names one warehouse twice; its units would count twice")


class RefusedError(Exception):
    """Odoo understood a call and did not do it: its words say why."""


class _ErrorData(msgspec.Struct):
    name: str = ""
    message: str = ""


class _Error(msgspec.Struct):
    message: str = ""
    data: _ErrorData = msgspec.field(default_factory=_ErrorData)


class _Reply(msgspec.Struct):
    result: Any = msgspec.UNSET
    error: _Error | None = None


class Database:
    """Calls one database. Keeps the number of its user, which saves a request each time."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        self._url = options.base_url.rstrip("/") + "/jsonrpc"
        self._name, self._login, self._password = options.database, options.login, credentials["password"]
        self._user = 0

    def call(
        self, model: str, method: str, arguments: Sequence[Any], into: type[T], *, group: str = READ, **keywords: Any
    ) -> Exchange[T]:
        """Call a method of a model.

        Raises
        ------
        RefusedError
            Odoo does not do it, for a reason that is in what was asked for.
        ChannelError
            It could not be asked.

        """
        user = yield from self._signed_in(group)
        words = [self._name, user, self._password, model, method, list(arguments), keywords]
        result = yield from self._ask("object", "execute_kw", words, group)
        try:
            return msgspec.convert(result, into)
        except msgspec.ValidationError as error:
            raise UnavailableError(f"{model}.{method} answered in another form ({error})") from None

    def _signed_in(self, group: str) -> Exchange[int]:
        if not self._user:
            words = [self._name, self._login, self._password, {}]
            found = yield from self._ask("common", "authenticate", words, group)
            if not isinstance(found, int) or isinstance(found, bool) or found <= 0:
                raise CredentialsError("Odoo knows no such user of this database, or not with this password")
            self._user = found
        return self._user

    def _ask(self, service: str, method: str, words: Sequence[Any], group: str) -> Exchange[Any]:
        parameters = {"service": service, "method": method, "args": words}
        body = msgspec.json.encode({"jsonrpc": "2.0", "method": "call", "id": 1, "params": parameters})
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        answer = yield Request("POST", self._url, headers, body, group)
        return self._result(answer)

    def _result(self, answer: Answer) -> Any:
        check_status(answer)
        if answer.status != _OK:
            raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        reply = json_as(_Reply, answer)
        if reply.error is not None:
            raise self._error(reply.error)
        if reply.result is msgspec.UNSET:
            raise UnavailableError(f"an answer with neither result nor error: {excerpt(answer.body)}")
        return reply.result

    def _error(self, error: _Error) -> Exception:
        kind = error.data.name.rpartition(".")[2]
        words = excerpt((error.data.message or error.message).encode())
        if kind in _STRANGER:
            self._user = 0
            return CredentialsError(f"{kind}: {words}")
        if kind in _REFUSALS:
            return RefusedError(words)
        return UnavailableError(f"{kind or 'an error'}: {words}")


def told(database: Database, model: str, method: str, arguments: Sequence[Any], **keywords: Any) -> Exchange[Any]:
    """Call a method that changes something."""
    return database.call(model, method, arguments, object, group=COMMANDS, **keywords)


def moment(text: str) -> datetime:
    """Read one of Odoo's times, which are in UTC and whole seconds.

    Raises
    ------
    UnavailableError
        It is none.

    """
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise UnavailableError(f"{text[:30]!r} is no time as Odoo writes them") from None


def written(moment: datetime) -> str:
    """Write a time as Odoo does."""
    return moment.strftime(_TIME)
