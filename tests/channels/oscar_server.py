"""A real Oscar for tests, on an SQLite of its own; the fixture is in ``tests/channels/oscar/fixtures.py``.

The first run installs it into ``.cache`` of the checkout, as a virtual environment of its own. Each run makes its
database anew, which takes a while, so these tests have a lane of their own: ``make test-real``.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import msgspec

from tests.channels import pypi
from tests.channels.medusa_server import cache
from tests.channels.oscar.shop import Shop
from tests.support.stores import free_port, wait_until

OSCAR_TIMEOUT_S: Final = 900
SKUS: Final = tuple(f"O-{number:03}" for number in range(1, 81))
"""What the shop sells, each a product of its own with nothing in stock."""
UNCOUNTED: Final = "GIFT-1"
"""One whose product class does not count its stock."""
FREES: Final = tuple(f"FREES-{number}" for number in (1, 2))
"""Those of which the shop's own code frees what was allocated, as Oscar does not by itself."""
USERNAME: Final = "admin@example.com"
KEEPER: Final = "holdfast@example.com"
"""Who Holdfast is there: of the staff, and may do no more than it needs."""
HERE: Final = Path(__file__).parent / "oscar"
FILES: Final = ("shop_settings.py", "shop_urls.py", "fill.py")
INSTALL_S: Final = 600.0
MIGRATE_S: Final = 300.0
READY_S: Final = 120.0
END_S: Final = 20.0


class OscarServer:
    """An Oscar on a free port of 127.0.0.1, with its database in a temporary directory."""

    def __init__(self, python: Path, scratch: Path) -> None:
        self._python = python
        self._scratch = scratch
        self._log = scratch / "oscar.log"
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        password, database = secrets.token_hex(16), scratch / "oscar.sqlite3"
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | {
            "DJANGO_SETTINGS_MODULE": "shop_settings",
            "OSCAR_DATABASE": str(database),
            "OSCAR_KEEPER": KEEPER,
            "OSCAR_PASSWORD": password,
            "OSCAR_SECRET": secrets.token_hex(16),
            "OSCAR_USER": USERNAME,
            "PYTHONPATH": str(scratch),
        }
        self.shop = Shop(self.url, USERNAME, KEEPER, password, database)

    def __enter__(self) -> Self:
        for name in FILES:
            shutil.copy(HERE / name, self._scratch)
        self._finish("-m", "django", "migrate", "--verbosity", "0")
        wanted = {"skus": [*SKUS, *FREES, UNCOUNTED], "uncounted": [UNCOUNTED]}
        filled = self._finish("fill.py", given=msgspec.json.encode(wanted).decode())
        self.shop.made = msgspec.json.decode(filled, type=dict[str, tuple[int, int]])
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def start(self) -> None:
        """Start the shop, with what is in its database."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._python, "-W", "ignore", "-m", "django", "runserver", f"127.0.0.1:{self._port}", "--noreload"],
                cwd=self._scratch,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours; it is stopped when the tests have cleaned up
            )
        try:
            wait_until(lambda: self._process.poll() is not None or self._is_ready(), "Oscar is ready", READY_S)
            assert self._process.poll() is None, f"Oscar ended instead:\n{self._log.read_text('utf-8')[-3000:]}"
        except BaseException:
            self.kill()
            raise

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the shop with whatever it does just now."""
        self._process.kill()
        self._process.wait()

    def _finish(self, *words: str, given: str = "") -> str:
        done = subprocess.run(
            [self._python, "-W", "ignore", *words],
            cwd=self._scratch,
            env=self._environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=MIGRATE_S,
            check=False,
        )
        assert done.returncode == 0, f"{words[-1]} failed: {(done.stderr + done.stdout)[-2000:]}"
        return done.stdout

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/", timeout=5.0) as response:  # noqa: S310  # our own http://
                return bool(response.status == 200)
        except OSError:
            return False


@contextmanager
def running() -> Iterator[OscarServer]:
    """Run a shop that sells :data:`SKUS`; skips, or fails in CI, where Oscar cannot be had."""
    python = pypi.installed("Oscar", HERE, cache(), INSTALL_S)
    with tempfile.TemporaryDirectory(prefix="holdfast-oscar-") as scratch, OscarServer(python, Path(scratch)) as server:
        yield server
