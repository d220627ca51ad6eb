"""SKUs: found, put into categories, renamed and deleted."""

from collections.abc import Sequence
from typing import Literal

from msgspec import UNSET, UnsetType

from holdfast.batches import pages_in_order, set_parts
from holdfast.binding import ModeT, Resource, operation
from holdfast.calls import Call, fields, name_in_path, read, sets
from holdfast.decisions import Plan
from holdfast.types import DeletedView, NamedSkuBody, RenamedView, SkuList, SkusPage, SkuView


class Skus(Resource[ModeT]):
    """What is sold."""

    @operation
    def read_many(
        self,
        *,
        q: str | None = None,
        prefix: str | None = None,
        location: str | None = None,
        channel: str | None = None,
        state: Literal["held", "low", "out", "short", "untracked"] | None = None,
        sort: Literal["-available", "-changed", "available", "sku"] | None = None,
        show: Literal["channels"] | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Call[SkusPage]:
        """Read a page of the SKUs that match. ``GET /v1/skus``.

        Raises ``NotFound`` (unknown_channel).
        """
        return read(
            "/v1/skus", SkusPage, q=q, prefix=prefix, location=location, channel=channel, state=state, sort=sort,
            show=show, after=after, limit=limit,
        )  # fmt: skip

    @operation
    def read(self, sku: str) -> Call[SkuView]:
        """Read what a SKU is. ``GET /v1/skus/{sku}``."""
        return read(_sku(sku), SkuView)

    @operation
    def put(
        self,
        sku: str,
        *,
        category: str | UnsetType | None = UNSET,
        tracked: bool | None = None,
        allow_similar: bool | None = None,
    ) -> Call[SkuView]:
        """Put a SKU into a category (None: none), and say whether it has stock. ``PUT /v1/skus/{sku}``.

        Raises ``Refused`` (sku_has_stock, similar_name).
        """
        body = fields(tracked=tracked, allow_similar=allow_similar)
        return sets("PUT", _sku(sku), SkuView, body if category is UNSET else body | {"category": category})

    @operation
    def put_many(self, skus: Sequence[NamedSkuBody]) -> Plan[SkuList]:
        """Put SKUs into categories; more than one request can have are split. ``PUT /v1/skus``."""
        return _put(skus)

    @operation
    def rename(
        self, sku: str, to: str, *, allow_similar: bool | None = None, reason: str | None = None
    ) -> Call[RenamedView]:
        """Give a SKU another name; the old one still works. ``POST /v1/skus/{sku}/rename``.

        Raises ``NotFound`` (unknown_sku) and ``Refused`` (name_taken, name_cycle, renamed_before, rename_unfinished,
        too_many_names, similar_name).
        """
        body = fields(to=to, allow_similar=allow_similar, reason=reason)
        return sets("POST", f"{_sku(sku)}/rename", RenamedView, body)

    @operation
    def delete(self, sku: str) -> Call[DeletedView]:
        """Delete a SKU that has no units. ``DELETE /v1/skus/{sku}``.

        After a lost answer it may say that the SKU is not known, which is then the expected answer.

        Raises ``NotFound`` (unknown_sku) and ``Refused`` (sku_in_use, rename_unfinished, too_many_places).
        """
        return sets("DELETE", _sku(sku), DeletedView)


def _sku(sku: str) -> str:
    return f"/v1/skus/{name_in_path(sku)}"


def _put(skus: Sequence[NamedSkuBody]) -> Plan[SkuList]:
    pages = yield from pages_in_order(set_parts("/v1/skus", SkuList, "skus", skus))
    return SkuList(skus=[each for page in pages for each in page.skus])
