"""TLS: the server's certificate is checked, against a private CA where CA_FILE names one."""

import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme

from shared.errors import FetchError, PrelabelError
from shared.label_studio.project import Project
from shared.media import egress
from shared.media.reader import MediaReader
from shared.settings import Settings
from tests.media.test_reader import token
from tests.media.web import Web, leads_to, says, web

LOOPBACK = "127.0.0.0/8,::1"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "company.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def use_tls(server: Web, certificate: trustme.LeafCert) -> Web:
    """Switch a server to TLS, and return it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url = f"https://127.0.0.1:{server.server_port}"
    return server


@pytest.fixture
def site(authority: trustme.CA) -> Iterator[Web]:
    with web() as server:
        server.pages["/a"] = server.pages["/data/a"] = says(b"Hi")
        yield use_tls(server, authority.issue_cert("127.0.0.1"))


def fetch_error(media: MediaReader, url: str) -> str:
    with pytest.raises(FetchError) as caught:
        media.fetch(url)
    assert "_ssl.c" not in str(caught.value)
    return str(caught.value)


def make_reader(**settings: object) -> MediaReader:
    return MediaReader(Settings(allowed_networks=LOOPBACK, **settings))


def test_unknown_ca_is_refused(site: Web) -> None:
    message = fetch_error(make_reader(), f"{site.url}/a")
    assert "its certificate is not trusted (unable to get local issuer certificate)" in message
    assert "CA_FILE" in message
    assert site.visits == []


def test_private_ca_by_setting(site: Web, ca_file: Path) -> None:
    assert make_reader(ca_file=ca_file).fetch(f"{site.url}/a") == b"Hi"


def test_private_ca_by_ssl_cert_file(
    site: Web, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE replaces the system's authorities, as in httpx, curl and OpenSSL."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    egress._trusted_context.cache_clear()
    try:
        assert make_reader().fetch(f"{site.url}/a") == b"Hi"
    finally:
        egress._trusted_context.cache_clear()


def test_certificate_of_another_host(authority: trustme.CA, ca_file: Path) -> None:
    with web() as server:
        use_tls(server, authority.issue_cert("elsewhere.example.org"))
        message = fetch_error(make_reader(ca_file=ca_file), f"{server.url}/a")
    assert "IP address mismatch" in message
    assert server.visits == []


def test_expired_certificate(authority: trustme.CA, ca_file: Path) -> None:
    expired = authority.issue_cert(
        "127.0.0.1", not_after=datetime.now(timezone.utc) - timedelta(days=1)
    )
    with web() as server:
        use_tls(server, expired)
        assert "certificate has expired" in fetch_error(
            make_reader(ca_file=ca_file), f"{server.url}/a"
        )
    assert server.visits == []


def test_redirect_to_an_unknown_ca(site: Web, ca_file: Path) -> None:
    with web() as server:
        use_tls(server, trustme.CA().issue_cert("127.0.0.1")).pages["/b"] = says(b"Hi")
        site.pages["/a"] = leads_to(f"{server.url}/b")
        assert "not trusted" in fetch_error(make_reader(ca_file=ca_file), f"{site.url}/a")
        assert server.visits == []


def test_token_is_renewed_over_tls(site: Web, ca_file: Path) -> None:
    access = token("access", 5)
    site.pages["/api/token/refresh/"] = says(
        b'{"access": "%s"}' % access.encode(), Content_Type="application/json"
    )
    credentials = {"label_studio_url": site.url, "label_studio_api_key": token("refresh", 60)}
    assert make_reader(ca_file=ca_file, **credentials).fetch("/data/a") == b"Hi"
    assert site.visits[-1] == ("/data/a", f"Bearer {access}")
    visits_before = len(site.visits)
    assert "its certificate is not trusted" in fetch_error(make_reader(**credentials), "/data/a")
    assert len(site.visits) == visits_before, "no token was sent"


def test_project_is_read_over_tls(site: Web, ca_file: Path) -> None:
    site.pages["/api/projects/7/"] = says(
        b'{"id": 7, "label_config": "<View/>"}', Content_Type="application/json"
    )
    credentials = {"label_studio_url": site.url, "label_studio_api_key": "legacy"}
    assert Project(7, Settings(ca_file=ca_file, **credentials)).label_config == "<View/>"
    with pytest.raises(PrelabelError, match="Label Studio does not answer"):
        _ = Project(7, Settings(**credentials)).label_config
