"""What the checks share: connections, and what earlier checks found out for later ones."""

import ssl
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from shared.errors import FetchError, redact_url
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.project import Project
from shared.media import egress
from shared.settings import Settings

# For one response. Only a prediction may take longer, since models may have to be loaded for it.
TIMEOUT_SECONDS = 10.0
PREDICT_TIMEOUT_SECONDS = 110.0

ConnectFailure = Literal["host", "refused", "timeout", "tls", "other"]


@dataclass
class DoctorSession:
    """A project of Label Studio, the server at `server_url`, and what is known of both."""

    settings: Settings
    server_url: str
    project_id: int | None = None
    push: bool = False
    timeout_seconds: float = TIMEOUT_SECONDS

    # The header that authorizes requests to Label Studio, once the token was accepted.
    auth_headers: dict[str, str] = field(default_factory=dict)
    # The names of the server's backends; empty for a server of another kind.
    backend_names: list[str] = field(default_factory=list)
    # What the server's /status says of trainings.
    training: dict[str, Any] = field(default_factory=dict)
    # The project's first task, which is predicted.
    task: dict[str, Any] = field(default_factory=dict)
    # The model version, or the connected model, whose predictions the project shows.
    project_version: str | None = None
    # The model version of the response to /setup.
    setup_version: str = ""
    # The response to /predict, and the task's prediction in it.
    response: httpx.Response | None = None
    prediction: dict[str, Any] = field(default_factory=dict)
    # The failures that the server's /status lists for this prediction.
    failures: list[dict[str, Any]] = field(default_factory=list)

    @property
    def label_studio_url(self) -> str:
        """Label Studio's address; empty if it is not set."""
        return self.settings.label_studio_url or ""

    @property
    def shown_label_studio_url(self) -> str:
        """Label Studio's address as a message may show it."""
        return redact_url(self.label_studio_url)

    @property
    def shown_server_url(self) -> str:
        """The server's address as a message may show it."""
        return redact_url(self.server_url)

    @property
    def server_root(self) -> str:
        """The server's address without the name of a backend."""
        parts = urlsplit(self.server_url)
        return f"{parts.scheme}://{parts.netloc}"

    @cached_property
    def label_studio_client(self) -> httpx.Client:
        """Connections to Label Studio, under the rules of the server when it fetches files there.

        The SDK is not used: it renews tokens and raises by itself, and each step is checked here.
        """
        client = egress.http_client(self.settings)
        client.timeout = httpx.Timeout(self.timeout_seconds)
        client.follow_redirects = False
        return client

    @cached_property
    def server_client(self) -> httpx.Client:
        """Connections to the server: one is kept alive, so that one worker process answers."""
        user, password = self.settings.basic_auth_user, self.settings.basic_auth_pass
        auth = (user or "", password.get_secret_value() if password else "")
        return httpx.Client(
            auth=auth if any(auth) else None,
            timeout=httpx.Timeout(PREDICT_TIMEOUT_SECONDS, connect=self.timeout_seconds),
            verify=egress.ssl_context(self.settings),
            trust_env=False,
        )

    @cached_property
    def project(self) -> Project:
        """The project; SettingError without LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY."""
        assert self.project_id is not None
        return Project(self.project_id, self.settings)

    @cached_property
    def label_config(self) -> LabelConfig:
        """The project's label config."""
        return LabelConfig.parse(self.project.label_config)

    def ask_label_studio(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return Label Studio's response to an authorized request."""
        return self.label_studio_client.request(
            method, f"{self.label_studio_url}{path}", headers=self.auth_headers, **options
        )

    def ask_server(self, path: str) -> httpx.Response:
        """Return the server's response to a GET request, for a path below its root."""
        return self.server_client.get(f"{self.server_root}{path}", timeout=self.timeout_seconds)

    def close(self) -> None:
        """Close the connections."""
        for name in ("label_studio_client", "server_client", "project"):
            if name in vars(self):
                vars(self)[name].close()


def classify_failure(error: Exception) -> ConnectFailure:
    """Return the kind of failure to connect."""
    if isinstance(error, FetchError) or "Name or service" in str(error):
        return "host"
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    if isinstance(error.__context__, ssl.SSLError) or "SSL" in str(error):
        return "tls"
    return "refused" if isinstance(error, httpx.ConnectError) else "other"
