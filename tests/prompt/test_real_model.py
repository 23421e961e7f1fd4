"""A real small language model in this process, and behind an OpenAI-compatible server.

Its other figures, and fifty questions, are measured by `python -m tests.bench.local_model`.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("llguidance")
pytest.importorskip("transformers")

from backends.prompt.answer_schema import check_answer
from backends.prompt.models.local_model import LocalModel
from backends.prompt.models.openai_model import OpenAIModel
from backends.prompt.question import Answer
from backends.prompt.settings import PromptSettings
from shared.settings import Settings

from .gemma import ModelNotAvailableError, find_gemma
from .model_server import ModelServer
from .real_questions import make_questions

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder() -> Path:
    """The model's folder; where it cannot be had the tests are skipped, but never in CI."""
    try:
        return find_gemma()
    except ModelNotAvailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def model(folder: Path) -> LocalModel:
    return LocalModel.load("gemma", folder, PromptSettings(max_tokens=60, timeout=3600), "cpu")


@pytest.fixture(scope="module")
def server(model: LocalModel) -> Iterator[ModelServer]:
    with ModelServer(model) as running:
        yield running


def test_its_answers_fit_and_say_how_sure_it_is(model: LocalModel) -> None:
    questions = make_questions(4)
    for question, answer in zip(questions, model.ask_all(questions), strict=True):
        assert isinstance(answer, Answer), answer
        assert not check_answer(question.schema, answer.values)
        assert answer.usage.prompt == model.count_tokens(question)
        assert all(0 < score <= 1 for score in answer.scores.values())


def test_a_client_asks_it_on_a_server(server: ModelServer) -> None:
    [question] = make_questions(1)
    settings = PromptSettings(model="gemma", base_url=server.url, timeout=300)
    client = OpenAIModel("gemma", settings, Settings())
    try:
        answer = client.ask(question)
    finally:
        client.close()
    assert not check_answer(question.schema, answer.values)
    assert answer.values["topic"] is None or 0 < answer.scores["/topic"] <= 1
    assert answer.usage.completion > 0
    [request] = server.requests
    assert request["response_format"]["json_schema"]["schema"] == question.schema
