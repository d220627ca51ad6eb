"""A seller's account at Allegro: its options, its limits, its headers, and how its tokens come about."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

from adapters.contract.errors import SignedOutError, UnavailableError
from adapters.contract.http import (
    COMMANDS,
    ORDERS,
    READ,
    REASON_CHARACTERS_MAX,
    WRITE,
    Answer,
    Exchange,
    Request,
    check_status,
    excerpt,
)
from adapters.contract.limits import Limit, TokenBucket, Window
from adapters.contract.tokens import Grant, Tokens

API: Final = {"prod": "https://api.allegro.pl", "sandbox": "https://api.allegro.pl.allegrosandbox.pl"}
AUTH: Final = {"prod": "https://allegro.pl/auth/oauth", "sandbox": "https://allegro.pl.allegrosandbox.pl/auth/oauth"}
PUBLIC: Final = "application/vnd.allegro.public.v1+json"
BETA: Final = "application/vnd.allegro.beta.v1+json"
"""Of the commands that give each offer its own number."""
CHANGES_PER_MIN: Final = 9_000
CHANGES_PER_HOUR: Final = 150_000
PARCELS_PER_S: Final = 50.0
"""Documented by the channel, as the two above."""
ACCESS: Final = "access_token"
REFRESH: Final = "refresh_token"
_SIGNED_OUT: Final = frozenset({"invalid_grant", "invalid_token", "access_denied"})


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach one seller's account.

    ``base_url`` and ``auth_url`` replace the addresses of ``environment``. ``redirect_uri`` is that of the application,
    with which a code is exchanged. ``marketplace``: whose prices are sent, in ``currency`` where a listing has none.
    ``quantity_max``: greater quantities are shown as this one; its limit is not documented.
    ``requests_per_min``: of the application, which Allegro limits to 9000. ``activates``: an offer that has ended is
    activated again when there are units. ``log_hours``: how long the log of events is relied on after it was read
    last; after that, orders are listed. ``carrier_ids``: Allegro's id of a carrier, by the name that you have for it.
    """

    environment: Literal["prod", "sandbox"] = "prod"
    base_url: str = ""
    auth_url: str = ""
    redirect_uri: str = ""
    marketplace: Annotated[str, Meta(pattern="^[a-z-]{1,40}$")] = "allegro-pl"
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "PLN"
    quantity_max: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 99_999
    requests_per_min: Annotated[int, Meta(ge=60, le=100_000)] = 9_000
    activates: bool = True
    read_back: bool = True
    log_hours: Annotated[int, Meta(ge=1, le=24 * 60)] = 24
    carrier_ids: dict[str, str] = {}


def limits(options: Options) -> tuple[Limit, ...]:
    """Return what Allegro documents of changes, and what the options allow of requests."""
    third = options.requests_per_min // 3
    return (
        Window(CHANGES_PER_MIN, 60.0, WRITE, of="items"),
        Window(CHANGES_PER_HOUR, 3_600.0, WRITE, of="items"),
        Window(third, 60.0, WRITE),
        Window(third, 60.0, READ),
        Window(third, 60.0, ORDERS),
        TokenBucket(per_s=PARCELS_PER_S, burst=PARCELS_PER_S, group=COMMANDS),
    )


class Session:
    """Requests of one account. Keeps nothing."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        self._root = (options.base_url or API[options.environment]).rstrip("/")
        self._access = bearer(credentials)

    def get(self, path: str, query: Mapping[str, Any] | None = None, *, group: str = READ, of: str = PUBLIC) -> Request:
        """Return the request of something to read."""
        url = f"{self._root}{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        return Request("GET", url, {**self._access, "Accept": of}, group=group)

    def send(self, method: str, path: str, body: Any, *, group: str = WRITE, of: str = PUBLIC) -> Request:
        """Return the request that carries something."""
        headers = {**self._access, "Accept": of, "Content-Type": of}
        return Request(method, f"{self._root}{path}", headers, msgspec.json.encode(body), group=group)


def bearer(values: Mapping[str, str]) -> dict[str, str]:
    """Return the header that lets a request in."""
    return {"Authorization": f"Bearer {values.get(ACCESS, '')}"}


class Fault(msgspec.Struct, rename="camel"):
    """What is wrong with a request, or with one offer."""

    code: str | None = None
    message: str | None = None
    user_message: str | None = None

    @property
    def words(self) -> str:
        """What is said to a person, else to a program."""
        return self.user_message or self.message or self.code or ""


class _Faults(msgspec.Struct):
    errors: list[Fault] = []


def fault_of(answer: Answer) -> tuple[str, str]:
    """Return the code and the words of a request that was refused."""
    try:
        faults = msgspec.json.decode(answer.body, type=_Faults).errors
    except (msgspec.MsgspecError, UnicodeDecodeError):
        faults = []
    words = "; ".join(filter(None, (each.words for each in faults)))[:REASON_CHARACTERS_MAX]
    code = next((each.code for each in faults if each.code), None)
    return code or f"http_{answer.status}", words or excerpt(answer.body)


# -- tokens


class _Issued(msgspec.Struct):
    access_token: Annotated[str, Meta(min_length=1)]
    refresh_token: Annotated[str, Meta(min_length=1)]
    expires_in: float


class _Denied(msgspec.Struct):
    error: str = ""


class AllegroGrant(Grant):
    """The tokens of one account: a refresh token is good for once, and comes with the next one."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        root = options.auth_url or AUTH[options.environment]
        self._url = f"{root.rstrip('/')}/token"
        self._redirect_uri = options.redirect_uri
        login = f"{credentials['client_id']}:{credentials['client_secret']}".encode()
        self._headers = {
            "Authorization": "Basic " + b64encode(login).decode(),
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }

    def headers(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the header that lets a request in."""
        return bearer(values)

    def begin(self, what: str, secret: str) -> Exchange[Tokens]:
        """Exchange a code that a person got at Allegro, or a refresh token of the same application."""
        if what == REFRESH:
            return self.renew({REFRESH: secret})
        return self._asked({"grant_type": "authorization_code", "code": secret, "redirect_uri": self._redirect_uri})

    def renew(self, values: Mapping[str, str]) -> Exchange[Tokens]:
        """Ask for the next pair."""
        return self._asked({"grant_type": REFRESH, REFRESH: values[REFRESH]})

    def _asked(self, form: Mapping[str, str]) -> Exchange[Tokens]:
        answer = yield Request("POST", self._url, self._headers, urlencode(form).encode())
        check_status(answer)
        if answer.status != 200:  # noqa: PLR2004  # OK
            denied = _denied(answer)
            if denied in _SIGNED_OUT:
                raise SignedOutError(f"Allegro answers {denied}")
            raise UnavailableError(f"HTTP {answer.status}: {denied or 'no tokens'}")
        try:
            issued = msgspec.json.decode(answer.body, type=_Issued)
        except (msgspec.MsgspecError, UnicodeDecodeError):  # its words may quote a token
            raise UnavailableError("an answer without tokens") from None
        values = {ACCESS: issued.access_token, REFRESH: issued.refresh_token}
        return Tokens(values=values, expires_s=issued.expires_in)


def _denied(answer: Answer) -> str:
    try:
        return msgspec.json.decode(answer.body, type=_Denied).error[:100]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
