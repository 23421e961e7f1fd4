"""Settings from environment variables. No other module reads the environment."""

import os
import re
import ssl
import sys
from collections.abc import Iterable, Iterator, Mapping
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
    ValidationInfo,
    field_validator,
)
from pydantic.networks import IPvAnyNetwork
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.errors import SettingError

_SECRET = re.compile("pass|key|token|secret", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.IGNORECASE | re.DOTALL)
_STORED_PATH = re.compile(r"([a-z][a-z0-9+.-]+):/(.*)", re.IGNORECASE | re.DOTALL)
_PASSWORD = re.compile("//[^/]*@")
# What other servers call the levels of a log, and PaddlePaddle a GPU.
_OTHER_LOG_LEVELS = {
    "NOTSET": "DEBUG",
    "WARN": "WARNING",
    "CRITICAL": "ERROR",
    "FATAL": "ERROR",
}
_GPU = re.compile(r"^gpu(?=$|:)")


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
    basic_auth_user: str | None = Field(
        None,
        validation_alias=AliasChoices("BASIC_AUTH_USER", "ML_SERVER_BASIC_AUTH_USER"),
        description="User name that Label Studio must send",
    )
    basic_auth_pass: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("BASIC_AUTH_PASS", "ML_SERVER_BASIC_AUTH_PASS"),
        description="Password that it must send",
    )
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
    allowed_buckets: Names = Field(
        (),
        description="Buckets of object stores, or folders in them, from which media of tasks are"
        " read directly, by comma, e.g. s3://bucket/folder; empty: none",
    )
    ca_file: Path | None = Field(
        None, description="Certificates (PEM) of a private CA, trusted beside the system's"
    )
    fetch_timeout: float = Field(20.0, gt=0, description="Seconds for one file to arrive")
    max_media_mb: float = Field(200.0, gt=0, description="Size of one file, in MB")
    max_megapixels: float = Field(100.0, gt=0, description="Size of one image, in megapixels")
    max_video_frames: int = Field(30_000, gt=0, description="Frames of one video")
    max_audio_seconds: float = Field(14_400.0, gt=0, description="Seconds of one recording")
    max_body_mb: float = Field(100.0, gt=0, description="Size of one request, in MB")
    body_timeout: float = Field(
        30.0, gt=0, description="Seconds for a request's body to arrive; 10 more for each MB"
    )
    predict_deadline: float = Field(
        95.0, gt=0, description="Seconds after which a request answers what is done"
    )
    predict_in_background: bool = Field(
        False,
        description="Let a job go on with the tasks that a request of many could not finish before"
        " PREDICT_DEADLINE, and with drawn boxes that it had no time to follow through a video;"
        " needs LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY",
    )
    predict_patience: float = Field(
        1800.0,
        ge=0,
        description="Seconds for which such a job waits for a Label Studio that does not answer",
    )
    model_dir: Path = Field(
        Path("models"),
        description="Folder from which weights may be loaded, here or in an object store",
    )
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
    fit_in_job: bool = Field(
        False,
        description="Let `fit` of a class of label-studio-ml run in a job, a process of its own,"
        " after which the class is loaded again: what it keeps in memory only is lost",
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

    @property
    def model_store(self) -> str | None:
        """The address that MODEL_DIR is, if it is in a store: `model_dir` is no folder then.

        Paths have one slash where addresses have two.
        """
        found = _STORED_PATH.match(str(self.model_dir))
        return f"{found[1]}://{found[2]}" if found else None

    @field_validator(
        "cache_dir",
        "model_dir",
        "train_dir",
        "local_files_root",
        "label_studio_assets",
        mode="before",
    )
    @classmethod
    def _parse_folder(cls, value: object, info: ValidationInfo) -> object:
        found = _SCHEME.match(value) if isinstance(value, str) else None
        if found is None or (info.field_name == "model_dir" and found[1].lower() != "file"):
            return value
        if found[1].lower() != "file":
            raise ValueError("expected a folder of this machine, not an address")
        return found[2]

    @field_validator("log_level", mode="before")
    @classmethod
    def _name_log_level(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return _OTHER_LOG_LEVELS.get(value.upper(), value.upper())

    @field_validator("device")
    @classmethod
    def _name_device(cls, value: str) -> str:
        device = _GPU.sub("cuda", value.strip().lower())
        if device.startswith("cuda:") and not device[len("cuda:") :].isdecimal():
            raise ValueError("expected the number of a GPU, such as cuda:0")
        return device

    @field_validator("label_studio_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        return None if value is None else check_address(value, "http://localhost:8080")

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
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what it has to say is raised, too
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # ends a warning, and takes no GPU away
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
        value = "" if info.default is None else info.default
        default = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        rows.append(((prefix + name).upper(), default, info.description or ""))
    return rows


def variable_names(settings_class: type[BaseSettings]) -> list[str]:
    """Return the names of all variables that are read, those of other tools included."""
    names = [name for name, _, _ in setting_rows(settings_class)]
    for info in settings_class.model_fields.values():
        if isinstance(info.validation_alias, AliasChoices):
            names += [str(name) for name in info.validation_alias.choices]
    return list(dict.fromkeys(names))


def check_address(value: str, example: str) -> str:
    """Return an address of HTTP without its last slash; ValueError with the example if it is none.

    For the validators of settings.
    """
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # such as a port that is not a number
        good = False
    if not good:
        raise ValueError(f"expected an address such as {example}")
    return value.rstrip("/")


def host_and_port(host: str, port: int) -> str:
    """Return `host:port`, with an IPv6 host in brackets."""
    plain = host.strip("[]")
    return f"[{plain}]:{port}" if ":" in plain else f"{plain}:{port}"


def child_environment(extra: dict[str, str]) -> dict[str, str]:
    """Return the environment for a child process."""
    return {**os.environ, **extra}


def read_environment() -> dict[str, str]:
    """Return a copy of the environment, to be read for what is not a setting of ours."""
    return dict(os.environ)


def set_variables(settings_classes: Iterable[type[BaseSettings]]) -> dict[str, str]:
    """Return the variables of these settings that are set, to give them to other machines."""
    names = (name for settings in settings_classes for name in variable_names(settings))
    return {name: os.environ[name] for name in names if name in os.environ}


def adopt_variables(variables: Mapping[str, str]) -> None:
    """Set variables in this process; settings are read again."""
    os.environ.update(variables)
    read_settings.cache_clear()


def restrain_libraries() -> None:
    """Stop model libraries from installing packages, reporting usage and drawing progress bars.

    Call it before they are imported.
    """
    for name, value in LIBRARY_VARIABLES.items():
        os.environ.setdefault(name, value)
    for module in BLOCKED_PACKAGES:
        sys.modules.setdefault(module, None)  # type: ignore[arg-type]  # makes its import fail


def avoid_huge_pages() -> None:
    """Keep NumPy from asking Linux for huge pages for arrays of more than 4 MB.

    The kernel's thread that makes them has the lowest priority and locks the memory of the process:
    beside a busy neighbour, /health waited for up to 4 s. Call it before NumPy is imported.
    """
    os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")


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
