"""Which method of the clients carries out which operation of the API; both clients have the same ones."""

import re
from typing import Any, Final, NamedTuple

from clients.generate.schemas import operations
from tests.support.contract import contract

METHODS: Final = {
    "allocations_drop": "allocations.delete",
    "allocations_move": "allocations.move",
    "allocations_put": "allocations.put",
    "api_keys_change": "keys.update",
    "api_keys_create": "keys.create",
    "api_keys_read_many": "keys.read_many",
    "api_keys_revoke": "keys.revoke",
    "api_keys_rotate": "keys.rotate",
    "atp_read": "availability.by_day",
    "availability_read": "availability.read",
    "availability_read_all": "availability.snapshot",
    "availability_read_many": "availability.read_many",
    "availability_read_pieces": "availability.read_pieces",
    "backorders_put": "backorders.put",
    "backorders_read": "backorders.read_many",
    "barcodes_put": "barcodes.put",
    "barcodes_read": "barcodes.read",
    "barcodes_read_of_sku": "barcodes.read_many",
    "barcodes_remove": "barcodes.delete",
    "barcodes_read_parcel": "barcodes.read_parcel",
    "browser_tokens_make": "browser_tokens.create",
    "calendars_put": "time_zone.put",
    "calendars_read": "time_zone.read",
    "changes_stream": "changes.stream",
    "channels_dead_letters": "channels.dead_letters",
    "channels_pause": "channels.pause",
    "channels_read": "channels.read",
    "channels_read_many": "channels.read_many",
    "channels_reconcile": "channels.reconcile",
    "channels_resume": "channels.resume",
    "channels_retry": "channels.retry_dead_letters",
    "channels_set_rules": "channels.set_rules",
    "channels_status": "channels.status",
    "channels_test": "channels.test",
    "files_apply_token": "files.apply",
    "files_read": "files.read",
    "files_read_bad": "files.read_bad",
    "files_send": "files.send",
    "finding_read_skus": "skus.read_many",
    "history_read": "history.read_many",
    "imports_read_many": "imports.read_many",
    "imports_undo": "imports.undo",
    "intake_mark_done": "outbox.mark_done",
    "intake_read_orders": "channels.pull_orders",
    "intake_read_outbox": "outbox.read_many",
    "intake_say": "outbox.send",
    "intake_say_again": "outbox.send_again",
    "intake_take_back": "outbox.cancel",
    "listings_put": "listings.put",
    "listings_read": "listings.read_many",
    "listings_read_sku": "stock.on_channels",
    "locations_delete": "locations.delete",
    "locations_put": "locations.put",
    "locations_read": "locations.read",
    "locations_read_many": "locations.read_many",
    "locations_rename": "locations.rename",
    "map_lines_map_lines": "reservations.change_lines",
    "move_move": "reservations.move",
    "nearby_read": "availability.nearby",
    "orders_add_note": "orders.add_note",
    "orders_erase": "orders.erase",
    "orders_ignore": "inbox.ignore",
    "orders_map_listings": "inbox.map_listings",
    "orders_read": "orders.read",
    "orders_read_inbox": "inbox.read_many",
    "orders_read_many": "orders.read_many",
    "orders_read_paper": "orders.read_paper",
    "orders_retry": "inbox.retry",
    "renames_delete_listing": "listings.delete",
    "renames_delete_pack": "listings.delete_pack",
    "renames_delete_sku": "skus.delete",
    "renames_rename_sku": "skus.rename",
    "replenishment_events": "replenishment.events",
    "replenishment_propose": "replenishment.read_proposals",
    "replenishment_read_rules": "replenishment.read_rules",
    "replenishment_set_rules": "replenishment.set_rules",
    "reports_on_no_channel": "reports.unlisted",
    "reports_sales": "reports.sales",
    "reports_velocity": "reports.velocity",
    "reservations_cancel": "reservations.cancel",
    "reservations_commit": "reservations.commit",
    "reservations_extend": "reservations.extend",
    "reservations_fulfil": "reservations.fulfil",
    "reservations_look_up": "reservations.look_up",
    "reservations_order": "reservations.order",
    "reservations_read": "reservations.read",
    "reservations_read_many": "reservations.read_many",
    "reservations_release": "reservations.release",
    "reservations_reserve": "reservations.reserve",
    "reservations_reserve_many": "reservations.reserve_many",
    "returns_exchange": "reservations.exchange",
    "returns_take_back": "reservations.return_units",
    "safety_put_sku": "skus.put",
    "safety_put_skus": "skus.put_many",
    "safety_read_rules": "safety.read_rules",
    "safety_read_sku": "skus.read",
    "safety_set_rules": "safety.set_rules",
    "shortage_preview_read": "shortages.preview",
    "shortages_read": "shortages.read_many",
    "shortages_read_of_one": "reservations.shortages",
    "sources_decide": "sources.decide",
    "sources_pull": "sources.pull",
    "sources_read_many": "sources.read_many",
    "sources_read_waiting": "sources.read_waiting",
    "sourcing_explain": "sourcing.explain",
    "stock_count": "stock.count",
    "stock_move_many": "stock.move_many",
    "stock_read": "stock.read",
    "supply_drop": "supply.delete",
    "supply_put": "supply.put",
    "supply_read": "supply.read",
    "supply_read_many": "supply.read_many",
    "system_livez": "system.alive",
    "system_readyz": "system.ready",
    "today_read": "reports.today",
    "transfers_cancel": "transfers.cancel",
    "transfers_read": "transfers.read",
    "transfers_read_many": "transfers.read_many",
    "transfers_receive": "transfers.receive",
    "transfers_ship": "transfers.ship",
}
STREAM: Final = "changes.stream"
"""It has tests of its own: it is iterated, and comes back by itself."""


class Operation(NamedTuple):
    """One operation of the API, and the method of the clients that carries it out."""

    resource: str
    method: str
    verb: str
    path: str
    described: dict[str, Any]

    @property
    def body_fields(self) -> list[str]:
        """The names of the fields of the body; empty where it has none, or is a file."""
        content = self.described.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            return []
        components = contract().document["components"]["schemas"]
        return list(components[content["schema"]["$ref"].rpartition("/")[2]]["properties"])

    def parameters(self, where: str) -> list[str]:
        """Return the names of the parameters in the path, the query or the headers."""
        return [each["name"] for each in self.described.get("parameters", ()) if each["in"] == where]

    def matches(self, verb: str, path: str) -> re.Match[str] | None:
        """Find the names in a path, if it is of this operation."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path))
        return re.fullmatch(pattern, path) if verb == self.verb else None


def all_operations() -> list[Operation]:
    """Return every operation that clients have; fixed paths come before those with names in them."""
    found = [
        Operation(resource, method, verb, path, described)
        for verb, path, described in operations(contract().document)
        for resource, _, method in [METHODS[described["operationId"]].partition(".")]
    ]
    return sorted(found, key=lambda each: each.path.count("{"))


def operation_of(verb: str, path: str) -> tuple[Operation, dict[str, str]]:
    """Find the operation of a request, and the names in its path, as they stand there."""
    for each in all_operations():
        match = each.matches(verb, path)
        if match is not None:
            return each, match.groupdict()
    raise LookupError(f"{verb} {path} is no operation of the clients")
