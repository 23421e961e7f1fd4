"""Boxes of vision models, from the schema to the editor's regions."""

from collections.abc import Mapping
from typing import Any

import pytest
from PIL import Image as Pillow

from backends.prompt.answer_schema import build_schema, check_answer
from backends.prompt.claims import claim_controls, explain_left
from backends.prompt.content import Content
from backends.prompt.question import Answer, Question
from backends.prompt.regions import build_regions
from backends.prompt.settings import PromptSettings
from shared.backend import LabelConfig, ModelSpec
from shared.results import Omission, Region
from shared.results.validation import check_results
from tests.prompt.content.shown import encoded, read

BOXES = (
    '<RectangleLabels name="what" toName="img"><Label value="Cat"/><Label value="Dog" alias="d"'
    ' hint="barks"/></RectangleLabels>'
)
ONE = f'<Image name="img" value="$v"/>{BOXES}'
SAID = (
    '<TextArea name="caption" toName="img" perRegion="true"/>'
    '<Choices name="side" toName="img" perRegion="true" whenLabelValue="Dog"><Choice value="left"/>'
    '<Choice value="right"/></Choices>'
)
LIST = f'<Image name="img" valueList="$v"/>{BOXES}'


def picture(width: int = 200, height: int = 100) -> str:
    return encoded(Pillow.new("RGB", (width, height), "white"))


def content(xml: str, value: Any, box_format: str | None = "xyxy_1000") -> Content:
    return read(xml, {"v": value}, box_format=box_format)


def regions(
    xml: str, shown: Content, values: Mapping[str, Any], scores: Mapping[str, float] | None = None
) -> tuple[list[Region], list[str]]:
    """The regions of an answer, each valid, and what was left out."""
    config = LabelConfig.parse(f"<View>{xml}</View>")
    [claim] = claim_controls(
        config,
        ModelSpec("prompt", "m"),
        PromptSettings(model="m", box_format="xyxy_1000"),
    )
    schema = build_schema(claim.controls, config, shown.sources)
    question = Question("", schema, shown.parts, sources=shown.sources)
    found = list(build_regions(Answer(question, values, scores or {}), claim, config))
    made = [region for region in found if isinstance(region, Region)]
    assert check_results(config, [result for region in made for result in region.results]) == []
    return made, [omission.message for omission in found if isinstance(omission, Omission)]


def test_the_schema_of_boxes() -> None:
    shown = content(ONE, picture())
    config = LabelConfig.parse(f"<View>{ONE}</View>")
    schema = build_schema(config.controls, config, shown.sources)
    items = schema["properties"]["what"]["items"]
    assert items["required"] == ["box", "label"]
    assert items["properties"]["label"]["enum"] == ["Cat", "Dog"]
    assert "barks" in items["properties"]["label"]["description"]
    assert "from 0 to 1000" in items["properties"]["box"]["description"]
    assert check_answer(schema, {"what": [{"box": [1, 2, 3, 4], "label": "Cat"}]}) == []
    assert check_answer(schema, {"what": [{"box": [1, 2], "label": "Cow"}]}) != []


def test_boxes_become_regions_of_the_original() -> None:
    shown = read(ONE, {"v": picture(2000, 1000)}, box_format="xyxy_1000", image_pixels=20_000)
    values = {"what": [{"box": [100, 200, 300, 600], "label": "Dog"}]}
    [region], left = regions(ONE, shown, values, {"/what/0": 0.75})
    [result] = region.results
    assert (left, region.score) == ([], 0.75)
    assert (result["original_width"], result["original_height"]) == (2000, 1000)
    assert result["value"] == {
        "x": 10, "y": 20, "width": 20, "height": 40, "rotation": 0, "rectanglelabels": ["d"],
    }  # fmt: skip


def test_what_is_said_of_a_box_has_its_place() -> None:
    shown = content(ONE + SAID, picture())
    box = [0, 0, 500, 500]
    items = [
        {"box": box, "label": "Cat", "values": {"caption": "a cat asleep", "side": "left"}},
        {"box": [500, 0, 999, 500], "label": "Dog", "values": {"caption": None, "side": "right"}},
    ]
    (cat, dog), left = regions(ONE + SAID, shown, {"what": items})
    assert left == []
    assert [(result["type"], result["id"] == cat.id) for result in cat.results] == [
        ("rectanglelabels", True),
        ("textarea", True),
    ], "which side is asked of dogs alone"
    assert cat.results[1]["value"]["text"] == ["a cat asleep"]
    assert cat.results[1]["value"]["width"] == 50
    assert [result["value"].get("choices") for result in dog.results] == [None, ["right"]]


def test_boxes_on_several_pictures() -> None:
    shown = content(LIST, [picture(100, 100), picture(400, 200)])
    items = [
        {"picture": 2, "box": [0, 0, 500, 500], "label": "Cat"},
        {"picture": 1, "box": [0, 0, 500, 500], "label": "Cat"},
        {"picture": 3, "box": [0, 0, 500, 500], "label": "Cat"},
    ]
    found, [why] = regions(LIST, shown, {"what": items})
    assert [(r.results[0]["item_index"], r.results[0]["original_width"]) for r in found] == [
        (1, 400),
        (0, 100),
    ]
    assert "there is no picture 3, only 2" in why


def test_what_has_no_place_is_named() -> None:
    shown = content(ONE, picture())
    same = {"box": [1, 2, 300, 400], "label": "Cat"}
    items = [same, {"box": [900, 0, 1500, 10], "label": "Cat"}, same]
    items += ["a cat", {"box": [0, 0, 9, 9], "label": "Cow"}, {"box": [0, 0, 9, 9]}]
    found, left = regions(ONE, shown, {"what": items})
    assert len(found) == 1
    assert [why.rpartition(": ")[2][:22] for why in left] == [
        "it lies outside of the",
        "a box has four numbers",
        'RectangleLabels "what"',
        "no label",
    ]


def test_boxes_are_off_by_default() -> None:
    config = LabelConfig.parse(f'<View>{ONE}{SAID}<Rating name="r" toName="img"/></View>')
    [claim] = claim_controls(config, ModelSpec("prompt", "m"), PromptSettings(model="m"))
    # What describes regions is asked for where annotators draw them.
    assert [control.name for control in claim.controls] == ["caption", "side", "r"]
    shown = content(ONE, picture(), box_format=None)
    assert "what" not in build_schema(config.controls, config, shown.sources)["properties"]
    [why] = explain_left(config, PromptSettings(model="m"))
    assert why.startswith('RectangleLabels "what" could be filled')
    assert "PROMPT_BOX_FORMAT" in why


@pytest.mark.parametrize("written", ["xyxy", "yxyx_1024"])
def test_a_format_that_is_not_known(written: str) -> None:
    with pytest.raises(ValueError, match="xyxy_1000"):
        PromptSettings(model="m", box_format=written)
