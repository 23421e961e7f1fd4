import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from backends.prompt.models.connection import Connection
from backends.prompt.models.request_failure import RequestFailedError
from backends.prompt.settings import PromptSettings
from shared.errors import ModelError
from shared.settings import Settings
from tests.prompt.fault_server import FaultServer

REQUEST: dict[str, Any] = {"model": "any", "messages": [{"role": "user", "content": "secret"}]}


def connect(url: str, server_settings: Settings | None = None, **settings: Any) -> Connection:
    chosen = PromptSettings(model="any", base_url=url, timeout=5, **settings)
    return Connection(chosen, server_settings or Settings())


def test_redirect_is_not_followed() -> None:
    """Neither what tasks show nor the key goes to another address than PROMPT_BASE_URL."""
    with FaultServer() as server, FaultServer() as elsewhere:
        server.elsewhere = elsewhere.url
        content = '<data name="text">\n[fault:redirect] secret\n</data>'
        request = REQUEST | {"messages": [{"role": "user", "content": content}]}
        with pytest.raises(RequestFailedError) as caught:
            connect(server.url, api_key="sk-1").complete(request)
        assert caught.value.status == 307
        assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("deep", "it sent something that is no JSON"),
        ("huge", "it sent more than 32 MiB"),
        ("bomb", "it sent more than 32 MiB"),
    ],
)
def test_body_of_a_hostile_server_is_named(fault: str, why: str) -> None:
    content = f'<data name="text">\n[fault:{fault}]\n</data>'
    with FaultServer() as server, pytest.raises(RequestFailedError) as caught:
        connect(server.url).complete({"messages": [{"role": "user", "content": content}]})
    assert (caught.value.kind, caught.value.text) == ("body", why)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer() as server, FaultServer() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        connect(server.url).complete(REQUEST)
        assert len(server.asked) == 1
        assert proxy.asked == []


def test_nothing_of_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "of-the-environment")
    with FaultServer() as server:
        settings = PromptSettings(model="any", base_url=server.url, api_key="sk-1")
        Connection(settings, Settings()).complete(REQUEST)
        [asked] = server.asked
    assert "of-the-environment" not in str(asked.headers)
    assert asked.headers["authorization"] == "Bearer sk-1"


@pytest.mark.parametrize("key", ["sk-1\n", "sk-\u0131"], ids=["line's end", "foreign letter"])
def test_key_that_no_header_can_carry_is_named(key: str) -> None:
    with pytest.raises(ModelError, match="PROMPT_API_KEY has a character") as caught:
        connect("http://127.0.0.1:9/v1", api_key=key)
    assert key not in str(caught.value)


def test_query_of_the_address_is_kept() -> None:
    with FaultServer() as server:
        connect(f"{server.url}?tenant=mine").complete(REQUEST)
        [asked] = server.asked
    assert (asked.path, asked.query) == ("/v1/chat/completions", "tenant=mine")


def test_connections_are_kept() -> None:
    with FaultServer() as server:
        connection = connect(server.url)
        for _ in range(5):
            connection.complete(REQUEST)
        assert server.connections == 1


def test_azure_gets_its_path_version_and_header() -> None:
    with FaultServer(key="azure-key") as server:
        settings = PromptSettings(
            provider="azure",
            model="gpt",
            azure_resource_endpoint=server.url.removesuffix("/v1"),
            azure_deployment="mine",
            azure_api_version="2024-10-21",
            azure_api_key="azure-key",
        )
        Connection(settings, Settings()).complete(REQUEST)
        [asked] = server.asked
    assert asked.path == "/openai/deployments/mine/chat/completions"
    assert asked.query == "api-version=2024-10-21"
    assert asked.headers["api-key"] == "azure-key"
    assert "authorization" not in asked.headers, "Azure takes it for a token of another kind"


@pytest.mark.parametrize("trusted", [True, False], ids=["CA_FILE", "unknown"])
def test_certificates_of_a_private_authority(trusted: bool, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    settings = Settings(ca_file=tmp_path / "ca.pem") if trusted else Settings()
    with FaultServer(tls=context) as server:
        connection = connect(server.url, settings)
        if trusted:
            assert connection.complete(REQUEST)["choices"]
        else:
            with pytest.raises(RequestFailedError, match=r"not trusted .* CA_FILE"):
                connection.complete(REQUEST)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:9/v1", "refused"),
        ("http://no-such-host.invalid/v1", "no-such-host.invalid cannot be resolved"),
    ],
    ids=["nobody listens", "unknown host"],
)
def test_server_that_is_not_there_is_named(url: str, message: str) -> None:
    with pytest.raises(RequestFailedError, match=message) as caught:
        connect(url).complete(REQUEST)
    assert caught.value.kind == "connection"


@pytest.mark.parametrize("fault", ["page", "garbage", "streamed"])
def test_models_that_are_no_list_are_named(fault: str) -> None:
    with FaultServer() as server:
        server.models_fault = fault
        with pytest.raises(RequestFailedError, match="no list of models"):
            connect(server.url).list_models()
