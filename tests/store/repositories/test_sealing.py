"""What is encrypted before it is stored: bound to its place, and opened by the key that is named beside it."""

import msgspec
import pytest

from server.store.repositories.channel_tokens import _Record as KeptRecord
from server.store.repositories.sealing import Sealed, Sealer, SealError, key_id, sealed_with

OLD, NEW = b"o" * 32, b"n" * 32


def test_a_secret_comes_back_at_its_place_and_nowhere_else() -> None:
    sealer = Sealer([OLD])
    sealed = sealer.seal("a made-up secret", "shop\0access_token")

    assert sealer.open(sealed, "shop\0access_token") == "a made-up secret"
    for place in ("shop\0refresh_token", "other\0access_token", ""):
        with pytest.raises(SealError, match="sign in again"):
            sealer.open(sealed, place)


def test_nothing_of_a_secret_is_in_what_is_stored_and_equal_ones_differ() -> None:
    sealer = Sealer([OLD])
    one, other = sealer.seal("a made-up secret", "p"), sealer.seal("a made-up secret", "p")

    assert b"secret" not in one.ciphertext
    assert one.nonce != other.nonce
    assert one.ciphertext != other.ciphertext


@pytest.mark.parametrize("change", [{"ciphertext": b"\0" * 32}, {"nonce": b"\0" * 12}, {"ciphertext": b""}])
def test_what_was_changed_is_not_opened(change: dict[str, bytes]) -> None:
    sealer = Sealer([OLD])
    sealed = sealer.seal("a made-up secret", "p")
    fields = {"key_id": sealed.key_id, "nonce": sealed.nonce, "ciphertext": sealed.ciphertext}

    with pytest.raises(SealError):
        sealer.open(Sealed(**{**fields, **change}), "p")  # type: ignore[arg-type]  # the key's id is text


def test_the_first_key_encrypts_and_each_opens_its_own() -> None:
    old, both, new = Sealer([OLD]), Sealer([NEW, OLD]), Sealer([NEW])
    before, after = old.seal("a", "p"), both.seal("a", "p")

    assert (both.open(before, "p"), both.open(after, "p"), new.open(after, "p")) == ("a", "a", "a")
    assert (both.is_current(before), both.is_current(after)) == (False, True)
    with pytest.raises(SealError, match=f"{key_id(OLD)}.*HOLDFAST_SECRET_KEY"):
        new.open(before, "p")


def test_no_description_shows_a_key() -> None:
    text = repr(Sealer([NEW, OLD]))

    assert OLD.hex() not in text
    assert OLD.decode() not in text


def test_a_stored_record_names_the_keys_that_it_needs_and_anything_else_none() -> None:
    values = {"access": Sealer([OLD]).seal("a", "p"), "refresh": Sealer([NEW]).seal("b", "p")}
    record = KeptRecord("kind", values, 1, 2, 3, "", "", "")

    assert sealed_with(msgspec.msgpack.encode(record)) == {key_id(OLD), key_id(NEW)}
    for other in (b"", b"\xc1", msgspec.msgpack.encode(7), msgspec.msgpack.encode([1, 2]), msgspec.msgpack.encode({})):
        assert sealed_with(other) == set()
