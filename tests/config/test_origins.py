"""The origins of web pages: as browsers write them, or the start says how."""

import pytest

from server.config.origins import cors_origins
from server.config.settings import ConfigError, load_settings


def read(text: str) -> frozenset[str]:
    return cors_origins(load_settings({"HOLDFAST_CORS_ORIGINS": text}))


def test_there_is_none_without_a_setting() -> None:
    assert read("") == frozenset()


@pytest.mark.parametrize(
    "origin",
    ["https://shop.example", "http://localhost:5173", "http://127.0.0.1:8000", "https://[::1]:8443", "*"],
)
def test_an_origin_is_read_as_it_stands(origin: str) -> None:
    assert read(f" {origin} ,") == {origin}


def test_several_are_separated_by_commas() -> None:
    assert read("https://a.example, https://b.example:8443") == {"https://a.example", "https://b.example:8443"}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("https://shop.example/", "https://shop.example"),
        ("https://shop.example/page?x=1#y", "https://shop.example"),
        ("https://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("HTTPS://shop.example:8443", "https://shop.example:8443"),
    ],
)
def test_what_no_browser_would_send_is_refused_with_what_it_sends(text: str, meant: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(text)

    assert str(refused.value).endswith(f"Write {meant}")


@pytest.mark.parametrize(
    "text",
    ["shop.example", "null", "https://", "ftp://shop.example", "https://*.shop.example", "https://şok.example",
     "https://u:p@shop.example", "https://shop.example:port", "https://shop.example:99999", "https://[::1"],
)  # fmt: skip
def test_what_is_no_origin_stops_the_start_and_says_what_is_one(text: str) -> None:
    with pytest.raises(ConfigError, match="HOLDFAST_CORS_ORIGINS"):
        read(text)
