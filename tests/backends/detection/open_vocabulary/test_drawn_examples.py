"""Boxes that are drawn as examples: what looks like them is what the libraries find by them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.detection.open_vocabulary.visual_encoder import draw_masks
from shared.errors import TaskError, UnfillableError
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
from tests.backends.detection.open_vocabulary.word_networks import SIZE

Json = dict[str, Any]

EXAMPLES = {WORDS[0]: (40.0, 60.0, 120.0, 140.0), WORDS[1]: (200.0, 100.0, 290.0, 180.0)}
BOXES = np.array(list(EXAMPLES.values()))
SMART = 'smart="true" model_visual_prompt="true" toName'


def drawn(label: str | None, box: Any, **keys: Any) -> Json:
    """Return a box as the editor sends it."""
    left, top, right, bottom = box
    value = {"x": left / WIDTH * 100, "y": top / HEIGHT * 100, "rotation": 0}
    value |= {"width": (right - left) / WIDTH * 100, "height": (bottom - top) / HEIGHT * 100}
    labels = {} if label is None else {"rectanglelabels": [label]}
    names = {"from_name": "box", "to_name": "image", "type": "rectanglelabels"}
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    return {"id": f"drawn {box} {label}", "value": value | labels, **names, **size, **keys}


CONTEXT = {"result": [drawn(label, box) for label, box in EXAMPLES.items()]}


def answer_to(ask: Ask, name: str, tag: str, context: Any = CONTEXT, **settings: str) -> Json:
    """Predict with a tag whose boxes are examples."""
    return ask(name, tag.replace("toName", SMART), context=context, **settings)


@pytest.mark.parametrize("name", ["yoloe-v8n", "yoloe-11n-seg", "yoloe-26n-seg"])
def test_yoloe_finds_what_its_predictor_finds(name: str, ask: Ask, model: Model) -> None:
    expected = by_yoloe(model(name))
    answer = partial(answer_to, ask, name)
    assert_equal(answer, expected, IOU, drops_empty_masks=name.endswith("-seg"))


@pytest.mark.parametrize("family", ["owlv2", "owlvit", "sam3"])
def test_transformers_find_what_their_models_find(family: str, ask: Ask, model: Model) -> None:
    expected = BY_TRANSFORMERS[family](model(family))
    assert_equal(partial(answer_to, ask, family), expected, iou=1.0)


@pytest.mark.parametrize("name", ["grounding-dino", "yolov8n-worldv2"])
def test_a_model_without_examples_says_which_have_them(name: str, ask: Ask) -> None:
    with pytest.raises(UnfillableError, match="nothing by drawn examples; YOLOE, OWLv2"):
        answer_to(ask, name, boxes_tag(*WORDS, model_score_threshold=0.001))


def test_a_tag_without_the_attribute_takes_no_examples(ask: Ask) -> None:
    tag = boxes_tag(*WORDS, model_score_threshold=0.001)
    assert ask("yoloe-v8n", tag, context=CONTEXT)["result"] == []


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        pytest.param([drawn(None, (1, 1, 50, 50))], "without a label", id="no label"),
        pytest.param([drawn("car", (50, 50, 50, 50))], "2 pixels to a side", id="zero size"),
        pytest.param([drawn("car", (9000, 1, 9100, 90))], "2 pixels to a side", id="outside"),
        pytest.param([drawn("car", (1, 1, float("nan"), 9))], "known size", id="no number"),
        pytest.param([drawn("car", (n, 1, 99, 99)) for n in range(65)], "65 examples", id="many"),
        pytest.param(
            [drawn("car", (1, 1, 50, 50), item_index=3)], "Image 3 is drawn on", id="other image"
        ),
    ],
)
def test_what_is_no_example_is_an_error(regions: list[Json], message: str, ask: Ask) -> None:
    with pytest.raises(TaskError, match=message):
        answer_to(ask, "yoloe-v8n", boxes_tag(*WORDS), {"result": regions})


def test_examples_on_an_image_of_a_list_are_looked_for_on_it(ask: Ask) -> None:
    region = drawn("car", EXAMPLES[WORDS[0]], item_index=1)
    tag = boxes_tag("car", model_score_threshold=0.001).replace("toName", SMART)
    swapped = np.ascontiguousarray(PICTURE[:, ::-1])
    data = {"image": [data_url(swapped), data_url()]}
    listed = ask("yoloe-v8n", tag, {"result": [region]}, data, image='valueList="$image"')
    plain = {key: part for key, part in region.items() if key != "item_index"}
    alone = ask("yoloe-v8n", tag, {"result": [plain]})
    assert {one["item_index"] for one in listed["result"]} == {1}
    assert [one["value"] for one in listed["result"]] == [one["value"] for one in alone["result"]]


def test_masks_of_boxes() -> None:
    """Of 16 by 24 pixels, cells of 8: a box from 4 to 12 covers one, one between cells too."""
    boxes = np.array([[4, 0, 12, 8], [0, 8, 24, 16], [17, 1, 18, 2]], np.float32)
    masks = draw_masks(np.zeros((16, 24, 3), np.uint8), boxes, np.array([0, 0, 1]))
    assert masks.tolist() == [[[0, 1, 0], [1, 1, 1]], [[0, 0, 1], [0, 0, 0]]]


# The libraries, called as their manuals say


def by_yoloe(path: Path) -> Expected:
    from ultralytics import YOLOE
    from ultralytics.models.yolo.yoloe import YOLOEVPDetectPredictor, YOLOEVPSegPredictor

    loaded = YOLOE(path)
    if hasattr(loaded.model.model[-1], "end2end"):
        loaded.model.model[-1].end2end = False  # the head with NMS, as everywhere here
    found = loaded.predict(
        np.ascontiguousarray(PICTURE[:, :, ::-1]),
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


def by_owl(folder: Path, name: str) -> Expected:
    import torch
    import transformers

    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    network = getattr(transformers, f"{name}ForObjectDetection").from_pretrained(folder).eval()
    pixels = processor(PICTURE, return_tensors="pt")["pixel_values"]
    logits = []
    for left, top, right, bottom in BOXES.astype(int):
        query = processor(PICTURE[top:bottom, left:right], return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            outputs = network.image_guided_detection(pixels, query)
        logits.append(outputs.logits[0, :, 0])
    best = torch.stack(logits).max(dim=0)
    center, half = outputs.target_pred_boxes[0].split(2, dim=-1)
    corners = torch.cat([center - half / 2, center + half / 2], dim=-1).numpy()
    # Owlv2 pads an image to a square before it is scaled.
    side = [max(WIDTH, HEIGHT)] * 4 if name == "Owlv2" else [WIDTH, HEIGHT] * 2
    return Expected(corners * side, best.values.sigmoid().numpy(), best.indices.numpy())


def by_sam3(folder: Path) -> Expected:
    import torch
    from transformers import AutoImageProcessor, AutoTokenizer, Sam3Model, Sam3Processor

    processor = Sam3Processor(
        AutoImageProcessor.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    )
    network, parts = Sam3Model.from_pretrained(folder).eval(), []
    for number, box in enumerate(BOXES.tolist()):
        inputs = processor(
            images=PICTURE, input_boxes=[[box]], input_boxes_labels=[[1]], return_tensors="pt"
        )
        with torch.inference_mode():
            outputs = network(**inputs)
        [found] = processor.post_process_instance_segmentation(
            outputs, threshold=0.0, target_sizes=[(HEIGHT, WIDTH)]
        )
        scores = found["scores"].numpy()
        parts.append((found["boxes"].numpy(), scores, np.full(len(scores), number)))
    return Expected(*(np.concatenate(one) for one in zip(*parts, strict=True)))


BY_TRANSFORMERS: dict[str, Callable[[Path], Expected]] = {
    "owlv2": partial(by_owl, name="Owlv2"),
    "owlvit": partial(by_owl, name="OwlViT"),
    "sam3": by_sam3,
}
