"""Channels in the configuration file: what is read, what is refused with which message, and that no secret shows."""

import asyncio
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.contract.adapter import Adapter, Capabilities, Kind, kinds
from adapters.contract.http import Exchange
from adapters.contract.stock import Outcomes, Ticket
from server.channels.connection import adapter_registry
from server.config.channels import FIELDS, RULES, ConfiguredChannel
from server.config.settings import PREFIX, ConfigError, load_config_file, load_settings
from server.config.toml_tables import ChannelConfigError
from server.domain.channels import ChannelRules, ChannelSettings
from server.domain.mirrors import MirrorSettings
from server.workers import Workers
from tests.house.test_docs import CONFIGURATION, NO_DIFFERENCE, differences, read, rows

SECRET = "not-a-real-secret-1f3a"
MINIMAL = '[channels.my-shop]\nkind = "woocommerce"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "holdfast.toml"
    path.write_text(text, "utf-8")
    return path


def load(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[ConfiguredChannel]:
    return load_config_file(written(folder, text), environ or {}).channels


def refusal(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as refused:
        load(folder, text, environ)
    message = str(refused.value)
    assert message.startswith(f"{folder / 'holdfast.toml'}: ")
    assert SECRET not in message
    return message.partition(": ")[2]


# -- what is read


def test_a_channel_with_everything_is_read(tmp_path: Path) -> None:
    text = """
        [channels.my-shop]
        kind = "woocommerce"
        partition = "turkey"
        listings = "all"
        locations = ["main", "izmir"]
        buffer = 2
        percent = 80
        min_publish = 1
        cap = 50
        cadence_s = 300
        reconcile_every_s = 3600
        timeout_s = 20
        allow_private = ["127.0.0.1", "::1", "shop.internal"]
        [channels.my-shop.options]
        base_url = "https://shop.example"
        [channels.my-shop.credentials]
        consumer_key = { env = "MY_SHOP_KEY" }
    """

    [channel] = load(tmp_path, text, {"MY_SHOP_KEY": SECRET})

    assert channel.settings == ChannelSettings(
        name="my-shop",
        kind="woocommerce",
        partition="turkey",
        rules=ChannelRules(
            locations=["main", "izmir"],
            buffer=2,
            percent=80,
            min_publish=1,
            cap=50,
            cadence_s=300.0,
            reconcile_every_s=3600.0,
        ),
        listings="all",
        options={"base_url": "https://shop.example"},
        allow_private=["127.0.0.1", "::1", "shop.internal"],
        timeout_s=20.0,
    )
    assert channel.credentials.read() == {"consumer_key": SECRET}


def test_what_is_left_out_has_the_defaults_of_the_domain(tmp_path: Path) -> None:
    [channel] = load(tmp_path, MINIMAL)

    assert channel.settings == ChannelSettings(name="my-shop", kind="woocommerce")
    assert channel.credentials.read() == {}


def test_keys_and_channels_stand_in_one_file(tmp_path: Path) -> None:
    text = f'[[keys]]\nid = "checkout"\nsha256 = "{"0" * 64}"\nscopes = ["read"]\n{MINIMAL}'

    file = load_config_file(written(tmp_path, text))

    assert [key.id for key in file.keys] == ["checkout"]
    assert [channel.settings.name for channel in file.channels] == ["my-shop"]


def test_a_secret_that_changed_in_its_file_counts_from_the_next_reading_on(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("old\n")
    [channel] = load(tmp_path, MINIMAL + '[channels.my-shop.credentials]\nkey = { file = "secret" }')

    (tmp_path / "secret").write_text("new\r\n")

    assert channel.credentials.read() == {"key": "new"}


def test_a_secret_file_that_went_away_is_reported_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    [channel] = load(tmp_path, MINIMAL + '[channels.my-shop.credentials]\nkey = { file = "secret" }')

    (tmp_path / "secret").unlink()

    with pytest.raises(ChannelConfigError, match=r"key: the file .*secret cannot be read: No such file or directory"):
        channel.credentials.read()


def test_neither_channel_nor_credentials_show_a_value(tmp_path: Path) -> None:
    text = MINIMAL + '[channels.my-shop.credentials]\nkey = { env = "K" }\nother = { env = "K" }'
    [channel] = load(tmp_path, text, {"K": SECRET})
    channel.credentials.read()

    assert repr(channel.credentials) == "Credentials(key, other)"
    assert SECRET not in repr(channel) + str(channel)


def test_a_process_that_calls_no_channel_needs_no_credentials(tmp_path: Path) -> None:
    path = written(tmp_path, MINIMAL + '[channels.my-shop.credentials]\nkey = { env = "NONE" }')

    [channel] = load_config_file(path, {}, credentials=False).channels

    assert channel.credentials.names == ("key",)


# -- what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[channel.a]\nkind = "x"', "there is no table 'channel'; did you mean channels?"),
        ("channels = 3", "channels must be tables, one for each channel: [channels.my-shop]"),
        ("[channels]\nmy-shop = 3", "[channels.my-shop]: channels.my-shop must be a table."),
        ('[channels.MyShop]\nkind = "x"', "[channels]: channel 'MyShop' must be 1-64 of a-z"),
        ("[channels.my-shop]\nbuffer = 2", "[channels.my-shop]: needs kind."),
        (MINIMAL + "bufer = 2", "[channels.my-shop]: there is no field 'bufer'; did you mean buffer? Allowed: kind,"),
        (MINIMAL + "buffer = -1", "[channels.my-shop]: buffer: expected a whole number >= 0."),
        (MINIMAL + 'buffer = "2"', "[channels.my-shop]: buffer: expected a whole number, got text."),
        (MINIMAL + "percent = 101", "[channels.my-shop]: percent: expected a whole number <= 100."),
        (MINIMAL + "locations = [7]", "[channels.my-shop]: locations[0]: expected text, got a whole number."),
        (MINIMAL + 'locations = ["a", "a"]', "[channels.my-shop]: locations names one twice"),
        (MINIMAL + f'listings = "{SECRET}"', "[channels.my-shop]: listings: must be 'all' or 'listed'."),
        (MINIMAL + "timeout_s = 0", "[channels.my-shop]: timeout_s: expected a number > 0.0."),
        (MINIMAL + 'partition = "{x}"', "[channels.my-shop]: partition '{x}' must be 1-64 of a-z"),
        (MINIMAL + 'allow_private = ["http://shop"]', "[channels.my-shop]: allow_private[0] must be the name or the"),
        (MINIMAL + 'allow_private = ["shop:80"]', "[channels.my-shop]: allow_private[0] must be the name or the"),
    ],
)
def test_a_channel_that_breaks_a_rule_is_refused_with_its_place_and_what_is_allowed(
    text: str, message: str, tmp_path: Path
) -> None:
    assert refusal(tmp_path, text).startswith(message) or message in refusal(tmp_path, text)


MIRROR = MINIMAL + "[channels.my-shop.mirror]\n"


def test_a_mirror_is_read_with_its_location_as_it_is_meant(tmp_path: Path) -> None:
    text = MINIMAL + '[channels.my-shop.mirror]\nlocation = " hall "\nevery_s = 60'

    [channel] = load(tmp_path, text)

    assert channel.settings.mirror == MirrorSettings(location="hall", every_s=60.0)
    assert load(tmp_path, MINIMAL)[0].settings.mirror is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MIRROR, "[channels.my-shop.mirror]: needs location."),
        (MIRROR + 'location = "main"', "[channels.my-shop.mirror]: location may not be main, where your own units are"),
        (
            MIRROR + 'location = "hall"\ngroups = ["a\\u0007"]',
            "[channels.my-shop.mirror]: groups must each have 1 to 64 printable bytes",
        ),
        (MIRROR + 'location = " "', "[channels.my-shop.mirror]: location is empty"),
        (MIRROR + 'location = "hall"\nevery = 3', "[channels.my-shop.mirror]: there is no field 'every'"),
        (
            f'{MINIMAL}locations = ["main", "hall"]\n[channels.my-shop.mirror]\nlocation = "hall"',
            "[channels.my-shop]: locations may not name hall: the channel sells what it holds there by itself.",
        ),
        (
            MIRROR + 'location = "hall"\nreserve_for_others = true',
            "[channels.my-shop]: locations must be named, without hall: its units are reserved for others",
        ),
        (
            MIRROR + 'location = "hall"\n[channels.b]\nkind = "emag"\n[channels.b.mirror]\nlocation = "hall"',
            "[channels.b.mirror]: location is that of my-shop's mirror; give it one of its own.",
        ),
    ],
)
def test_a_mirror_that_breaks_a_rule_is_refused_with_what_to_do(text: str, message: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text).startswith(message)


def test_in_another_partition_a_mirror_may_have_the_same_location(tmp_path: Path) -> None:
    other = '[channels.b]\nkind = "emag"\npartition = "b"\n[channels.b.mirror]\nlocation = "hall"'

    assert len(load(tmp_path, MIRROR + 'location = "hall"\n' + other)) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (f'"{SECRET}"', "key must name the place of the credential, not hold it: key = { env ="),
        (f'["{SECRET}"]', "key must name the place of the credential"),
        ("{ }", "key must have one of env and file"),
        (f'{{ env = "K", file = "{SECRET}" }}', "key must have one of env and file"),
        (f'{{ value = "{SECRET}" }}', "key: there is no field 'value'. Allowed: env, file."),
        (f'{{ evn = "{SECRET}" }}', "key: there is no field 'evn'; did you mean env?"),
        ("{ env = 3 }", "key: env must be text"),
        (f'{{ env = "{SECRET}" }}', "key: env must be the name of a variable"),
        ('{ env = "NONE" }', "key: the variable NONE is not set or empty"),
        ('{ env = "EMPTY" }', "key: the variable EMPTY is not set or empty"),
        ('{ env = "HOLDFAST_SHOP_KEY" }', "names that begin with HOLDFAST_ are Holdfast's own settings"),
        ('{ file = "none" }', "cannot be read: No such file or directory."),
        ('{ file = "." }', "cannot be read: Is a directory."),
        ('{ file = "empty" }', "empty is not set or empty."),
        ('{ file = "/dev/zero" }', "the file /dev/zero has more than 65536 bytes; that is no credential."),
        ('{ file = "binary" }', "binary is not UTF-8 text."),
        ('{ file = "a\\u0000b" }', "cannot be read: not a path."),
    ],
)
def test_a_credential_that_is_not_a_reference_to_one_is_refused(given: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(SECRET.encode() + b"\xff")

    said = refusal(tmp_path, f"{MINIMAL}[channels.my-shop.credentials]\nkey = {given}", {"K": SECRET, "EMPTY": ""})

    assert said.startswith("[channels.my-shop.credentials]: key")
    assert message in said


def test_a_variable_that_looks_like_a_setting_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"HOLDFAST_SHOP_KEY is not a setting.* a credential .* needs another name"):
        load_settings({"HOLDFAST_SHOP_KEY": SECRET})


def test_a_broken_key_is_still_reported_by_its_place(tmp_path: Path) -> None:
    assert refusal(tmp_path, '[[keys]]\nid = "a"\nsha = "b"\n').startswith(
        "[[keys]]: keys[0]: there is no field 'sha'; did you mean sha256? Allowed: id, sha256, scopes,"
    )


# -- the kinds of adapters


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str
    mode: str = "plain"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    base_url: str
    places: list[Place] = []

    def __post_init__(self) -> None:
        if not self.base_url.startswith("https://"):
            raise ValueError("base_url must begin with https://")


class Quiet(Adapter):
    """An adapter of a channel that takes everything and says nothing."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        if "damaged" in credentials["key"]:
            raise ValueError(f"the key {credentials['key']} is damaged")
        self.options = options
        self.key = credentials["key"]

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(items_max=1)

    def push(self, items: Any, now_s: float) -> Exchange[Outcomes | Ticket]:  # noqa: ARG002
        yield from ()
        return {}


KNOWN = {
    "quiet": Kind("quiet", "Takes all.", Options, ("key",), Quiet, ("second",)),
    "loud": Kind("loud", "", Options, (), Quiet),
}


def quiet(**changed: Any) -> ChannelSettings:
    return ChannelSettings(**{"name": "my-shop", "kind": "quiet", "options": {"base_url": "https://x"}, **changed})


def test_a_channel_is_built_from_its_options_and_credentials() -> None:
    adapter = adapter_registry.build(
        quiet(options={"base_url": "https://x", "places": [{"url": "u"}]}), {"key": "k"}, KNOWN
    )

    assert isinstance(adapter, Quiet)
    assert (adapter.options, adapter.key) == (Options(base_url="https://x", places=[Place(url="u")]), "k")


@pytest.mark.parametrize("names", [["key"], ["key", "second"]])
def test_the_credentials_that_must_be_there_and_those_that_may_are_enough(names: list[str]) -> None:
    adapter_registry.check(quiet(), names, KNOWN)


@pytest.mark.parametrize(
    ("changed", "names", "message"),
    [
        (
            {"kind": "qiet"},
            ["key"],
            "[channels.my-shop]: there is no kind 'qiet'; did you mean quiet? Allowed: quiet, loud.",
        ),
        (
            {"options": {"base_ulr": "https://x"}},
            ["key"],
            (
                "[channels.my-shop.options]: there is no option of quiet 'base_ulr'; did you mean base_url?"
                " Allowed: base_url, places."
            ),
        ),
        ({"options": {}}, ["key"], "[channels.my-shop.options]: needs base_url."),
        (
            {"options": {"base_url": 7}},
            ["key"],
            "[channels.my-shop.options]: base_url: expected text, got a whole number.",
        ),
        ({"options": {"base_url": SECRET}}, ["key"], "[channels.my-shop.options]: base_url must begin with https://."),
        (
            {"options": {"base_url": "https://x", "places": [{"url": "u", "mod": 1}]}},
            ["key"],
            "[channels.my-shop.options]: places[0]: there is no field 'mod'; did you mean mode? Allowed: url, mode.",
        ),
        (
            {"options": {"base_url": "https://x", "buffer": 2}},
            ["key"],
            "[channels.my-shop.options]: buffer belongs to [channels.my-shop]; write it above this table.",
        ),
        (
            {},
            [],
            '[channels.my-shop.credentials]: quiet needs key: key = { env = "…" } or { file = "…" }.',
        ),
        (
            {},
            ["key", "secnd"],
            (
                "[channels.my-shop.credentials]: there is no credential of quiet 'secnd'; did you mean second?"
                " Allowed: key, second."
            ),
        ),
        ({"name": "my.shop", "options": {}}, ["key"], '[channels."my.shop".options]: needs base_url.'),
    ],
)
def test_what_a_kind_does_not_know_is_refused(changed: dict[str, Any], names: list[str], message: str) -> None:
    with pytest.raises(ChannelConfigError) as checked:
        adapter_registry.check(quiet(**changed), names, KNOWN)
    with pytest.raises(ChannelConfigError) as built:
        adapter_registry.build(quiet(**changed), dict.fromkeys(names, "value"), KNOWN)

    assert str(checked.value) == message == str(built.value)


def test_a_credential_that_the_adapter_refuses_is_not_shown() -> None:
    with pytest.raises(ChannelConfigError) as refused:
        adapter_registry.build(quiet(), {"key": f"damaged-{SECRET}"}, KNOWN)

    assert str(refused.value) == "[channels.my-shop]: the key *** is damaged"


def test_the_options_of_every_kind_forbid_what_they_do_not_know() -> None:
    tolerant = [kind.name for kind in kinds().values() if not kind.options.__struct_config__.forbid_unknown_fields]

    assert tolerant == []


# -- the documentation


def chapter(heading: str) -> str:
    """Cut what stands below a heading of the documentation, up to the next one."""
    _, _, after = read(CONFIGURATION).partition(f"\n{heading}\n")
    return after.partition("\n#")[0]


def test_every_field_of_a_channel_is_documented_with_its_default() -> None:
    documented = rows(chapter("### Fields of a channel"))
    fields = [*msgspec.structs.fields(ChannelSettings), *msgspec.structs.fields(ChannelRules)]
    defaults = {field.name: field.default for field in fields if field.default is not msgspec.NODEFAULT}

    assert differences([*FIELDS, *RULES], documented) == NO_DIFFERENCE
    for name, default in documented.items():
        if default:
            shown = str(defaults[name]).removesuffix(".0")
            assert (shown.lower() if isinstance(defaults[name], bool) else shown) == default, name


def test_every_kind_is_documented_with_all_its_options_and_credentials() -> None:
    for kind in kinds().values():
        known = {*kind.options.__struct_encode_fields__, *kind.credentials, *kind.optional_credentials}

        documented = re.findall(r"^\| `([a-z0-9_]+)` \|", chapter(f"### `{kind.name}`"), re.MULTILINE)
        assert differences(known, documented) == NO_DIFFERENCE, kind.name


def test_the_documented_default_of_an_option_is_its_default() -> None:
    for kind in kinds().values():
        documented = rows(chapter(f"### `{kind.name}`"))
        for option in msgspec.structs.fields(kind.options):
            stated = documented.get(option.encode_name)
            if stated and option.default is not msgspec.NODEFAULT:
                default = str(option.default).removesuffix(".0").replace("True", "true").replace("False", "false")
                assert stated == default, f"{kind.name} {option.name}"


def test_no_kind_is_documented_that_does_not_exist() -> None:
    _, _, after = read(CONFIGURATION).partition("\n## Kinds of channels\n")

    assert differences(kinds(), re.findall(r"^### `([^`]+)`$", after, re.MULTILINE)) == NO_DIFFERENCE


def test_every_example_of_a_channel_is_one_that_would_start(tmp_path: Path) -> None:
    for example in re.findall(r"```toml\n(.*?)```", read(CONFIGURATION), re.DOTALL):
        for channel in load_config_file(written(tmp_path, example), credentials=False).channels:
            adapter_registry.check(channel.settings, channel.credentials.names)


# -- the worker processes


def test_worker_processes_get_the_file_and_the_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SHOP_KEY", SECRET)
    path = written(tmp_path, MINIMAL + '[channels.my-shop.credentials]\nkey = { env = "MY_SHOP_KEY" }')
    workers = Workers(load_settings({}, config=path, publisher_lease_s=7, role="publisher"))
    try:
        handed_on = workers._environment(0)
    finally:
        asyncio.run(workers.drain())

    settings = load_settings({name: value for name, value in handed_on.items() if name.startswith(PREFIX)})
    assert (settings.config, settings.publisher_lease_s, settings.role) == (path, 7.0, "publisher")
    [channel] = load_config_file(settings.config, handed_on).channels
    assert channel.credentials.read() == {"key": SECRET}
    assert os.environ["MY_SHOP_KEY"] == SECRET
