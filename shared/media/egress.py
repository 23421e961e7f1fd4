"""Where connections may go. Each is checked when it is made, including redirects."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from contextlib import AbstractContextManager, contextmanager, nullcontext
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from shared.errors import FetchError
from shared.media.turns import Turns
from shared.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Link-local and cloud metadata addresses: blocked even for Label Studio's own host.
ALWAYS_BLOCKED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",
        "fe80::/10",
        "100.100.100.200/32",  # Alibaba Cloud
        "168.63.129.16/32",  # Azure: looks public
        "192.0.0.192/32",  # Oracle Cloud
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254/128",  # Google Cloud
        "64:ff9b:1::/48",  # local NAT64: where in it the IPv4 address is, each network decides
    )
)
# IPv6 addresses that end with an IPv4 one: NAT64 (RFC 6052), compatible, translated (SIIT).
TRANSLATED_NETWORKS = tuple(
    ipaddress.ip_network(network) for network in ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")
)
# The only part of IPv6 that is routed over the internet; Python's `is_global` allows more.
PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")

# Lookups at the same time, including those whose request has given up.
MAX_LOOKUPS = 64
_lookups = threading.BoundedSemaphore(MAX_LOOKUPS)


class EgressPolicy:
    """The rules for hosts and addresses.

    Label Studio's own address is always open. Others must be public, or in a network that
    ALLOWED_NETWORKS lists, and match ALLOWED_HOSTS where that is set.
    """

    def __init__(self, settings: Settings) -> None:
        self._hosts = [pattern.lower() for pattern in settings.allowed_hosts]
        self._networks = settings.allowed_networks
        home = urlsplit(settings.label_studio_url or "")
        port = home.port or (443 if home.scheme == "https" else 80)
        self._home = (home.hostname, port) if home.hostname else None

    def allowed_addresses(self, host: str, port: int, seconds: float | None = None) -> list[str]:
        """Return the host's addresses; FetchError if connections to it are not allowed.

        httpcore.ConnectTimeout if they cannot be resolved within `seconds`.
        """
        home = (host.lower(), port) == self._home
        if self._hosts and not home and not any(fnmatch(host.lower(), h) for h in self._hosts):
            raise FetchError(f"Host {host} is not in ALLOWED_HOSTS", cause="host_not_allowed")
        try:
            found = _resolve_host(host, port, seconds)
        except (OSError, UnicodeError):
            raise FetchError(f"Host {host} cannot be resolved") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            self._check_address(host, _effective_address(address), home)
        return addresses

    def _check_address(self, host: str, address: Address, home: bool) -> None:
        if any(address in network for network in ALWAYS_BLOCKED):
            raise FetchError(
                f"Host {host} has a link-local or metadata address: never fetched",
                cause="blocked_address",
            )
        if home or _is_public(address):
            return
        if not any(address in network for network in self._networks):
            raise FetchError(
                f"Host {host} has a private address; set ALLOWED_NETWORKS to fetch from there"
                " (or LABEL_STUDIO_URL if it is Label Studio)",
                cause="private_address",
            )


def _resolve_host(host: str, port: int, seconds: float | None) -> list[Any]:
    """Resolve a host in a thread, since the system's resolver takes no time limit."""
    if seconds is None:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    until = time.monotonic() + seconds
    if not _lookups.acquire(timeout=seconds):
        raise httpcore.ConnectTimeout(f"Too many hosts are being looked up to begin with {host}")
    found: Future[list[Any]] = Future()
    threading.Thread(
        target=_resolve_into, args=(host, port, found), name="dns", daemon=True
    ).start()
    try:
        return found.result(max(0.0, until - time.monotonic()))
    except Late:
        raise httpcore.ConnectTimeout(f"Host {host} was not looked up in time") from None


def _resolve_into(host: str, port: int, found: "Future[list[Any]]") -> None:
    try:
        found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        found.set_exception(error)
    finally:
        _lookups.release()


def _is_public(address: Address) -> bool:
    unicast = address.version == 4 or address in PUBLIC_IPV6
    return unicast and address.is_global and not address.is_multicast


def _effective_address(text: str) -> Address:
    """Return the address, or the IPv4 address that an IPv6 one is translated to."""
    address = ipaddress.ip_address(text.split("%", 1)[0])
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if any(address in network for network in TRANSLATED_NETWORKS) and int(address) > 1:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


class AnyAddress:
    """No rules: for a service whose address a setting names, not a task."""

    def allowed_addresses(self, host: str, port: int, seconds: float | None = None) -> list[str]:
        """Return the host's addresses; httpcore.ConnectError if it has none."""
        try:
            found = _resolve_host(host, port, seconds)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError(f"Host {host} cannot be resolved") from None
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _CheckedBackend(httpcore.SyncBackend):
    """Connects to the checked addresses, so that DNS cannot change between check and connection."""

    def __init__(self, policy: EgressPolicy | AnyAddress) -> None:
        self._policy = policy

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception | None = None
        with _without_turn():
            for address in self._policy.allowed_addresses(host, port, _seconds_left(timeout)):
                try:
                    stream = super().connect_tcp(
                        address, port, _seconds_left(timeout), local_address, socket_options
                    )
                    return _TimedStream(stream)
                except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                    failure = error
        raise failure or httpcore.ConnectError(f"Host {host} has no address")

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        raise FetchError("Fetching from Unix sockets is not allowed")


class _TimedStream(httpcore.NetworkStream):
    """A connection whose reads and writes end at the time limit of the whole fetch."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _without_turn():
            return self._stream.read(max_bytes, _seconds_left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _without_turn():
            self._stream.write(buffer, _seconds_left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        with _without_turn():
            return _TimedStream(
                self._stream.start_tls(ssl_context, server_hostname, _seconds_left(timeout))
            )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


_fetch = threading.local()


@contextmanager
def time_limit(seconds: float, turns: Turns | None = None) -> Iterator[None]:
    """Limit everything this thread does over the network: connecting, redirects, the body.

    httpx limits single reads only: a server could send one byte at a time for hours. If the thread
    has a turn of `turns`, others get it while this one waits for the network.
    """
    _fetch.until, _fetch.turns = time.monotonic() + seconds, turns
    try:
        yield
    finally:
        del _fetch.until, _fetch.turns


def _without_turn() -> AbstractContextManager[None]:
    turns: Turns | None = getattr(_fetch, "turns", None)
    return nullcontext() if turns is None else turns.give_back()


def _seconds_left(timeout: float | None) -> float | None:
    until: float | None = getattr(_fetch, "until", None)
    if until is None:
        return timeout
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("The time limit is over")
    return left if timeout is None else min(timeout, left)


def ssl_context(settings: Settings) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities (or SSL_CERT_FILE) and CA_FILE's."""
    return _trusted_context(settings.ca_file)


@cache
def _trusted_context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def http_client(settings: Settings) -> httpx.Client:
    """Build a client whose connections all follow the egress policy. It uses no proxy."""
    return httpx.Client(
        transport=_transport(settings, EgressPolicy(settings), 32),
        timeout=httpx.Timeout(settings.fetch_timeout, connect=min(5.0, settings.fetch_timeout)),
        follow_redirects=True,
        max_redirects=5,
        headers={"User-Agent": "prelabel"},
    )


def service_client(settings: Settings, seconds: float, connections: int) -> httpx.Client:
    """Build a client of a service that a setting names; `time_limit` holds for it, too.

    It follows no redirect and uses no proxy, so that nothing goes elsewhere.
    """
    return httpx.Client(
        transport=_transport(settings, AnyAddress(), connections),
        timeout=httpx.Timeout(seconds, connect=min(5.0, seconds)),
        follow_redirects=False,
        headers={"User-Agent": "prelabel"},
    )


def _transport(
    settings: Settings, policy: EgressPolicy | AnyAddress, connections: int
) -> httpx.HTTPTransport:
    transport = httpx.HTTPTransport(verify=ssl_context(settings), trust_env=False)
    transport._pool = httpcore.ConnectionPool(
        ssl_context=ssl_context(settings),
        max_connections=connections,
        max_keepalive_connections=connections,
        keepalive_expiry=30.0,
        network_backend=_CheckedBackend(policy),
    )
    return transport


def describe_error(error: Exception) -> str:
    """Describe in a few words why a connection failed, without its address."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        why = text.rpartition("verify failed: ")[2].partition(" (_ssl")[0]
        return f"its certificate is not trusted ({why}); CA_FILE names those of a private CA"
    return text if isinstance(error, httpx.ConnectError) and text else type(error).__name__
