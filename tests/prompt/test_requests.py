"""Where an annotator writes what is asked for, and what of a context is read."""

from typing import Any

import pytest

from backends.prompt.requests import MAX_REQUEST_CHARACTERS, read_request, request_tags
from backends.prompt.settings import PromptSettings
from shared.label_studio.label_config import LabelConfig

TEXT = '<Text name="text" value="$text"/>'
ANSWER = '<TextArea name="answer" toName="text"/>'


def area(name: str, more: str = "") -> str:
    return f'<TextArea name="{name}" toName="text" {more}/>'


@pytest.mark.parametrize(
    ("inside", "settings", "expected"),
    [
        pytest.param([area("a"), ANSWER], {}, [], id="none"),
        pytest.param([area("a", 'model_prompt_input="true"'), ANSWER], {}, ["a"], id="marked"),
        pytest.param([area("prompt"), ANSWER], {}, ["prompt"], id="llm_interactive"),
        pytest.param([area("prompt2", 'smart="true"'), ANSWER], {}, ["prompt2"], id="prefix"),
        pytest.param([area("prompt")], {}, [], id="alone it is the answer"),
        pytest.param([area("prompt", 'model_prompt_input="false"'), ANSWER], {}, [], id="told not"),
        pytest.param([area("prompt", 'perRegion="true"'), ANSWER], {}, [], id="of regions"),
        pytest.param([area("prompt"), ANSWER], {"prefix": "ask"}, [], id="another prefix"),
        pytest.param([area("prompt"), ANSWER], {"prefix": ""}, [], id="no prefix"),
        pytest.param([area("question"), ANSWER], {"tag": "question"}, ["question"], id="by name"),
        pytest.param(
            [area("a", 'model_prompt_input="true"'), area("prompt"), ANSWER],
            {},
            ["a", "prompt"],
            id="two of them",
        ),
        pytest.param(
            ['<Choices name="prompt" toName="text"><Choice value="A"/></Choices>', ANSWER],
            {},
            [],
            id="no TextArea",
        ),
    ],
)
def test_request_tags(inside: list[str], settings: dict[str, Any], expected: list[str]) -> None:
    config = LabelConfig.parse(f"<View>{TEXT}{''.join(inside)}</View>")
    found = request_tags(config, PromptSettings(model="m", **settings))
    assert [control.name for control in found] == expected


def written(text: Any, name: str = "prompt") -> dict[str, Any]:
    return {"from_name": name, "type": "textarea", "value": {"text": text}}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param([written(["Be short."])], "Be short.", id="one"),
        pytest.param([written(["a", " ", "b"]), written("c")], "a\nb\nc", id="several"),
        pytest.param([written(["x"], "answer")], "", id="another tag"),
        pytest.param([], "", id="nothing"),
        pytest.param(None, "", id="null"),
        pytest.param([None, 5, {"from_name": "prompt"}, written(5)], "", id="no texts"),
        pytest.param([{"from_name": ["prompt"], "value": {}}], "", id="no name"),
    ],
)
def test_what_is_written(result: Any, expected: str) -> None:
    config = LabelConfig.parse(f"<View>{TEXT}{area('prompt')}{ANSWER}</View>")
    assert read_request({"result": result}, config, PromptSettings(model="m")) == expected


def test_a_book_is_no_request() -> None:
    config = LabelConfig.parse(f"<View>{TEXT}{area('prompt')}{ANSWER}</View>")
    context = {"result": [written("x" * (MAX_REQUEST_CHARACTERS + 5))]}
    assert len(read_request(context, config, PromptSettings(model="m"))) == MAX_REQUEST_CHARACTERS
