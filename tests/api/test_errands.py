"""The errands of docs/errands.md, each done by requests to the public API alone, by the routes that the page names."""

import base64
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.docs_examples import CHANNEL, CREDENTIALS
from tests.support.errands import connector, merchant, operator, storefront
from tests.support.errands.errand import ERRANDS, Asking, Errand
from tests.support.http import ROOT, Key, Server, opened

PAGE = (ROOT / "docs" / "errands.md").read_text("utf-8")
ROLES = [each.ROLE for each in (connector, storefront, operator, merchant)]
KEY = Key("errands", "default", ("admin", "metrics"))


def documented() -> dict[tuple[str, str], list[str]]:
    """Read the page: the errands of each role, and the requests that do them."""
    found: dict[tuple[str, str], list[str]] = {}
    for role in ROLES:
        _, _, after = PAGE.partition(f"\n## A{'n' if role[0] in 'aeiou' else ''} {role}\n")
        rows = re.findall(r"^\| \d+ \| (.*?) \| (.*?) \|$", after.partition("\n## ")[0], re.MULTILINE)
        found |= {(role, title): re.findall(r"`([A-Z]+ [^`]+)`", requests) for title, requests in rows}
    return found


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Server]]:
    """A server for each role; the operator's has a channel, to which nobody publishes."""
    plain: dict[str, Any] = {"keys": [KEY], "secret_key": base64.b64encode(b"e" * 32).decode()}
    with (
        Server(**plain, figures_interval_s=0.05) as started,
        Server(**plain, toml=CHANNEL, environment=CREDENTIALS, role="api") as with_channel,
    ):
        yield {role: with_channel if role == operator.ROLE else started for role in ROLES}
        assert started.faults == with_channel.faults == []


def test_the_page_has_ten_errands_of_each_and_all_are_tried() -> None:
    tried = [(each.role, each.title) for role in ROLES for each in ERRANDS if each.role == role]
    assert tried == list(documented())
    assert {role: sum(each.role == role for each in ERRANDS) for role in ROLES} == dict.fromkeys(ROLES, 10)


@pytest.mark.parametrize("errand", ERRANDS, ids=lambda each: f"{each.role}: {each.title}")
async def test_an_errand_is_done_by_the_requests_that_the_page_names(
    servers: dict[str, Server], errand: Errand
) -> None:
    async with opened(servers[errand.role], KEY) as api:
        ask = Asking(api)
        await errand.do(ask)

    assert list(ask.taken) == documented()[errand.role, errand.title]
