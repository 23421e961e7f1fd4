from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.errors import SettingError
from shared.settings import (
    BackendSettings,
    Names,
    Settings,
    changed_environment,
    child_environment,
    read_settings,
    setting_rows,
)


class MySettings(BackendSettings):
    model_config = SettingsConfigDict(env_prefix="MY_", env_ignore_empty=True, extra="ignore")

    size: int = Field(640, ge=32, description="Size of something")
    api_token: int = Field(1, description="A number that is a secret")


def test_without_variables() -> None:
    settings = read_settings(Settings)
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 9090, 1)
    assert settings.basic_auth_user is None
    assert settings.backends == settings.allowed_hosts == settings.allowed_networks == ()
    assert settings.local_files_root is None
    assert not str(settings.cache_dir).startswith("~")


@pytest.mark.parametrize(
    ("variable", "text", "field", "expected"),
    [
        ("PORT", "8000", "port", 8000),
        ("PORT", "", "port", 9090),
        ("BACKENDS", "ocr, ner,,", "backends", ("ocr", "ner")),
        ("ALLOWED_HOSTS", "*.example.org", "allowed_hosts", ("*.example.org",)),
        ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("LOG_LEVEL", "Warn", "log_level", "WARNING"),
        ("LOG_LEVEL", "CRITICAL", "log_level", "ERROR"),
        ("DEVICE", "gpu:0", "device", "cuda:0"),
        ("DEVICE", "GPU", "device", "cuda"),
        ("DEVICE", "cuda:1", "device", "cuda:1"),
        ("ML_SERVER_BASIC_AUTH_USER", "me", "basic_auth_user", "me"),
        ("ML_SERVER_BASIC_AUTH_PASS", "hunter2", "basic_auth_pass", SecretStr("hunter2")),
        ("LABEL_STUDIO_URL", "http://ls:8080/", "label_studio_url", "http://ls:8080"),
        ("LABEL_STUDIO_HOST", "https://ls/sub/", "label_studio_url", "https://ls/sub"),
        ("LOCAL_FILES_ROOT", "~/files", "local_files_root", Path.home() / "files"),
        ("MAX_MEDIA_MB", "0.5", "max_media_mb", 0.5),
        ("ENGINE", "onnx", "engine", "onnx"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_variable(
    variable: str, text: str, field: str, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(read_settings(Settings), field) == expected


@pytest.mark.parametrize("variable", ["LABEL_STUDIO_API_KEY", "LABEL_STUDIO_ACCESS_TOKEN"])
def test_token_and_its_other_name(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "hunter2")
    key = read_settings(Settings).label_studio_api_key
    assert isinstance(key, SecretStr)
    assert key.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(read_settings(Settings))


def test_empty_variable_leaves_its_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "")
    monkeypatch.setenv("LABEL_STUDIO_HOST", "http://ls")
    assert read_settings(Settings).label_studio_url == "http://ls"


def test_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_NETWORKS", "10.0.0.0/8, fc00::/7,192.168.1.7")
    found = [str(network) for network in read_settings(Settings).allowed_networks]
    assert found == ["10.0.0.0/8", "fc00::/7", "192.168.1.7/32"]


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("WORKERS", "0"),
        ("LOG_LEVEL", "loud"),
        ("LABEL_STUDIO_URL", "localhost:8080"),
        ("LABEL_STUDIO_URL", "ftp://ls"),
        ("LABEL_STUDIO_URL", "http://"),
        ("LABEL_STUDIO_URL", "http://ls:port"),
        ("LABEL_STUDIO_URL", "http://ls:99999"),
        ("LABEL_STUDIO_URL", "http://[ls"),
        ("LABEL_STUDIO_HOST", "ls"),
        ("ALLOWED_NETWORKS", "10.0.0.0/99"),
        ("ALLOWED_NETWORKS", "10.0.0.1/8"),
        ("FETCH_TIMEOUT", "0"),
        ("MAX_MEDIA_MB", "-1"),
        ("MAX_MEDIA_MB", "nan"),
        ("ENGINE", "magic"),
        ("CA_FILE", "/no/such/file.pem"),
        ("CA_FILE", __file__),
        ("CA_FILE", "/"),
    ],
)
def test_bad_value_is_named(variable: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(SettingError) as caught:
        read_settings(Settings)
    message = str(caught.value)
    assert message.startswith(variable)
    assert text.casefold() in message.casefold()
    assert "\n" not in message
    assert "pydantic" not in message


def test_all_bad_values_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("WORKERS", "y")
    with pytest.raises(SettingError, match=r"^PORT='x': .*; WORKERS='y': "):
        read_settings(Settings)


def test_backend_settings_have_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SIZE", "320")
    assert read_settings(MySettings).size == 320
    assert read_settings(MySettings) is read_settings(MySettings)
    assert setting_rows(MySettings)[0] == ("MY_SIZE", "640", "Size of something")


def test_defaults_are_shown_as_they_are_written() -> None:
    class ManySettings(BackendSettings):
        names: Names = Field(("text", "image"), description="Some")
        none: Names = Field((), description="None")
        unset: str | None = Field(None, description="Unset")
        flag: bool = Field(False, description="A flag")

    shown = {name: default for name, default, _ in setting_rows(ManySettings)}
    assert shown == {"NAMES": "text,image", "NONE": "", "UNSET": "", "FLAG": "False"}


def test_backend_setting_that_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SIZE", "7")
    with pytest.raises(SettingError, match=r"^MY_SIZE='7': Input should be greater"):
        read_settings(MySettings)


@pytest.mark.parametrize("variable", ["MY_API_TOKEN"])
def test_secret_is_not_in_the_message(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "hunter2")
    with pytest.raises(SettingError) as caught:
        read_settings(MySettings)
    assert str(caught.value).startswith(variable)
    assert "hunter2" not in str(caught.value)


def test_password_in_an_address_is_not_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "ftp://me:hunter2@ls")
    with pytest.raises(SettingError, match="LABEL_STUDIO_URL") as caught:
        read_settings(Settings)
    assert "hunter2" not in str(caught.value)


def test_every_variable_is_described() -> None:
    rows = setting_rows(Settings)
    assert all(description for _, _, description in rows)
    assert ("PORT", "9090", "Port to listen on") in rows
    assert {"LABEL_STUDIO_URL", "BASIC_AUTH_PASS"} <= {name for name, _, _ in rows}


def test_changed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")
    with changed_environment({"PORT": "2", "HOST": "h"}):
        assert (read_settings(Settings).port, read_settings(Settings).host) == (2, "h")
    assert (read_settings(Settings).port, read_settings(Settings).host) == (1, "127.0.0.1")
    assert child_environment({"PORT": "3"})["PORT"] == "3"
