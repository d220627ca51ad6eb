"""All files that are written from the API, with their text."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import server
from clients.generate import python_types, typescript_types
from clients.generate.schemas import queries, schemas
from server.api.http import openapi
from server.api.routes import ROUTES

ROOT: Final = Path(__file__).parents[2]
PYTHON_TYPES: Final = ROOT / "clients" / "python" / "holdfast" / "types"
TYPESCRIPT_TYPES: Final = ROOT / "clients" / "js" / "types" / "api"


def document() -> dict[str, Any]:
    """Return the description of this version of the API."""
    return openapi.document(ROUTES, server.__version__)


def written() -> dict[Path, str]:
    """Return the text that each file should have."""
    described = document()
    known = schemas(described)
    python = {PYTHON_TYPES / name: _formatted(text) for name, text in python_types.files(known).items()}
    typescript = typescript_types.files([*known, *queries(described)])
    return python | {TYPESCRIPT_TYPES / name: text for name, text in typescript.items()}


def _formatted(text: str) -> str:
    """Sort and format Python as the linter wants it."""
    for words in (["check", "--select", "I", "--fix", "--quiet"], ["format"]):
        command = [sys.executable, "-m", "ruff", *words, "--stdin-filename", str(PYTHON_TYPES / "any.py"), "-"]
        done = subprocess.run(  # noqa: S603  # our own text, to our own linter
            command, cwd=ROOT, input=text, capture_output=True, text=True, check=True
        )
        text = done.stdout
    return text
