"""What is known of the way so far: each link leaves here what later ones need."""

import ssl
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import httpx

from shared.errors import FetchError, redact_url
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.project import Project
from shared.media import egress
from shared.settings import Settings

# Seconds for one answer; only a prediction, for which models may be loaded, has more.
PATIENCE = 10.0
PREDICTING = 110.0


@dataclass
class DoctorSession:
    """From a project of Label Studio through the server at `url` and back."""

    settings: Settings
    url: str
    number: int | None = None
    push: bool = False
    patience: float = PATIENCE

    access: dict[str, str] = field(default_factory=dict)
    """The header that opens Label Studio, once the token was accepted."""
    names: list[str] = field(default_factory=list)
    """The backends that serve; empty for a server of another kind."""
    task: dict[str, Any] = field(default_factory=dict)
    chosen: str | None = None
    """The model version, or the model, whose predictions the project goes by."""
    version: str = ""
    """The model version that /setup answers."""
    answer: Any = None
    """What /predict says of the task."""
    failures: list[dict[str, Any]] = field(default_factory=list)
    """What the server's /status says that failed in this prediction."""

    @property
    def home(self) -> str:
        """Label Studio's address."""
        return self.settings.label_studio_url or ""

    @property
    def home_shown(self) -> str:
        """Label Studio's address as a message may show it."""
        return redact_url(self.home)

    @property
    def url_shown(self) -> str:
        """The server's address as a message may show it."""
        return redact_url(self.url)

    @property
    def root(self) -> str:
        """The server's address without the name of a backend."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @cached_property
    def label_studio(self) -> httpx.Client:
        """Connections to Label Studio, as the server makes them when it fetches files there."""
        client = egress.http_client(self.settings)
        client.timeout = httpx.Timeout(self.patience)
        client.follow_redirects = False
        return client

    @cached_property
    def server(self) -> httpx.Client:
        """Connections to the server: one is kept, so that one worker process answers."""
        user, password = self.settings.basic_auth_user, self.settings.basic_auth_pass
        auth = (user or "", password.get_secret_value() if password else "")
        return httpx.Client(
            auth=auth if any(auth) else None,
            timeout=httpx.Timeout(PREDICTING, connect=self.patience),
            verify=egress.ssl_context(self.settings),
            trust_env=False,
        )

    @cached_property
    def project(self) -> Project:
        """The project; SettingError without LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY."""
        assert self.number is not None
        return Project(self.number, self.settings)

    @cached_property
    def config(self) -> LabelConfig:
        """The project's label config."""
        return LabelConfig.parse(self.project.label_config)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Label Studio's answer, with the token."""
        return self.label_studio.request(
            method, f"{self.home}{path}", headers=self.access, **options
        )

    def close(self) -> None:
        """Close the connections."""
        for name in ("label_studio", "server", "project"):
            if name in vars(self):
                vars(self)[name].close()


def failure(error: Exception) -> str:
    """Which kind of failure to connect it is: "host", "refused", "silent", "tls" or "other"."""
    if isinstance(error, FetchError) or "Name or service" in str(error):
        return "host"
    if isinstance(error, httpx.TimeoutException):
        return "silent"
    if isinstance(error.__context__, ssl.SSLError) or "SSL" in str(error):
        return "tls"
    return "refused" if isinstance(error, httpx.ConnectError) else "other"
