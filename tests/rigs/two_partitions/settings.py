"""What one operator of a partition sets: barcodes, categories, rules and listings, each absolutely and without a key.

After a request without an answer nobody knows what is set until it is sent once more with nothing else on its way. So
such a setting is set again before it is compared.
"""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from server.domain.channels import ChannelRules, publishable
from tests.rigs.fanout_crash.shops import Shop
from tests.rigs.two_partitions.desk import Desk, Reply
from tests.rigs.two_partitions.requests import Sent

PAUSE_S: Final = 0.1
EQUAL_S: Final = 90.0
"""So long a channel may take until it shows the publishable quantity, on a machine that has other work."""
PACK: Final = 12
"""Units of a carton that is received by its barcode."""
_EACH: Final = 3
"""So many of each kind are set again and again."""


@dataclass(frozen=True)
class Setting:
    """One setting: how it is set, and how it reads then.

    ``field``: where in the answer of ``path`` it stands, if that has more. ``name``: of two with one name, the later
    takes the place of the earlier.
    """

    kind: str
    name: str
    put: Sent
    path: str
    wanted: Any
    field: str = ""

    def found(self, body: Any) -> bool:
        """Whether an answer has it."""
        there = body[self.field] if self.field else body
        rows = there if isinstance(there, list) else [there]
        return any(all(row.get(name) == value for name, value in self.wanted.items()) for row in rows)


class Operator:
    """Sets, and sets again. ``shop``: the channel of the partition, whose listings and rules it sets, too."""

    def __init__(self, desk: Desk, shop: Shop, skus: tuple[str, ...], chance: random.Random, rest_s: float) -> None:
        self.running = False
        self.rules = shop.rules
        self.listed = dict.fromkeys(skus, True)
        self._desk = desk
        self._shop = shop
        self._chance = chance
        self._rest_s = rest_s
        self._set: dict[str, Setting] = {}
        self._carton, self._packed = f"carton:{desk.key.partition}", f"packed:{desk.key.partition}"
        self._pending: Sent | None = None
        self._packs = self._number = 0
        self._unconfirmed: set[str] = set()

    async def set_up(self) -> None:
        """List every SKU, and say what a carton holds."""
        for sku in self.listed:
            await self._put(self._listing(sku, listed=True), final=True)
        row = {"barcode": self._carton, "sku": self._packed, "factor": PACK}
        await self._put(_setting("barcode", self._carton, "/v1/barcodes", {"barcodes": [row]}, row), final=True)

    async def run(self) -> None:
        """Set things until stopped."""
        self.running = True
        while self.running:
            if not await self._put(setting := self._drawn()):
                self._unconfirmed.add(setting.name)
            await self._act()
            await self._receive_packs()
            await asyncio.sleep(self._chance.uniform(0, 2 * self._rest_s))

    async def resolve(self) -> None:
        """Set again what is unconfirmed; nothing may be on its way any more."""
        for name in sorted(self._unconfirmed):
            await self._put(self._set[name], final=True)
        self._unconfirmed.clear()
        await self._receive_packs(final=True)

    async def compare(self) -> None:
        """Read every setting back, and look at the channel."""
        for setting in self._set.values():
            reply = await self._until_answered(Sent("GET", setting.path, None, {}))
            self._desk.tally.compared["settings"] += 1
            if reply.status != 200 or not setting.found(reply.body):
                what = f"{self._desk.key.partition}: {setting.path} is {reply.body}, must have {setting.wanted}"
                self._desk.tally.findings.differing.append(what)
        reply = await self._until_answered(Sent("GET", f"/v1/stock/{self._packed}", None, {}))
        there = sum(each["on_hand"] for each in reply.body.get("levels", []))
        if there != PACK * self._packs:
            what = f"{self._desk.key.partition}: {there} units of {self._packed}, must be {PACK * self._packs}"
            self._desk.tally.findings.differing.append(what)
        self._desk.tally.findings.differing += await self._channel_differs()

    async def _put(self, setting: Setting, *, final: bool = False) -> bool:
        """Set something; False: what is set now is not known."""
        lost = False
        while True:
            reply = await self._desk.send(setting.put)
            if reply is not None and reply.is_done:
                break
            self._desk.tally.unknown[setting.kind] += not lost
            lost = lost or reply is None or reply.is_undecided
            if lost and not final:
                self._note(setting)
                return False
            await asyncio.sleep(PAUSE_S)
        self._desk.tally.outcomes[setting.kind, reply.outcomes[0]] += 1
        if not reply.granted:
            self._desk.tally.findings.differing.append(f"{setting.put}: {reply.status} {reply.body}")
        self._note(setting)
        return True

    def _note(self, setting: Setting) -> None:
        self._set[setting.name] = setting
        if setting.kind == "listing":
            self.listed[setting.wanted["sku"]] = setting.wanted["listed"]
        elif setting.kind == "channel rules":
            self.rules = msgspec.convert(msgspec.to_builtins(self._shop.rules) | setting.put.body, ChannelRules)

    async def _receive_packs(self, *, final: bool = False) -> None:
        """Receive cartons by their barcode; the same request again, where nobody knows what came of it."""
        while True:
            if self._pending is None:
                if final:
                    return
                self._number += 1
                body = {"movements": [{"kind": "receive", "barcode": self._carton, "quantity": self._number % 4 + 1}]}
                key = {"Idempotency-Key": f"cartons-{self._number}"}
                self._pending = Sent("POST", "/v1/stock/movements", body, key)
            reply = await self._desk.send(self._pending)
            if reply is not None and reply.granted:
                self._packs += self._pending.body["movements"][0]["quantity"]
                self._pending = None
                self._desk.tally.outcomes["receive (barcode)", "done"] += 1
            elif reply is not None and reply.is_done:
                self._desk.tally.findings.differing.append(f"{self._pending}: {reply.status} {reply.body}")
                self._pending = None
            else:
                self._desk.tally.unknown["receive (barcode)"] += 1
            if self._pending is None or not final:
                return
            await asyncio.sleep(PAUSE_S)

    async def _act(self) -> None:
        """Ask for what sets nothing: a comparison with the channel, dead letters, and what can be read of it."""
        path = f"/v1/channels/{self._shop.name}"
        method, path = self._chance.choice(
            [("POST", f"{path}/reconcile"), ("POST", f"{path}/dead-letters/retry"), ("GET", f"{path}/status"),
             ("GET", f"{path}/dead-letters"), ("GET", "/v1/channels")]
        )  # fmt: skip
        reply = await self._desk.send(Sent(method, path, {} if path.endswith("retry") else None, {}))
        if reply is None or not reply.is_done:
            return
        self._desk.tally.read[f"{method} {path}"] += 1
        if reply.status >= 300:
            self._desk.tally.findings.differing.append(f"{method} {path}: {reply.status} {reply.body}")

    def _drawn(self) -> Setting:
        chance, mark = self._chance, f"{self._desk.key.partition}-{self._chance.randrange(_EACH)}"
        units = chance.randint(1, 50)
        match chance.choice(("barcode", "category", "safety rule", "replenishment rule", "listing", "channel rules")):
            case "barcode":
                row: dict[str, Any] = {"barcode": f"pack:{mark}", "sku": f"sku:{mark}", "factor": units}
                return _setting("barcode", f"pack:{mark}", "/v1/barcodes", {"barcodes": [row]}, row)
            case "category":
                row = {"category": f"kind:{mark}-{units}"}
                return _setting("category", mark, f"/v1/skus/sku:{mark}", row, row)
            case "safety rule":
                row = {"category": f"none:{mark}", "units": units}
                return _setting("safety rule", mark, "/v1/safety/rules", {"rules": [row]}, row)
            case "replenishment rule":
                row = {"sku": f"sku:{mark}", "reorder_point": units, "target": units + 5}
                return _setting("replenishment rule", mark, "/v1/replenishment/rules", {"rules": [row]}, row)
            case "listing":
                return self._listing(chance.choice(sorted(self.listed)), listed=chance.random() < 0.8)
        rules = {"buffer": units, "percent": chance.choice((50, 100))}
        return _setting("channel rules", "", f"/v1/channels/{self._shop.name}", rules, rules)

    def _listing(self, sku: str, *, listed: bool) -> Setting:
        row = {"sku": sku, "key": self._shop.key(list(self.listed).index(sku)), "listed": listed}
        return _setting("listing", sku, f"/v1/channels/{self._shop.name}/listings", {"listings": [row]}, row)

    async def _channel_differs(self) -> list[str]:
        """Wait until the channel shows what is publishable; list what still differs when the time is over."""
        until_s = time.monotonic() + EQUAL_S
        while True:
            reply = await self._until_answered(Sent("POST", "/v1/availability/query", {"skus": list(self.listed)}, {}))
            there = {each["sku"]: each["available"] for each in reply.body["availability"]}
            differing = []
            for number, (sku, listed) in enumerate(self.listed.items()):
                wanted = publishable(self.rules, {"main": there[sku]}, listed=listed)
                shown = self._shop.simulator.shown[self._shop.key(number)]
                if shown != wanted:
                    differing.append(f"{self._shop.name} shows {shown} of {sku}, not {wanted}")
            if not differing or time.monotonic() > until_s:
                self._desk.tally.compared["SKUs on channels"] += len(self.listed)
                return differing
            await asyncio.sleep(PAUSE_S)

    async def _until_answered(self, sent: Sent) -> Reply:
        while True:
            reply = await self._desk.send(sent)
            if reply is not None and reply.is_done:
                return reply
            await asyncio.sleep(PAUSE_S)


def _setting(kind: str, name: str, path: str, body: Any, wanted: Any) -> Setting:
    """Make a setting; how it reads follows from its kind."""
    read, field = {
        "barcode": (f"{path}/{name}", ""),
        "listing": (f"{path}?sku={name}", "listings"),
        "channel rules": (path, "rules"),
        "safety rule": (path, "rules"),
        "replenishment rule": (path, "rules"),
    }.get(kind, (path, ""))
    return Setting(kind, f"{kind} {name}", Sent("PUT", path, body, {}), read, wanted, field)
