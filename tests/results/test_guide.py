"""The pre-annotations guide's own examples, rebuilt by the builders to the letter."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.label_studio.label_config import Control, LabelConfig
from shared.results import (
    Ellipse,
    ImageSize,
    KeyPoint,
    Polygon,
    Rectangle,
    TextSpan,
    parse_regions,
    region,
    whole_task,
)
from shared.results.validation import check_task

GUIDE = Path(__file__).parent / "guide"
Json = dict[str, Any]


def example(name: str) -> tuple[LabelConfig, list[Json]]:
    config = LabelConfig.parse((GUIDE / f"{name}.xml").read_text(encoding="utf-8"))
    tasks = json.loads((GUIDE / f"{name}.json").read_text(encoding="utf-8"))
    return config, tasks if isinstance(tasks, list) else [tasks]


def control(config: LabelConfig, name: str) -> Control:
    found = config.find_control(name)
    assert found is not None
    return found


def pixels(percent: list[float], on: ImageSize) -> list[float]:
    """x, y, width, height as a model would have them."""
    scale = (on.width, on.height) * 2
    return [part * whole / 100 for part, whole in zip(percent, scale, strict=True)]


def test_boxes_and_a_choice() -> None:
    config, [task] = example("02-bbox-and-choices")
    size = ImageSize(600, 403)
    label = control(config, "label")
    boxes = {"Airplane": [4.98, 12.82, 32.52, 44.91], "Car": [75.47, 82.33, 5.74, 7.40]}
    regions = [
        region(Rectangle(*pixels(box, size)), {label: name}, size, id=f"result{number}")
        for number, (name, box) in enumerate(boxes.items(), 1)
    ]
    regions.append(whole_task(control(config, "choice"), "Airbus", id="result3"))
    built = [result for region in regions for result in region.results]
    assert built == task["predictions"][0]["result"]


def test_regions_without_labels() -> None:
    """All but DEF, which the guide calls a rectangle and writes as a keypoint under `rect`.

    The guide leaves out `closed` of the polygon; the editor writes it.
    """
    config, [task] = example("03-unlabeled-regions")
    size = ImageSize(800, 450)
    outline = [(20.93, 28.90), (25.86, 64.69), (38.40, 62.79), (34.13, 27.48)]
    points = [(x * 8, y * 4.5) for x, y in outline]
    built = {
        "ABC": region(
            Rectangle(*pixels([55.46, 2.36, 35.86, 46.9], size)),
            {control(config, "rect"): None},
            size,
            id="ABC",
        ),
        "GHI": region(Polygon(points), {control(config, "polygon"): None}, size, id="GHI"),
        "JKL": region(
            Ellipse(8.4 * 8, 20.14 * 4.5, 4 * 8, 7.10 * 4.5),
            {control(config, "ellipse"): None},
            size,
            id="JKL",
        ),
        "DEF": region(
            KeyPoint(38.40 * 8, 34.21 * 4.5, 1.0 * 8), {control(config, "kp"): None}, size, id="DEF"
        ),
    }
    for wanted in task["predictions"][0]["result"]:
        [result] = built[wanted["id"]].results
        if wanted["id"] == "GHI":
            assert result["value"].pop("closed") is True
        if wanted["id"] == "DEF":
            assert (wanted["from_name"], wanted["type"]) == ("rect", "keypoint")
            wanted = {**wanted, "from_name": "kp"}
        assert result == wanted


def test_spans_of_two_models() -> None:
    """The guide's scores stand in `value`, where the editor drops them; ours stand beside it."""
    config, tasks = example("04-text-spans")
    label = control(config, "label")
    for task in tasks:
        for prediction in task["predictions"]:
            for wanted in prediction["result"]:
                value = wanted["value"]
                span = TextSpan(value["start"], value["end"])
                score = value.pop("score", None)
                if score is not None:
                    wanted["score"] = score
                built = region(
                    span, {label: value["labels"]}, task["data"]["text"], score, id=wanted["id"]
                )
                assert built.results == (wanted,)


def test_a_line_of_text_under_one_id() -> None:
    """The guide gives the shape's width a digit more in the first result than in the others."""
    config, [task] = example("05-ocr")
    size = ImageSize(864, 1296)
    marks = {
        control(config, "bbox"): None,
        control(config, "label"): "Text",
        control(config, "transcription"): "TOTAL",
    }
    box = Rectangle(*pixels([48.9333, 61.3336, 9.7333, 2.8446], size))
    wanted = task["predictions"][0]["result"]
    assert wanted[0]["value"]["width"] == 9.73333
    wanted[0]["value"]["width"] = 9.7333
    assert list(region(box, marks, size, id="bb1").results) == wanted


@pytest.mark.parametrize(
    "name", ["02-bbox-and-choices", "03-unlabeled-regions", "04-text-spans", "05-ocr"]
)
def test_the_examples_are_read_back(name: str) -> None:
    """What is read and built again is the example, but for what is said above."""
    config, tasks = example(name)
    for task in tasks:
        on = {"text": task["data"].get("text")}
        for prediction in task["predictions"]:
            results = prediction["result"]
            for result in results:
                result["value"].pop("score", None)
                result["value"].update({"closed": True} if "points" in result["value"] else {})
                if result["id"] == "bb1":
                    result["value"]["width"] = 9.73333
                if result["id"] == "DEF":
                    result["from_name"] = "kp"
            regions = [reading.to_region() for reading in parse_regions(results, config, on)]
            assert [result for region in regions for result in region.results] == results


def test_the_guide_has_one_wrong_region() -> None:
    config, [task] = example("03-unlabeled-regions")
    [finding] = check_task(config, task)
    assert finding.region == "DEF"
    assert finding.rule == "wrong_type"
    assert finding.message == (
        'region DEF: type "keypoint", but from_name "rect" is the Rectangle tag;'
        ' "kp" is the KeyPoint tag'
    )


@pytest.mark.parametrize("name", ["02-bbox-and-choices", "04-text-spans", "05-ocr"])
def test_the_other_examples_have_no_errors(name: str) -> None:
    config, tasks = example(name)
    findings = [finding for task in tasks for finding in check_task(config, task)]
    assert {(finding.rule, finding.severity) for finding in findings} <= {
        ("score_in_value", "warning")
    }
