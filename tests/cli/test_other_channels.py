"""Commands that name a channel heed the setting that says which may be named."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from server.domain.channels import ChannelStatus
from server.insight.daily_figures import DailyFigureCounter
from server.store.command_session import OpenStore, open_store
from server.store.keys import Keyspace
from server.store.repositories.publisher import PublisherStore, Writes
from tests.conftest import RETENTION, now_ms
from tests.support import operations as ops
from tests.support.docs_examples import CHANNEL
from tests.support.feeds import feed_of
from tests.support.figures import RETENTION_S
from tests.support.processes import holdfast

KEYSPACE = Keyspace("default")
FILE = {"HOLDFAST_CONFIG": "holdfast.toml"}
FEW = {"HOLDFAST_OTHER_CHANNELS": "till-1"}


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Run the embedded store of ``tmp_path`` with 20 A, beside a configuration file with the channel trendyol."""
    (tmp_path / "holdfast.toml").write_text(CHANNEL, "utf-8")
    async with open_store(
        store_url="", data_dir=tmp_path / ".holdfast", durability="fast", retention=RETENTION, create=True
    ) as opened:
        await ops.moved(opened.ledger("default"), ops.receive("A", 20))
        yield opened


def said(cwd: Path, words: str, *, code: int, **settings: str) -> str:
    ended = holdfast(*words.split(), cwd=cwd, **settings)
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return str(ended.stdout + ended.stderr)


@pytest.mark.usefixtures("opened")
def test_given_a_channel_that_may_not_be_named_when_allocated_then_it_is_refused_with_the_nearest(
    tmp_path: Path,
) -> None:
    for new in ("", " --new"):
        mistyped = said(tmp_path, f"allocate A tendyol 5{new}", code=1, **FILE, **FEW)
        assert "tendyol, which is not configured; did you mean trendyol? Correct the name" in mistyped
        assert "Nothing changed." in mistyped
    assert "did you mean" not in said(tmp_path, "allocate A web 5", code=1, **FILE, **FEW)
    assert "till-1?" in said(tmp_path, "allocate A till-2 5", code=1, **FILE, **FEW)
    assert "available to everybody: 20" in said(tmp_path, "allocate A trendyol 0", code=0, **FILE, **FEW)

    for channel in ("trendyol", "till-1"):
        said(tmp_path, f"allocate A {channel} 5", code=0, **FILE, **FEW)
    assert "available to everybody: 10" in said(tmp_path, "allocate A web 0", code=0, **FILE, **FEW)


@pytest.mark.usefixtures("opened")
def test_given_units_of_a_channel_that_was_named_before_when_allocated_then_they_can_be_changed(tmp_path: Path) -> None:
    assert "web: 5 of its own" in said(tmp_path, "allocate A web 5", code=0)

    assert "web: 3 of its own" in said(tmp_path, "allocate A web 3", code=0, **FILE, **FEW)
    assert "available to everybody: 20" in said(tmp_path, "allocate A web 0", code=0, **FILE, **FEW)
    said(tmp_path, "allocate A web 1", code=1, **FILE, **FEW)


async def test_given_no_file_when_a_channel_is_named_then_those_that_were_published_to_are_known(
    opened: OpenStore, tmp_path: Path
) -> None:
    writes = Writes()
    status = ChannelStatus(publisher="here", written_ms=await now_ms(opened.client))
    writes.set(KEYSPACE.channel_status, "my-shop", msgspec.json.encode(status))
    publisher = PublisherStore(opened.client, KEYSPACE)
    await publisher.record((await publisher.acquire("test", 60_000)).token, writes)

    assert "did you mean my-shop?" in said(tmp_path, "allocate A my-shops 5", code=1, **FEW)
    assert "my-shop: 5 of its own" in said(tmp_path, "allocate A my-shop 5", code=0, **FEW)


async def test_given_a_channel_that_may_not_be_named_when_its_sales_are_asked_for_then_only_if_there_are_any(
    opened: OpenStore, tmp_path: Path
) -> None:
    await ops.changed(opened.ledger("default"), ops.order("o", ("A", 4), channel="web"))
    await DailyFigureCounter(feed_of(opened.client, KEYSPACE), retention_s=RETENTION_S).catch_up()

    assert "did you mean trendyol?" in said(tmp_path, "report sales --channel tendyol", code=1, **FILE, **FEW)
    said(tmp_path, "report sales --channel trendyol", code=0, **FILE, **FEW)
    assert "4" in said(tmp_path, "report sales --channel web --csv", code=0, **FILE, **FEW)
    said(tmp_path, "report sales --channel tendyol", code=0, **FILE)


@pytest.mark.usefixtures("opened")
def test_given_a_file_that_cannot_be_read_when_any_channel_may_be_named_then_it_is_not_needed(tmp_path: Path) -> None:
    missing = {"HOLDFAST_CONFIG": "nosuch.toml"}

    said(tmp_path, "allocate A web 5", code=0, **missing)

    assert "nosuch.toml" in said(tmp_path, "allocate A web 6", code=1, **missing, **FEW)
