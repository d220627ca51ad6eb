"""A real Vendure for tests, with a thousand variants; the fixture is in ``tests/channels/vendure/fixtures.py``.

The first run installs it (15 s) and fills a shop (15 s more); both are kept, and later runs start in 5 s. Tests that
ask for it need more time than others: ``pytestmark = pytest.mark.timeout(VENDURE_TIMEOUT_S)``.
"""

import os
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from tests.channels import npm
from tests.channels.vendure import install, shop
from tests.channels.vendure.shop import Shop
from tests.support.stores import free_port, wait_until

VENDURE_TIMEOUT_S: Final = 600
READY_S: Final = 90.0
END_S: Final = 20.0
USERNAME: Final = "superadmin"
PASSWORD: Final = "an-invented-vendure-password"
SKUS: Final = tuple(f"V-{number:04}" for number in range(1, 1001))
"""What the shop sells, each a variant of its own with nothing in stock."""
INDEX: Final = install.HERE / "index.js"


class VendureServer:
    """A Vendure on a free port of 127.0.0.1, its database in memory and gone with it; stopped at the end of the block.

    ``database`` is a file that it begins with, ``save`` one that it writes at its end.
    """

    def __init__(self, folder: Path, *, database: Path | None = None, save: Path | None = None) -> None:
        self._modules = folder / "node_modules"
        self._files = {"VENDURE_DATABASE": database, "VENDURE_SAVE": save}
        self._scratch = tempfile.TemporaryDirectory(prefix="hf-vendure-")
        self.log = Path(self._scratch.name) / "log"
        self.url = f"http://127.0.0.1:{free_port()}"
        self.admin_url = f"{self.url}/admin-api"
        self.shop = Shop(self.url, USERNAME, PASSWORD)

    @cached_property
    def ids(self) -> dict[str, str]:
        """The variants' ids by SKU."""
        return self.shop.variants()

    def __enter__(self) -> Self:
        settings = {
            "NODE_PATH": str(self._modules),
            "NODE_NO_WARNINGS": "1",
            "VENDURE_DISABLE_TELEMETRY": "true",
            "VENDURE_PORT": self.url.rpartition(":")[2],
            "VENDURE_USER": USERNAME,
            "VENDURE_PASSWORD": PASSWORD,
            **{name: str(path) for name, path in self._files.items() if path is not None},
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["node", str(INDEX)],
                cwd=self._scratch.name,
                env={name: value for name, value in os.environ.items() if not name.startswith("VENDURE_")} | settings,
                stdin=subprocess.PIPE,  # closed by our end, however that comes: then it ends too
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours; it is stopped when the tests have cleaned up
            )
        try:
            wait_until(lambda: self._process.poll() is not None or self._is_ready(), "Vendure is ready", READY_S)
            assert self._process.poll() is None, f"Vendure ended instead:\n{self.log.read_text('utf-8')[-3000:]}"
            self.shop.sign_in()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._scratch.cleanup()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1.0) as response:  # noqa: S310  # our own http://
                return bool(response.status == 200)
        except OSError:
            return False


def filled_shop(folder: Path) -> Path:
    """Return the database of a shop that sells :data:`SKUS`, made now if need be; two may ask at once."""
    made_by = npm.digest((INDEX, Path(shop.__file__), Path(__file__)))
    database = folder / f"shop-{made_by}.sqlite"
    with npm.locked(database):
        if not database.exists():
            partial = database.with_suffix(".partial")
            with VendureServer(folder, save=partial) as server:
                server.shop.set_up(SKUS)
            partial.rename(database)
    return database


@contextmanager
def running() -> Iterator[VendureServer]:
    """Run a shop that sells :data:`SKUS`; skips, or fails in CI, where Vendure cannot be installed."""
    folder = install.installed()
    with VendureServer(folder, database=filled_shop(folder)) as server:
        yield server
