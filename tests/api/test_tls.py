"""TLS at the server's own port: with a certificate of an authority that the test has made."""

import asyncio
import contextlib
import shutil
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import wait_until
from tests.support.http import Answer, Api, Key, Server
from tests.support.processes import holdfast
from tests.support.stores import Certificates, make_certificates

pytestmark = pytest.mark.timeout(240)
OWNER = Key("owner", "default")
SKU = "TS-1"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return _made(tmp_path / "first")


def _made(folder: Path) -> Certificates:
    folder.mkdir()
    return make_certificates(folder)


def serving(certificates: Certificates, **settings: Any) -> Server:
    return Server(keys=[OWNER], tls_cert=certificates.certificate, tls_key=certificates.key, **settings)


def trusting(certificates: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificates.authority))


@contextlib.asynccontextmanager
async def opened(server: Server, certificates: Certificates) -> AsyncIterator[Api]:
    connector = aiohttp.TCPConnector(ssl=trusting(certificates))
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Api(session, f"https://127.0.0.1:{server.port}", OWNER)


async def shown_serial(server: Server, certificates: Certificates) -> str:
    """Return the serial number of the certificate that a new connection is shown."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusting(certificates))
    found: str = writer.get_extra_info("peercert")["serialNumber"]
    writer.close()
    del reader
    return found


@pytest.mark.parametrize("workers", [1, 2])
async def test_requests_and_streams_are_answered(certificates: Certificates, workers: int) -> None:
    with serving(certificates, workers=workers) as server:
        async with opened(server, certificates) as api:
            await api.count(SKU, 5)
            body = {"reservation_id": "r-1", "channel": "web", "lines": [{"sku": SKU, "quantity": 2}]}
            (await api.post("/v1/reservations", body)).ok(201)
            assert (await api.get(f"/v1/availability/{SKU}")).ok()["available"] == 3
            assert (await api.get("/readyz")).ok() == {"status": "ok"}
            events = asyncio.create_task(_first_event(api))
            for number in range(200):
                await api.count(SKU, 10 + number)
                if events.done():
                    break
            assert (await events).startswith("event:")
        assert server.faults == []
        assert server.stop() == 0


async def _first_event(api: Api) -> str:
    headers = {"Authorization": f"Bearer {OWNER.token}"}
    async with api._session.get(api._url + "/v1/changes", headers=headers) as answer:
        async for line in answer.content:
            if line.startswith(b"event: availability"):
                return line.decode()
    return ""


async def test_the_express_lane_answers_the_same_as_the_ordinary_way(certificates: Certificates) -> None:
    answers: list[list[tuple[int, object, dict[str, str]]]] = []
    for lane in ("true", "false"):
        with serving(certificates, express_lane=lane) as server:
            async with opened(server, certificates) as api:
                await api.count(SKU, 50)
                answers.append([])
                for number in range(20):
                    lines = [{"sku": SKU, "quantity": 3}]
                    reserve = {"reservation_id": f"r-{number}", "channel": "web", "lines": lines}
                    answers[-1].append(_told(await api.post("/v1/reservations", reserve)))
                    answers[-1].append(_told(await api.get(f"/v1/availability/{SKU}")))
    assert answers[0] == answers[1]


def _told(answer: Answer) -> tuple[int, object, dict[str, str]]:
    """Return an answer without its times."""
    headers = {name: answer.headers[name] for name in ("Content-Type", "Server")}
    body = {name: value for name, value in answer.body.items() if not name.endswith(("_at", "as_of"))}
    return answer.status, body, headers


async def test_given_another_authority_or_no_tls_then_nobody_is_answered(
    certificates: Certificates, tmp_path: Path
) -> None:
    other = _made(tmp_path / "other")
    with serving(certificates) as server:
        async with opened(server, other) as api:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await api.get("/livez")
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get(f"http://127.0.0.1:{server.port}/livez")
        assert server.faults == []


async def test_given_a_new_certificate_when_reloaded_then_new_connections_are_shown_it_and_open_ones_go_on(
    certificates: Certificates, tmp_path: Path
) -> None:
    with serving(certificates) as server:
        async with opened(server, certificates) as api:
            await api.count(SKU, 5)
            before = await shown_serial(server, certificates)
            new = _made(tmp_path / "new")
            for name in ("certificate", "key"):
                shutil.copy(getattr(new, name), getattr(certificates, name))
            server.process.send_signal(signal.SIGHUP)
            await wait_until(lambda: "configuration_reloaded" in server.stderr, "it is reloaded")

            assert await shown_serial(server, new) != before
            assert (await api.get(f"/v1/availability/{SKU}")).ok()["available"] == 5, "on the connection of before"

            shutil.copy(_made(tmp_path / "third").certificate, certificates.certificate)  # and not its key
            server.process.send_signal(signal.SIGHUP)
            await wait_until(lambda: "configuration_not_reloaded" in server.stderr, "it is refused")
            assert "another certificate" in server.stderr
            async with opened(server, new) as again:
                assert (await again.get(f"/v1/availability/{SKU}")).ok()["available"] == 5


async def test_given_a_caller_that_begins_no_handshake_then_it_is_hung_up_on(certificates: Certificates) -> None:
    with serving(certificates, first_request_timeout_s=1) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

        assert await asyncio.wait_for(reader.read(), 20) == b""

        writer.close()
        assert server.faults == []


async def test_old_versions_of_tls_are_refused(certificates: Certificates) -> None:
    old = trusting(certificates)
    old.minimum_version, old.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_2
    modern = trusting(certificates)
    modern.minimum_version = ssl.TLSVersion.TLSv1_3
    with serving(certificates) as server:
        for context, version in ((old, "TLSv1.2"), (modern, "TLSv1.3")):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
            assert writer.get_extra_info("ssl_object").version() == version
            writer.close()


def test_given_files_that_cannot_be_served_then_the_check_says_why(certificates: Certificates, tmp_path: Path) -> None:
    other = _made(tmp_path / "other")
    locked = tmp_path / "locked.pem"
    subprocess.run(
        ["openssl", "pkey", "-in", certificates.key, "-aes256", "-passout", "pass:x", "-out", locked],
        check=True, capture_output=True,
    )  # fmt: skip

    def said(cert: Path | None, key: Path | None) -> str:
        files = {"HOLDFAST_TLS_CERT": cert, "HOLDFAST_TLS_KEY": key}
        given = {name: str(path) for name, path in files.items() if path is not None}
        return holdfast("config", "check", cwd=tmp_path, **given).stdout

    assert "would start" in said(certificates.certificate, certificates.key)
    assert "set both, or none" in said(certificates.certificate, None)
    assert "another certificate" in said(certificates.certificate, other.key)
    assert "needs a passphrase" in said(certificates.certificate, locked)
    assert "no certificate and key in PEM" in said(certificates.key, certificates.key)
    assert "No such file" in said(tmp_path / "nowhere", certificates.key)
