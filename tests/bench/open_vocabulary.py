"""What words find, through HTTP: python -m tests.bench.open_vocabulary [--quick] [name …]

One request of many tasks of one label config with 20 labels, in turns with the loop of the model's
own library in PyTorch, called as its manual says: Ultralytics' `predict(path)` after `set_classes`,
the processor and network of transformers for each picture; and with the engine alone, which gets
pictures that are prepared already, in as many streams as are fastest. Networks of their real size,
with random weights that find about ten objects on a picture. The cache of answers is off.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from backends._inference.network_part import OPENVINO_FILE, OpenVinoPart
from backends._inference.openvino import InferRequestPool, openvino_core
from backends.detection.model.detector import RunOptions
from backends.detection.model.loader import load_detector
from backends.detection.open_vocabulary.owl import Owl
from backends.detection.open_vocabulary.word_model import load_word_model
from shared.backend.claim import ModelSpec
from shared.settings import Settings
from tests.backends.detection.networks import SHARPENING_FACTOR, spread_scores
from tests.backends.detection.open_vocabulary import word_models, word_networks
from tests.bench.detection import at_once, decoded, engine_alone
from tests.bench.photos import photos
from tests.bench.table import WANTED_SHARE, Row, Size, in_turns, rate, show, size_of, sized
from tests.serving import served

WORDS = tuple(f"{colour} {thing}" for colour in ("red", "blue", "green", "old")
              for thing in ("car", "house", "dog", "tree", "boat"))  # fmt: skip
OBJECTS = 10
Loop = Callable[[Sequence[Path]], object]
Alone = Callable[[Path, Sequence[Path], Settings], Callable[[], float]]
"""Loads a model as the server does, and returns what measures its engine on some pictures."""


@dataclass(frozen=True)
class Made:
    """A model as a file or folder, its library's loop, and a score that ten objects have."""

    path: Path
    loop: Loop
    threshold: float
    words: Sequence[str] = WORDS
    alone: Alone | None = None


@dataclass(frozen=True)
class Family:
    """How a model is made in a folder, by some pictures, and what is asked of its rate.

    `tasks` are those of a whole benchmark: slow models get fewer.
    """

    make: Callable[[Path, Sequence[Path]], Made]
    tasks: int
    at_least: float | None = None


def rows(size: Size = "whole", names: Sequence[str] = ()) -> Iterator[Row]:
    """Pictures a second, of each model or those that are named."""
    os.environ["YOLO_OFFLINE"] = "true"
    families = {name: FAMILIES[name] for name in names or FAMILIES}
    if size == "smallest":
        families = {"a small YOLO-World": Family(_small, 2)}
    for name, family in families.items():
        count = sized(size, family.tasks, max(2, family.tasks // 5), 2)
        with tempfile.TemporaryDirectory() as folder:
            yield from _rows_of(name, family, count, Path(folder), size)


def _rows_of(name: str, family: Family, count: int, folder: Path, size: Size) -> Iterator[Row]:
    photos(folder, count)
    files = [folder / f"{number}.jpg" for number in range(count)]
    made = family.make(folder, files[:4])
    labels = "".join(f'<Label value="{word}"/>' for word in made.words)
    config = (
        '<View><Image name="image" value="$image"/><RectangleLabels name="box" toName="image"'
        f' model_score_threshold="{made.threshold}">{labels}</RectangleLabels></View>'
    )
    settings = {"MODEL_DIR": str(folder), "DETECTION_MODEL": made.path.name}
    settings |= {"LOCAL_FILES_ROOT": str(folder), "ANSWER_CACHE_MB": "0"}
    settings |= {"PREDICT_DEADLINE": "1200"}  # on a slow machine 100 tasks take minutes
    if size == "smallest":
        settings["ENGINE"] = "torch"  # which converts nothing
    with served("detection", log=folder / "log", **settings) as server:
        server.wait("/ready", 1200)
        at_once(server.url, config, min(count, 2))
        works = [
            lambda: rate(count, lambda: at_once(server.url, config, count)),
            lambda: rate(count, lambda: made.loop(files)),
        ]
        if made.alone is not None:
            engine = settings.get("ENGINE", "auto")
            works.append(made.alone(made.path, files, Settings(model_dir=folder, engine=engine)))
        ours, theirs, *alone = in_turns(1, *works)
    what = f"{name}: {count} tasks, {len(made.words)} words"
    beside = "its library's loop", "the engine alone"
    ceiling = alone[0] if alone else ()
    yield Row(what, "1/s", ours, theirs, beside[0], at_least=family.at_least, ceiling=ceiling)
    if alone:
        yield Row(what, "1/s", ours, ceiling, beside[1], at_least=WANTED_SHARE)


# Ultralytics


def _small(folder: Path, files: Sequence[Path]) -> Made:
    path = word_networks.save_word_network("yolov8n-worldv2", folder)
    return replace(_world_loop(path, 0.25), words=word_networks.STORED_WORDS)


def _world(folder: Path, files: Sequence[Path]) -> Made:
    return _ultralytics("yolov8s-worldv2", folder, files)


def _yoloe(folder: Path, files: Sequence[Path]) -> Made:
    return _ultralytics("yoloe-11s", folder, files)


def _ultralytics(name: str, folder: Path, files: Sequence[Path]) -> Made:
    """Save a network with the embeddings of the words, which its library sets once, too."""
    import torch
    from ultralytics import YOLO

    torch.manual_seed(0)
    made = YOLO(f"{name}.yaml")
    network, head = made.model, made.model.model[-1]
    spread_scores(network)
    words = torch.from_numpy(word_networks.word_vectors(WORDS))[None]
    network.names, head.nc = dict(enumerate(WORDS)), len(WORDS)
    setattr(network, "txt_feats" if "world" in name else "pe", words)
    _sharpen(made, files)
    made.ckpt = {"train_args": {"imgsz": 640}}
    made.save(folder / f"{name}.pt")
    return _world_loop(folder / f"{name}.pt", 0.25)


def _sharpen(made: Any, files: Sequence[Path]) -> None:
    """Let most scores be as low as in a trained network, and ten objects have 0.25."""
    import torch

    heads = [*made.model.model[-1].cv4, *getattr(made.model.model[-1], "one2one_cv4", ())]
    for one in heads:
        one.logit_scale.data.fill_(0.0)
        one.bias.data.fill_(0.0)
    made.model.float().eval()
    pictures = [np.asarray(Pillow.open(file))[:, :, ::-1] for file in files]
    found = [
        made.predict(np.ascontiguousarray(one), conf=1e-6, iou=1.0, max_det=3 * OBJECTS,
                     device="cpu", verbose=False)[0].boxes.conf[-1] for one in pictures
    ]  # fmt: skip
    enough = float(torch.stack(found).double().logit().median())
    for one in heads:
        one.logit_scale.data.fill_(float(np.log(SHARPENING_FACTOR)))
        one.bias.data.fill_(float(np.log(1 / 3) - SHARPENING_FACTOR * enough))
    made.predictor = None


def _world_loop(path: Path, threshold: float) -> Made:
    from ultralytics import YOLO

    network = YOLO(path)

    def loop(files: Sequence[Path]) -> None:
        for file in files:
            network.predict(str(file), imgsz=640, conf=threshold, device="cpu", verbose=False)

    return Made(path, loop, threshold, alone=_detector_alone)


def _detector_alone(path: Path, files: Sequence[Path], settings: Settings) -> Callable[[], float]:
    detector, images = load_detector(path, RunOptions(), settings), list(map(decoded, files))
    return lambda: engine_alone(detector, images)


# transformers


def _owl(folder: Path, files: Sequence[Path]) -> Made:
    return _transformers("OwlViT", folder / "owlvit-base-patch32", files)


def _owl2(folder: Path, files: Sequence[Path]) -> Made:
    return _transformers("Owlv2", folder / "owlv2-base-patch16", files)


def _grounding(folder: Path, files: Sequence[Path]) -> Made:
    return _transformers("GroundingDino", folder / "grounding-dino-tiny", files)


def _transformers(kind: str, folder: Path, files: Sequence[Path]) -> Made:
    import torch
    import transformers

    torch.manual_seed(0)
    made: Any = transformers
    changes = {"vision_config": {"image_size": 960}} if kind == "Owlv2" else {}  # as published
    config = getattr(made, f"{kind}Config")(**changes)
    network = getattr(made, f"{kind}ForObjectDetection")(config).eval()
    if kind == "GroundingDino":  # where nothing is trained, last digits decide which query is which
        queries = network.model.query_position_embeddings.weight.data
        queries[:] = queries[0].clone()
    network.save_pretrained(folder)
    images = getattr(made, f"{kind}ImageProcessor")()
    images.save_pretrained(folder)
    if kind == "GroundingDino":
        tokenizer = word_models.save_bert_tokenizer(folder)
    else:
        tokenizer = word_networks.save_clip_tokenizer(folder, max_tokens=16)
    processor = getattr(made, f"{kind}Processor")(images, tokenizer)

    def loop(files: Sequence[Path], threshold: float = 0.0) -> list[Any]:
        scores = []
        for file in files:
            picture = Pillow.open(file)
            inputs = processor(images=picture, text=[list(WORDS)], return_tensors="pt")
            with torch.inference_mode():
                outputs = network(**inputs)
            sizes = {"target_sizes": [picture.size[::-1]], "threshold": threshold}
            if kind == "GroundingDino":
                sizes |= {"input_ids": inputs["input_ids"], "text_threshold": threshold}
            [found] = processor.post_process_grounded_object_detection(outputs, **sizes)
            scores.append(found["scores"])
        return scores

    scores = torch.cat(loop(files))
    threshold = float(scores.sort(descending=True).values[len(files) * OBJECTS])
    alone = None if kind == "GroundingDino" else _trunk_alone
    return Made(folder, partial(loop, threshold=threshold), threshold, alone=alone)


def _trunk_alone(path: Path, files: Sequence[Path], settings: Settings) -> Callable[[], float]:
    """All that OWL does to a picture but for its comparison with words, which takes no time."""
    model = load_word_model(ModelSpec("detection", path.name), settings)
    assert isinstance(model.finder, Owl)
    part, prepare = model.finder.trunk.part, model.finder.loaded.prepare_images
    pictures = [prepare([decoded(file)])["pixel_values"].numpy() for file in files]
    assert isinstance(part, OpenVinoPart), part.name
    network = openvino_core().read_model(part.folder / OPENVINO_FILE)
    hints = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    requests = InferRequestPool(openvino_core().compile_model(network, "CPU", hints))

    def run(pixels: Any) -> None:
        with requests.infer([pixels]):
            pass

    def alone() -> float:
        with ThreadPoolExecutor(requests.streams) as threads:
            return rate(len(files), lambda: list(threads.map(run, pictures)))

    return alone


FAMILIES = {
    "YOLO-World s": Family(_world, 100, at_least=2.0),
    "YOLOE 11 s": Family(_yoloe, 100, at_least=2.0),
    "OWL-ViT base": Family(_owl, 20, at_least=2.0),
    "OWLv2 base": Family(_owl2, 4, at_least=2.0),
    "Grounding DINO tiny": Family(_grounding, 2, at_least=2.0),
}


if __name__ == "__main__":
    show(rows(size_of(sys.argv), [word for word in sys.argv[1:] if word in FAMILIES]))
