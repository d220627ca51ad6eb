"""Signatures of webhooks: what Holdfast signs is taken, and nothing else; both clients agree with Standard Webhooks."""

import json
import subprocess
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from holdfast.webhooks import BadSignature, CloudEvent, read, verify
from tests.clients.node import HERE, node

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SECRET = "whsec_" + b64encode(b"s" * 32).decode()
OTHER = "whsec_" + b64encode(b"o" * 32).decode()
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "evt_1",
    "source": "holdfast",
    "type": "stock.out",
    "subject": "ATLAS-TEE",
    "data": {"sku": "ATLAS-TEE", "available": 0},
    "time": "2026-11-30T11:59:59Z",
}
BODY = json.dumps(EVENT).encode()


def signed(body: bytes = BODY, secret: str = SECRET, at: datetime = NOW) -> dict[str, str]:
    signature = Webhook(secret).sign("evt_1", at, body.decode())
    return {"Webhook-Id": "evt_1", "Webhook-Timestamp": str(int(at.timestamp())), "Webhook-Signature": signature}


def taken(body: bytes, headers: dict[str, str], secrets: str | list[str] = SECRET) -> list[CloudEvent]:
    return read(body, headers, secrets, clock=NOW.timestamp)


def test_a_signed_event_is_read() -> None:
    [event] = taken(BODY, signed())

    assert (event.id, event.type, event.subject, event.data["available"]) == ("evt_1", "stock.out", "ATLAS-TEE", 0)


def test_a_batch_of_events_is_read() -> None:
    body = json.dumps([EVENT, {**EVENT, "id": "evt_2"}]).encode()

    assert [event.id for event in taken(body, signed(body))] == ["evt_1", "evt_2"]


def test_while_a_secret_changes_either_is_taken() -> None:
    both = f"{signed(secret=OTHER)['Webhook-Signature']} {signed()['Webhook-Signature']}"

    assert taken(BODY, {**signed(), "Webhook-Signature": both})
    assert taken(BODY, signed(secret=OTHER), [SECRET, OTHER])


REFUSED = [
    {},
    signed(secret=OTHER),
    {**signed(), "Webhook-Id": "evt_2"},
    {**signed(), "Webhook-Timestamp": str(int(NOW.timestamp()) - 1)},
    {**signed(), "Webhook-Timestamp": "soon"},
    {**signed(), "Webhook-Timestamp": "²"},
    {**signed(), "Webhook-Timestamp": "9" * 5_000},
    {**signed(), "Webhook-Id": "\udcff"},
    {**signed(), "Webhook-Signature": "v1,\udcff"},
    {**signed(), "Webhook-Signature": ""},
    {**signed(), "Webhook-Signature": "v1,"},
    {**signed(), "Webhook-Signature": "v1,ş"},
    {**signed(), "Webhook-Signature": signed()["Webhook-Signature"].replace("v1,", "v1a,")},
    {**signed(), "Webhook-Signature": signed()["Webhook-Signature"][:-4]},
    signed(at=datetime(2026, 11, 30, 11, 54, tzinfo=UTC)),
    signed(at=datetime(2026, 11, 30, 12, 6, tzinfo=UTC)),
]


@pytest.mark.parametrize("headers", REFUSED)
def test_everything_else_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        verify(BODY, headers, SECRET, clock=NOW.timestamp)


def test_a_body_that_was_changed_is_refused() -> None:
    with pytest.raises(BadSignature):
        taken(BODY.replace(b'"available": 0', b'"available": 9'), signed())


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%"])
def test_a_secret_that_is_none_is_said_to_be_none(secret: str) -> None:
    with pytest.raises(ValueError, match="the secret of a webhook is whsec_"):
        taken(BODY, signed(), secret)


def test_a_secret_as_it_stands_in_a_file_is_taken() -> None:
    assert taken(BODY, signed(), f" {SECRET}\n")


def test_no_secret_at_all_is_said_to_be_none() -> None:
    with pytest.raises(ValueError, match="the secret of a webhook is whsec_"):
        taken(BODY, signed(), [])


def test_a_tolerance_that_is_no_number_tolerates_nothing() -> None:
    with pytest.raises(BadSignature):
        verify(BODY, signed(at=datetime(2020, 1, 1, tzinfo=UTC)), SECRET, tolerance_s=float("nan"), clock=NOW.timestamp)


def test_a_body_that_was_parsed_before_is_said_to_be_none() -> None:
    with pytest.raises(TypeError, match="raw bytes"):
        verify(EVENT, signed(), SECRET, clock=NOW.timestamp)  # type: ignore[arg-type]  # as callers do


# -- the JavaScript client


def in_node(*deliveries: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Have the JavaScript client read deliveries, all of them now: body, headers, secrets and perhaps options."""
    now_ms = NOW.timestamp() * 1_000
    asked = [
        {
            "body": body,
            "headers": headers,
            "secrets": secrets,
            "now_ms": now_ms,
            "options": options[0] if options else {},
        }
        for body, headers, secrets, *options in deliveries
    ]
    done = subprocess.run(
        [node(), HERE / "webhooks.mjs"], input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=60
    )
    answered: list[dict[str, Any]] = json.loads(done.stdout)
    return answered


def test_javascript_takes_what_is_signed() -> None:
    both = f"{signed(secret=OTHER)['Webhook-Signature']} {signed()['Webhook-Signature']}"
    many = json.dumps([EVENT, {**EVENT, "id": "evt_2"}])

    taken = in_node(
        (BODY.decode(), signed(), SECRET),
        (BODY.decode(), {name.lower(): value for name, value in signed().items()}, SECRET),
        (BODY.decode(), {**signed(), "Webhook-Signature": both}, SECRET),
        (BODY.decode(), signed(secret=OTHER), [SECRET, OTHER]),
        (many, signed(many.encode()), SECRET),
    )

    assert [[event["id"] for event in each["events"]] for each in taken] == [["evt_1"]] * 4 + [["evt_1", "evt_2"]]


def test_javascript_refuses_everything_else() -> None:
    changed = BODY.decode().replace('"available": 0', '"available": 9')

    refused = in_node(*[(BODY.decode(), headers, SECRET) for headers in REFUSED], (changed, signed(), SECRET))

    assert [each.get("error") for each in refused] == ["BadSignature"] * (len(REFUSED) + 1)


def test_javascript_takes_a_secret_as_it_stands_in_a_file() -> None:
    [taken] = in_node((BODY.decode(), signed(), f" {SECRET}\n"))

    assert [event["id"] for event in taken["events"]] == ["evt_1"]


def test_javascript_takes_no_body_that_was_parsed_before_and_no_tolerance_that_is_no_number() -> None:
    old = signed(at=datetime(2020, 1, 1, tzinfo=UTC))

    [parsed, tolerant] = in_node((EVENT, signed(), SECRET), (BODY.decode(), old, SECRET, {"toleranceS": "NaN"}))

    assert "its raw bytes or text, as it came" in parsed["message"]
    assert tolerant["error"] == "BadSignature"


def test_javascript_says_that_a_secret_is_none() -> None:
    secrets: list[str | list[str]] = ["", "whsec_", "whsec_%%%", []]
    refused = in_node(*[(BODY.decode(), signed(), secret) for secret in secrets])

    assert {each["message"] for each in refused} == {
        "the secret of a webhook is whsec_ and bytes in base64, as it stands in the configuration"
    }
