from typing import Any

import pytest

from backends.prompt.models import ChatModel, open_model
from backends.prompt.settings import PromptSettings
from shared.backend import ModelSpec
from shared.errors import ModelError, SettingError
from shared.settings import Settings, read_settings

AZURE = {"OPENAI_PROVIDER": "azure", "AZURE_RESOURCE_ENDPOINT": "https://me.openai.azure.com/"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {"model": "", "server_url": "https://api.openai.com/v1", "server_key": ""}),
        (
            {"OPENAI_MODEL": "small", "OPENAI_API_KEY": "sk-1", "TEMPERATURE": "0.7"},
            {"model": "small", "server_key": "sk-1", "temperature": 0.7},
        ),
        (
            {"PROMPT_MODEL": "large", "OPENAI_MODEL": "small", "PROMPT_API_KEY": "sk-2",
             "OPENAI_API_KEY": "sk-1", "PROMPT_BASE_URL": "http://here:8000/v1/"},
            {"model": "large", "server_key": "sk-2", "server_url": "http://here:8000/v1"},
        ),
        ({"OPENAI_BASE_URL": "http://here/v1"}, {"server_url": "http://here/v1"}),
        (
            {"OPENAI_PROVIDER": "ollama", "OPENAI_MODEL": "llama3"},
            {"server_url": "http://localhost:11434/v1", "server_key": ""},
        ),
        (
            {"OPENAI_PROVIDER": "ollama", "OLLAMA_ENDPOINT": "http://gpu:11434/v1/"},
            {"server_url": "http://gpu:11434/v1"},
        ),
        (
            AZURE | {"OPENAI_MODEL": "gpt", "OPENAI_API_KEY": "k"},
            {"server_url": "https://me.openai.azure.com/openai/deployments/gpt", "server_key": "k",
             "azure_api_version": "2024-10-21"},
        ),
        (
            AZURE | {"AZURE_DEPLOYMENT_NAME": "mine", "AZURE_API_KEY": "a", "OPENAI_API_KEY": "k",
                     "AZURE_API_VERSION": "2023-05-15"},
            {"model": "mine", "server_key": "a", "azure_api_version": "2023-05-15",
             "server_url": "https://me.openai.azure.com/openai/deployments/mine"},
        ),
        (
            {"OPENAI_PROVIDER": "azure", "OPENAI_MODEL": "gpt",
             "AZURE_DEPLOYMENT_ENDPOINT": "https://me.openai.azure.com/openai/deployments/x/"},
            {"server_url": "https://me.openai.azure.com/openai/deployments/x"},
        ),
        ({"AZURE_API_KEY": "a", "OPENAI_API_KEY": "k"}, {"server_key": "k"}),
        ({"NUM_RESPONSES": "3", "DEFAULT_PROMPT": "Be brief", "PROMPT_PREFIX": "ask"},
         {"samples": 3, "instruction": "Be brief", "prefix": "ask"}),
    ],
    ids=[
        "none", "official", "ours first", "base url", "ollama", "ollama elsewhere", "azure",
        "azure deployment", "azure address", "azure's key is azure's", "official prompt",
    ],
)  # fmt: skip
def test_variables(
    variables: dict[str, str], expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = PromptSettings()
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"PROMPT_BASE_URL": "localhost:11434"},
            r"PROMPT_BASE_URL=.*: expected an address such as",
        ),
        ({"PROMPT_BASE_URL": "http://a:b"}, "expected an address such as"),
        ({"PROMPT_BASE_URL": "http://me:word@here/v1"}, "an address without a password"),
        ({"PROMPT_PROVIDER": "bard"}, "PROMPT_PROVIDER='bard'"),
        (
            {"OPENAI_PROVIDER": "azure", "PROMPT_MODEL": "gpt"},
            "azure needs AZURE_RESOURCE_ENDPOINT or AZURE_DEPLOYMENT_ENDPOINT",
        ),
        ({"PROMPT_TIMEOUT": "0"}, "PROMPT_TIMEOUT='0': Input should be greater than 0"),
        ({"PROMPT_SCHEMA_MODE": "xml"}, "PROMPT_SCHEMA_MODE='xml'"),
    ],
    ids=["no scheme", "no port", "password", "provider", "azure", "timeout", "mode"],
)
def test_wrong_variable_is_named(
    variables: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=message):
        read_settings(PromptSettings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "prompt-gpt needs a key: set PROMPT_API_KEY, or PROMPT_BASE_URL"),
        ({"provider": "azure", "azure_resource_endpoint": "https://a"}, "needs a key"),
        ({"provider": "ollama"}, None),
        ({"base_url": "http://here/v1"}, None),
        ({"api_key": "sk-1"}, None),
    ],
    ids=["openai", "azure", "ollama", "own server", "key"],
)
def test_model_that_needs_a_key_says_so(settings: dict[str, Any], message: str | None) -> None:
    chosen = PromptSettings(model="gpt", **settings)
    spec = ModelSpec("prompt", "gpt")
    if message is None:
        assert isinstance(open_model(spec, chosen, Settings()), ChatModel)
    else:
        with pytest.raises(ModelError, match=message):
            open_model(spec, chosen, Settings())


def test_key_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPT_API_KEY", "sk-secret")
    monkeypatch.setenv("PROMPT_BASE_URL", "http://me:sk-secret@")
    assert "sk-secret" not in repr(PromptSettings(base_url="http://here"))
    with pytest.raises(SettingError) as caught:
        read_settings(PromptSettings)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["RPM", "TPM", "MAX_TOKENS_PER_DAY", "MAX_TOKENS"])
def test_limits_beyond_all_numbers_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"PROMPT_{name}", "1" + "0" * 400)
    with pytest.raises(SettingError, match=f"PROMPT_{name}.*less than or equal to 1000000000000"):
        read_settings(PromptSettings)
