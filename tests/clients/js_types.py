"""The types of the JavaScript client, as TypeScript reads them in its sources.

python -m tests.clients.js_types   puts them into clients/js/types
"""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from clients.generate.written import ROOT, TYPESCRIPT_TYPES
from tests.channels import npm
from tests.clients.node import node

JS: Final = ROOT / "clients" / "js"
WITH_TYPESCRIPT: Final = ROOT / "tests" / "api" / "clients"
"""Its package.json says which release of TypeScript is installed, once for all tests and runs."""
INSTALL_S: Final = 400.0
COMPILE_S: Final = 300.0


def modules() -> Path:
    """Return the folder ``node_modules`` that has TypeScript."""
    shop = npm.Shop("openapi-clients", WITH_TYPESCRIPT, npm.user_cache("openapi-clients"), INSTALL_S, node="20")
    return npm.installed(shop) / "node_modules"


def compiled(folder: Path) -> str:
    """Compile the project in a folder; returns what TypeScript found wrong."""
    words: list[str | Path] = [node(), modules() / "typescript" / "bin" / "tsc", "-p", "."]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=COMPILE_S)
    return done.stdout + done.stderr


def kept() -> dict[str, str]:
    """Return the text of each file that stands beside the sources."""
    return _texts(JS / "types")


def made(folder: Path) -> dict[str, str]:
    """Make the types of the sources in an empty folder, and return the text of each file."""
    shutil.copytree(JS / "src", folder / "src")
    shutil.copytree(TYPESCRIPT_TYPES, folder / "types" / "api")
    for name in ("package.json", "tsconfig.json"):
        shutil.copy(JS / name, folder)
    (folder / "node_modules").symlink_to(modules())
    said = compiled(folder)
    assert said == "", said
    return _texts(folder / "types")


def _texts(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in sorted(folder.rglob("*.d.ts"))}


def main() -> None:
    """Write what is not as it should be."""
    with tempfile.TemporaryDirectory(prefix="hf-types-") as folder:
        found = made(Path(folder))
    for name in kept().keys() - found.keys():
        (JS / "types" / name).unlink()
    for name, text in found.items():
        path = JS / "types" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
