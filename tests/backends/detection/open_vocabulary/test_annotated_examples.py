"""Boxes that are annotated in other tasks: what looks like them is what the libraries find."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.detection import DetectionBackend
from backends.detection.open_vocabulary.example_table import Embedded, mean_by_label
from backends.detection.open_vocabulary.visual_encoder import VisualEncoder
from shared.backend.annotated_examples import MAX_TASKS, AnnotatedExamples
from shared.backend.process_resources import shared_resources
from shared.errors import PrelabelError
from shared.evaluation.annotated_examples import collect_examples
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task_file import TaskEntry
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import runtime
from shared.settings import changed_environment
from tests.backends.detection.conftest import PICTURE, data_url
from tests.backends.detection.open_vocabulary.conftest import Ask, Model, boxes_tag
from tests.backends.detection.open_vocabulary.test_agreement import (
    HEIGHT,
    IOU,
    WIDTH,
    WORDS,
    Expected,
    assert_equal,
)
from tests.backends.detection.open_vocabulary.test_drawn_examples import BOXES, EXAMPLES, drawn
from tests.backends.detection.open_vocabulary.word_networks import SIZE

Json = dict[str, Any]

# The other picture, on which nothing is annotated.
MIRRORED = np.ascontiguousarray(PICTURE[:, ::-1])
ASKING = 'model_examples="annotated" toName'
LOW = {"model_score_threshold": 0.001}


def annotated_task(number: int, regions: Sequence[Json], pixels: Any = PICTURE) -> Json:
    annotation = {"id": number, "result": list(regions), "completed_by": 1}
    return {"id": number, "data": {"image": data_url(pixels)}, "annotations": [annotation]}


DRAWN = [drawn(label, box) for label, box in EXAMPLES.items()]
TASKS = [annotated_task(1, DRAWN)]


def config_of(tags: str) -> LabelConfig:
    return LabelConfig.parse(f'<View><Image name="image" value="$image"/>{tags}</View>')


def examples_of(tags: str, tasks: Iterable[Json] = TASKS) -> AnnotatedExamples:
    entries = [TaskEntry(number, None, task) for number, task in enumerate(tasks)]
    return collect_examples(entries, config_of(tags), shared_resources().media)


def plan_of(tags: str, tasks: Iterable[Json] = TASKS) -> PredictionPlan:
    found = examples_of(tags, tasks)
    planner = runtime().planner
    return planner.plan_all(config_of(tags), [DetectionBackend], ["detection"], examples=found)[0]


def find(model: Path, tag: str, tasks: Iterable[Json] = TASKS, pixels: Any = MIRRORED) -> Json:
    """Predict a picture by what is annotated in other tasks; the first tag asks for that."""
    with changed_environment({"DETECTION_MODEL": model.name}):
        plan = plan_of(tag.replace("toName", ASKING, 1), tasks)
        task = {"id": 99, "data": {"image": data_url(pixels)}}
        [outcome] = runtime().pipeline.run(plan, [task])
    if outcome.error is not None:
        raise outcome.error
    answered = outcome.to_response()
    assert isinstance(answered, dict)
    return answered


@pytest.mark.parametrize("name", ["yoloe-v8n", "yoloe-11n-seg"])
def test_yoloe_finds_what_it_finds_by_a_reference_image(name: str, ask: Ask, model: Model) -> None:
    expected = by_yoloe(model(name))
    assert_equal(partial(find, model(name)), expected, IOU, drops_empty_masks=name.endswith("-seg"))


def test_owl_finds_what_image_guided_detection_finds(ask: Ask, model: Model) -> None:
    assert_equal(partial(find, model("owlvit")), by_owl(model("owlvit")), iou=1.0)


@pytest.mark.parametrize("name", ["yoloe-v8n", "owlvit"])
def test_examples_in_several_tasks_describe_their_labels_together(
    name: str, ask: Ask, model: Model
) -> None:
    """The same boxes, each annotated in a task of its own, are the same examples."""
    tag = boxes_tag(*WORDS, **LOW)
    apart = [annotated_task(number, [one]) for number, one in enumerate(DRAWN)]
    assert find(model(name), tag, apart)["result"] == find(model(name), tag)["result"] != []


def test_pictures_are_embedded_once(
    ask: Ask, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their content: of a task that is annotated later only its own picture is."""
    looked_at: list[int] = []
    encode = VisualEncoder.encode

    def count(self: VisualEncoder, *inputs: Any) -> Any:
        looked_at.append(1)
        return encode(self, *inputs)

    monkeypatch.setattr(VisualEncoder, "encode", count)
    tag = boxes_tag(*WORDS, **LOW)
    some = [annotated_task(1, [drawn(WORDS[0], (41, 60, 120, 140))])]
    first = find(model("yoloe-v8n"), tag, some)
    again = find(model("yoloe-v8n"), tag, some, PICTURE)
    assert len(looked_at) == 1
    more = [*some, annotated_task(2, DRAWN[:1], MIRRORED)]
    later = find(model("yoloe-v8n"), tag, more, PICTURE)
    assert len(looked_at) == 2
    versions = [one["model_version"] for one in (first, again, later)]
    assert versions[0] == versions[1] != versions[2]


def test_a_tag_beside_it_is_filled_by_words(ask: Ask, model: Model) -> None:
    other = boxes_tag("circle", **LOW)
    both = boxes_tag(*WORDS, **LOW) + other.replace('name="box"', 'name="by_word"')
    found = find(model("yoloe-v8n"), both)["result"]
    alone = find(model("yoloe-v8n"), boxes_tag(*WORDS, **LOW))["result"]
    worded = ask("yoloe-v8n", other, data={"image": data_url(MIRRORED)})["result"]
    assert [one for one in found if one["from_name"] == "box"] == alone
    values = [one["value"] for one in found if one["from_name"] == "by_word"]
    assert values == [one["value"] for one in worded]


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        pytest.param([], "no box with a label of it is annotated", id="no task"),
        pytest.param(
            [{**TASKS[0], "annotations": []}], "no box with a label of it", id="not annotated"
        ),
        pytest.param(
            [annotated_task(1, [drawn("Horse", (40, 60, 120, 140))])],
            'has no label "Horse" in RectangleLabels "box" (any more): such regions are left out',
            id="another label",
        ),
        pytest.param(
            [annotated_task(1, [drawn(None, (40, 60, 120, 140))])],
            "no box with a label of it",
            id="none",
        ),
    ],
)
def test_why_there_are_no_examples_is_said(
    tasks: list[Json], message: str, ask: Ask, model: Model
) -> None:
    with changed_environment({"DETECTION_MODEL": model("yoloe-v8n").name}):
        plan = plan_of(boxes_tag(*WORDS).replace("toName", ASKING), tasks)
    assert not plan.steps
    [problem] = [one for one in plan.problems if "model_examples" in one]
    assert message in problem
    assert "submit it, and ask for predictions again" in problem


@pytest.mark.parametrize(
    ("name", "tag", "message"),
    [
        pytest.param(
            "yoloe-v8n",
            '<RectangleLabels name="b" toName="image" model_examples="all"><Label value="car"/>'
            "</RectangleLabels>",
            'invalid model_examples="all"; expected "annotated"',
            id="another value",
        ),
        pytest.param(
            "yoloe-v8n",
            '<PolygonLabels name="b" toName="image" model_examples="annotated">'
            '<Label value="car"/></PolygonLabels>',
            "is for RectangleLabels",
            id="another tag",
        ),
        pytest.param(
            "starter", boxes_tag("car").replace("toName", ASKING), "knows its own classes", id="net"
        ),
    ],
)
def test_what_cannot_ask_for_examples_says_so(
    name: str, tag: str, message: str, ask: Ask, model: Model
) -> None:
    chosen = name if name == "starter" else model(name).name
    with changed_environment({"DETECTION_MODEL": chosen}):
        plan = plan_of(tag)
    assert any(message in problem for problem in plan.problems)


@pytest.mark.parametrize("name", ["grounding-dino", "yolov8n-worldv2"])
def test_a_model_without_examples_says_which_have_them(name: str, ask: Ask, model: Model) -> None:
    with pytest.raises(PrelabelError, match="nothing by examples in other pictures; YOLOE, OWLv2"):
        find(model(name), boxes_tag(*WORDS))


def test_pictures_that_are_gone_are_left_out(ask: Ask, model: Model) -> None:
    gone = {**annotated_task(2, DRAWN), "data": {"image": "data:image/png;base64,AAAA"}}
    tag = boxes_tag(*WORDS, **LOW)
    assert find(model("yoloe-v8n"), tag, [gone, *TASKS])["result"] != []
    with pytest.raises(PrelabelError, match="No annotated example can be used"):
        find(model("yoloe-v8n"), tag, [gone])


def test_of_too_many_tasks_the_last_count() -> None:
    tag = boxes_tag(*WORDS).replace("toName", ASKING)
    small = np.zeros((8, 8, 3), np.uint8)
    tasks = [annotated_task(number, DRAWN, small) for number in range(MAX_TASKS + 2)]
    found = examples_of(tag, tasks)
    assert [one.task.id for one in found.tasks] == list(range(2, MAX_TASKS + 2))
    assert f"more than {MAX_TASKS} tasks are annotated" in found.notes[0]
    assert found != examples_of(tag, tasks[:-1])
    assert found == examples_of(tag, tasks[1:])


def test_the_mean_of_pictures_has_length_one() -> None:
    def rows(*values: tuple[float, float]) -> Any:
        return np.array(values, np.float32)

    parts = [Embedded(("a", "b"), rows((1, 0), (0, 1))), Embedded(("a",), rows((0, 1)))]
    labels, vectors = mean_by_label(parts)
    assert labels == ("a", "b")
    np.testing.assert_allclose(vectors, [[0.5**0.5, 0.5**0.5], [0, 1]], rtol=1e-6)


# The libraries, called as their manuals say


def by_yoloe(path: Path) -> Expected:
    from ultralytics import YOLOE
    from ultralytics.models.yolo.yoloe import YOLOEVPDetectPredictor, YOLOEVPSegPredictor

    loaded = YOLOE(path)
    found = loaded.predict(
        np.ascontiguousarray(MIRRORED[:, :, ::-1]),
        refer_image=np.ascontiguousarray(PICTURE[:, :, ::-1]),
        visual_prompts={"bboxes": BOXES.copy(), "cls": np.array([0, 1])},
        predictor=YOLOEVPSegPredictor if "seg" in path.name else YOLOEVPDetectPredictor,
        imgsz=SIZE,
        conf=0.01,
        iou=IOU,
        agnostic_nms=False,
        device="cpu",
        verbose=False,
    )
    boxes = found[0].boxes.numpy()
    return Expected(boxes.xyxy, boxes.conf, boxes.cls)


def by_owl(folder: Path) -> Expected:
    import torch
    import transformers

    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    network = transformers.OwlViTForObjectDetection.from_pretrained(folder).eval()
    pixels = processor(MIRRORED, return_tensors="pt")["pixel_values"]
    logits = []
    for left, top, right, bottom in BOXES.astype(int):
        query = processor(PICTURE[top:bottom, left:right], return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            outputs = network.image_guided_detection(pixels, query)
        logits.append(outputs.logits[0, :, 0])
    best = torch.stack(logits).max(dim=0)
    center, half = outputs.target_pred_boxes[0].split(2, dim=-1)
    corners = torch.cat([center - half / 2, center + half / 2], dim=-1).numpy()
    side = [WIDTH, HEIGHT] * 2
    return Expected(corners * side, best.values.sigmoid().numpy(), best.indices.numpy())
