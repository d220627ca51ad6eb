"""The names of a partition's keys. Its hash tag keeps them in one slot, so one order is always one atomic script."""

from collections.abc import Sequence
from typing import Final

from server.domain.likeness import Kind, fold

PARTITIONS: Final = "hf:partitions"
"""Set of the partitions that were ever served; maintenance goes through all of them."""

ERASURES: Final = "hf:erasures"
"""Hash: partition -> by whom and when it was erased, as JSON; see ``repositories/partition_erasure.py``."""
RESTORED: Final = "hf:restored"
"""Hash: that the store was filled from a backup, and how far that is; see ``repositories/restored.py``."""
RESTORING: Final = "hf:restoring"
"""String: who fills the store just now; gone half a minute after it has ended."""
SESSION: Final = "hf:session:"
"""How the keys of the console's sessions begin."""
LACKS: Final = b"lacks\0"
"""How the fields of the hash ``meta`` begin that name the places which lack units, as in ``lua/lib/lacking.lua``."""

_NAMES: Final = (
    "stock",
    "skus",
    "reservations",
    "ended",
    "deadlines",
    "idempotency",
    "forget",
    "journal",
    "meta",
    "on_hand_log",
    "aliases",
)
"""In the order in which ``lua/lib/context.lua`` expects them as KEYS; that file explains each."""


class Keyspace:
    """The keys of one partition; ``all`` is what each script declares as its KEYS, some of them among others."""

    def __init__(self, partition: str) -> None:  # noqa: PLR0915  # one statement for each key
        self.partition = partition
        self.all: tuple[str, ...] = tuple(f"hf:{{{partition}}}:{name}" for name in _NAMES)
        named = dict(zip(_NAMES, self.all, strict=True))
        self.stock = named["stock"]
        self.skus = named["skus"]
        self.reservations = named["reservations"]
        self.ended = named["ended"]
        self.deadlines = named["deadlines"]
        self.idempotency = named["idempotency"]
        self.journal = named["journal"]
        self.aliases = named["aliases"]
        self.meta = named["meta"]
        self.on_hand_log = named["on_hand_log"]
        # Only functions off the hot path declare these two as well: see ``lua/functions/mutate_transfers.lua``.
        self.transfers = f"hf:{{{partition}}}:transfers"
        self.transfers_closed = f"hf:{{{partition}}}:transfers_closed"
        self.orders = f"hf:{{{partition}}}:orders"
        """Hash: channel NUL order number -> what was booked of it; see ``lua/lib/order_notes.lua``."""
        # Only functions off the hot path declare these: see ``lua/functions/mutate_expected_receipts.lua``.
        self.supply = f"hf:{{{partition}}}:supply"
        self.supply_skus = f"hf:{{{partition}}}:supply_skus"
        self.tombstones = f"hf:{{{partition}}}:tombstones"
        """Sorted set: the ids of tombstones, by when they are forgotten; see ``lua/lib/tombstones.lua``."""
        self.backorders = f"hf:{{{partition}}}:backorders"
        """Sorted set: the queue of backordered lines; see ``lua/lib/backorders.lua``."""
        # Only one function off the hot path declares this one: see ``lua/functions/apply_safety_rules.lua``.
        self.safety_applied = f"hf:{{{partition}}}:safety_applied"
        self.safety_rules = f"hf:{{{partition}}}:safety_rules"
        """Hash: category NUL location, either may be empty -> how much safety stock, as JSON."""
        self.categories = f"hf:{{{partition}}}:categories"
        """Hash: SKU -> its category; no script knows it."""
        self.barcodes = f"hf:{{{partition}}}:barcodes"
        """Hash: barcode -> its SKU and pack size; no script knows it."""
        self.file_columns = f"hf:{{{partition}}}:file_columns"
        """Hash: kind of file -> what was said of its columns, as JSON; no script knows it."""
        # The publisher's: no script of the hot path knows them.
        self.publisher = f"hf:{{{partition}}}:publisher"
        """Hash: the lease of the publisher, see ``lua/functions/publisher_lease.lua``."""
        self.channel_cursors = f"hf:{{{partition}}}:channel_cursors"
        """Hash: channel -> journal id up to which it has confirmed everything."""
        self.channel_status = f"hf:{{{partition}}}:channel_status"
        """Hash: channel -> its state, as JSON."""
        self.channel_rules = f"hf:{{{partition}}}:channel_rules"
        """Hash: channel -> the rules that were set at run time, as JSON."""
        self.webhook_cursors = f"hf:{{{partition}}}:webhook_cursors"
        """Hash: endpoint -> id of the last event that it received, and how many there were up to it."""
        self.configured = f"hf:{{{partition}}}:configured"
        """Hash: "channel" or "source", NUL, its name -> how it was configured at the last start, as JSON."""
        self.source_status = f"hf:{{{partition}}}:source_status"
        """Hash: source -> its state, as JSON."""
        # Of imports of files; no script knows these, see ``repositories/imports.py`` and ``waiting_files.py``.
        self.imports = f"hf:{{{partition}}}:imports"
        """Hash: import -> what it was and how far it came, as JSON."""
        self.imports_before = f"hf:{{{partition}}}:imports_before"
        """Hash: import and a number -> what some of its rows have replaced."""
        self.files = f"hf:{{{partition}}}:files"
        """Sorted set: files that wait to be applied, by when they go; each is a hash beside it."""
        self._rate = f"hf:{{{partition}}}:rate:"
        self._trace = f"hf:{{{partition}}}:trace:"
        self.locations = f"hf:{{{partition}}}:locations"
        """Hash: location -> its description, as JSON; see ``repositories/locations.py``."""
        self.likeness = f"hf:{{{partition}}}:likeness"
        """Hash: the known SKUs and locations by their folds; see ``lua/lib/likeness.lua``."""
        self.names = f"hf:{{{partition}}}:names"
        """Hash: stored names that could not be stored so today; see ``repositories/old_names.py``."""
        # Of the daily figures; beside these there is a hash for each day, which expires.
        self.figures = f"hf:{{{partition}}}:figures"
        """Hash: up to where the journal is counted, see ``lua/functions/add_daily_figures.lua``."""
        self.events = f"hf:{{{partition}}}:events"
        """Stream: events of crossed thresholds, which are in the journal, too."""
        self.sold_out = f"hf:{{{partition}}}:sold_out"
        """Set: SKUs that are out at every open location, as far as events have said."""
        self.replenishment = f"hf:{{{partition}}}:replenishment"
        """Hash: SKU NUL location, either may be empty -> when and how much to order, as JSON."""
        # Of the documents of orders; no script knows them, see ``repositories/order_privacy.py``.
        self.secrets = f"hf:{{{partition}}}:secrets"
        """Hash: what is secret and shown nowhere, by its name."""
        self.order_channels = f"hf:{{{partition}}}:order_channels"
        """Hash: channel -> when its orders began to be taken in last; no script knows it, see ``booked_orders.py``."""
        self.erased_orders = f"hf:{{{partition}}}:erased_orders"
        """Hash: channel NUL order number -> when its personal data was erased."""

    def day_figures(self, day: int) -> str:
        """Name the hash of one day, numbered from 1970 on: SKU -> its figures by channel and location."""
        return f"{self.figures}:{day}"

    def rate_of(self, key_id: str) -> str:
        """String: how many requests an API key made in its last second; see ``lua/functions/lease_requests.lua``."""
        return f"{self._rate}{key_id}"

    def trace(self, sku: str) -> str:
        """List: the traced changes of a SKU, for some minutes; see ``server/store/repositories/traces.py``."""
        return self._trace + sku

    @property
    def insight(self) -> tuple[str, ...]:
        """The keys of the daily figures and events, without those of the days."""
        return (self.figures, self.events, self.sold_out, self.replenishment, self.safety_rules, self.categories)

    @property
    def reserving(self) -> tuple[str, ...]:
        """The KEYS of the functions that make, change or end reservations."""
        return (*self.all, self.tombstones, self.backorders)

    @property
    def creating(self) -> tuple[str, ...]:
        """What ``lua/functions/mutate_creating.lua`` declares as its KEYS."""
        return (*self.all, self.likeness, self.backorders)

    @property
    def noting(self) -> tuple[str, ...]:
        """What ``lua/functions/mutate_noting.lua`` declares as its KEYS."""
        return (*self.all, self.tombstones, self.likeness, self.orders, self.backorders)

    @property
    def indexing(self) -> tuple[str, ...]:
        """What ``lua/functions/index_names.lua`` declares as its KEYS."""
        return (*self.all, self.likeness, self.supply_skus)

    @property
    def transferring(self) -> tuple[str, ...]:
        """What ``lua/functions/mutate_transfers.lua`` declares as its KEYS."""
        return (*self.moving, self.likeness, self.backorders)

    @property
    def receiving(self) -> tuple[str, ...]:
        """What ``lua/functions/mutate_expected_receipts.lua`` declares as its KEYS."""
        return (*self.supplying, self.likeness, self.backorders)

    @property
    def moving(self) -> tuple[str, ...]:
        """What the functions that know transfers declare as their KEYS."""
        return (*self.all, self.transfers, self.transfers_closed)

    @property
    def supplying(self) -> tuple[str, ...]:
        """What the functions that know expected receipts declare as their KEYS."""
        return (*self.all, self.supply, self.supply_skus)

    @property
    def describing(self) -> tuple[str, ...]:
        """The KEYS of the functions that close locations; one of them declares ``likeness`` behind these."""
        return (*self.all, self.locations)

    @property
    def safeguarding(self) -> tuple[str, ...]:
        """What ``lua/functions/apply_safety_rules.lua`` declares as its KEYS."""
        return (*self.all, self.safety_applied, self.backorders)

    @property
    def forgetting(self) -> tuple[str, ...]:
        """What ``lua/functions/purge_ended.lua`` declares as its KEYS."""
        return (*self.moving, self.supply, self.tombstones)

    def renaming(self, channels: Sequence[str]) -> tuple[str, ...]:
        """What ``lua/functions/rename_sku.lua`` and ``delete_sku.lua`` declare as their KEYS."""
        own = (self.categories, self.replenishment, self.safety_applied, self.supply_skus, self.likeness, self.sold_out)
        of_channels = (key for channel in channels for key in ChannelKeys(self, channel).naming)
        return (*self.all, *own, *of_channels)

    @property
    def renaming_location(self) -> tuple[str, ...]:
        """What ``lua/functions/rename_location.lua`` declares as its KEYS."""
        return (*self.describing, self.likeness, self.replenishment, self.safety_applied)

    @property
    def publishing(self) -> tuple[str, ...]:
        """The publisher's keys that are not a channel's."""
        return (
            self.publisher,
            self.channel_cursors,
            self.channel_status,
            self.channel_rules,
            self.webhook_cursors,
            self.source_status,
            self.configured,
        )


class ChannelKeys:
    """The keys of one channel: hashes by SKU, but ``shown`` by the channel's key and ``tickets`` by their id.

    ``by_key``: hash of the listings that are known by their key. ``keys``: hash of the other listings' SKUs by key; it
    can lack some or have old ones, as an earlier release does not keep it. ``components``: sorted set of SKU NUL key,
    for each component of a listing in ``by_key``. ``intake``: hash of how far its orders are read. ``to_read``: hash of
    the orders that are to be read, ``outbox``: of what is said about orders. ``heard``: stream of news to be taken in.
    ``tokens``: hash of credentials that change, encrypted.
    """

    def __init__(self, keyspace: Keyspace, channel: str) -> None:
        prefix = f"hf:{{{keyspace.partition}}}:channel:{channel}:"
        self.listings = prefix + "listings"
        self.shown = prefix + "shown"
        self.dead_letters = prefix + "dead_letters"
        self.tickets = prefix + "tickets"
        self.by_key = prefix + "by_key"
        self.keys = prefix + "keys"
        self.components = prefix + "components"
        # Of its orders that come in: see ``repositories/intake.py``.
        self.intake = prefix + "intake"
        self.to_read = prefix + "to_read"
        self.outbox = prefix + "outbox"
        self.heard = prefix + "heard"
        self.tokens = prefix + "tokens"

    @property
    def all(self) -> tuple[str, ...]:
        """Each of them, but for those of its orders, which outlive its place among the channels."""
        return (*self.listing, self.shown, self.dead_letters, self.tickets, self.tokens)

    @property
    def ordering(self) -> tuple[str, ...]:
        """Those of its orders that come in."""
        return (self.intake, self.to_read, self.outbox, self.heard)

    @property
    def listing(self) -> tuple[str, ...]:
        """What ``lua/functions/put_listings.lua`` declares as its KEYS, with those of the partition."""
        return (self.listings, self.by_key, self.keys, self.components)

    @property
    def naming(self) -> tuple[str, ...]:
        """What :meth:`Keyspace.renaming` has of each channel."""
        return (self.listings, self.keys, self.components)


class SourceKeys:
    """The keys of one source: hashes, see ``repositories/sources.py``; only ``decisions`` is written by others.

    ``state``: how far it is. ``orders``: what it is told, by reservation; ``refused``: those of them that it does not
    take. ``numbers``: what it says, ``waiting``: what of that waits for a person, ``decisions``: what people have
    decided, by SKU NUL location. ``supplies``: what it expects.
    """

    def __init__(self, keyspace: Keyspace, source: str) -> None:
        prefix = f"hf:{{{keyspace.partition}}}:source:{source}:"
        self.state = prefix + "state"
        self.orders = prefix + "orders"
        self.refused = prefix + "refused"
        self.numbers = prefix + "numbers"
        self.waiting = prefix + "waiting"
        self.decisions = prefix + "decisions"
        self.supplies = prefix + "supplies"

    @property
    def all(self) -> tuple[str, ...]:
        """Each of them."""
        own = (self.state, self.orders, self.refused)
        return (*own, self.numbers, self.waiting, self.decisions, self.supplies)


LIKENESS_VERSION: Final = "\0version"
LIKENESS_COMPLETE: Final = "\0complete"
"""Fields of the hash of known names: the table that made its folds; there once all names are in it."""


def likeness_field(kind: Kind, name: str) -> str:
    """Name the field of the hash of known names that has those which are like a name."""
    return f"{kind}\0{fold(name)}"


def stored_text(name: bytes) -> str:
    """Decode a stored name; a damaged one has escapes, so that it can be shown and does not end a pass over all."""
    return name.decode("utf-8", "backslashreplace")


def split_field(field: bytes) -> tuple[str, str]:
    """Split a field of the stock hash: (sku, location)."""
    sku, _, location = stored_text(field).partition("\0")
    return sku, location
