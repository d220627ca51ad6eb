"""Shopify's GraphQL Admin API: the documents, the form of their answers, and what errors of a whole call mean."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeVar

import msgspec

from adapters.contract.errors import (
    ChannelError,
    ClosedError,
    CredentialsError,
    SpoiledError,
    ThrottledError,
    UnavailableError,
    UnknownResultError,
)
from adapters.contract.http import (
    Answer,
    Exchange,
    Request,
    check_command,
    check_status,
    excerpt,
    json_of,
    read_private,
)
from adapters.contract.limits import CostLeft
from adapters.shopify.account import FIRST_VERSION, Options

T = TypeVar("T")

SET_QUANTITIES: Final = """\
mutation HoldfastSetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}
"""
SET_PRICES: Final = """\
mutation HoldfastSetPrices($productId: ID!, $variants: [ProductVariantsBulkInput!]!) {
  productVariantsBulkUpdate(productId: $productId, variants: $variants) {
    productVariants { id price compareAtPrice }
    userErrors { code field message }
  }
}
"""
READ_QUANTITIES: Final = """\
query HoldfastReadQuantities($ids: [ID!]!, $locationId: ID!) {
  nodes(ids: $ids) {
    ... on InventoryItem {
      id
      inventoryLevel(locationId: $locationId) { quantities(names: ["available"]) { quantity } }
    }
  }
}
"""

MUTATION_POINTS: Final = 11.0
"""Measured by others on a development shop; the bucket that each answer reports corrects it."""
READ_POINTS: Final = 27.0
"""Of a recorded answer, for one id as for three; corrected likewise."""
NOT_THERE: Final = "RESOURCE_NOT_FOUND"
"""An id that the shop does not know, which refuses the whole call."""
TOO_BIG: Final = frozenset({"MAX_INPUT_SIZE_EXCEEDED", "MAX_COST_EXCEEDED"})
"""Codes of a call that is too large, which halves of it may not be."""

_INVALID_VARIABLE: Final = "INVALID_VARIABLE"
_UNKNOWN_FIELD: Final = "is not defined on"
"""In the words of an invalid variable: not its value is wrong, but the schema has no such field."""
_OF_THE_SCHEMA: Final = frozenset({"BAD_REQUEST", "INVALID_FIELD_ARGUMENTS"})
"""Codes of a call whose form is not that of the version; as are those that begin with a small letter."""
_FROZEN_OR_GONE: Final = (402, 404, 423)
_CALL_ERRORS: Final[dict[str, type[ChannelError]]] = {
    "UNAUTHORIZED": CredentialsError,
    "SHOP_INACTIVE": ClosedError,
    # They may come after the change: the same key requests the same result again.
    "INTERNAL_SERVER_ERROR": UnknownResultError,
    "TIMEOUT": UnknownResultError,
}


class SchemaError(ClosedError):
    """The API version of the shop does not have what was sent: no item is to blame, and no later try helps."""


class DeniedError(CredentialsError):
    """The access token is known, and its app may not do this."""


class Session:
    """Calls one shop. Keeps nothing."""

    def __init__(self, options: Options, access_token: str) -> None:
        root = (options.base_url or f"https://{options.shop}").rstrip("/")
        self._url = f"{root}/admin/api/{options.api_version}/graphql.json"
        self._version = options.api_version
        self._headers = {"X-Shopify-Access-Token": access_token, "Content-Type": "application/json"}

    def ask(self, document: str, variables: Mapping[str, Any], points: float) -> Exchange[Any]:
        """Send a document that costs so many points, and return its answer, which has no errors above its data."""
        answer = yield self._request(document, variables, points)
        _check_open(answer)
        check_status(answer)
        return self._checked(json_of(answer))

    def look(self, document: str, variables: Mapping[str, Any], points: float) -> Exchange[Any]:
        """Ask for what may be personal: what is raised quotes nothing of it. A question without an answer did nothing.

        Raises
        ------
        ChannelError
            As :meth:`ask`.

        """
        try:
            answer = yield self._request(document, variables, points)
        except UnknownResultError as error:
            raise UnavailableError(f"no answer to a question: {error.reason}", error.after_s) from None
        _check_open(answer)
        return self._checked(read_private(Any, answer))

    def say(self, document: str, variables: Mapping[str, Any], points: float) -> Exchange[Any]:
        """Carry something out that must not be done twice.

        Raises
        ------
        UnknownResultError
            It may have been carried out: an answer of 5xx, or one that cannot be read.
        ChannelError
            As :meth:`ask`.

        """
        answer = yield self._request(document, variables, points)
        _check_open(answer)
        check_command(answer)
        try:
            content = json_of(answer)
        except UnavailableError as error:
            raise UnknownResultError(error.reason) from None
        return self._checked(content)

    def _request(self, document: str, variables: Mapping[str, Any], points: float) -> Request:
        body = msgspec.json.encode({"query": document, "variables": variables})
        return Request("POST", self._url, self._headers, body, cost=points)

    def _checked(self, content: Any) -> Any:
        if isinstance(content, dict) and content.get("errors"):
            raise _call_error(content, self._version)
        return content


def _check_open(answer: Answer) -> None:
    if answer.status in _FROZEN_OR_GONE:
        raise ClosedError(f"HTTP {answer.status}: {excerpt(answer.body)}")


def cost_left(answer: Answer) -> CostLeft | None:
    """Return the bucket that comes with every answer; None: it is not there."""
    try:
        status = part(json_of(answer), "extensions.cost.throttleStatus", _ThrottleStatus)
    except UnavailableError:
        return None
    return CostLeft(status.currently_available, status.maximum_available, status.restore_rate)


# -- ids


def gid(kind: str, name: str) -> str:
    """Return an id in its global form; ``name`` may be a number or the global form."""
    return name if name.startswith("gid://") else f"gid://shopify/{kind}/{name}"


def gids_in(kind: str, text: str) -> set[str]:
    """Return the ids of this kind that a text names."""
    return set(re.findall(rf"gid://shopify/{kind}/[0-9]+", text))


def is_gid(kind: str, name: str) -> bool:
    """Return whether a text is an id of this kind, as a number or in its global form."""
    return re.fullmatch(rf"(gid://shopify/{kind}/)?[0-9]+", name) is not None


# -- answers


class _ThrottleStatus(msgspec.Struct, rename="camel"):
    maximum_available: float
    currently_available: float
    restore_rate: float


class UserError(msgspec.Struct):
    """Why a mutation was refused; ``field`` is the path of what it is about."""

    message: str
    code: str | None = None
    field: list[str | int] | None = None

    @property
    def name(self) -> str:
        """The code, or a name for none."""
        return self.code or "NO_CODE"

    def row(self, rows: str) -> int | None:
        """Return the number of the row from a path like ["input", "quantities", "7", "quantity"]."""
        steps = [str(step) for step in self.field or ()]
        following = steps[steps.index(rows) + 1 :] if rows in steps else []
        return int(following[0]) if following and following[0].isdecimal() else None


def rows_of(errors: Iterable[UserError], rows: str) -> dict[int, UserError]:
    """Return the errors that are about a row, by its number."""
    found = ((error.row(rows), error) for error in errors)
    return {row: error for row, error in found if row is not None}


class Quantity(msgspec.Struct):
    """A quantity under one of its names."""

    quantity: int


class Variant(msgspec.Struct, rename="camel"):
    """A variant with the prices that it has now; prices are decimal text."""

    id: str
    price: str | None = None
    compare_at_price: str | None = None


class PricesAnswer(msgspec.Struct, rename="camel"):
    """The answer to :data:`SET_PRICES`."""

    user_errors: list[UserError]
    product_variants: list[Variant] | None = None


class InventoryItem(msgspec.Struct, rename="camel"):
    """An inventory item with its level at the location; a node of another kind has no id."""

    id: str = ""
    inventory_level: dict[Literal["quantities"], list[Quantity]] | None = None


def part(content: Any, path: str, form: type[T]) -> T:
    """Return a part of an answer. Raises UnavailableError where it is missing or of another form."""
    for step in path.split("."):
        content = content.get(step) if isinstance(content, dict) else None
    try:
        return msgspec.convert(content, form)
    except msgspec.ValidationError as error:
        raise UnavailableError(f"the answer's {path} is not as expected: {error}") from None


def _call_error(content: Mapping[str, Any], version: str) -> ChannelError:
    """Return the error of a call as a whole, which stands above its data and not at a row."""
    errors = content["errors"]
    first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {"message": str(errors)}
    extensions = first.get("extensions")
    code = str(extensions.get("code") or "") if isinstance(extensions, dict) else ""
    reason = f"{code or 'error'}: {excerpt(str(first.get('message')).encode())}"
    if code == "THROTTLED":
        return ThrottledError(reason, _refilled_s(content))
    if code == "ACCESS_DENIED":
        return DeniedError(f"{reason}; the app of the access token needs another scope")
    if code in _OF_THE_SCHEMA or code[:1].islower() or (code == _INVALID_VARIABLE and _UNKNOWN_FIELD in reason):
        return SchemaError(
            f"{reason}; version {version} of the API does not take what Holdfast sends: set the channel's api_version"
            f" to another from {FIRST_VERSION} on, or update Holdfast, then run reconcile"
        )
    if code in TOO_BIG or code in (_INVALID_VARIABLE, NOT_THERE):
        return SpoiledError(code, reason)
    return _CALL_ERRORS.get(code, UnavailableError)(reason)


def _refilled_s(content: Mapping[str, Any]) -> float | None:
    """Return in how many seconds the bucket holds what the refused call costs; None: unknown."""
    try:
        status = part(content, "extensions.cost.throttleStatus", _ThrottleStatus)
        missing = part(content, "extensions.cost.requestedQueryCost", float) - status.currently_available
    except UnavailableError:
        return None
    return max(0.0, missing) / status.restore_rate if status.restore_rate > 0 else None
