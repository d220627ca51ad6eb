"""A real server process that knows the made-up marketplace, and channels of that kind in its configuration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.channels.orders_simulator import SECRET, Market

ROOT: Final = Path(__file__).parents[2]
SINCE: Final = "2000-01-01T00:00:00Z"


def environment() -> Mapping[str, str]:
    """Return what a server process needs to know the kind, and its secret."""
    return {"PYTHONPATH": f"{Path(__file__).parent / 'market_kind' / 'start'}:{ROOT}", "MARKET_SECRET": SECRET}


def table(name: str, market: Market, *, orders: str = "", options: str = "", listings: str = "all") -> str:
    """Write the tables of one channel of the kind."""
    return f"""
[channels.{name}]
kind = "market"
listings = "{listings}"
allow_private = ["127.0.0.1"]

[channels.{name}.options]
url = "{market.url}"
{options}

[channels.{name}.credentials]
secret = {{ env = "MARKET_SECRET" }}

[channels.{name}.orders]
enabled = true
from = {SINCE}
{orders}
"""
