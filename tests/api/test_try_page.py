"""/docs and /docs/try load nothing from elsewhere, under a strict policy; the viewer is kept with its licence."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from server.api.http import try_page
from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)

EXPLORER = Path(try_page.__file__).parent / "explorer"
VIEWER_SHA256 = "6bb3f4f29b0d740f1fc0970cd4245e01d2c1346df5a26ecd20a2f7a5dda5f837"
"""Of version 2.4.820, as npm has it; another one is looked at before it is kept."""


def policy(header: str) -> dict[str, list[str]]:
    return {words[0]: words[1:] for words in (part.split() for part in header.split(";")) if words}


@pytest.mark.parametrize("path", ["/docs", "/docs/try"])
async def test_a_page_may_load_nothing_from_elsewhere_and_be_shown_nowhere_else(api: Api, path: str) -> None:
    answer = await api.get(path)
    allowed = policy(answer.headers["Content-Security-Policy"])

    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert allowed["default-src"] == ["'none'"]
    assert allowed["frame-ancestors"] == allowed["base-uri"] == allowed["form-action"] == ["'none'"]
    assert not {"*", "'unsafe-eval'", "http:", "https:"} & {word for words in allowed.values() for word in words}
    assert allowed.get("script-src", ["'self'"]) == ["'self'"]
    assert "connect-src" not in allowed or allowed["connect-src"] == ["'self'"]
    assert re.findall(r"(?:src|href)=[\"']?(?:https?:)?//", answer.body) == []


async def test_the_style_of_the_page_is_the_one_that_its_policy_names(api: Api) -> None:
    answer = await api.get("/docs")
    [style] = re.findall(r"<style>(.*?)</style>", answer.body, re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()

    assert policy(answer.headers["Content-Security-Policy"])["style-src"] == [f"'sha256-{digest}'"]
    assert "<script" not in answer.body
    assert " style=" not in answer.body


async def test_the_viewer_is_served_as_it_was_released_and_once(api: Api) -> None:
    page = (await api.get("/docs/try")).body
    [address] = re.findall(r"<script src=(\S+) ", page)
    answer = await api.get(address)

    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert sha256(answer.raw).hexdigest() == VIEWER_SHA256
    again = await api.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.raw) == (304, b"")


def test_the_licence_and_the_notices_are_beside_it() -> None:
    assert "Apache License" in (EXPLORER / "LICENSE").read_text("utf-8")
    notices = (EXPLORER / "NOTICES.txt").read_text("utf-8")
    assert all(name in notices for name in ("lit 2.8.0", "marked 4.3.0", "prismjs 1.30.0", "The MIT License"))


async def test_each_route_of_the_page_leads_to_where_it_can_be_tried(api: Api) -> None:
    page = (await api.get("/docs")).body

    assert 'href="/docs/try#?route=post-/v1/reservations"' in page
    assert 'href="/docs/try#?route=get-/v1/availability/-sku-"' in page
