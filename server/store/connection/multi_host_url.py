"""Store URLs that name several servers: ``redis+sentinel://`` and ``redis+cluster://``, with TLS as ``rediss+…``."""

from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from server.store.errors import StoreUrlError

SENTINEL_PORT: Final = 26_379
STORE_PORT: Final = 6_379
SENTINEL_OPTIONS: Final = frozenset({"sentinel_username", "sentinel_password"})
_SAMPLES: Final = {
    "sentinel": "user:password@sentinel-1:26379,sentinel-2:26379/mymaster",
    "cluster": "user:password@node-1:6379,node-2:6379",
}

Host = tuple[str, int]


class SeveralHosts(NamedTuple):
    """The parts of a URL. ``store_url`` is that of one plain store with the same options, for redis-py to read."""

    kind: str
    tls: bool
    hosts: tuple[Host, ...]
    service: str
    store_url: str
    sentinel_login: dict[str, Any]

    @property
    def name(self) -> str:
        """Name the hosts in messages; without user and password."""
        listed = ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{listed}/{self.service}" if self.service else listed


def is_several(url: str) -> bool:
    """Whether a URL names several servers."""
    scheme, separator, _ = url.partition("://")
    return bool(separator) and scheme.endswith(("+sentinel", "+cluster"))


def take_apart(url: str) -> SeveralHosts:
    """Read such a URL.

    Raises
    ------
    StoreUrlError
        It cannot be read; the message never repeats it, for it may hold a password.

    """
    scheme, _, _ = url.partition("://")
    protocol, _, kind = scheme.partition("+")
    sample = f"{scheme}://{_SAMPLES.get(kind, '')}"
    if protocol not in ("redis", "rediss"):
        raise StoreUrlError(f"The store URL begins with {scheme}://; write it as {sample.replace(protocol, 'redis')}.")
    parts = urlsplit(url)
    if parts.fragment:
        raise StoreUrlError("The store URL holds a bare #. Write it as %23.")
    user, at, listed = parts.netloc.rpartition("@")
    hosts = tuple(
        _host(each, SENTINEL_PORT if kind == "sentinel" else STORE_PORT, sample) for each in listed.split(",")
    )
    service = parts.path.strip("/")
    if kind == "sentinel" and (not service or "/" in service):
        raise StoreUrlError(f"The store URL names no primary. Its path is what the sentinels call it: {sample}.")
    if kind == "cluster" and service not in ("", "0"):
        raise StoreUrlError("The store URL names a database; a cluster has only one, so leave its path out.")
    options = parse_qs(parts.query, keep_blank_values=True)
    login = {name.removeprefix("sentinel_"): options.pop(name)[-1] for name in SENTINEL_OPTIONS & options.keys()}
    if login and kind != "sentinel":
        raise StoreUrlError("The store URL has a login for sentinels, and names a cluster. Remove it.")
    store_url = f"{protocol}://{user}{at}store:{STORE_PORT}/"
    if options:
        store_url += "?" + urlencode(options, doseq=True)
    return SeveralHosts(kind, protocol == "rediss", hosts, service, store_url, login)


def _host(text: str, port_default: int, sample: str) -> Host:
    name, separator, port = text.rpartition(":")
    if not separator or text.endswith("]"):
        name, port = text, str(port_default)
    name = name.strip("[]")
    if not name or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004  # the largest port there is
        raise StoreUrlError(f"The hosts of the store URL cannot be read. Write them as {sample}.")
    return name, int(port)
