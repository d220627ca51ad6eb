"""Has a server process know the made-up marketplace of the tests as a kind; it is on the path of those alone."""
# ruff: noqa: INP001  # found by its path, in no package

from pathlib import Path

import adapters

adapters.__path__.append(str(Path(__file__).parents[1] / "kinds"))
