"""A seller's account at Amazon: its options, its limits, its headers, and how its tokens come about."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Meta

from adapters.contract.errors import SignedOutError, ThrottledError, UnavailableError
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
from adapters.contract.limits import Limit, TokenBucket
from adapters.contract.tokens import Grant, Tokens

HOSTS: Final = {
    "eu": "https://sellingpartnerapi-eu.amazon.com",
    "na": "https://sellingpartnerapi-na.amazon.com",
    "fe": "https://sellingpartnerapi-fe.amazon.com",
}
TOKENS_AT: Final = "https://api.amazon.com/auth/o2/token"
FEEDS: Final = "feeds"
"""The group of what makes a feed, of which there are few."""
ACCESS: Final = "access_token"
REFRESH: Final = "refresh_token"
HEADER: Final = "x-amz-access-token"
_SIGNED_OUT: Final = frozenset({"invalid_grant", "access_denied"})
_TURNED_AWAY: Final = (401, 403)
_OK: Final = 200


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach one seller's account at one marketplace.

    ``region`` is that of the account; ``base_url`` and ``auth_url`` replace its addresses. ``product_type``: that which
    patches name. ``currency``: of prices whose listing names none. ``feed_from``: so many values go in one feed; fewer
    go one by one. ``skip_fba``: offers that Amazon ships itself are looked up, and never told a number. ``carriers``:
    Amazon's code of a carrier, by the name that you have for it. ``order_reads_per_s``: how often one order is read.
    """

    seller_id: Annotated[str, Meta(pattern="^[A-Z0-9]{5,30}$")]
    marketplace_id: Annotated[str, Meta(pattern="^[A-Z0-9]{5,30}$")]
    region: Literal["eu", "na", "fe"] = "eu"
    base_url: str = ""
    auth_url: str = ""
    product_type: Annotated[str, Meta(pattern="^[A-Z_0-9]{1,100}$")] = "PRODUCT"
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "EUR"
    feed_from: Annotated[int, Meta(ge=1, le=1_000)] = 20
    quantity_max: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 1_000_000
    read_back: bool = True
    skip_fba: bool = True
    order_reads_per_s: Annotated[float, Meta(gt=0, le=100)] = 0.5
    carriers: dict[str, str] = {}


def limits(options: Options) -> tuple[Limit, ...]:
    """Return what Amazon documents, one bucket for each operation; that of single orders is an option."""
    return (
        TokenBucket(per_s=5.0, burst=10.0, group=WRITE),
        TokenBucket(per_s=5.0, burst=10.0, group=READ),
        TokenBucket(per_s=5 / 300, burst=5.0, group=FEEDS),
        TokenBucket(per_s=options.order_reads_per_s, burst=20.0, group=ORDERS),
        TokenBucket(per_s=2.0, burst=10.0, group=COMMANDS),
    )


class Session:
    """Requests of one account. Keeps nothing."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        self._root = (options.base_url or HOSTS[options.region]).rstrip("/")
        self._access = access(credentials)

    def get(self, path: str, query: Mapping[str, Any] | None = None, *, group: str = READ) -> Request:
        """Return the request of something to read."""
        url = f"{self._root}{path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        return Request("GET", url, {**self._access, "Accept": "application/json"}, group=group)

    def send(self, method: str, path: str, body: Any, *, group: str = WRITE) -> Request:
        """Return the request that carries something."""
        headers = {**self._access, "Accept": "application/json", "Content-Type": "application/json"}
        return Request(method, f"{self._root}{path}", headers, msgspec.json.encode(body), group=group)


def access(values: Mapping[str, str]) -> dict[str, str]:
    """Return the header that lets a request in."""
    return {HEADER: values.get(ACCESS, "")}


class Fault(msgspec.Struct):
    """What is wrong with a request."""

    code: str | None = None
    message: str | None = None
    details: str | None = None


class _Faults(msgspec.Struct):
    errors: list[Fault] = []


def fault_of(answer: Answer) -> tuple[str, str]:
    """Return the code and the words of a request that was refused."""
    try:
        faults = msgspec.json.decode(answer.body, type=_Faults).errors
    except (msgspec.MsgspecError, UnicodeDecodeError):
        faults = []
    words = "; ".join(" ".join(filter(None, (each.message, each.details))) for each in faults)
    code = next((each.code for each in faults if each.code), None)
    return code or f"http_{answer.status}", words[:REASON_CHARACTERS_MAX] or excerpt(answer.body)


def checked(answer: Answer) -> None:
    """Accept an answer as ``check_status`` does; a limit is exceeded also where Amazon says so with another status."""
    check_status(answer)
    if answer.status >= 400 and fault_of(answer)[0] == "QuotaExceeded":  # noqa: PLR2004  # refused
        raise ThrottledError(f"HTTP {answer.status}: QuotaExceeded")


# -- tokens


class _Issued(msgspec.Struct):
    access_token: Annotated[str, Meta(min_length=1)]
    expires_in: float
    refresh_token: str = ""


class _Denied(msgspec.Struct):
    error: str = ""


class AmazonGrant(Grant):
    """The tokens of one account: an access token lives for an hour, its refresh token for long."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        self._url = options.auth_url or TOKENS_AT
        self._login = {name: credentials[name] for name in ("client_id", "client_secret")}

    def headers(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the header that lets a request in."""
        return access(values)

    def is_turned_away(self, answer: Answer) -> bool:
        """Whether a token was not taken: an old one is answered with 403."""
        return answer.status in _TURNED_AWAY

    def begin(self, what: str, secret: str) -> Exchange[Tokens]:  # noqa: ARG002  # there is one thing to bring
        """Ask for a first access token, with the refresh token that a person got in Seller Central."""
        return self.renew({REFRESH: secret})

    def renew(self, values: Mapping[str, str]) -> Exchange[Tokens]:
        """Ask for the next access token."""
        form = {"grant_type": REFRESH, REFRESH: values[REFRESH], **self._login}
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        answer = yield Request("POST", self._url, headers, urlencode(form).encode())
        check_status(answer)
        if answer.status != _OK:
            denied = _denied(answer)
            if denied in _SIGNED_OUT:
                raise SignedOutError(f"Amazon answers {denied}")
            raise UnavailableError(f"HTTP {answer.status}: {denied or 'no token'}")
        try:
            issued = msgspec.json.decode(answer.body, type=_Issued)
        except (msgspec.MsgspecError, UnicodeDecodeError):  # its words may quote a token
            raise UnavailableError("an answer without a token") from None
        kept = {ACCESS: issued.access_token, REFRESH: issued.refresh_token or values[REFRESH]}
        return Tokens(values=kept, expires_s=issued.expires_in)


def _denied(answer: Answer) -> str:
    try:
        return msgspec.json.decode(answer.body, type=_Denied).error[:100]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
