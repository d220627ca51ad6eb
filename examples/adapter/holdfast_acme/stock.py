"""Publishes stock to Acme by article number, and reads it back."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final
from urllib.parse import urlencode

import msgspec

from adapters.contract.adapter import Adapter, Capabilities
from adapters.contract.http import READ, Exchange, Request, check_status, json_as
from adapters.contract.limits import Window
from adapters.contract.stock import Applied, Item, Outcomes, Rejected

ITEMS_MAX: Final = 100
QUANTITY_MAX: Final = 1_000_000


class AcmeOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``base_url`` is the root of Acme's API."""

    base_url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/?#@]+(/[^?#@]*)?$")]


class _Answered(msgspec.Struct, frozen=True):
    refused: dict[str, str]


class _Shown(msgspec.Struct, frozen=True):
    stock: dict[str, int]


class AcmeStock(Adapter):
    """The stock of one account."""

    def __init__(self, options: AcmeOptions, credentials: Mapping[str, str]) -> None:
        self._root = options.base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {credentials['token']}", "Content-Type": "application/json"}
        self._capabilities = Capabilities(
            items_max=ITEMS_MAX,
            read_items_max=ITEMS_MAX,
            quantity_max=QUANTITY_MAX,
            own_sale="lowers",
            limits=(Window(60, 60.0),),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What Acme documents."""
        return self._capabilities

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes]:  # noqa: ARG002  # nothing is signed
        """Send quantities; the answer names the articles that were refused."""
        body = msgspec.json.encode({item.key: item.quantity for item in items})
        answer = yield Request("PUT", f"{self._root}/stock", self._headers, body)
        check_status(answer)
        refused = json_as(_Answered, answer).refused
        outcomes: Outcomes = {key: Rejected("refused", reason) for key, reason in refused.items()}
        return {item.key: Applied() for item in items} | outcomes

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what Acme shows; articles that it does not know are not in the answer."""
        query = urlencode([("key", key) for key in keys])
        answer = yield Request("GET", f"{self._root}/stock?{query}", self._headers, group=READ)
        check_status(answer)
        return json_as(_Shown, answer).stock
