"""The page that leads from an Excel export to a counted store, followed word for word."""

import re
import shlex
from pathlib import Path
from typing import Final

import msgspec

from server.cli.import_ import import_
from server.files.workbook_writer import workbook
from tests.support.processes import Server, holdfast

ASKS: Final = any(option.name == "yes" for option in import_.params)
PAGE: Final = (Path(__file__).parents[2] / "docs" / "how-to" / "stock-file.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def table() -> list[list[str]]:
    """The sheet that the page has its reader write."""
    rows = re.findall(r"^\| (.+) \|$", PAGE.partition("## 4.")[2].partition("```")[0], re.MULTILINE)
    return [row.split(" | ") for row in rows]


def follow(cwd: Path, command: str) -> str:
    """Run a command of the page; a person who is asked whether to go on says yes."""
    words = shlex.split(command)[1:]
    may_be_asked = words[0] in {"import", "count"} and "--dry-run" not in words
    ended = holdfast(*words, *(["--yes"] if may_be_asked and ASKS else []), cwd=cwd)
    assert "Traceback" not in ended.stderr
    return ended.stderr + ended.stdout


def test_the_page_leads_from_an_export_to_a_counted_store(tmp_path: Path) -> None:
    export, corrected = blocks("csv")
    looked, counted = blocks("text")
    look, take, again, count, *see = [line for block in blocks("sh") for line in block.splitlines()]
    (tmp_path / "stok.csv").write_bytes(export.replace("\n", "\r\n").encode("cp1254"))

    said = follow(tmp_path, look)
    assert [line for line in looked.splitlines() if line not in said.splitlines()] == []
    assert not (tmp_path / ".holdfast").exists()

    with Server(cwd=tmp_path):  # as on the page: Holdfast runs
        follow(tmp_path, take)
        came_back = (tmp_path / "duzelt.csv").read_bytes().decode("cp1254").split("\r\n")
        assert came_back[0] == corrected.splitlines()[0]
        assert [line.split(";")[0] for line in came_back[1:4]] == ["ÇAY-RİZE-1KG", "LOKUM-GÜLLÜ-500G", "TOPLAM"]
        (tmp_path / "duzelt.csv").write_bytes(corrected.replace("\n", "\r\n").encode("cp1254"))
        assert "2 rows: 2 set" in follow(tmp_path, again)

        (tmp_path / "sayim.xlsx").write_bytes(workbook("Sayfa1", table()))
        said = follow(tmp_path, count)
        assert [line for line in counted.splitlines() if line not in said] == []

        for command in see:
            follow(tmp_path, command)
        stock = msgspec.json.decode(holdfast("show", "ÇAY-RİZE-1KG", "--json", cwd=tmp_path).stdout)
        assert [(each["location"], each["on_hand"]) for each in stock["levels"]] == [("Merkez", 1198)]
    assert holdfast("verify", cwd=tmp_path).returncode == 0
