"""The documentation as a site: every link leads somewhere, every page is found, and nothing comes from elsewhere."""

import os
import re
import shutil
import subprocess
import sysconfig
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.browser import browser

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = Path(sysconfig.get_path("scripts")).parent / "docs" / "bin" / "python"
LOADED: Final = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?([^\s\">]+)|<link\b[^>]*\bhref=\"?([^\s\">]+)"
)


def build(root: Path, into: Path) -> "subprocess.CompletedProcess[str]":
    """Build the site of a checkout, where Zensical is installed."""
    if not PYTHON.exists():
        missing = "Zensical is not installed: make docs"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    command: list[str | Path] = [PYTHON, ".ci/docs_site.py", "--into", into]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("site")
    done = build(ROOT, into)
    assert done.returncode == 0, done.stdout + done.stderr
    return into


def test_every_page_of_the_documentation_is_in_the_navigation(site: Path) -> None:
    named = set(pages_in(tomllib.loads((site / "zensical.toml").read_text("utf-8"))["project"]["nav"]))
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}

    assert pages - named == set(), "docs/site.toml lacks these"
    assert {"README.md", "CONTRIBUTING.md", "lua/README.md", "adapters/README.md", "docs/glossary.md"} < named


def pages_in(nav: Any) -> list[str]:
    """Read the pages of a navigation, whatever stands in what."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in pages_in(part)]


def test_every_page_of_the_navigation_is_built(site: Path) -> None:
    named = pages_in(tomllib.loads((site / "zensical.toml").read_text("utf-8"))["project"]["nav"])
    built = {path.relative_to(site / "html").as_posix() for path in (site / "html").rglob("*.html")}

    wanted = {re.sub(r"(?<![^/])README\.html$", "index.html", page.replace(".md", ".html")) for page in named}
    assert wanted - built == set()


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loaded = {
        source or link
        for page in (site / "html").rglob("*.html")
        for source, link in LOADED.findall(page.read_text("utf-8"))
    }
    styles = {
        path.name for path in (site / "html").rglob("*.css") if re.search(r"url\([\"']?(https?:)?//", path.read_text())
    }

    assert loaded
    assert {each for each in loaded if each.startswith(("http:", "https:", "//"))} == set()
    assert styles == set()


async def test_in_a_browser_without_a_network_a_word_is_found_from_a_folder(site: Path) -> None:
    async with browser() as opened:
        asked: list[str] = []
        page = await opened.new_page()
        page.on("request", lambda request: asked.append(request.url))
        await page.goto((site / "html" / "docs" / "tutorial.html").as_uri())

        await page.locator(".md-search__button").first.click()
        await page.keyboard.type("idempotency")
        found = page.locator("a[href*='.html']:visible", has_text=re.compile("idempotency", re.IGNORECASE))
        await found.first.wait_for()

        assert {url.partition(":")[0] for url in asked} <= {"file", "data", "blob", "about"}


@pytest.mark.parametrize("link", ["[a](nowhere.md)", "[a](metrics.md#nowhere)"])
def test_a_link_that_leads_nowhere_stops_the_build(link: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    for page in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "lua/README.md", "lua/RECORDS.md",
                 "adapters/README.md", "examples/adapter/README.md", "examples/storefront/README.md",
                 "server/console/README.md"):  # fmt: skip
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / page, tmp_path / page)
    questions = tmp_path / "docs" / "questions.md"
    questions.write_text(questions.read_text("utf-8") + f"\n{link}\n", "utf-8")

    done = build(tmp_path, tmp_path / "site")

    assert done.returncode != 0
    assert "questions.md" in done.stdout + done.stderr
