"""Regions that annotators draw are described by the model: interactive mode, per-region tags."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from backends.prompt import PromptBackend
from backends.prompt.content.crops import crop_image
from backends.prompt.models import ChatModel
from backends.prompt.question import Answer, ImagePart, Question, TextPart
from shared.backend import Image, LabelConfig, ModelSpec
from shared.pipeline.runtime import runtime
from shared.results import ImageSize, ParsedRegion, Rectangle
from shared.results.validation import check_results
from tests.prompt.content.shown import encoded, opened
from tests.tiny import WordBackend, made, routed

LABELS = '<Labels name="{0}" toName="text"><Label value="Word"/><Label value="Name"/></Labels>'
PER_REGION = (
    '<Choices name="mood" toName="text" perRegion="true"><Choice value="good"/>'
    '<Choice value="bad"/></Choices><TextArea name="note" toName="text" perRegion="true"/>'
    '<TextArea name="name" toName="text" perRegion="true" whenTagName="{0}" whenLabelValue="Name"/>'
)
TEXT = '<Text name="text" value="$text"/>'


def xml(name: str = "ner", more: str = "") -> str:
    return f"<View>{LABELS.format(name)}{PER_REGION.format(name)}{more}{TEXT}</View>"


class RepeatingModel:
    """Says of each region what it is told of it."""

    asked: list[Question]

    def __init__(self) -> None:
        self.asked = []

    def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        texts = {part.name: part.text for part in question.content if isinstance(part, TextPart)}
        regions = {
            name: {"mood": "bad", "note": texts[name], "name": "x", "other": 5}
            for name in question.schema["properties"]
            if name in texts
        }
        return Answer(question, regions)


MODEL = RepeatingModel()


class RepeatingBackend(PromptBackend):
    """The prompt backend with that model."""

    def load(self, spec: ModelSpec) -> ChatModel:
        return MODEL


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPT_MODEL", "any")
    MODEL.asked.clear()


def span(start: int, end: int, text: str, label: str = "Name", **more: Any) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": text, "labels": [label]}
    return {
        "id": f"r{start}",
        "from_name": "ner",
        "to_name": "text",
        "type": "labels",
        "origin": "manual",
        "value": value,
        **more,
    }


Predict = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def predict() -> Predict:
    """Return the results of one task, as `/predict` answers a context."""

    def run(config: str, results: Any, text: str = "Ann met Bob") -> list[dict[str, Any]]:
        plan = routed(made(RepeatingBackend, config), xml=config)
        task = {"id": 1, "data": {"text": text}}
        context = None if results is None else {"result": results}
        [outcome] = runtime().pipeline.run(plan, [task], context)
        found: dict[str, Any] | list[Any] = outcome.to_response(interactive=context is not None)
        answered = found["result"] if isinstance(found, dict) else []
        assert check_results(LabelConfig.parse(config), answered) == []
        return answered

    return run


def test_a_drawn_region_comes_back_with_what_is_said_of_it(predict: Predict) -> None:
    """The editor replaces it by its id, so what it had comes with it."""
    drawn = span(8, 11, "Bob")
    results = predict(xml(), [drawn])
    place = {"start": 8, "end": 11, "globalOffsets": {"start": 8, "end": 11}}
    assert results == [
        {**drawn, "value": {**drawn["value"], **place}},
        {
            "id": "r8",
            "from_name": "mood",
            "to_name": "text",
            "type": "choices",
            "value": {**place, "text": "Bob", "choices": ["bad"]},
        },
        {
            "id": "r8",
            "from_name": "note",
            "to_name": "text",
            "type": "textarea",
            "value": {**place, "text": ["Bob\n(marked as Name)"]},
        },
        {
            "id": "r8",
            "from_name": "name",
            "to_name": "text",
            "type": "textarea",
            "value": {**place, "text": ["x"]},
        },
    ]
    [asked] = MODEL.asked
    assert "mood" in asked.instruction
    assert list(asked.schema["properties"]) == ["region 1"]


def test_what_the_annotator_has_said_stays(predict: Predict) -> None:
    drawn = span(0, 3, "Ann", "Word")
    said = {**drawn, "from_name": "note", "type": "textarea"}
    said["value"] = {"start": 0, "end": 3, "text": ["mine"]}
    results = predict(xml(), [said, drawn])
    assert [result["from_name"] for result in results] == ["ner", "note", "mood"]
    assert results[1]["value"]["text"] == ["mine"]


def test_each_of_several_regions_gets_its_own(predict: Predict) -> None:
    results = predict(xml(), [span(0, 3, "Ann", "Word"), span(8, 11, "Bob")])
    notes = {
        result["id"]: result["value"]["text"] for result in results if result["from_name"] == "note"
    }
    assert notes == {"r0": ["Ann\n(marked as Word)"], "r8": ["Bob\n(marked as Name)"]}


@pytest.mark.parametrize(
    "results",
    [
        [],
        None,
        "all",
        [{"id": 5}],
        [span(8, 11, "Bob", from_name="other")],
        [span(8, 11, "Bob", value={"start": "x"})],
        [span(8, 11, "Bob", value=None)],
    ],
    ids=["none", "null", "a text", "no id", "of another tag", "no place", "no value"],
)
def test_a_context_without_a_readable_region_asks_nothing(results: Any) -> None:
    config = xml(more='<Choices name="topic" toName="text"><Choice value="a"/></Choices>')
    plan = routed(made(RepeatingBackend, config), xml=config)
    task = {"id": 1, "data": {"text": "Ann met Bob"}}
    [outcome] = runtime().pipeline.run(plan, [task], {"result": results})
    assert outcome.to_response(interactive=True) == {"result": [], "model_version": plan.version()}
    assert MODEL.asked == []


def test_of_a_long_text_the_part_around_the_region_is_sent(predict: Predict) -> None:
    text = "Nothing happened here. " * 3000 + "Then Zoe came."
    start = text.index("Zoe")
    results = predict(xml(), [span(start, start + 3, "Zoe")], text)
    [asked] = MODEL.asked
    shown = next(part.text for part in asked.content if isinstance(part, TextPart))
    assert "Then Zoe came." in shown
    assert len(shown) < len(text) / 2
    assert {result["id"] for result in results} == {f"r{start}"}


def test_spans_of_another_backend_are_described_one_by_one_and_not_in_bulk() -> None:
    config = xml("label")
    backends = made(WordBackend, config), made(RepeatingBackend, config)
    plan = routed(*backends, xml=config)
    assert [step.backend.name for step in plan.steps] == ["word", "prompt"]
    [claim] = plan.steps[1].claims
    [why] = [line for line in claim.mapping_report() if "cannot be filled in bulk" in line]
    assert 'Choices "mood"' in why
    [outcome] = runtime().pipeline.run(plan, [{"id": 1, "data": {"text": "Ann met Bob"}}])
    answered = outcome.to_response()
    assert isinstance(answered, dict)
    assert {result["from_name"] for result in answered["result"]} == {"label"}
    assert MODEL.asked == []
    drawn = span(8, 11, "Bob", from_name="label")
    [outcome] = runtime().pipeline.run(
        plan, [{"id": 1, "data": {"text": "Ann met Bob"}}], {"result": [drawn]}
    )
    answered = outcome.to_response(interactive=True)
    assert isinstance(answered, dict)
    assert "note" in {result["from_name"] for result in answered["result"]}


BOX = (
    '<View><Image name="img" value="$img"/><RectangleLabels name="box" toName="img">'
    '<Label value="Cat"/></RectangleLabels><PolygonLabels name="area" toName="img">'
    '<Label value="Tree"/></PolygonLabels>'
    '<TextArea name="caption" toName="img" perRegion="true" placeholder="Describe it"/></View>'
)


def halves() -> str:
    """A picture of 200 × 100 pixels, red to the left and blue to the right."""
    picture = Pillow.new("RGB", (200, 100), (220, 0, 0))
    picture.paste((0, 0, 220), (100, 0, 200, 100))
    return encoded(picture)


def area(tag: str, label: str, **value: Any) -> dict[str, Any]:
    return {
        "id": "r1",
        "from_name": tag,
        "to_name": "img",
        "type": "rectanglelabels" if tag == "box" else "polygonlabels",
        "original_width": 200,
        "original_height": 100,
        "image_rotation": 0,
        "value": {**value, "rectanglelabels" if tag == "box" else "polygonlabels": [label]},
    }


CAT = area("box", "Cat", x=60, y=20, width=20, height=40, rotation=0)
TREE = area("area", "Tree", points=[[10, 10], [30, 10], [20, 50]], closed=True)


class CaptioningBackend(RepeatingBackend):
    """Says of each region how large its picture is."""

    def load(self, spec: ModelSpec) -> ChatModel:
        return CaptioningModel()


class CaptioningModel:
    """Keeps what it was shown."""

    def ask(self, question: Question) -> Answer:
        MODEL.asked.append(question)
        sizes = {
            part.name: f"{part.size.width} × {part.size.height}"
            for part in question.content
            if isinstance(part, ImagePart)
        }
        keys = question.schema["properties"]
        return Answer(question, {name: {"caption": sizes[name]} for name in keys})


@pytest.mark.parametrize(
    ("drawn", "size", "red"),
    [
        # 120 to 160 × 20 to 60 pixels, and 4 more on each side.
        (CAT, "48 × 48", False),
        # 20 to 60 × 10 to 50.
        (TREE, "48 × 48", True),
    ],
    ids=["box", "polygon"],
)
def test_areas_of_pictures_are_cut_out(drawn: dict[str, Any], size: str, red: bool) -> None:
    plan = routed(made(CaptioningBackend, BOX), xml=BOX)
    [outcome] = runtime().pipeline.run(
        plan, [{"id": 1, "data": {"img": halves()}}], {"result": [drawn]}
    )
    assert outcome.prediction is not None, outcome.error
    first, caption = outcome.prediction.results
    assert first == drawn
    assert (caption["id"], caption["from_name"], caption["value"]["text"]) == (
        "r1", "caption", [size],
    )  # fmt: skip
    assert caption["original_width"] == 200
    assert check_results(LabelConfig.parse(BOX), outcome.prediction.results) == []
    [question] = MODEL.asked
    cut = next(p for p in question.content if isinstance(p, ImagePart) and p.name == "region 1")
    left, _, right = opened(cut).getpixel((24, 24))  # type: ignore[misc]
    assert (left > right) == red
    assert any(
        isinstance(part, TextPart) and "(marked as" in part.text for part in question.content
    )


def test_a_region_beside_the_picture_is_a_pixel_of_its_edge() -> None:
    image = Image(np.zeros((10, 20, 3), np.uint8))
    outside = ParsedRegion("r", Rectangle(500, 500, 10, 10), {}, ImageSize(20, 10))
    assert crop_image(image, outside).size == (1, 1)
    # Drawn while the editor showed the picture at twice its size.
    larger = ParsedRegion("r", Rectangle(20, 10, 10, 10), {}, ImageSize(40, 20))
    assert crop_image(image, larger).size == (6, 6), "5 pixels, and half a pixel on each side"
