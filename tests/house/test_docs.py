"""What the code knows and what the documentation says are the same."""

import re
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from adapters.contract.adapter import Kind, kinds
from adapters.contract.http import Answer, Request
from adapters.contract.orders import CommandName
from adapters.contract.stock import Applied, Item, Rejected
from server.channels.connection.adapter_registry import check
from server.channels.inbound.taking import FAILED, UNKNOWN_THERE, UNREADABLE
from server.config.config_file import ConfiguredKey
from server.config.settings import PREFIX, Settings, load_config_file, load_settings
from server.domain.channel_orders import InboxReason
from server.domain.order_documents import UNREADABLE_RETURN
from server.store.keys import ChannelKeys, Keyspace, SourceKeys

ROOT = Path(__file__).parents[2]
CONFIGURATION = "docs/configuration.md"
CHANNELS = "docs/channels.md"
BY_KIND = "docs/channels"
SIMULATED = "contract-tested against a simulator"
DATE = r"(January|February|March|April|May|June|July|August|September|October|November|December) 20\d\d"
REAL = "works with: run against the real server in the tests"
SECRET = "whsec_bWFkZS11cC1mb3ItdGVzdHMtb25seS0wMQ=="
ROW = re.compile(r"^\| `([^`]+)` \| (?:`([^`|]*)`)?[^`|]*\|", re.MULTILINE)
"""A row of a table that documents something: its name, and its default where there is one."""


def rows(text: str) -> dict[str, str]:
    return dict(ROW.findall(text))


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def differences(known: Iterable[str], documented: Iterable[str]) -> dict[str, list[str]]:
    """What is in the code but not in the documentation, and the other way round."""
    known, documented = set(known), set(documented)
    return {"not documented": sorted(known - documented), "does not exist": sorted(documented - known)}


NO_DIFFERENCE: dict[str, list[str]] = {"not documented": [], "does not exist": []}


def settings_by_variable() -> dict[str, msgspec.structs.FieldInfo]:
    return {PREFIX + field.name.upper(): field for field in msgspec.structs.fields(Settings)}


def documented_settings() -> dict[str, str]:
    return {name: default for name, default in rows(read(CONFIGURATION)).items() if name.startswith(PREFIX)}


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    assert differences(settings_by_variable(), documented_settings()) == NO_DIFFERENCE


@pytest.mark.parametrize("variable", settings_by_variable())
def test_the_documented_default_of_a_setting_is_its_default(variable: str) -> None:
    field = settings_by_variable()[variable]

    read_back = getattr(load_settings({variable: documented_settings()[variable]}), field.name)

    assert read_back == field.default


def test_no_document_names_a_setting_that_does_not_exist() -> None:
    documents = [ROOT / "README.md", ROOT / "Dockerfile", *(ROOT / "docs").rglob("*.md")]

    named = {name for path in documents for name in re.findall(r"HOLDFAST_[A-Z_]+\b", path.read_text("utf-8"))}

    assert named - set(settings_by_variable()) == set()


def test_the_example_of_the_configuration_file_is_a_configuration_file(tmp_path: Path) -> None:
    example, *_ = re.findall(r"```toml\n(.*?)```", read(CONFIGURATION), re.DOTALL)
    path = tmp_path / "holdfast.toml"
    path.write_text(example, "utf-8")

    [key] = load_config_file(path).keys

    assert (key.id, key.scopes) == ("checkout", ["read", "reserve"])


def test_every_field_of_a_configured_key_is_documented() -> None:
    _, _, section = read(CONFIGURATION).partition("## The configuration file")
    documented = re.findall(r"^\| `([a-z0-9_]+)` \|", section.partition("\n## ")[0], re.MULTILINE)

    assert differences(ConfiguredKey.__struct_fields__, documented) == NO_DIFFERENCE


def test_a_forgotten_setting_and_an_invented_one_are_both_found() -> None:
    text = "| `HOLDFAST_HOST` | `127.0.0.1` | |\n| `HOLDFAST_HOTS` | empty | |\n"

    found = differences({"HOLDFAST_HOST", "HOLDFAST_PORT"}, rows(text))

    assert found == {"not documented": ["HOLDFAST_PORT"], "does not exist": ["HOLDFAST_HOTS"]}


# -- paths and links


PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "SECURITY.md",
        ROOT / "lua" / "README.md",
        ROOT / "lua" / "RECORDS.md",
        ROOT / "adapters" / "README.md",
        ROOT / "clients" / "js" / "README.md",
        ROOT / "clients" / "python" / "README.md",
        ROOT / "examples" / "connector" / "README.md",
        ROOT / "examples" / "storefront" / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    ]
]
FOLDERS = ("server", "adapters", "lua", "bench", "clients", "tests", "deploy", "docs", "examples")


def missing_paths(text: str) -> list[str]:
    """Find the paths of files and folders of ours that a text names and that do not exist."""
    named = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`", text)
    return [path for path in named if not (ROOT / path).exists()]


def missing_modules(text: str) -> list[str]:
    """Find the modules of ours that a text runs with ``python -m`` and that do not exist."""
    named = re.findall(r"python -m ((?:bench|tests)[\w.]*)", text)
    return [
        name for name in named if not any((ROOT / name.replace(".", "/")).with_suffix(s).exists() for s in ("", ".py"))
    ]


def broken_links(page: str, text: str) -> list[str]:
    """Find the links of a page whose file or heading does not exist."""
    links = re.findall(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]*))?\)", text)
    return [f"{file}#{anchor}" for file, anchor in links if not link_leads_somewhere(page, file, anchor)]


def link_leads_somewhere(page: str, file: str, anchor: str) -> bool:
    target = (ROOT / page).parent / file if file else ROOT / page
    if not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text("utf-8"))


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_path_module_and_link_of_a_page_leads_somewhere(page: str) -> None:
    text = read(page)

    is_dated = page.startswith("docs/decisions/")  # a decision names the paths of its day
    assert broken_links(page, text) == []
    assert is_dated or (missing_paths(text), missing_modules(text)) == ([], [])


def test_an_invented_path_module_and_link_are_found() -> None:
    text = (
        "`server/magic.py` `lua/lib/flush.lua` `python -m tests.magic` [a](magic.md) [b](orders.md#magic) "
        "[](api/stock.md#stock)"
    )

    assert missing_paths(text) == ["server/magic.py"]
    assert missing_modules(text) == ["tests.magic"]
    assert broken_links("docs/channels.md", text) == ["magic.md#", "orders.md#magic"]


def documented_keys(text: str) -> set[str]:
    """Read the names of the keys of the store from the tables of the map; `…:` stands for what they have in common."""
    _, _, chapter = text.partition("\n## In the store\n")
    cells = re.findall(r"^\| (`[^|]*`) \| (?:hash|set|sorted set|stream|list|string) \|", chapter, re.MULTILINE)
    return {name.rpartition(":")[2] for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def keys_of_partitions() -> set[str]:
    """Read the names of all keys from the class that makes them."""
    partition, channel = Keyspace("p"), ChannelKeys(Keyspace("p"), "NAME")
    made = {
        *partition.all,
        partition.day_figures(0),
        partition.trace("SKU"),
        partition.rate_of("KEY"),
        *channel.all,
        *channel.ordering,
    }
    made |= {*SourceKeys(Keyspace("p"), "NAME").all}
    made |= {value for value in vars(partition).values() if isinstance(value, str) and value.startswith("hf:")}
    return {"DAY" if name.endswith(":0") else name.rpartition(":")[2] for name in made} - {""}


def test_the_map_lists_every_key_of_a_partition() -> None:
    assert differences(keys_of_partitions(), documented_keys(read("docs/architecture.md"))) == NO_DIFFERENCE


# -- why an order stands in the inbox


def test_every_reason_of_the_inbox_is_explained_and_every_explained_one_exists() -> None:
    explained = re.findall(r"^\| `(\w+)` \| ", read("docs/orders.md"), re.MULTILINE)

    of_intake = {UNREADABLE, UNKNOWN_THERE, FAILED, UNREADABLE_RETURN}
    assert len(explained) == len(set(explained))
    assert set(explained) == {*get_args(InboxReason), *of_intake} - {""}


# -- decisions


def test_the_map_lists_every_decision_by_its_number_and_title() -> None:
    listed = re.findall(r"^- \[(\d{4})\]\(decisions/(\S+)\) (.*)$", read("docs/architecture.md"), re.MULTILINE)
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    assert listed == [
        (path.name[:4], path.name, path.read_text("utf-8").partition("\n")[0].removeprefix(f"# {path.name[:4]} "))
        for path in records
    ]


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=lambda path: path.name[:4])
def test_a_decision_has_its_date_and_says_what_was_chosen_rejected_and_measured(path: Path) -> None:
    text = path.read_text("utf-8")

    assert re.match(rf"# {path.name[:4]} \S.*\n\n\d{{4}}-\d\d-\d\d\n\n", text)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Choice", "Rejected", "Measurement"]


# -- the guide to the channels


def chapter_of(kind: str) -> str:
    """Cut what the guide says of one kind of channel."""
    _, _, chapter = read(f"{BY_KIND}/{kind}.md").partition(f"# `{kind}`\n")
    return chapter


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def named(text: str) -> set[str]:
    """Find every word that stands as code, in a line or in an example."""
    code = [*re.findall(r"`([^`\n]+)`", text), *blocks("toml", text)]
    return {word for part in code for word in re.findall(r"[a-z0-9_]+", part)}


def ran(code: str) -> dict[str, Any]:
    """Run an example and give what it defines."""
    there: dict[str, Any] = {}
    exec(compile(code, CHANNELS, "exec"), there)  # noqa: S102  # our own document
    return there


def values(**fields: Any) -> Item:
    return Item(**{"key": "a", "sku": "A", "quantity": 3, "version": 5, **fields})


def test_every_kind_of_channel_has_its_chapter_in_the_guide_and_every_chapter_its_kind() -> None:
    pages = [path.stem for path in (ROOT / BY_KIND).glob("*.md")]

    assert differences(kinds(), pages) == NO_DIFFERENCE


@pytest.mark.parametrize("kind", kinds().values(), ids=kinds())
def test_the_guide_names_every_option_and_credential_of_a_kind(kind: Kind) -> None:
    known = {*kind.options.__struct_encode_fields__, *kind.credentials, *kind.optional_credentials}

    assert known - named(chapter_of(kind.name)) == set()


@pytest.mark.parametrize("kind", kinds())
def test_only_a_kind_with_a_test_on_the_real_server_is_said_to_work_with_it(kind: str) -> None:
    is_run_for_real = (ROOT / "tests" / "channels" / f"test_{kind}_real.py").exists()
    status = REAL if is_run_for_real else SIMULATED

    kinds_table = read(CHANNELS).partition("\n## ")[0]
    table = [line for line in kinds_table.splitlines() if line.startswith(f"| [`{kind}`]")]
    assert len(table) == 1, f"{CHANNELS} needs one row for {kind} in the table of kinds"
    assert f"| {status} |" in table[0]
    assert chapter_of(kind).lstrip().startswith(f"**Status: {status}")


def held_against() -> dict[str, list[str]]:
    """Read by kind what it was held against: a real server, something official, a simulator only."""
    _, _, section = read(CHANNELS).partition("\n## What each kind was held against\n")
    lines = re.findall(r"^\| \[`([^`]+)`\]\([^)]+\) \| (.*) \|$", section.partition("\n## ")[0], re.MULTILINE)
    return {kind: cells.split(" | ") for kind, cells in lines}


def test_the_guide_says_of_every_kind_what_it_was_held_against() -> None:
    assert differences(kinds(), held_against()) == NO_DIFFERENCE


def versions_installed(kind: str) -> set[str]:
    """Read which versions of a real server the tests install, from npm or from PyPI."""
    here = ROOT / "tests" / "channels" / kind
    if (here / "package.json").exists():
        dependencies = msgspec.json.decode((here / "package.json").read_bytes())["dependencies"]
        return {version for name, version in dependencies.items() if kind in name}
    pinned = (line.partition("==") for line in (here / "requirements.txt").read_text("utf-8").splitlines())
    return {version for name, _, version in pinned if kind in name}


@pytest.mark.parametrize("kind", kinds())
def test_what_a_kind_was_held_against_has_a_date_and_a_version_where_it_is_a_server(kind: str) -> None:
    real, official, simulated = held_against()[kind]

    assert official
    assert simulated
    assert all(re.search(DATE, cell) for cell in (real, official) if re.search(r"\d", cell)), "when was that?"
    assert real.startswith(("nothing", "none")) or re.search(r"\d+\.\d+\.\d+", real), "which version?"
    met = ROOT / "tests" / "channels" / f"test_{kind}_real.py"
    if met.exists():
        lane = "make test-real" if "pytest.mark.real" in met.read_text() else "make test"
        assert f"in each `{lane}`" in real
        assert any(version in real for version in versions_installed(kind))


NOT_OF_ORDERS = ("Stock", "Prices", "Read back", "Its warehouse")
ABILITIES = (
    "Stock", "Prices", "Read back", "Orders read", "Heard", "Returns", "Its warehouse",
    "`acknowledge`", "`refuse`", "`ship`", "`invoice`", "`settle_return`", "`label`",
)  # fmt: skip
SWITCHED_ON: dict[str, dict[str, Any]] = {
    "trendyol": {"carrier": "own"},
    "hepsiburada": {"carrier": "own", "refusal_reason_ids": {"out_of_stock": 1}},
    "emag": {"held_warehouse_id": 7},
}
"""Options without which a kind can less."""


def proven() -> tuple[list[str], dict[str, list[str]]]:
    """Read the table of abilities: its head, and by kind how each was proven."""
    _, _, section = read(CHANNELS).partition("\n## What each kind can, and how each of it was proven\n")
    [head] = re.findall(r"^\| Kind \| (.*) \|$", section.partition("\n## ")[0], re.MULTILINE)
    rows = re.findall(r"^\| \[`([^`]+)`\]\([^)]+\) \| (.*) \|$", section.partition("\n## ")[0], re.MULTILINE)
    return head.split(" | "), {kind: cells.split(" | ") for kind, cells in rows}


def test_the_table_of_abilities_has_every_kind_and_every_ability() -> None:
    head, by_kind = proven()

    assert tuple(head) == ABILITIES
    assert differences(kinds(), by_kind) == NO_DIFFERENCE
    assert set(get_args(CommandName)) == {name.strip("`") for name in ABILITIES if name.startswith("`")}


@pytest.mark.parametrize("kind", kinds().values(), ids=kinds())
def test_the_table_of_abilities_says_what_the_capabilities_say(kind: Kind) -> None:
    [example] = [tomllib.loads(block)["channels"] for block in blocks("toml", chapter_of(kind.name))]
    [channel] = example.values()
    names = {*kind.credentials, *kind.optional_credentials}
    options = msgspec.convert({**channel["options"], **SWITCHED_ON.get(kind.name, {})}, kind.options)
    able = kind.build(options, dict.fromkeys(names, SECRET)).capabilities
    intake = able.intake
    there = [True, able.takes_price, able.read_items_max > 0]
    there += [intake is not None and intake.pulls, intake is not None and intake.hears]
    there += [intake is not None and intake.returns, able.warehouse is not None]
    there += [intake is not None and name.strip("`") in intake.commands for name in ABILITIES[7:]]

    assert [cell != "–" for cell in proven()[1][kind.name]] == there


@pytest.mark.parametrize("kind", kinds())
def test_no_ability_is_said_to_be_proven_by_what_the_kind_was_not_held_against(kind: str) -> None:
    real, official, _ = held_against()[kind]
    tests = {path.name for path in (ROOT / "tests" / "channels").glob(f"test_{kind}*_real.py")}
    allowed = {"–", "S"} | ({"O"} if not official.startswith("nothing") else set())
    allowed |= {"R"} if tests else {"H"} if not real.startswith(("nothing", "none")) else set()

    cells = proven()[1][kind]

    assert set(cells) <= allowed
    of_orders = [cell for cell, name in zip(cells, ABILITIES, strict=True) if name not in NOT_OF_ORDERS]
    assert "R" not in of_orders or f"test_{kind}_orders_real.py" in tests


@pytest.mark.parametrize("kind", kinds().values(), ids=kinds())
def test_the_guide_says_whether_a_kind_can_be_read_back_and_takes_prices(kind: Kind) -> None:
    [example] = [tomllib.loads(block)["channels"] for block in blocks("toml", chapter_of(kind.name))]
    [channel] = example.values()
    names = {*kind.credentials, *kind.optional_credentials}
    able = kind.build(msgspec.convert(channel["options"], kind.options), dict.fromkeys(names, SECRET)).capabilities

    kinds_table = read(CHANNELS).partition("\n## ")[0]
    [row] = [line for line in kinds_table.splitlines() if line.startswith(f"| [`{kind.name}`]")]
    said = tuple(cell.strip() == "yes" for cell in row.split("|")[-3:-1])
    assert said == (able.read_items_max > 0, able.takes_price)


@pytest.mark.parametrize("kind", kinds().values(), ids=kinds())
def test_the_guide_says_what_can_be_said_about_a_kind_s_orders_and_whether_it_is_heard(kind: Kind) -> None:
    [example] = [tomllib.loads(block)["channels"] for block in blocks("toml", chapter_of(kind.name))]
    [channel] = example.values()
    names = {*kind.credentials, *kind.optional_credentials}
    intake = kind.build(
        msgspec.convert(channel["options"], kind.options), dict.fromkeys(names, SECRET)
    ).capabilities.intake

    _, _, section = read(CHANNELS).partition("\n### What each kind tells of orders, and what it can be told\n")
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith(f"| `{kind.name}`")]
    assert len(rows) == (intake is not None)
    if intake is not None:
        [[_, comes_by, _, said]] = rows
        assert set(intake.commands) <= named(said)
        assert ("," in comes_by) == intake.hears


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_has_an_example_in_the_guide_that_would_start(kind: str, tmp_path: Path) -> None:
    examples = blocks("toml", chapter_of(kind))
    assert len(examples) == 1, f"the chapter of {kind} in {CHANNELS} needs one example in TOML"
    path = tmp_path / "holdfast.toml"
    path.write_text(examples[0], "utf-8")

    [channel] = load_config_file(path, credentials=False).channels

    assert channel.settings.kind == kind
    check(channel.settings, channel.credentials.names)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the guide's receiver of webhooks."""
    monkeypatch.setenv("WAREHOUSE_SECRET", SECRET)
    [code] = blocks("python", chapter_of("webhook"))
    return ran(code)


@pytest.fixture(params=[1, 50], ids=["single", "batch"])
def webhook(request: pytest.FixtureRequest) -> Any:
    kind = kinds()["webhook"]
    options = msgspec.convert({"url": "https://warehouse.example/stock", "batch_max": request.param}, kind.options)
    return kind.build(options, {"secret": SECRET})


def sent(webhook: Any, item: Item) -> Request:
    request: Request = next(webhook.push([item], time.time()))
    return request


def test_given_the_guide_s_receiver_when_we_sign_then_it_takes_the_value(receiver: Any, webhook: Any) -> None:
    request = sent(webhook, values(quantity=3, version=5))

    receiver["receive"](request.body, request.headers)

    assert receiver["stock"] == {"a": ((5, 0), 3)}


def test_given_the_guide_s_receiver_when_an_older_value_comes_late_then_it_is_dropped(
    receiver: Any, webhook: Any
) -> None:
    closed = values(quantity=3, version=5, locations_version=7)
    for item in (closed, values(quantity=9, version=4), values(quantity=9, version=5)):
        request = sent(webhook, item)
        receiver["receive"](request.body, request.headers)

    assert receiver["stock"] == {"a": ((5, 7), 3)}


def test_given_the_guide_s_receiver_when_a_message_was_tampered_with_then_it_is_refused(
    receiver: Any, webhook: Any
) -> None:
    request = sent(webhook, values(quantity=3))

    with pytest.raises(WebhookVerificationError):
        receiver["receive"](request.body.replace(b'"quantity":3', b'"quantity":9'), request.headers)
    assert receiver["stock"] == {}


def test_the_guide_s_example_of_an_adapter_is_an_adapter() -> None:
    _, _, section = read("adapters/README.md").partition("\n## Write one in ten minutes\n")
    kind: Kind = ran(blocks("python", section)[0])["ADAPTER"]
    adapter = kind.build(msgspec.convert({"base_url": "https://acme.example"}, kind.options), {"token": "made-up"})

    push = adapter.push([values(key="a"), values(key="b")], 0.0)
    assert next(push).body == b'{"a":3,"b":3}'
    with pytest.raises(StopIteration) as ended:
        push.send(Answer(200, {}, b'{"refused":{"b":"no such article"}}'))

    assert ended.value.value == {"a": Applied(), "b": Rejected("refused", "no such article")}
