"""Pages that a person follows, followed as they are written: each command runs, and prints what the page says."""

import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.support.followed_page import FOLLOWED, ROOT, Command, File, Reader, agrees, steps


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FOLLOWED)
def test_the_page_leads_where_it_says(name: str, tmp_path: Path) -> None:
    assert shutil.which("curl"), "the pages use curl: apt-get install curl"
    with Reader(tmp_path) as reader:
        assert reader.follow((ROOT / name).read_text("utf-8")) == []


# -- the test can fail


PAGE: Final = """
```csv title="stock.csv"
sku,on_hand
```

```console
$ echo one \\
    two
one two
$ printf 'a\\nb\\n'
a
$ cat <<'END'
x y
END
x   y
```
"""


def test_commands_files_and_what_is_printed_are_read() -> None:
    assert steps(PAGE) == [
        File("stock.csv", "sku,on_hand\n"),
        Command("echo one \\\n    two", "one two"),
        Command("printf 'a\\nb\\n'", "a"),
        Command("cat <<'END'\nx y\nEND", "x   y"),
    ]


def test_a_page_that_shows_something_else_is_found(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        [difference] = reader.follow(PAGE)

    assert difference.startswith("$ printf")


def test_a_page_that_shows_a_traceback_is_found(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        assert reader.follow("```console\n$ echo Traceback\nTraceback\n```\n")


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a … c", "a b\nb c", True),
        ('{"seq":4,"at":"2026-11-30T02:00:00Z"}', '{"seq":4,"at":"2027-01-01T00:00:00.5Z"}', True),
        ('{"seq":4}', '{"seq":5}', False),
        ("took 0.1 s", "took 2.25 s", True),
        ("one", "one\ntwo", False),
        ("", "anything", False),
    ],
)
def test_only_what_passes_may_differ(shown: str, printed: str, same: bool) -> None:
    assert agrees(shown, printed) is same
