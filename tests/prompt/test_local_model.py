"""Models that run in this process: tiny ones with random weights, which a schema holds as well."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("llguidance")
pytest.importorskip("transformers")

import torch
from PIL import Image

from backends.prompt.answer_schema import check_answer
from backends.prompt.errors import (
    ContentTooLongError,
    InvalidAnswerError,
    ServerFailedError,
    TruncatedAnswerError,
)
from backends.prompt.models.constrained_rows import AnswerRow, ConstrainedRows
from backends.prompt.models.local_model import LocalModel
from backends.prompt.models.openai_model import OpenAIModel
from backends.prompt.models.reply import Reply
from backends.prompt.models.scores import score_by_tokens
from backends.prompt.question import (
    Answer,
    AudioPart,
    ImagePart,
    Question,
    TextPart,
    TokenUsage,
)
from backends.prompt.settings import PromptSettings
from shared.errors import ModelError, TaskError, UnfillableError
from shared.media.image_size import ImageSize
from shared.settings import Settings

from .answer_schema.gallery import FILE as GALLERY
from .answers import answer_schema
from .model_server import ModelServer
from .tiny_chat_models import STRICT_TEMPLATE, save_text_model, save_vision_model


def object_schema(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TOPIC = {"type": "string", "enum": ["Positive", "Negative", 'Né "5"']}
STARS = {"type": "integer", "minimum": 1, "maximum": 5}
TEXT = {"type": "string"}
ENTITIES = {
    "type": "array",
    "items": object_schema(quote=TEXT, occurrence={"type": "integer", "minimum": 1}, label=TOPIC),
}
CHOICE = object_schema(topic=TOPIC, stars=STARS)
EVERYTHING = object_schema(
    topic=TOPIC,
    topics={"type": "array", "items": TOPIC, "minItems": 1},
    stars={"anyOf": [STARS, {"type": "null"}]},
    size={"type": "number", "minimum": 0, "maximum": 10},
    day={"type": "string", "format": "date"},
    code={"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}$"},
    entities=ENTITIES,
    summary={"type": "string", "maxLength": 20},
    remark=TEXT,
)


def ask_about(text: str = "hello", schema: Any = CHOICE, **more: Any) -> Question:
    return Question("Say what it is.", schema, (TextPart("text", text),), **more)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """The models are so small that threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_text_model(tmp_path_factory.mktemp("text"))


def load(folder: Path, **settings: Any) -> LocalModel:
    options = {"max_tokens": 120, **settings}
    return LocalModel.load("tiny", folder, PromptSettings(**options), "cpu")


@pytest.fixture(scope="module")
def model(text_folder: Path) -> LocalModel:
    return load(text_folder)


def answered(answer: Answer | TaskError) -> Answer:
    assert isinstance(answer, Answer), answer
    assert not check_answer(answer.question.schema, answer.values)
    return answer


def test_answers_fit_the_schema_and_have_scores(model: LocalModel) -> None:
    answer = answered(model.ask(ask_about()))
    assert answer.values["topic"] in TOPIC["enum"]
    assert set(answer.scores) == {"/topic", "/stars"}
    assert all(0 < score <= 1 for score in answer.scores.values())
    assert answer.usage.prompt > 100, "the schema is part of the question"
    assert 10 < answer.usage.completion <= 120


@pytest.mark.parametrize("temperature", [0.0, 1.0, 2.0])
def test_every_kind_of_value_fits_however_little_the_model_knows(
    temperature: float, text_folder: Path
) -> None:
    model = load(text_folder, max_tokens=300)
    answer = answered(model.ask(ask_about(schema=EVERYTHING, temperature=temperature)))
    assert list(answer.values) == list(EVERYTHING["properties"])
    assert len(answer.values["summary"]) <= 20
    assert 0 <= answer.values["size"] <= 10


def test_a_batch_answers_each_question_as_alone(model: LocalModel) -> None:
    questions = [ask_about("hello " * count) for count in (1, 30, 4)]
    together = [answered(answer) for answer in model.ask_all(questions)]
    for question, answer in zip(questions, together, strict=True):
        alone = model.ask(question)
        assert answer.question is question
        assert answer.values == alone.values
        assert dict(answer.scores) == pytest.approx(dict(alone.scores), abs=1e-4)


def test_a_draw_repeats_itself_and_differs_by_text(model: LocalModel) -> None:
    questions = [ask_about(f"text {number}", temperature=1.5) for number in range(8)]
    first = [answered(answer).values for answer in model.ask_all(questions)]
    second = [answered(answer).values for answer in model.ask_all(questions[::-1])]
    assert first == second[::-1]
    assert len({json.dumps(values) for values in first}) > 1


def test_samples_score_what_they_agree_on(model: LocalModel) -> None:
    answer = answered(model.ask(ask_about(samples=5)))
    assert answer.scores["/topic"] in {count / 5 for count in range(1, 6)}
    assert answer.usage.completion > 5 * 10


def test_a_long_answer_is_brought_to_an_end(
    model: LocalModel, caplog: pytest.LogCaptureFixture
) -> None:
    schema = object_schema(entities=ENTITIES, remark=TEXT, topic=TOPIC)
    with caplog.at_level(logging.WARNING):
        answer = answered(model.ask(ask_about(schema=schema)))
    assert answer.usage.completion <= 120
    assert "tiny: a long answer was cut at 120 tokens, see PROMPT_MAX_TOKENS" in caplog.text


def test_an_answer_without_room_is_truncated(text_folder: Path) -> None:
    with pytest.raises(TruncatedAnswerError, match="raise PROMPT_MAX_TOKENS"):
        load(text_folder, max_tokens=4).ask(ask_about())


def test_each_question_that_cannot_be_asked_costs_itself(model: LocalModel) -> None:
    nowhere = {**CHOICE, "properties": {"topic": {"enum": []}, "stars": STARS}}
    sound = Question("Hear.", CHOICE, (AudioPart("talk", b"RIFF", "wav"),))
    questions = [ask_about(), ask_about("long " * 4000), ask_about(schema=nowhere), sound]
    good, too_long, no_grammar, no_ears = model.ask_all(questions)
    answered(good)
    assert isinstance(too_long, ContentTooLongError)
    assert "tiny has room for 3976 beside the answer: set PROMPT_CONTEXT_TOKENS=3976" in str(
        too_long
    )
    assert isinstance(no_grammar, InvalidAnswerError)
    assert "No grammar can be made of the answers" in str(no_grammar)
    assert isinstance(no_ears, UnfillableError)
    assert "tiny takes no sound, which talk has" in str(no_ears)


def test_a_model_that_takes_too_long_is_stopped(text_folder: Path) -> None:
    with pytest.raises(ServerFailedError, match="within PROMPT_TIMEOUT"):
        load(text_folder, timeout=1e-3).ask(ask_about(schema=object_schema(remark=TEXT)))


@pytest.mark.parametrize(
    "template", [pytest.param(None, id="none"), pytest.param(STRICT_TEMPLATE, id="no-system")]
)
def test_chat_templates(template: str | None, tmp_path: Path) -> None:
    model = load(save_text_model(tmp_path, template))
    text = model.write_chat(ask_about("What a day")).text
    assert text.index("Say what it is.") < text.index("What a day")
    assert text.endswith("Answer: " if template is None else "<|assistant|>")
    answered(model.ask(ask_about()))


def png(color: str) -> ImagePart:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), color).save(file, "PNG")
    size = ImageSize(40, 30)
    return ImagePart("photo", file.getvalue(), "image/png", size, size)


def test_pictures_are_seen_by_models_that_see(tmp_path: Path, model: LocalModel) -> None:
    seeing = load(save_vision_model(tmp_path))
    shown = [Question("Look.", CHOICE, (png(color),)) for color in ("red", "blue")]
    red, blue, text = (answered(one) for one in seeing.ask_all([*shown, ask_about()]))
    assert red.scores != blue.scores
    assert dict(text.scores) == pytest.approx(dict(seeing.ask(ask_about()).scores), abs=1e-4)
    with pytest.raises(UnfillableError, match="tiny reads text only, and photo shows a picture"):
        model.ask(shown[0])


def test_a_client_gets_the_same_answer_from_a_server_around_it(model: LocalModel) -> None:
    question = ask_about(schema=object_schema(entities=ENTITIES, topic=TOPIC))
    with ModelServer(model) as server:
        settings = PromptSettings(model="tiny", base_url=server.url)
        client = OpenAIModel("tiny", settings, Settings())
        answer = answered(client.ask(question))
        client.close()
    [request] = server.requests
    chat = model.network.write_chat(request["messages"])
    row = AnswerRow(question.schema, model.answer_tokens)
    rows = ConstrainedRows(model.grammar, [row], float("inf"))
    model.network.generate([chat], rows, model.answer_tokens)
    reply = Reply(row.data.decode(), row.tokens)
    assert answer.values == json.loads(row.data)
    scores = score_by_tokens(reply, 0, answer.values, question.schema)
    assert dict(answer.scores) == pytest.approx(scores)
    assert "/topic" in scores
    assert answer.usage == TokenUsage(model.network.count_tokens(chat.text), len(row.tokens))


def test_there_is_a_grammar_for_each_template_of_the_gallery(model: LocalModel) -> None:
    schemas = {name: asked["schema"] for name, asked in json.loads(GALLERY.read_text()).items()}
    assert len(schemas) == 69
    for name, schema in schemas.items():
        matcher = model.grammar.match(schema)
        answer = json.dumps(answer_schema(schema, "One two three", 1), ensure_ascii=False)
        tokens = model.network.tokenizer(answer, add_special_tokens=False).input_ids
        taken = matcher.try_consume_tokens(tokens)
        fits = not check_answer(schema, json.loads(answer))
        assert (taken == len(tokens) and matcher.is_accepting()) == fits, (name, answer)


def test_what_is_no_chat_model_is_not_loaded(text_folder: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    for path in text_folder.glob("*.json"):
        (pickled / path.name).write_bytes(path.read_bytes())
    torch.save({}, pickled / "pytorch_model.bin")
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder in (pickled, empty):
        with pytest.raises(ModelError, match="tiny is no chat model that transformers loads"):
            load(folder)


def test_code_beside_the_weights_is_not_run(text_folder: Path, tmp_path: Path) -> None:
    for path in text_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')")
    with pytest.raises(ModelError, match="tiny is no chat model"):
        load(tmp_path)
    assert not (tmp_path / "run").exists()
