"""Adds a copy in int8 to an exported network, where it detects the same."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from backends._inference.checksums import write_checksums
from backends._inference.openvino import openvino_core
from backends._inference.quantization import (
    Agreement,
    Layers,
    Quantization,
    choose_copy,
    measure_gain,
    search_distance,
    split_items,
)
from backends.detection.model import conversion, parity
from backends.detection.model.conversion_trial import all_boxes_decoder, detect_all_boxes
from backends.detection.model.converted_network import (
    INT8_FILE,
    INT8_REFUSAL_FILE,
    INT8_VERDICT_FILE,
    MODEL_FILES,
    ConvertedNetwork,
)
from backends.detection.model.detections import Detections
from backends.detection.model.engines import Engine, OpenVinoEngine
from backends.detection.model.letterbox import Floats, frame_for
from backends.detection.model.loader import FULLY_COMPARED_TASKS, open_exported
from backends.detection.model.trunk import CONVOLUTIONS, STAGE
from shared.errors import ModelError, RefusedPrecisionError
from shared.media.image import Image, Pixels
from shared.results import ImageSize


def add_int8(folder: Path, images: Iterable[Image]) -> str:
    """Write a copy in int8 into the folder of an exported network; return its engine.

    RefusedPrecisionError if none agrees with single precision on the images that are held out, or
    none is faster; the folder keeps the reason.
    """
    path = folder / MODEL_FILES["openvino"]
    opened = open_exported(path, 0, "auto")
    spec, shapes = opened.trained, conversion.common_shapes(opened.trained)
    if spec.task not in FULLY_COMPARED_TASKS:
        raise ModelError(f"int8 is compared for boxes and classes alone; this is for {spec.task}")
    frames = [Image(frame_for(spec, image.size).apply(image.pixels)) for image in images]
    calibration, held_out = split_items(frames)
    precise = OpenVinoEngine(path, shapes, "f32")
    expected = detect_all_boxes(spec, precise)(held_out)

    def judge(copy: Path) -> str:
        engine = OpenVinoEngine(copy, shapes, "f32")
        gain = measure_gain(_runs(opened.engine), _runs(engine), held_out)
        found = detect_all_boxes(spec, engine)(held_out)
        parts = parity.compare_detections(found, expected, True, "those in f32")
        return (
            f"{len(parts)} objects on {len(held_out)} images deviate by at most"
            f" {parts.max():.2g} of the limit, {gain:.2f} times as fast as {opened.engine.name}"
        )

    # Where it is killed, the next export deletes what it leaves there.
    with TemporaryDirectory(dir=folder) as name:
        inputs = ([frame.pixels[None]] for frame in calibration)
        quantization = Quantization(path, inputs, Path(name))
        try:
            copy, verdict = choose_copy(map(quantization.make, choose_layers(path)), judge)
        except RefusedPrecisionError as error:
            (folder / INT8_REFUSAL_FILE).write_text(str(error), encoding="utf-8")
            raise
        for suffix in (".xml", ".bin"):
            shutil.copy(copy.with_suffix(suffix), (folder / INT8_FILE).with_suffix(suffix))
    (folder / INT8_VERDICT_FILE).write_text(verdict, encoding="utf-8")
    write_checksums(folder)
    return open_exported(path, 0, "auto").engine.name


def _runs(engine: Engine) -> Callable[[Image], None]:
    def run(frame: Image) -> None:
        with engine.run(frame.pixels[None]):
            pass

    return run


def choose_layers(path: Path) -> list[Layers]:
    """Return which layers may be in int8: convolutions, since all else costs little.

    The last ones of the head give the boxes and scores.
    """
    network = openvino_core().read_model(path)
    stages = {
        node.get_friendly_name(): int(stage[1])
        for node in network.get_ordered_ops()
        if node.get_type_name() in CONVOLUTIONS
        and (stage := STAGE.search(node.get_friendly_name() + "."))
    }
    if not stages:
        raise ModelError("the names of its layers do not tell which of them may be in int8")
    head = max(stages.values())
    trunk = tuple(name for name in stages if stages[name] < head)
    agreement = Agreement(f"{__name__}:DetectedObjects", {"folder": str(path.parent.resolve())})
    return [
        Layers("all convolutions before the head in int8", trunk),
        Layers(
            f"the {len(trunk)} convolutions before the head in int8", trunk, agreement=agreement
        ),
    ]


class DetectedObjects:
    """Compares what a network and its copy detect, while layers are left out."""

    def __init__(self, folder: str) -> None:
        network = ConvertedNetwork.open(Path(folder), "openvino")
        assert network is not None
        self._spec = network.trained
        self._decoder = all_boxes_decoder(self._spec)

    def read(self, inputs: Sequence[Pixels], outputs: Sequence[Floats]) -> Detections:
        """Return what is detected in one image, all boxes of an object."""
        height, width = inputs[0].shape[1:3]
        frame = frame_for(self._spec, ImageSize(width, height))
        return self._decoder.decode([output[0] for output in outputs], frame)

    def distance(self, expected: Sequence[Detections], found: Sequence[Detections]) -> float:
        """Return 0 where all that is compared is near enough."""
        pairs = zip(found, expected, strict=True)
        parts = np.concatenate([parity.deviations(*pair) for pair in pairs])
        return search_distance(parts, parity.MEDIAN_MARGIN)
