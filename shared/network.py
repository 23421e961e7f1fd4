"""Where connections may go: every one is checked when it is made, redirects included."""

import ipaddress
import socket
import ssl
from collections.abc import Iterable
from fnmatch import fnmatch
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from shared.errors import FetchError
from shared.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NEVER = tuple(
    ipaddress.ip_network(network)
    for network in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32")
)
"""Link-local and metadata addresses of clouds: not even for Label Studio's own host."""


class Doors:
    """The rules about hosts and addresses.

    Label Studio's own address is always open. Others must be public, or in a network that
    ALLOWED_NETWORKS lists, and match ALLOWED_HOSTS where that is set.
    """

    def __init__(self, settings: Settings) -> None:
        self._hosts = settings.allowed_hosts
        self._networks = settings.allowed_networks
        home = urlsplit(settings.label_studio_url or "")
        port = home.port or (443 if home.scheme == "https" else 80)
        self._home = (home.hostname, port) if home.hostname else None

    def addresses(self, host: str, port: int) -> list[str]:
        """The host's addresses if a connection may be made; FetchError says why not."""
        home = (host.lower(), port) == self._home
        if self._hosts and not home and not any(fnmatch(host.lower(), h) for h in self._hosts):
            raise FetchError(f"Host {host} is not in ALLOWED_HOSTS")
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise FetchError(f"Host {host} is not known") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            self._check(host, _address(address), home)
        return addresses

    def _check(self, host: str, address: Address, home: bool) -> None:
        if any(address in network for network in NEVER):
            raise FetchError(f"Host {host} has a link-local or metadata address: never fetched")
        if home or (address.is_global and not address.is_multicast):
            return
        if not any(address in network for network in self._networks):
            raise FetchError(
                f"Host {host} has a private address; set ALLOWED_NETWORKS to fetch from there"
                " (or LABEL_STUDIO_URL if it is Label Studio)"
            )


def _address(text: str) -> Address:
    address = ipaddress.ip_address(text.split("%", 1)[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


class _CheckedBackend(httpcore.SyncBackend):
    """Connects to the very addresses that were checked, so that DNS cannot change in between."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception | None = None
        for address in self._doors.addresses(host, port):
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as error:
                failure = error
        raise failure or httpcore.ConnectError(f"Host {host} has no address")

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        raise FetchError("Unix sockets are not fetched from")


def client(settings: Settings) -> httpx.Client:
    """A client whose every connection passes the doors. It uses no proxy."""
    transport = httpx.HTTPTransport(trust_env=False)
    transport._pool = httpcore.ConnectionPool(
        ssl_context=ssl.create_default_context(),
        max_connections=32,
        max_keepalive_connections=16,
        keepalive_expiry=30.0,
        network_backend=_CheckedBackend(Doors(settings)),
    )
    return httpx.Client(
        transport=transport,
        timeout=httpx.Timeout(settings.fetch_timeout, connect=min(5.0, settings.fetch_timeout)),
        follow_redirects=True,
        max_redirects=5,
        headers={"User-Agent": "prelabel"},
    )
