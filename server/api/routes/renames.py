"""Other names, and none any more: SKUs are renamed and deleted, listings deleted."""

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain.principal import Scope
from server.schemas.renames import DeletedKeyQuery, DeletedView, KeyDeleted, ListingDeleted, RenameBody, RenamedView
from server.service import renames
from server.service.checks import check_reason
from server.service.likeness import is_allowed


async def rename_sku(call: Call) -> RenamedView:
    """Give a SKU another name."""
    body: RenameBody = call.body
    names = call.named("sku"), body.to
    reason = check_reason(body.reason)
    return RenamedView(*await renames.rename_sku(call.caller, *names, allow_similar=is_allowed(body), reason=reason))


async def delete_sku(call: Call) -> DeletedView:
    """Delete a SKU that is empty."""
    return DeletedView(await renames.delete_sku(call.caller, call.named("sku")))


async def delete_listing(call: Call) -> ListingDeleted:
    """Delete the listing of a SKU."""
    channel, sku = call.named("channel"), call.named("sku")
    await renames.delete_listing(call.caller, channel, sku)
    return ListingDeleted(channel, sku)


async def delete_pack(call: Call) -> KeyDeleted:
    """Delete a pack or bundle."""
    channel, query = call.named("channel"), call.query(DeletedKeyQuery)
    await renames.delete_pack(call.caller, channel, query.key)
    return KeyDeleted(channel, query.key)


ROUTES = [
    Route(
        "POST", "/v1/skus/{sku}/rename", rename_sku, Scope.ADMIN, "Give a SKU another name; the old one still works",
        {200: RenamedView}, RenameBody, share=Share.BULK,
        outcomes=(
            "unknown_sku", "name_taken", "name_cycle", "renamed_before", "rename_unfinished", "too_many_names",
            "similar_name",
        ),
    ),
    Route(
        "DELETE", "/v1/skus/{sku}", delete_sku, Scope.ADMIN, "Delete a SKU that has no units and promises none",
        {200: DeletedView}, outcomes=("invalid", "unknown_sku", "sku_in_use", "too_many_places", "rename_unfinished"),
    ),
    Route(
        "DELETE", "/v1/channels/{channel}/listings/{sku}", delete_listing, Scope.ADMIN, "Delete the listing of a SKU",
        {200: ListingDeleted}, outcomes=("invalid", "unknown_channel"),
    ),
    Route(
        "DELETE", "/v1/channels/{channel}/listings", delete_pack, Scope.ADMIN, "Delete a pack or bundle by its key",
        {200: KeyDeleted}, query=DeletedKeyQuery, outcomes=("invalid", "unknown_channel"),
    ),
]  # fmt: skip
