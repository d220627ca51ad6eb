"""New keys are looked for among all listings of the channel: with very many that takes longer than other reads may."""

import pytest
from msgspec.structs import replace

from server.domain.channels import ChannelSettings
from server.schemas.channels import ListingBody, ListingsBody
from server.service.caller import Caller
from server.service.listings import put_listings
from server.store.connection import timeouts
from server.store.errors import StoreUnavailableError


def body(sku: str, key: str) -> ListingsBody:
    return ListingsBody(listings=[ListingBody(sku=sku, key=key)])


async def test_a_new_key_may_take_as_long_as_a_report_and_known_ones_are_not_looked_for(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = ChannelSettings(name="shop", kind="webhook")
    seller = Caller(caller.principal, replace(caller.partition, channels={"shop": shop}))
    await put_listings(seller, "shop", body("A", "a"))
    monkeypatch.setattr(timeouts, "REPORT_TIMEOUT_S", 0.0)

    await put_listings(seller, "shop", body("A", "a"))
    with pytest.raises(StoreUnavailableError, match="looked through for new keys"):
        await put_listings(seller, "shop", body("B", "b"))
