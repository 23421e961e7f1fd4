"""Settings from environment variables. No other module reads the environment."""

import os
import re
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic.networks import IPvAnyNetwork
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.errors import SettingError

_SECRET = re.compile("pass|key|token|secret", re.IGNORECASE)
_PASSWORD = re.compile("//[^/]*@")


def split_names(text: str) -> tuple[str, ...]:
    """Return the names in a comma-separated text."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _split_if_text(value: object) -> object:
    return split_names(value) if isinstance(value, str) else value


# Fields that are written with commas in an environment variable.
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_if_text)]
Networks = Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_split_if_text)]


class Settings(BaseSettings):
    """Settings of the whole server. Each field is read from the variable of its name."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", populate_by_name=True)

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all")
    port: int = Field(9090, ge=0, le=65535, description="Port to listen on")
    workers: int = Field(1, ge=1, le=64, description="Server processes; each loads its models")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR"
    )
    log_format: Literal["line", "json"] = Field(
        "line", description="line, or json: one object an event, with the request's id"
    )
    backends: Names = Field((), description="Backends to serve, by comma; empty: all installed")
    basic_auth_user: str | None = Field(None, description="User name that Label Studio must send")
    basic_auth_pass: SecretStr | None = Field(None, description="Password that it must send")
    webhook_secret: SecretStr | None = Field(
        None, description="What Label Studio's webhook must send as X-Webhook-Secret"
    )
    label_studio_url: str | None = Field(
        None,
        validation_alias=AliasChoices("LABEL_STUDIO_URL", "LABEL_STUDIO_HOST"),
        description="Where uploaded files are fetched, e.g. http://localhost:8080",
    )
    label_studio_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("LABEL_STUDIO_API_KEY", "LABEL_STUDIO_ACCESS_TOKEN"),
        description="A personal access token (or legacy token) of Label Studio",
    )
    local_files_root: Path | None = Field(
        None, description="Folder in which /data/local-files/?d=… may be read; empty: none"
    )
    allowed_hosts: Names = Field(
        (), description="Hosts that media may come from, by comma (*.example.org); empty: any"
    )
    allowed_networks: Networks = Field(
        (), description="Private networks that media may come from, by comma, e.g. 10.0.0.0/8"
    )
    ca_file: Path | None = Field(
        None, description="Certificates (PEM) of a private CA, trusted beside the system's"
    )
    fetch_timeout: float = Field(20.0, gt=0, description="Seconds for one file to arrive")
    max_media_mb: float = Field(200.0, gt=0, description="Size of one file, in MB")
    max_megapixels: float = Field(100.0, gt=0, description="Size of one image, in megapixels")
    max_video_frames: int = Field(30_000, gt=0, description="Frames of one video")
    max_body_mb: float = Field(100.0, gt=0, description="Size of one request, in MB")
    body_timeout: float = Field(
        30.0, gt=0, description="Seconds for a request's body to arrive; 10 more for each MB"
    )
    predict_deadline: float = Field(
        95.0, gt=0, description="Seconds after which a request answers what is done"
    )
    model_dir: Path = Field(Path("models"), description="Folder from which weights may be loaded")
    cache_dir: Path = Field(
        Path("~/.cache/prelabel"), description="Folder for downloaded and converted weights"
    )
    train_dir: Path = Field(
        Path("training"), description="Folder for trainings, and for the weights that they make"
    )
    train_threads: int = Field(
        1, ge=1, le=256, description="Threads of a training, beside the server's"
    )
    train_niceness: int = Field(
        10,
        ge=0,
        le=19,
        description="How far trainings give way to the server and others; 0 where they have a"
        " machine to themselves",
    )
    train_each_n_updates: int = Field(
        0,
        ge=0,
        validation_alias=AliasChoices("TRAIN_EACH_N_UPDATES", "START_TRAINING_EACH_N_UPDATES"),
        description="Train a project after so many changed annotations; 0: only when asked",
    )
    train_gate: bool = Field(
        True,
        description="Serve a trained model only if it is better on held-out tasks than the one"
        " that serves",
    )
    train_keep: int = Field(5, ge=1, description="Trained versions kept of each control tag")
    train_max_minutes: float = Field(
        60.0, gt=0, description="Minutes after which a training ends with the best epoch so far"
    )
    queue_url: str | None = Field(
        None,
        description="A Redis, e.g. redis://host:6379/0, whose RQ workers (`prelabel worker`) run"
        " the trainings; empty: this machine",
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        description="A collector of OpenTelemetry, e.g. http://collector:4318, which gets traces of"
        " the requests; the other OTEL_ variables hold as well; empty: no traces",
    )
    answer_cache_mb: float = Field(
        64.0, ge=0, description="What models said is kept up to so many MB a worker; 0: nothing is"
    )
    task_score: Literal["mean", "min", "max", "margin"] = Field(
        "mean",
        description="Score of a task from those of its regions: mean, min, max, or margin, which"
        " is 0 where a region's is 0.5",
    )
    model_memory: float = Field(
        0.0, ge=0, description="MB of models that a worker keeps loaded; 0: all"
    )
    label_studio_assets: Path | None = Field(
        None,
        description="Folder of Label Studio's editor, or an environment in which label-studio is"
        " installed; empty: this environment",
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    engine: Literal["auto", "torch", "openvino", "onnx"] = Field(
        "auto",
        description="auto: OpenVINO on a CPU, PyTorch on a GPU; or torch, openvino, onnx",
    )

    @property
    def listen_address(self) -> str:
        """Return host and port as an address has them, an IPv6 host in brackets."""
        return host_and_port(self.host, self.port)

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper_case(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("label_studio_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:  # such as a port that is not a number
            good = False
        if not good:
            raise ValueError("expected an address such as http://localhost:8080")
        return value.rstrip("/")

    @field_validator("ca_file")
    @classmethod
    def _check_certificates(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(value)
            except OSError:  # missing, or without certificates
                raise ValueError("expected a file with certificates in PEM format") from None
        return value

    @field_validator(
        "cache_dir", "model_dir", "train_dir", "local_files_root", "label_studio_assets"
    )
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value is not None else None


class BackendSettings(BaseSettings):
    """Base class of a backend's settings: set `env_prefix="NAME_"` and add a field for each."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", protected_namespaces=()
    )


# Environment variables that libraries read. A value that is set already stays.
LIBRARY_VARIABLES = {
    "YOLO_AUTOINSTALL": "false",
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",  # transformers honours it for loading weights, too
}
# Packages that are made to look missing, because others report usage through them if they are
# there. OpenVINO's forks the process to do so.
BLOCKED_PACKAGES = ("openvino_telemetry",)

S = TypeVar("S", bound=BaseSettings)


@cache
def read_settings(settings_class: type[S]) -> S:
    """Return the settings of a class, read once in a process; SettingError says what is wrong."""
    try:
        return settings_class()
    except ValidationError as error:
        lines = [_describe_validation_error(line, settings_class) for line in error.errors()]
        raise SettingError("; ".join(lines)) from None


def setting_rows(settings_class: type[BaseSettings]) -> list[tuple[str, str, str]]:
    """Return each variable's name, default and description, for the documentation."""
    prefix = str(settings_class.model_config.get("env_prefix") or "")
    rows = []
    for name, info in settings_class.model_fields.items():
        default = "" if info.default in (None, ()) else str(info.default)
        rows.append(((prefix + name).upper(), default, info.description or ""))
    return rows


def host_and_port(host: str, port: int) -> str:
    """Return `host:port`, with an IPv6 host in brackets."""
    plain = host.strip("[]")
    return f"[{plain}]:{port}" if ":" in plain else f"{plain}:{port}"


def child_environment(extra: dict[str, str]) -> dict[str, str]:
    """Return the environment for a child process."""
    return {**os.environ, **extra}


def restrain_libraries() -> None:
    """Stop model libraries from installing packages, reporting usage and drawing progress bars.

    Call it before they are imported.
    """
    for name, value in LIBRARY_VARIABLES.items():
        os.environ.setdefault(name, value)
    for module in BLOCKED_PACKAGES:
        sys.modules.setdefault(module, None)  # type: ignore[arg-type]  # makes its import fail


@contextmanager
def changed_environment(extra: dict[str, str]) -> Iterator[None]:
    """Change environment variables inside the block; settings are read again before and after."""
    before = {name: os.environ.get(name) for name in extra}
    os.environ.update(extra)
    read_settings.cache_clear()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        read_settings.cache_clear()


def _describe_validation_error(line: Any, settings_class: type[BaseSettings]) -> str:
    name = _variable_name(str(line["loc"][0]) if line["loc"] else "", settings_class)
    found = "" if _SECRET.search(name) else "=" + _PASSWORD.sub("//…@", repr(line["input"]))
    return f"{name}{found}: {line['msg'].removeprefix('Value error, ')}"


def _variable_name(place: str, settings_class: type[BaseSettings]) -> str:
    """Return the variable that a value came from: of several for one field, the one that is set."""
    for info in settings_class.model_fields.values():
        alias = info.validation_alias
        if isinstance(alias, AliasChoices) and place in alias.choices:
            return next((str(name) for name in alias.choices if os.environ.get(str(name))), place)
    return (str(settings_class.model_config.get("env_prefix") or "") + place).upper()
