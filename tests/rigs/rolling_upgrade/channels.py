"""Two simulated sales channels: one that takes everything at once, and one that misbehaves all the time."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from adapters.testing.simulator import Fault
from tests.channels.webhook_receiver import PATH as HOOK_PATH
from tests.channels.webhook_receiver import SECRET as HOOK_SECRET
from tests.channels.webhook_receiver import WebhookReceiver
from tests.channels.woocommerce_simulator import KEY as SHOP_KEY
from tests.channels.woocommerce_simulator import SECRET as SHOP_SECRET
from tests.channels.woocommerce_simulator import WooCommerceSimulator
from tests.rigs.rolling_upgrade.shelf import LISTED

HOOK: Final = "hook"
SHOP: Final = "shop"
SHOP_BUFFER: Final = 2
"""So many units the shop never shows."""
FAULTS: Final[tuple[Fault, ...]] = (
    "reset", "reset_after", "failing", "unavailable", "throttled", "throttled_with_retry_after", "not_json", "silent",
    "silent_after",
)  # fmt: skip
FAULT_EVERY_S: Final = (0.1, 0.6)
FAULTS_WAITING_MAX: Final = 2
RIGHT_S: Final = 100.0
"""How long the last values may take: one that was never answered is sent again after a minute."""
_LOOK_S: Final = 0.1
_FIRST_ID: Final = 1_000
"""Products of the shop have numbers, beginning with this one."""
_ENVIRONMENT: Final = {"SIM_SHOP_KEY": SHOP_KEY, "SIM_SHOP_SECRET": SHOP_SECRET, "SIM_HOOK_SECRET": HOOK_SECRET}
_TOML: Final = """
[channels.{hook}]
kind = "webhook"
allow_private = ["127.0.0.1"]
timeout_s = 1.0
reconcile_every_s = 0.0
[channels.{hook}.options]
url = "{hook_url}"
[channels.{hook}.credentials]
secret = {{ env = "SIM_HOOK_SECRET" }}

[channels.{shop}]
kind = "woocommerce"
allow_private = ["127.0.0.1"]
timeout_s = 1.0
reconcile_every_s = 0.0
buffer = {buffer}
[channels.{shop}.options]
base_url = "{shop_url}"
requests_per_s = 200.0
[channels.{shop}.credentials]
consumer_key = {{ env = "SIM_SHOP_KEY" }}
consumer_secret = {{ env = "SIM_SHOP_SECRET" }}
"""
"""No reconcile: what is wrong must come right without a comparison."""


@dataclass
class Channels:
    """Both channels, while the block lasts."""

    hook: WebhookReceiver = field(default_factory=lambda: WebhookReceiver(bearer=None))
    shop: WooCommerceSimulator = field(default_factory=WooCommerceSimulator)

    async def __aenter__(self) -> Self:
        self.hook.stock(*LISTED, quantity=-1)
        self.shop.stock(*map(_product, LISTED), quantity=-1)
        await self.hook.start()
        await self.shop.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shop.stop()
        await self.hook.stop()

    @property
    def environment(self) -> Mapping[str, str]:
        """The credentials, for the processes that publish to the channels."""
        return _ENVIRONMENT

    def toml(self) -> str:
        """Write the configuration of both."""
        hook_url, shop_url = self.hook.url + HOOK_PATH, self.shop.url
        return _TOML.format(hook=HOOK, shop=SHOP, hook_url=hook_url, shop_url=shop_url, buffer=SHOP_BUFFER)

    def listings(self) -> dict[str, list[dict[str, Any]]]:
        """Return the listings of each channel, as the API takes them."""
        return {
            HOOK: [{"sku": sku, "key": sku} for sku in LISTED],
            SHOP: [{"sku": sku, "key": _product(sku)} for sku in LISTED],
        }

    async def misbehave(self, chance: random.Random) -> None:
        """Plant faults in the shop for ever."""
        while True:
            await asyncio.sleep(chance.uniform(*FAULT_EVERY_S))
            if len(self.shop.faults) < FAULTS_WAITING_MAX:
                self.shop.faults.append(chance.choice(FAULTS))

    def behave(self) -> None:
        """Take the faults away that wait."""
        self.shop.faults.clear()

    async def wrong(self, available: Mapping[str, int]) -> list[str]:
        """Wait until both show what may be sold; list what they still show wrongly when the time is over."""
        try:
            async with asyncio.timeout(RIGHT_S):
                while self.differences(available):
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            pass
        complaints = [f"{HOOK}: {each}" for each in (*self.hook.complaints, *self.hook.refused)]
        return self.differences(available) + complaints + [f"{SHOP}: {each}" for each in self.shop.complaints]

    def differences(self, available: Mapping[str, int]) -> list[str]:
        """List where a channel shows another value than it should."""
        found = []
        for sku in LISTED:
            for name, shows, wanted in (
                (HOOK, self.hook.shown[sku], max(0, available[sku])),
                (SHOP, self.shop.shown[_product(sku)], max(0, available[sku] - SHOP_BUFFER)),
            ):
                if shows != wanted:
                    found.append(f"{name} shows {shows} of {sku}, should be {wanted}")
        return found

    @property
    def pushed(self) -> int:
        """How many values took effect on the channels."""
        return len(self.hook.applied) + len(self.shop.applied)


def _product(sku: str) -> str:
    return str(_FIRST_ID + LISTED.index(sku))
