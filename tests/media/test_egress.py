import socket
import threading
from typing import Any

import pytest

from shared.errors import FetchError
from shared.media import egress
from shared.media.egress import EgressPolicy
from shared.media.reader import MediaReader
from shared.settings import Settings
from tests.media.web import says, web

EVERYWHERE = "0.0.0.0/0,::/0"


def doors(home: str | None = None, networks: str = "", hosts: str = "") -> EgressPolicy:
    return EgressPolicy(
        Settings(label_studio_url=home, allowed_networks=networks, allowed_hosts=hosts)
    )


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "2001:4860:4860::8888",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ],
)
def test_public_address_is_open(address: str) -> None:
    assert doors().allowed_addresses(address, 443) == [address]


PRIVATE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "localhost",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "224.0.0.1",
    "240.0.0.1",
    "::1",
    "::",
    "::127.0.0.1",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "::ffff:0:7f00:1",
    "fec0::1",
    "4000::1",
    "2001::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_address_is_closed(address: str) -> None:
    with pytest.raises(FetchError, match=r"has a private address; set ALLOWED_NETWORKS"):
        doors().allowed_addresses(address, 80)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "fe80::1",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "::ffff:0:a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:a9fe:a9:fe00::",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.16689662",
        "2852039166",
    ],
)
@pytest.mark.parametrize("networks", ["", EVERYWHERE], ids=["by-default", "everything-allowed"])
@pytest.mark.parametrize("home", [False, True], ids=["any-host", "label-studio"])
def test_metadata_address_is_never_open(address: str, networks: str, home: bool) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(FetchError, match="link-local or metadata address"):
        doors(f"http://{host}" if home else None, networks).allowed_addresses(address, 80)


@pytest.mark.parametrize(
    ("networks", "address", "is_open"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "11.0.0.1", True),
        ("10.0.0.0/8", "192.168.0.1", False),
        ("10.0.0.0/8", "fc00::1", False),
        ("10.0.0.0/8,fc00::/7", "fc00::1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        (EVERYWHERE, "192.168.0.1", True),
    ],
)
def test_allowed_networks(networks: str, address: str, is_open: bool) -> None:
    if is_open:
        assert doors(networks=networks).allowed_addresses(address, 80)
    else:
        with pytest.raises(FetchError, match="private address"):
            doors(networks=networks).allowed_addresses(address, 80)


@pytest.mark.parametrize(
    ("hosts", "host", "words"),
    [
        pytest.param("8.8.8.8", "8.8.8.8", None, id="listed"),
        pytest.param("8.8.*", "8.8.8.8", None, id="pattern"),
        pytest.param("9.9.9.9", "8.8.8.8", "not in ALLOWED_HOSTS", id="not-listed"),
        pytest.param("*.invalid", "a.invalid", "cannot be resolved", id="listed-but-unknown"),
        pytest.param("*.invalid", "A.INVALID", "cannot be resolved", id="capitals-in-the-address"),
        pytest.param("*.Invalid", "a.invalid", "cannot be resolved", id="capitals-in-the-setting"),
        pytest.param("*.invalid", "invalid", "not in ALLOWED_HOSTS", id="pattern-needs-a-name"),
        pytest.param("a.invalid", "a.invalid.evil", "not in ALLOWED_HOSTS", id="longer-name"),
        pytest.param("localhost", "localhost", "private address", id="both-rules-hold"),
    ],
)
def test_allowed_hosts(hosts: str, host: str, words: str | None) -> None:
    if words is None:
        assert doors(hosts=hosts).allowed_addresses(host, 443) == [host]
        return
    with pytest.raises(FetchError, match=words):
        doors(hosts=hosts).allowed_addresses(host, 443)


@pytest.mark.parametrize(
    ("home", "host", "port", "is_open"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("http://127.0.0.1:8080/sub", "127.0.0.1", 8080, True),
        ("http://127.0.0.1:8080", "127.0.0.1", 22, False),
        ("http://127.0.0.1:8080", "127.0.0.2", 8080, False),
        ("http://127.0.0.1:8080", "localhost", 8080, False),
        ("http://LOCALHOST:8080", "localhost", 8080, True),
        ("http://localhost:8080", "LocalHost", 8080, True),
        ("http://127.0.0.1", "127.0.0.1", 80, True),
        ("https://127.0.0.1", "127.0.0.1", 443, True),
        ("https://127.0.0.1", "127.0.0.1", 80, False),
        ("http://[::1]:8080", "::1", 8080, True),
    ],
)
def test_label_studio_is_open_at_its_own_host_and_port(
    home: str, host: str, port: int, is_open: bool
) -> None:
    if is_open:
        assert doors(home, hosts="other.example.org").allowed_addresses(host, port)
    else:
        with pytest.raises(FetchError, match="private address"):
            doors(home).allowed_addresses(host, port)


def test_address_that_was_checked_is_the_one_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name server that says another thing each time it is asked (DNS rebinding)."""
    resolve = socket.getaddrinfo
    said = iter(["127.0.0.1", "127.0.0.2", "169.254.169.254"])

    def two_faced(host: Any, *more: Any, **options: Any) -> Any:
        return resolve(next(said) if host == "rebind.test" else host, *more, **options)

    with web("127.0.0.1") as allowed:
        allowed.pages["/a"] = says(b"Hi")
        monkeypatch.setattr(socket, "getaddrinfo", two_faced)
        where = MediaReader(Settings(allowed_networks="127.0.0.1"))
        assert where.fetch(f"http://rebind.test:{allowed.server_port}/a") == b"Hi"
        for words in ("private address", "never fetched"):
            with pytest.raises(FetchError, match=words):
                where.fetch(f"http://rebind.test:{allowed.server_port}/a")
        assert len(allowed.visits) == 1
    assert list(said) == [], "each connection asks once"


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70, "", "a..b", "\udcff"])
def test_unknown_host(host: str) -> None:
    with pytest.raises(FetchError, match=r"cannot be resolved|private address"):
        doors().allowed_addresses(host, 80)


def test_looking_up_a_host_takes_no_longer_than_a_fetch_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And however many hang, others can be fetched from."""
    go, lookups = threading.Event(), egress.MAX_LOOKUPS
    resolve = socket.getaddrinfo

    def silent(host: Any, *more: Any, **options: Any) -> Any:
        if host == "silent.test":
            go.wait(20)
        return resolve("127.0.0.1" if host == "silent.test" else host, *more, **options)

    with web("127.0.0.1") as allowed:
        allowed.pages["/a"] = says(b"Hi")
        monkeypatch.setattr(socket, "getaddrinfo", silent)
        hasty = MediaReader(Settings(allowed_networks="127.0.0.1", fetch_timeout=0.1))
        late = rf"http://silent\.test:{allowed.server_port}/a did not arrive in FETCH_TIMEOUT=0\.1"
        with pytest.raises(FetchError, match=late):
            hasty.fetch(f"http://silent.test:{allowed.server_port}/a")
        assert not go.is_set()
        where = MediaReader(Settings(allowed_networks="127.0.0.1"))
        assert where.fetch(f"http://127.0.0.1:{allowed.server_port}/a") == b"Hi"
        go.set()
        assert where.fetch(f"http://silent.test:{allowed.server_port}/a") == b"Hi"
    for _ in range(lookups):  # all have come to an end
        assert egress._lookups.acquire(timeout=60)
    egress._lookups.release(lookups)


def test_no_more_hosts_are_looked_up_at_once_than_there_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(egress, "_lookups", threading.BoundedSemaphore(1))
    egress._lookups.acquire()
    hasty = MediaReader(Settings(allowed_networks="127.0.0.1", fetch_timeout=0.1))
    with pytest.raises(FetchError, match="did not arrive in FETCH_TIMEOUT"):
        hasty.fetch("http://localhost:9/a")
