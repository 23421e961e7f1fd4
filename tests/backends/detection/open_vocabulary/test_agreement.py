"""What models find by words is what their library finds, when it is called as its manual says."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.backends.detection.conftest import PICTURE
from tests.backends.detection.open_vocabulary.conftest import Ask, Model, boxes_tag
from tests.backends.detection.open_vocabulary.word_models import FAMILIES
from tests.backends.detection.open_vocabulary.word_networks import NETWORKS, SIZE

WORDS = ("circle", "red square", "car")
HEIGHT, WIDTH = PICTURE.shape[:2]
IOU = 0.7


class Expected(NamedTuple):
    """What a library finds: boxes in pixels, scores, and numbers of words."""

    boxes: Any
    scores: Any
    words: Any


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_ultralytics(name: str, ask: Ask, model: Model) -> None:
    """YOLO-World and YOLOE find the boxes that `predict` of Ultralytics finds."""
    expected = by_ultralytics(model(name), model("clip"))
    answer = partial(ask, name, DETECTION_TEXT_ENCODER="clip")
    assert_equal(answer, expected, IOU, drops_empty_masks=name.endswith("-seg"))


@pytest.mark.parametrize("family", FAMILIES)
def test_models_of_transformers(family: str, ask: Ask, model: Model) -> None:
    """Grounding DINO, OWL and SAM 3 find the boxes that their processors find."""
    expected = BY_TRANSFORMERS[family](model(family))
    assert_equal(partial(ask, family), expected, iou=1.0)


def assert_equal(
    answer: Callable[[str], dict[str, Any]],
    expected: Expected,
    iou: float,
    drops_empty_masks: bool = False,
) -> None:
    """Compare the objects over a score that no object is near to: there are at least three.

    Boxes of the same word that overlap by more than `iou` were merged: by Ultralytics, and not by
    transformers, which leaves that to its user.
    """
    inside = np.clip(expected.boxes, 0, [WIDTH, HEIGHT] * 2)
    drawn = np.array([is_distinct(box) for box in inside])
    threshold = score_gap(expected.scores[drawn])
    rows = [row for row in np.flatnonzero(drawn) if expected.scores[row] > threshold]
    keys = [(*inside[row].round(1), int(expected.words[row])) for row in rows]
    # Boxes that are equal once they are cut off at the edge are one region, with the best score.
    rows = [row for place, row in enumerate(rows) if keys[place] not in keys[:place]]
    results = answer(boxes_tag(*WORDS, model_score_threshold=threshold, model_iou=iou))["result"]
    found = [(to_pixels(one["value"]), one["score"], one["value"]) for one in results]
    found = [one for one in found if is_distinct(one[0])]
    pairs = {
        (place, row)
        for place, (box, score, value) in enumerate(found)
        for row in rows
        if np.abs(np.subtract(box, inside[row])).max() <= 1
        and abs(score - expected.scores[row]) <= 0.01
        and value["rectanglelabels"] == [WORDS[int(expected.words[row])]]
    }
    # Ultralytics drops objects whose mask is empty, even where only boxes are asked for.
    assert drops_empty_masks or {place for place, _ in pairs} == set(range(len(found)))
    assert {row for _, row in pairs} == set(rows)
    assert len(found) >= 2


def is_distinct(box: Any) -> bool:
    """Tell whether a box is neither empty nor the whole picture, as many are of what is untrained.

    Of those that are equal once they are cut off at the edge only the best is a region.
    """
    left, top, right, bottom = box
    covers_all = right - left > WIDTH - 2 and bottom - top > HEIGHT - 2
    return bool(right - left > 1 and bottom - top > 1 and not covers_all)


def score_gap(scores: Any) -> float:
    """Return the middle of the widest gap among the first scores, behind at least three."""
    ordered = np.sort(scores)[::-1][:40]
    gaps = ordered[2:-1] - ordered[3:]
    place = int(np.argmax(gaps)) + 2
    return float((ordered[place] + ordered[place + 1]) / 2)


def to_pixels(value: dict[str, float]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a region."""
    x, y = value["x"] * WIDTH / 100, value["y"] * HEIGHT / 100
    return x, y, x + value["width"] * WIDTH / 100, y + value["height"] * HEIGHT / 100


# The libraries, called as their manuals say


def by_ultralytics(path: Path, clip: Path) -> Expected:
    import torch
    from ultralytics import YOLO, YOLOE

    loaded = YOLO(path)
    embeddings = clip_embeddings(clip)
    if isinstance(loaded, YOLOE):
        loaded.model.eval()
        with torch.no_grad():
            loaded.set_classes(list(WORDS), loaded.model.model[-1].get_tpe(embeddings))
        if hasattr(loaded.model.model[-1], "end2end"):
            loaded.model.model[-1].end2end = False  # the head with NMS, as everywhere here
    else:  # its `set_classes` takes no embeddings, and this is all that it does with them
        loaded.model.txt_feats = embeddings
        loaded.model.model[-1].nc = len(WORDS)
        loaded.model.names = list(WORDS)
    picture = np.ascontiguousarray(PICTURE[:, :, ::-1])
    found = loaded.predict(picture, imgsz=SIZE, conf=0.01, iou=IOU, device="cpu", verbose=False)
    boxes = found[0].boxes.numpy()
    return Expected(boxes.xyxy, boxes.conf, boxes.cls)


@cache
def clip_embeddings(folder: Path) -> Any:
    import torch
    from transformers import AutoTokenizer, CLIPTextModelWithProjection

    tokens = AutoTokenizer.from_pretrained(folder)(list(WORDS), padding=True, return_tensors="pt")
    with torch.inference_mode():
        found = CLIPTextModelWithProjection.from_pretrained(folder)(**tokens).text_embeds
    return torch.nn.functional.normalize(found, dim=-1).clone()[None]


def by_grounding_dino(folder: Path) -> Expected:
    import torch
    from transformers import AutoImageProcessor, AutoModelForZeroShotObjectDetection, AutoTokenizer
    from transformers import GroundingDinoProcessor as Processor

    tokenizer = AutoTokenizer.from_pretrained(folder)
    processor = Processor(AutoImageProcessor.from_pretrained(folder), tokenizer)
    network = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    inputs = processor(images=PICTURE, text=[list(WORDS)], return_tensors="pt")
    with torch.inference_mode():
        outputs = network(**inputs)
    [found] = processor.post_process_grounded_object_detection(
        outputs, inputs["input_ids"], 0.0, 0.0, [(HEIGHT, WIDTH)]
    )
    # Its texts are those of all tokens over a threshold; the word of an object has its best one.
    full_stops = np.flatnonzero(inputs["input_ids"][0].numpy() == 1012)
    best = 1 + outputs.logits[0][:, 1 : full_stops[-1] + 1].argmax(dim=1).numpy()
    words = np.searchsorted(full_stops, best)
    return Expected(found["boxes"].numpy(), found["scores"].numpy(), words)


def by_owl(folder: Path, name: str) -> Expected:
    import torch
    import transformers

    processor = getattr(transformers, f"{name}Processor")(
        transformers.AutoImageProcessor.from_pretrained(folder),
        transformers.AutoTokenizer.from_pretrained(folder),
    )
    network = getattr(transformers, f"{name}ForObjectDetection").from_pretrained(folder).eval()
    inputs = processor(text=[list(WORDS)], images=PICTURE, return_tensors="pt")
    with torch.inference_mode():
        outputs = network(**inputs)
    [found] = processor.post_process_grounded_object_detection(
        outputs, threshold=0.0, target_sizes=[(HEIGHT, WIDTH)]
    )
    return Expected(*(found[key].numpy() for key in ("boxes", "scores", "labels")))


def by_sam3(folder: Path) -> Expected:
    import torch
    from transformers import AutoImageProcessor, AutoTokenizer, Sam3Model, Sam3Processor

    processor = Sam3Processor(
        AutoImageProcessor.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    )
    network, parts = Sam3Model.from_pretrained(folder).eval(), []
    for number, word in enumerate(WORDS):
        inputs = processor(images=PICTURE, text=word, return_tensors="pt")
        with torch.inference_mode():
            outputs = network(**inputs)
        [found] = processor.post_process_instance_segmentation(
            outputs, threshold=0.0, target_sizes=[(HEIGHT, WIDTH)]
        )
        scores = found["scores"].numpy()
        parts.append((found["boxes"].numpy(), scores, np.full(len(scores), number)))
    return Expected(*(np.concatenate(one) for one in zip(*parts, strict=True)))


BY_TRANSFORMERS: dict[str, Callable[[Path], Expected]] = {
    "grounding-dino": by_grounding_dino,
    "mm-grounding-dino": by_grounding_dino,
    "owlv2": partial(by_owl, name="Owlv2"),
    "owlvit": partial(by_owl, name="OwlViT"),
    "sam3": by_sam3,
}
