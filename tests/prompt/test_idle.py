"""A server that was told to ask a language model, and has none, says so as it starts."""

import logging

import pytest

from backends.pattern import PatternBackend
from backends.prompt import PromptBackend
from shared.backend.base import Backend
from shared.server.backend_service import BackendService

REASON = "prompt asks nobody: set PROMPT_MODEL to a language model, see docs/prompt.md"
OF_ADDRESS = "prompt: PROMPT_BASE_URL='here': expected an address such as http://localhost:11434/v1"


@pytest.mark.parametrize(
    ("prompt", "named", "variables", "warnings"),
    [
        (PromptBackend, ["pattern", "prompt"], {}, [REASON]),
        (PromptBackend, [], {}, []),
        (PromptBackend, ["pattern", "prompt"], {"PROMPT_MODEL": "starter"}, []),
        (PromptBackend, ["pattern", "prompt"], {"OPENAI_MODEL": "starter"}, []),
        (PromptBackend.with_model("starter"), ["pattern", "prompt"], {}, []),
        (PromptBackend, ["pattern", "prompt"], {"PROMPT_BASE_URL": "here"}, [OF_ADDRESS]),
    ],
    ids=["named", "not named", "model", "official name", "named with its model", "mistyped"],
)
def test_named_prompt_without_a_model_is_warned_of(
    prompt: type[Backend],
    named: list[str],
    variables: dict[str, str],
    warnings: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.WARNING):
        BackendService([PatternBackend, prompt], named=named)
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", sentence) for sentence in warnings
    ]
