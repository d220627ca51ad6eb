"""Tokens for browsers: what is signed comes back, and nothing else does."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.browser_tokens import PREFIX, TEXT_MAX, BrowserTokens

ONE, OTHER = b"1" * 32, b"2" * 32
NOW_S = 1_800_000_000.0
UNTIL_S = int(NOW_S) + 60
TOKENS = BrowserTokens([ONE])


def token(**fields: object) -> str:
    return TOKENS.make("shop", "ada", UNTIL_S, **fields)  # type: ignore[arg-type]


@given(channel=st.text(max_size=20), skus=st.lists(st.text(min_size=1, max_size=20), max_size=10))
def test_what_a_token_says_is_what_it_was_made_of(channel: str, skus: list[str]) -> None:
    claims = TOKENS.read(token(channel=channel, skus=skus), NOW_S)

    assert claims is not None
    assert (claims.key_id, claims.partition, claims.until_s) == ("shop", "ada", UNTIL_S)
    assert (claims.channel, claims.skus) == (channel, tuple(skus))


def test_a_token_ends_with_its_time() -> None:
    assert TOKENS.read(token(), UNTIL_S - 0.001) is not None
    assert TOKENS.read(token(), UNTIL_S) is None


def test_a_token_that_was_changed_anywhere_is_none() -> None:
    made = token(skus=["A"])
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # Of the last letter some bits stand for nothing, so it is left alone.
    for at in range(len(PREFIX), len(made) - 1):
        other = alphabet[(alphabet.index(made[at]) + 1) % len(alphabet)]
        assert TOKENS.read(made[:at] + other + made[at + 1 :], NOW_S) is None, at


@given(st.text(max_size=200))
def test_what_nobody_signed_is_none(text: str) -> None:
    assert TOKENS.read(text, NOW_S) is None
    assert TOKENS.read(PREFIX + text, NOW_S) is None


def test_random_bytes_and_what_is_too_long_are_none() -> None:
    for length in (0, 1, 31, 32, 33, 100):
        assert TOKENS.read(PREFIX + secrets.token_urlsafe(length), NOW_S) is None
    assert TOKENS.read(token(skus=["x" * 100] * 100), NOW_S) is None
    assert len(token(skus=["x" * 100] * 100)) > TEXT_MAX


def test_a_secret_can_be_replaced_while_its_tokens_live() -> None:
    before = token()
    both, after = BrowserTokens([OTHER, ONE]), BrowserTokens([OTHER])

    assert both.read(before, NOW_S) is not None
    assert TOKENS.read(both.make("shop", "ada", UNTIL_S), NOW_S) is None
    assert after.read(both.make("shop", "ada", UNTIL_S), NOW_S) is not None
    assert after.read(before, NOW_S) is None


@pytest.mark.parametrize("shown", [repr(TOKENS), str(TOKENS)])
def test_no_secret_is_shown(shown: str) -> None:
    assert shown == "BrowserTokens(1 secrets)"
