"""Builds the documentation as a site, and stops where a link leads nowhere.

python .ci/docs_site.py                  into build/site/html; begin with index.html
python .ci/docs_site.py --into FOLDER

The pages stand where they stand in the repository, so their links lead there as on a server of git. Two things are
made here: the page of the glossary, and the lists of folders in the navigation. It runs where Zensical is installed.
"""

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
CONFIG: Final = ROOT / "docs" / "site.toml"
ZENSICAL: Final = Path(sysconfig.get_path("scripts")) / "zensical"
SHOWN: Final = {".md", ".svg", ".png", ".webp"}
IN_PLACE_OF: Final = {"glossary.toml": "glossary.md", "decisions/": "architecture.md#decisions"}
"""What a link leads to in the site, where the repository has a file or a folder."""
WORKER: Final = ROOT / ".ci" / "offline_worker.js"
WORKER_ELSEWHERE: Final = "https://unpkg.com/iframe-worker/shim"
"""A script that Zensical takes from another server to search in a folder; ours is in its place."""
FOLDERS: Final = re.compile(r'"(\w[\w/-]*)/\*"')
PAGE: Final = re.compile(r'"([\w./-]+\.md)"')


def navigation(text: str) -> str:
    """Put in the pages of folders and those that nobody named, and leave out those that are not there."""
    text = FOLDERS.sub(lambda named: ", ".join(_quoted(named[1])), text)
    named = set(pages_of(text))
    more = [f'"{page}"' for page in _documentation() if page not in named]
    if more:
        text = text.replace("\n]\n", f'\n  {{ "More" = [{", ".join(more)}] }},\n]\n', 1)
    return re.sub(r'"([\w./-]+\.md)"(, )?', lambda page: page[0] if is_there(page[1]) else "", text)


def _documentation() -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]


def is_there(page: str) -> bool:
    """Return whether a page of the navigation is there, or is made here."""
    return page == "docs/glossary.md" or (ROOT / page).is_file()


def _quoted(folder: str) -> Iterator[str]:
    return (f'"{folder}/{path.name}"' for path in sorted((ROOT / folder).glob("*.md")))


def glossary(terms: list[Mapping[str, Any]]) -> str:
    """Write the words as a page, in the order of the alphabet."""
    rows = [
        f"| **{term['word']}** | {term['meaning']} | {', '.join(term['instead_of'])} |"
        for term in sorted(terms, key=lambda term: str(term["word"]).lower())
    ]
    head = ["# Glossary", "", "One word for one thing, here as in the API, the console and the code.", ""]
    return "\n".join([*head, "| Word | Meaning | Not called |", "|---|---|---|", *rows, ""])


def pages_of(text: str) -> list[str]:
    """Read the pages that a navigation names."""
    return PAGE.findall(text)


def stage(folder: Path) -> Path:
    """Lay out what the site is made of; returns the file that says how."""
    shutil.rmtree(folder, ignore_errors=True)
    config = navigation(CONFIG.read_text("utf-8"))
    shown = [ROOT / page for page in pages_of(config) if page != "docs/glossary.md"]
    shown += [path for path in (ROOT / "docs").rglob("*") if path.suffix in SHOWN]
    for source in shown:
        target = folder / "pages" / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            target.write_text(_as_page(source.read_text("utf-8")), "utf-8")
        else:
            shutil.copy2(source, target)
    terms = tomllib.loads((ROOT / "docs" / "glossary.toml").read_text("utf-8"))["term"]
    (folder / "pages" / "docs" / "glossary.md").write_text(glossary(terms), "utf-8")
    (folder / "zensical.toml").write_text(config, "utf-8")
    return folder / "zensical.toml"


def _as_page(text: str) -> str:
    for source, target in IN_PLACE_OF.items():
        text = re.sub(rf"(\]\((?:[^)\s#]*/)?){re.escape(source)}\)", rf"\g<1>{target})", text)
    return text


def make_independent(html: Path) -> None:
    """Put our own script in the place of the one that would come from elsewhere."""
    shutil.copy2(WORKER, html / "assets" / "javascripts")
    for page in html.rglob("*.html"):
        up = "../" * len(page.relative_to(html).parents[:-1])
        text = page.read_text("utf-8")
        page.write_text(text.replace(WORKER_ELSEWHERE, f"{up}assets/javascripts/{WORKER.name}"), "utf-8")


def main() -> None:
    """Lay it out, and build it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "site")
    into = parser.parse_args().into.resolve()
    done = subprocess.run([ZENSICAL, "build", "--strict", "--config-file", stage(into)], check=False)  # noqa: S603
    if done.returncode:
        sys.exit("The site was not built: correct the links that are named above.")
    make_independent(into / "html")
    print(f"The site is in {into / 'html'}: open index.html.")


if __name__ == "__main__":
    main()
