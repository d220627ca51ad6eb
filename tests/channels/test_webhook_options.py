"""What the webhook adapter may be configured with, and how it refuses the rest without showing a secret."""

import base64
from typing import Any, Final

import msgspec
import pytest

from adapters.webhook import ADAPTER, Options
from tests.channels.webhook_receiver import SECRET

CREDENTIALS: Final = {"secret": SECRET}


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_not base64 at all!!!!!!!!!!!!!!!!!!!!!",
        "whsec_çççççççççççççççççççççççççççççççççççç",
        base64.b64encode(b"without the prefix it has").decode(),
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        SECRET + "\n",
    ],
)
@pytest.mark.parametrize("name", ["secret", "previous_secret"])
def test_a_secret_of_another_form_is_refused_without_being_shown(name: str, secret: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be whsec_ and then 24 to 64 random bytes") as caught:
        ADAPTER.build(Options(url="https://shop.test/"), {**CREDENTIALS, name: secret})

    assert secret in {"", "whsec_"} or secret.strip().removeprefix("whsec_") not in str(caught.value)


@pytest.mark.parametrize("length_bytes", [24, 25, 64])
@pytest.mark.parametrize("is_padded", [True, False])
def test_a_secret_of_the_right_form_is_taken(length_bytes: int, *, is_padded: bool) -> None:
    text = base64.b64encode(b"x" * length_bytes).decode()

    ADAPTER.build(Options(url="https://shop.test/"), {"secret": "whsec_" + (text if is_padded else text.rstrip("="))})


@pytest.mark.parametrize("bearer", ["", "two words", "line\nbreak", "tokén"])
def test_a_bearer_that_no_header_can_hold_is_refused_without_being_shown(bearer: str) -> None:
    with pytest.raises(ValueError, match=r"^bearer must be") as caught:
        ADAPTER.build(Options(url="https://shop.test/"), {**CREDENTIALS, "bearer": bearer})

    assert not bearer or bearer not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"url": "shop.test/hook"},
        {"url": "ftp://shop.test/"},
        {"url": "https://"},
        {"url": "https://me:hush@shop.test/"},
        {"url": "https://shop.test/#part"},
        {"url": "https://shop.test/", "batch_max": 0},
        {"url": "https://shop.test/", "batch_max": 51},
        {"url": "https://shop.test/", "in_flight_max": 0},
        {"url": "https://shop.test/", "source": ""},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(options, Options)

    assert "hush" not in str(caught.value)


def test_options_say_how_much_may_be_on_its_way() -> None:
    built = [
        ADAPTER.build(Options(url="https://shop.test/", batch_max=most, in_flight_max=3), CREDENTIALS).capabilities
        for most in (1, 20)
    ]

    assert [(each.items_max, each.result, each.requests_in_flight_max) for each in built] == [
        (1, "per_item", 3),
        (20, "whole", 3),
    ]
