"""TLS at the server's own port: a certificate and its key from files, which can be replaced while it serves."""

import ssl
from pathlib import Path
from typing import Final, NamedTuple

_PROTOCOLS: Final = ["http/1.1"]


class TlsError(Exception):
    """The certificate cannot be served; the message says why, and shows nothing of the key."""


class TlsFiles(NamedTuple):
    """Where the certificate is, with those between it and its authority behind it, and where its key is."""

    certificate: Path
    key: Path


class Tls:
    """What new connections are shown; those that are open keep what they were shown."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.listening = listening = _bare_context()
        """For the listener, whose certificate is that of the newest context."""

        def choose(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _of: ssl.SSLContext) -> None:
            connection.context = self._context

        listening.sni_callback = choose

    def replace(self, context: ssl.SSLContext) -> None:
        """Show another certificate from now on."""
        self._context = context


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Read a certificate and its key.

    Raises
    ------
    TlsError
        One cannot be read, the key needs a passphrase, or it is that of another certificate.

    """
    context = _bare_context()
    for path in files:
        try:
            path.read_bytes()
        except OSError as error:
            raise TlsError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(_reason(files, error)) from None
    return context


def _bare_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(_PROTOCOLS)
    return context


def _no_passphrase() -> str:
    raise ValueError("passphrase")


def _reason(files: TlsFiles, error: Exception) -> str:
    text, key = str(error), files.key
    if "passphrase" in text:
        return f"The key {key} needs a passphrase, which nobody could type. Write it without one, with mode 0600."
    if "KEY_VALUES_MISMATCH" in text or "key values mismatch" in text:
        return f"The key {key} is that of another certificate than {files.certificate}. Name two that belong together."
    return (
        f"{files.certificate} and {key} are no certificate and key in PEM. Write the certificate first, then its chain."
    )
