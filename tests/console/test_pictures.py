"""The pictures of the documentation: of each screen, light and dark, on a desk and on a phone, and not too large."""

import re

from tests.console.pictures import FOLDER, wanted
from tests.support.http import ROOT

PAGE = (ROOT / "docs" / "console.md").read_text("utf-8")
BYTES_MAX = 2_000_000
"""Of all: who clones the repository gets them, too."""


def test_each_screen_has_its_pictures_and_no_other_is_left() -> None:
    assert {path.name for path in FOLDER.glob("console-*")} == wanted()


def test_the_page_shows_each_screen_and_leads_to_the_others_of_it() -> None:
    assert set(re.findall(r"\(img/(console-[\w-]+\.webp)\)", PAGE)) == wanted()
    assert {name for name in wanted() if name.endswith("-desk-light.webp")} == set(
        re.findall(r"!\[[^\]]+\]\(img/(console-[\w-]+\.webp)\)", PAGE)
    )


def test_the_readme_shows_the_console_in_one_picture() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")

    assert re.findall(r"!\[[^\]]+\]\(docs/img/(console-[\w-]+\.webp)\)", readme) == ["console-today-desk-light.webp"]


def test_all_together_they_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("console-*")) < BYTES_MAX


def test_each_is_a_picture_that_browsers_know() -> None:
    heads = {path.name: path.read_bytes()[:12] for path in FOLDER.glob("console-*")}

    assert all(head[:4] == b"RIFF" and head[8:] == b"WEBP" for head in heads.values())
