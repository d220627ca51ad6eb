"""The commands of the README and the documentation run as they are written, on the files of ``examples/``."""

import csv
import re
import shlex
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import click
import msgspec
import pytest

from server.cli.demo.sample import sample_file
from server.cli.main import cli
from server.domain.channels import ChannelStatus
from server.store.command_session import open_store
from server.store.keys import Keyspace
from server.store.repositories.publisher import PublisherStore, Writes
from tests.conftest import RETENTION, now_ms
from tests.support.followed_page import FOLLOWED
from tests.support.processes import holdfast

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "examples"
APART_PAGES: Final = (
    "docs/how-to/stock-file.md", "docs/how-to/connector.md", "docs/how-to/shop-in-javascript.md", *FOLLOWED,
)  # fmt: skip
"""Pages that other tests follow as a whole."""
PAGES: Final = [
    path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
]
CHANNELS: Final = ("my-shop", "warehouse", "trendyol")
BLOCK: Final = re.compile(r"^```(?:sh|console|bash)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND: Final = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?holdfast (.*)$", re.MULTILINE)
APART: Final = ("serve", "demo", "channels sign-in", "channels reconcile", "repair")
"""Those that run until they are stopped, or that need a server, a channel or a damaged store."""
ELSEWHERE: Final = ("/var/", "://", "\\", "…", "--watch")


def commands_of(page: str) -> list[list[str]]:
    """The commands of a page's blocks that can be run here, in order."""
    text = (ROOT / page).read_text("utf-8")
    found = [shlex.split(line, comments=True) for block in BLOCK.findall(text) for line in COMMAND.findall(block)]
    return [words for words in found if not is_apart(words)]


def is_apart(words: list[str]) -> bool:
    line = " ".join(words)
    has_placeholder = any(re.fullmatch(r"[A-Z]{2,}(?:\.csv)?", word) for word in words)
    return line.startswith(APART) or has_placeholder or any(each in line for each in ELSEWHERE)


WITH_COMMANDS: Final = [page for page in PAGES if commands_of(page) and page not in APART_PAGES]


def files_of(words: list[str]) -> list[str]:
    return [word for word in words if word.endswith((".csv", ".xlsx"))]


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Path]:
    """A folder with the examples, and a store in which the channels of the pages were published to."""
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("adapter"))
    for path in EXAMPLES.glob("*.csv"):
        shutil.copy(path, tmp_path)
    async with open_store(
        store_url="", data_dir=tmp_path / ".holdfast", durability="fast", retention=RETENTION, create=True
    ) as opened:
        keyspace, writes = Keyspace("default"), Writes()
        for channel in CHANNELS:
            status = ChannelStatus(publisher="here", written_ms=await now_ms(opened.client))
            writes.set(keyspace.channel_status, channel, msgspec.json.encode(status))
        publisher = PublisherStore(opened.client, keyspace)
        await publisher.record((await publisher.acquire("test", 60_000)).token, writes)
        yield tmp_path


@pytest.mark.timeout(600)  # the README has some twenty commands, each a process
@pytest.mark.parametrize("page", WITH_COMMANDS)
async def test_the_commands_of_a_page_run(shop: Path, page: str) -> None:
    for words in commands_of(page):
        ended = holdfast(*words, cwd=shop)
        said = f"{' '.join(words)}\n{ended.stdout}\n{ended.stderr}"
        assert "Traceback" not in said, said
        assert "Usage:" not in ended.stderr, said
        if files_of(words):
            assert ended.returncode == 0, said


def test_every_file_that_a_page_names_is_an_example() -> None:
    named = {Path(file).name for page in WITH_COMMANDS for words in commands_of(page) for file in files_of(words)}

    assert named - {path.name for path in EXAMPLES.glob("*.csv")} == set()
    assert {path.name for path in EXAMPLES.glob("*.csv")} - named == set()


def test_the_readme_names_its_files_where_they_are() -> None:
    files = [file for words in commands_of("README.md") for file in files_of(words)]

    assert files
    assert [file for file in files if not (ROOT / file).is_file()] == []


# -- the same SKUs everywhere


def helps(command: click.Command, name: str = "") -> Iterator[tuple[str, str]]:
    yield name.strip(), command.help or ""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from helps(found, f"{name} {each}")


def test_help_and_examples_speak_of_the_sample_s_skus() -> None:
    known = {row.value.sku for row in sample_file().rows}
    in_help = {sku for _, text in helps(cli) for sku in re.findall(r"\bTS-\d{4}[^\s,]*", text)}
    in_files = {
        row["sku"]
        for path in EXAMPLES.glob("*.csv")
        for row in csv.DictReader(path.read_text("utf-8").splitlines())
        if row.get("sku")
    }

    assert in_help - known - {"TS-1001"} == set()  # which stands for a name without its dash
    assert in_files - known == set()
