"""API keys, from making one in a real store to the header that a request carries."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import msgspec
import pytest
import structlog
from redis.asyncio import Redis

from server.api.http.auth import Authenticator
from server.domain.key_limits import KeyTerms
from server.domain.principal import LOCAL, ApiKey, Principal, Scope
from server.store.connection import connect
from server.store.errors import StoreUnavailableError
from server.store.repositories import api_keys
from server.store.repositories.api_keys import KEYS_HASH, ApiKeyStore, DamagedKeyError, RevokedKeyError
from tests.support.stores import StoreProcess, start_valkey

SECRET = "made-up-secret"
KEY = ApiKey(id="shop", sha256=sha256(SECRET.encode()).hexdigest(), scopes=frozenset({Scope.RESERVE}), partition="ada")
HEADER = f"Bearer hf_shop_{SECRET}"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def connected(store: StoreProcess) -> AsyncIterator[Redis]:
    pool = connect.connection_pool(store.url)
    try:
        yield connect.client(pool)
    finally:
        await pool.aclose()


@pytest.fixture
def store() -> Iterator[StoreProcess]:
    with start_valkey() as store:
        yield store


@pytest.fixture
async def client(store: StoreProcess) -> AsyncIterator[Redis]:
    async with connected(store) as client:
        yield client


@pytest.fixture
def keys(client: Redis) -> ApiKeyStore:
    return ApiKeyStore(client)


def bearer(token: str) -> str:
    return f"Bearer {token}"


def authenticator(
    configured: Iterable[ApiKey] = (), store: ApiKeyStore | None = None, *, loopback: bool = False
) -> Authenticator:
    return Authenticator(configured, store, open_to_loopback=loopback, refresh_s=0.001)


# -- in the store


async def test_a_new_key_s_record_says_all_but_the_secret(keys: ApiKeyStore, client: Redis) -> None:
    token, key = await keys.create([Scope.READ, Scope.RESERVE], "ada", "checkout İzmir")

    prefix, key_id, secret = token.split("_")
    record = msgspec.json.decode((await client.hgetall(KEYS_HASH))[key_id.encode()])
    assert (prefix, key_id, len(key_id)) == ("hf", key.id, 12)
    assert record == {
        "id": key_id,
        "sha256": sha256(secret.encode()).hexdigest(),
        "scopes": record["scopes"],
        "partition": "ada",
        "name": "checkout İzmir",
        "created_at": record["created_at"],
        "revoked_at": None,
    }
    assert sorted(record["scopes"]) == ["read", "reserve"]
    assert secret not in str(record)
    assert len(secret) * 5 >= 32 * 8  # base32 holds five bits a character


class Scope010(StrEnum):
    READ = "read"
    RESERVE = "reserve"
    STOCK = "stock"
    ADMIN = "admin"
    METRICS = "metrics"


class ApiKey010(msgspec.Struct, frozen=True, kw_only=True):
    """What 0.1.0 decodes a record as."""

    id: str
    sha256: str
    scopes: frozenset[Scope010]
    partition: str = "default"
    name: str = ""
    created_at: datetime | None = None
    revoked_at: datetime | None = None


async def record_of(client: Redis, key: ApiKey) -> bytes:
    record = (await client.hgetall(KEYS_HASH))[key.id.encode()]
    assert isinstance(record, bytes)
    return record


SOON = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "terms",
    [{"channel": "shop"}, {"ttl_max_s": 60}, {"expires_at": SOON}, {"requests_per_s": 9}, {"held_units_max": 9}],
    ids=str,
)
async def test_a_key_with_limits_opens_nothing_where_a_release_does_not_know_them(
    keys: ApiKeyStore, client: Redis, terms: dict[str, Any]
) -> None:
    _, key = await keys.create([Scope.RESERVE], terms=KeyTerms(**terms))

    assert await keys.list() == (key,)
    with pytest.raises(msgspec.ValidationError, match="scopes"):
        msgspec.json.decode(await record_of(client, key), type=ApiKey010)


@pytest.mark.parametrize(
    ("terms", "word"),
    [({"requests_per_s": 9}, "rated"), ({"held_units_max": 9}, "quota"), ({"customer_units_max": 9}, "quota")],
)
async def test_each_further_kind_of_limit_has_a_word_that_releases_before_it_do_not_know(
    keys: ApiKeyStore, client: Redis, terms: dict[str, Any], word: str
) -> None:
    _, key = await keys.create([Scope.RESERVE], terms=KeyTerms(**terms))

    assert msgspec.json.decode(await record_of(client, key))["scopes"] == ["reserve", "limited", word]


@pytest.mark.parametrize("scope", [Scope.AVAILABILITY, Scope.RESERVE_OWN])
async def test_a_key_with_a_new_scope_opens_nothing_in_an_older_release(
    keys: ApiKeyStore, client: Redis, scope: Scope
) -> None:
    _, key = await keys.create([Scope.READ, scope])

    with pytest.raises(msgspec.ValidationError, match="scopes"):
        msgspec.json.decode(await record_of(client, key), type=ApiKey010)


async def test_an_older_release_knows_the_new_secret_of_a_key_that_was_rotated(
    keys: ApiKeyStore, client: Redis
) -> None:
    _, key = await keys.create([Scope.READ])
    rotated = await keys.rotate(key.id, SOON)
    assert rotated is not None

    record = msgspec.json.decode(await record_of(client, key), type=ApiKey010)

    assert record.sha256 == sha256(rotated[0].split("_")[2].encode()).hexdigest()


async def test_a_word_that_a_later_release_adds_makes_a_record_unreadable_here(
    keys: ApiKeyStore, client: Redis
) -> None:
    _, key = await keys.create([Scope.READ])
    record = msgspec.json.decode(await record_of(client, key))
    await client.hset(KEYS_HASH, key.id, msgspec.json.encode(record | {"scopes": ["read", "by-moonlight"]}))

    assert (await keys.read()).damaged == (key.id,)


async def test_two_who_change_a_key_at_once_both_do(keys: ApiKeyStore) -> None:
    _, key = await keys.create([Scope.READ])

    def named(current: ApiKey) -> ApiKey:
        return msgspec.structs.replace(current, name=current.name + "x")

    await asyncio.gather(*(keys.change(key.id, named) for _ in range(8)))

    assert (await keys.list())[0].name == "x" * 8


async def test_a_revoked_key_is_not_changed_any_more(keys: ApiKeyStore) -> None:
    _, key = await keys.create([Scope.READ])
    await keys.revoke(key.id)

    with pytest.raises(RevokedKeyError, match="Create a new key"):
        await keys.rotate(key.id, SOON)


async def test_two_keys_share_neither_id_nor_secret(keys: ApiKeyStore) -> None:
    tokens = [(await keys.create([Scope.READ]))[0] for _ in range(2)]

    assert not set(tokens[0].split("_")[1:]) & set(tokens[1].split("_")[1:])


async def test_an_id_that_is_taken_is_not_overwritten(keys: ApiKeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    _, first = await keys.create([Scope.READ])
    texts = iter([first.id, "secretone", "bbbbbbbbbbbb", "secrettwo"])
    monkeypatch.setattr(api_keys, "_random_text", lambda _bytes: next(texts))

    token, _ = await keys.create(iter([Scope.STOCK]))

    assert token == "hf_bbbbbbbbbbbb_secrettwo"
    assert first in await keys.list()


async def test_keys_are_listed_as_they_were_made(keys: ApiKeyStore) -> None:
    made = {(await keys.create([scope], "ada", scope.value))[1] for scope in Scope}

    assert set(await keys.list()) == made


async def test_keys_are_read_anew_only_where_one_has_changed(keys: ApiKeyStore) -> None:
    _, key = await keys.create({Scope.READ})
    first = await keys.read()

    assert await keys.read() is first

    await keys.revoke(key.id)
    second = await keys.read()

    assert second.keys[0].revoked
    assert await keys.read() is second


async def test_a_revoked_key_stays_as_a_record(keys: ApiKeyStore) -> None:
    _, key = await keys.create([Scope.READ])

    revoked = await keys.revoke(key.id)

    assert revoked is not None
    assert revoked.revoked
    assert await keys.list() == (revoked,)


async def test_revoking_again_keeps_the_first_time(
    keys: ApiKeyStore, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = await keys.create([Scope.READ])
    first = await keys.revoke(key.id)
    monkeypatch.setattr(api_keys, "_now", lambda: datetime(2099, 1, 1, tzinfo=UTC))

    assert await keys.revoke(key.id) == first
    assert await client.hlen(KEYS_HASH) == 1


async def test_revoking_what_never_was_says_so(keys: ApiKeyStore) -> None:
    assert await keys.revoke("nobody") is None


@pytest.mark.parametrize("record", [b"", b"{", b'{"id": "other"}', b"\xff", msgspec.json.encode(KEY)])
async def test_a_damaged_record_is_recognised_and_spoils_no_other(
    keys: ApiKeyStore, client: Redis, record: bytes
) -> None:
    _, good = await keys.create([Scope.READ])
    await client.hset(KEYS_HASH, "damaged", record)

    stored = await keys.read()

    assert (stored.keys, stored.damaged) == ((good,), ("damaged",))
    with pytest.raises(DamagedKeyError, match="HDEL hf:apikeys damaged"):
        await keys.revoke("damaged")


async def test_a_store_that_is_away_is_an_error_with_the_next_step(store: StoreProcess, keys: ApiKeyStore) -> None:
    store.kill()

    with pytest.raises(StoreUnavailableError, match="Check"):
        await keys.list()


async def test_a_store_that_hangs_does_not_hang_its_callers(
    store: StoreProcess, keys: ApiKeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "REPLY_TIMEOUT_S", 0.05)
    os.kill(store.pid, signal.SIGSTOP)

    with pytest.raises(StoreUnavailableError, match=r"did not answer within 0\.05 s"):
        await keys.list()


# -- rules


@pytest.mark.parametrize("partition", ["", "-a", "A", "a b", "a{b}", "a:b", "ş", "a" * 65, "a\n"])
def test_a_partition_that_cannot_be_in_a_store_key_is_refused(partition: str) -> None:
    with pytest.raises(ValueError, match="partition"):
        msgspec.structs.replace(KEY, partition=partition)


@pytest.mark.parametrize("partition", ["a", "0", "merchant-7.tr_x", "a" * 64])
def test_a_partition_of_plain_characters_is_taken(partition: str) -> None:
    assert msgspec.structs.replace(KEY, partition=partition).principal.partition == partition


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "a_b"}, "key id"),
        ({"id": "system"}, "key id"),
        ({"id": "local"}, "key id"),
        ({"sha256": "abc"}, "sha256"),
        ({"sha256": "A" * 64}, "sha256"),
        ({"scopes": frozenset()}, "scopes"),
        ({"name": "a\x1b[31m"}, "name"),
        ({"name": "ş" * 33}, "name"),
    ],
)
def test_a_key_that_breaks_a_rule_names_the_field(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msgspec.structs.replace(KEY, **change)


@pytest.mark.parametrize("scope", Scope)
def test_admin_allows_all_of_its_partition_and_every_other_scope_itself_only(scope: Scope) -> None:
    principal = Principal("shop", "ada", frozenset({scope}))

    allowed = {other for other in Scope if principal.allows(other)}

    # The metrics are sums over all partitions: no key of one has them unless it was given them.
    assert allowed == (set(Scope) - {Scope.METRICS} if scope is Scope.ADMIN else {scope})


# -- the header


def test_a_key_of_the_configuration_opens_as_its_principal() -> None:
    assert authenticator([KEY]).authenticate(HEADER) == Principal("shop", "ada", frozenset({Scope.RESERVE}))


@pytest.mark.parametrize("header", [HEADER.replace("Bearer", "bearer"), HEADER + " ", "Bearer  " + HEADER[7:]])
def test_the_scheme_may_be_spelled_as_http_allows(header: str) -> None:
    assert authenticator([KEY]).authenticate(header) == KEY.principal


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer hf",
        "Bearer hf_shop",
        "Bearer hf_shop_",
        "Bearer hf__" + SECRET,
        "Bearer xx_shop_" + SECRET,
        "Bearer hf_nobody_" + SECRET,
        "Bearer hf_SHOP_" + SECRET,
        HEADER + "x",
        HEADER[:-1],
        HEADER + "_",
        HEADER.replace("Bearer ", ""),
        HEADER.replace("Bearer", "Basic"),
        HEADER + "ş",
        HEADER + "\udcff",
        f"Bearer hf_shop_{KEY.sha256}",
        f"Bearer hf_\udcff_{SECRET}",
    ],
)
def test_any_other_header_belongs_to_no_key(header: str | None) -> None:
    assert authenticator([KEY]).authenticate(header) is None


def test_an_unknown_id_costs_a_comparison_too(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(given: bytes, kept: bytes) -> bool:
        compared.append((given, kept))
        return given == kept

    monkeypatch.setattr("server.api.http.auth.compare_digest", compare)
    who = authenticator([KEY])

    who.authenticate(f"Bearer hf_nobody_{SECRET}")
    who.authenticate(f"Bearer hf_shop_x{SECRET}")

    # With the secret, and with the one before the last rotation, whether there was one or not.
    assert [(len(given), len(kept)) for given, kept in compared] == [(32, 32)] * 4


def test_a_digest_of_zeros_opens_nothing_for_an_unknown_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.api.http.auth.compare_digest", lambda _given, _kept: True)

    assert authenticator([KEY]).authenticate("Bearer hf_nobody_x") is None


def test_without_a_secret_before_no_digest_of_zeros_opens_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = iter([False, True])
    monkeypatch.setattr("server.api.http.auth.compare_digest", lambda _given, _kept: next(compared))

    assert authenticator([KEY]).authenticate("Bearer hf_shop_x") is None


def test_one_id_twice_in_the_configuration_is_refused() -> None:
    with pytest.raises(ValueError, match="'shop'"):
        authenticator([KEY, KEY])


def test_a_revoked_key_of_the_configuration_opens_nothing() -> None:
    revoked = msgspec.structs.replace(KEY, revoked_at=datetime(2026, 1, 1, tzinfo=UTC))

    assert authenticator([revoked]).authenticate(HEADER) is None


# -- open to this machine


def test_without_any_key_everybody_on_this_machine_is_local() -> None:
    who = authenticator(loopback=True)

    assert (who.authenticate(None), who.authenticate(HEADER), who.open) == (LOCAL, LOCAL, True)


def test_without_any_key_no_caller_from_elsewhere_is_let_in() -> None:
    who = authenticator(loopback=False)

    assert (who.authenticate(None), who.authenticate(HEADER), who.open) == (None, None, False)


def test_a_key_in_the_configuration_closes_the_server() -> None:
    who = authenticator([KEY], loopback=True)

    assert (who.authenticate(None), who.authenticate(HEADER)) == (None, KEY.principal)
    assert who.any_key


async def test_no_caller_is_let_in_before_the_keys_are_read(keys: ApiKeyStore) -> None:
    who = authenticator(store=keys, loopback=True)
    before = who.authenticate(None)

    await who.refresh()

    assert (before, who.authenticate(None)) == (None, LOCAL)


async def test_the_first_key_in_the_store_closes_the_server(keys: ApiKeyStore) -> None:
    who = authenticator(store=keys, loopback=True)
    await who.refresh()
    token, key = await keys.create([Scope.READ])

    await who.refresh()

    assert (who.authenticate(None), who.authenticate(bearer(token))) == (None, key.principal)


async def test_a_server_whose_keys_are_all_revoked_stays_closed(keys: ApiKeyStore) -> None:
    token, key = await keys.create([Scope.READ])
    await keys.revoke(key.id)
    who = authenticator(store=keys, loopback=True)

    await who.refresh()

    assert (who.authenticate(None), who.authenticate(bearer(token)), who.any_key) == (None, None, True)


async def test_keys_that_vanish_do_not_open_the_server(keys: ApiKeyStore, client: Redis) -> None:
    token, _ = await keys.create([Scope.READ])
    who = authenticator(store=keys, loopback=True)
    await who.refresh()
    await client.delete(KEYS_HASH)

    await who.refresh()

    assert (who.authenticate(None), who.authenticate(bearer(token))) == (None, None)


async def test_a_damaged_record_keeps_the_server_closed_and_is_reported_once(keys: ApiKeyStore, client: Redis) -> None:
    await client.hset(KEYS_HASH, "damaged", b"{")
    who = authenticator(store=keys, loopback=True)

    with structlog.testing.capture_logs() as logs:
        await who.refresh()
        await who.refresh()

    assert who.authenticate(None) is None
    assert [(event["log_level"], event["key_ids"]) for event in logs] == [("error", ("damaged",))]


# -- staying up to date


async def test_partitions_are_the_default_one_and_those_of_all_keys_revoked_or_not(keys: ApiKeyStore) -> None:
    _, key = await keys.create([Scope.READ], "bela")
    await keys.revoke(key.id)
    who = authenticator([KEY], keys)

    await who.refresh()

    assert who.partitions() == {"default", "ada", "bela"}


async def test_the_configuration_wins_where_the_store_has_the_same_id(keys: ApiKeyStore, client: Redis) -> None:
    stolen = msgspec.structs.replace(KEY, sha256=sha256(b"other").hexdigest(), scopes=frozenset({Scope.ADMIN}))
    await client.hset(KEYS_HASH, KEY.id, msgspec.json.encode(stolen))
    who = authenticator([KEY], keys)

    await who.refresh()

    assert (who.authenticate("Bearer hf_shop_other"), who.authenticate(HEADER)) == (None, KEY.principal)


async def test_a_running_server_learns_of_new_and_revoked_keys(keys: ApiKeyStore) -> None:
    who = authenticator(store=keys)
    task = asyncio.create_task(who.run())
    token, key = await keys.create([Scope.READ])
    await until(lambda: who.authenticate(bearer(token)) == key.principal)

    await keys.revoke(key.id)

    await until(lambda: who.authenticate(bearer(token)) is None)
    task.cancel()


async def test_the_last_known_keys_work_while_the_store_is_away(store: StoreProcess, keys: ApiKeyStore) -> None:
    token, key = await keys.create([Scope.READ])
    who = authenticator([KEY], keys)
    await who.refresh()
    store.kill()

    with pytest.raises(StoreUnavailableError):
        await who.refresh()

    assert (who.authenticate(bearer(token)), who.authenticate(HEADER)) == (key.principal, KEY.principal)


async def test_who_follows_the_keys_is_told_of_changes_alone_and_not_while_the_store_is_away(
    store: StoreProcess, keys: ApiKeyStore
) -> None:
    (_, first), (_, second) = await keys.create([Scope.READ]), await keys.create([Scope.READ])
    who = authenticator([KEY], keys)
    told: list[set[str]] = []
    who.tell(told.append)
    await who.refresh()
    await keys.create([Scope.READ])
    await who.refresh()
    assert told == []  # new keys change nothing for those that are there

    await keys.revoke(first.id)
    await who.refresh()
    assert told == [{first.id}]

    await keys.revoke(second.id)
    store.kill()
    with pytest.raises(StoreUnavailableError):
        await who.refresh()
    assert told == [{first.id}]  # what was known stays in force
    store.start()
    await who.refresh()
    assert told == [{first.id}, {second.id}]


async def test_who_follows_the_keys_is_told_when_the_first_one_closes_an_open_server(keys: ApiKeyStore) -> None:
    who = authenticator(store=keys, loopback=True)
    await who.refresh()
    told: list[set[str]] = []
    who.tell(told.append)

    await keys.create([Scope.READ])
    await who.refresh()

    assert told == [{"local"}]


async def test_a_store_that_is_away_is_reported_once(store: StoreProcess, keys: ApiKeyStore) -> None:
    who = authenticator(store=keys)
    store.kill()

    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await who._refresh_if_possible()

    assert [event["log_level"] for event in logs] == ["warning"]


async def test_a_running_server_notices_the_store_s_return(store: StoreProcess, keys: ApiKeyStore) -> None:
    token, key = await keys.create([Scope.READ])
    store.kill()
    who = authenticator(store=keys)
    task = asyncio.create_task(who.run())
    await until(lambda: who._store_away)

    store.start()

    await until(lambda: who.authenticate(bearer(token)) == key.principal)
    task.cancel()
