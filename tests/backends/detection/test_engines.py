"""All engines detect what PyTorch does, and the requested engine is the one that runs."""

import gc
import logging
import resource
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends._inference.openvino import supports_bf16
from backends.detection import DetectionBackend
from backends.detection.inputs.image_list import ImageDetector
from backends.detection.model import architecture, conversion, engines, loader, parity, weights
from backends.detection.model.architecture import NetworkSpec
from backends.detection.model.converted_network import ConvertedNetwork
from backends.detection.model.detections import Detections
from backends.detection.model.detector import Detector, RunOptions
from backends.detection.model.letterbox import Letterbox
from backends.detection.model.postprocess import OutputDecoder
from backends.detection.starter.shapes import draw_picture
from shared.backend.claim import ModelSpec
from shared.errors import ModelError
from shared.media.image import Image
from shared.results import ImageSize
from shared.settings import Settings
from tests.backends.damage import change_byte

STARTER = weights.find_weights("starter", Settings())
SIZES = ((480, 360), (360, 480), (400, 400), (500, 200))
Load = Callable[..., Detector]


def draw_images(count: int) -> list[Image]:
    """Draw images that are neither compared at loading nor were used to choose the limits."""
    styles: Any = ("clean", "rough")
    return [
        Image(draw_picture(np.random.default_rng(900 + n), SIZES[n % 4], styles[n % 2], 6).image)
        for n in range(count)
    ]


@pytest.fixture
def load(cache_dir: Path) -> Load:
    """Return a function that loads the starter, or other weights, with settings."""

    def loaded(path: Path = STARTER, precision: str = "auto", **settings: Any) -> Detector:
        run = settings.pop("run", RunOptions())
        return loader.load_detector(
            path, run, Settings(**{"cache_dir": cache_dir, **settings}), precision
        )

    return loaded


def match_strictly(founds: Sequence[Detections], references: Sequence[Detections]) -> list[bool]:
    """Return for each of PyTorch's objects above a score of 0.3 whether the other engine has it.

    Its box must overlap by 0.98, with a score within 0.02.
    """
    return [
        parity.box_deviation(expected, at, found) <= 1
        for found, expected in zip(founds, references, strict=True)
        for at in np.flatnonzero(expected.scores > 0.3).tolist()
    ]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"engine": "openvino", "precision": "f32"}, id="openvino"),
        pytest.param({"engine": "onnx"}, id="onnx"),
    ],
)
def test_boxes_are_pytorchs(settings: dict[str, Any], load: Load) -> None:
    if "onnx" in settings.values():
        pytest.importorskip("onnx")
    images = draw_images(24)
    same = match_strictly(load(**settings).detect(images), load(engine="torch").detect(images))
    assert all(same)
    assert len(same) > 100


def test_streams_detect_beside_each_other(load: Load) -> None:
    """As many threads detect as the engine has work for; with the same boxes as one by one."""
    backend, spec = DetectionBackend(), ModelSpec("detection", "starter")
    detector = load(engine="openvino", precision="f32")
    lanes = backend.batch_lanes(spec, ImageDetector(detector))
    assert lanes == (detector.engine.concurrency, 1)
    assert lanes.threads > 1
    assert backend.batch_lanes(spec, ImageDetector(load(engine="torch"))) == (1, 8)
    images = draw_images(8)
    with ThreadPoolExecutor(lanes.threads) as threads:
        together = threads.map(lambda image: detector.detect([image])[0].boxes, images)
        alone = [found.boxes for found in detector.detect(images)]
        assert all(map(np.array_equal, together, alone))


def test_auto_finds_what_pytorch_does(load: Load) -> None:
    """In single precision, if the network is too sensitive for less or the CPU has no bf16."""
    images = draw_images(24)
    fast = load()
    same = match_strictly(fast.detect(images), load(engine="torch").detect(images))
    assert len(same) > 100
    assert np.mean(same) >= (1 if fast.engine.name == "OpenVINO in f32" else 0.97)


def test_in_bf16_no_object_is_lost(load: Load) -> None:
    """Of two boxes of an object whose scores are equal but for rounding, either may remain.

    Both are among PyTorch's boxes. Rarely, an object is between two classes.
    """
    if not supports_bf16():
        pytest.skip("This CPU has no bf16")
    images = draw_images(60)
    fast, reference = load(precision="bf16"), load(engine="torch")
    founds, references = fast.detect(images), reference.detect(images)
    same = match_strictly(founds, references)
    assert len(same) > 250
    assert np.mean(same) >= 0.95
    for found, expected in zip(founds, references, strict=True):
        for index in np.flatnonzero(expected.scores > 0.5):
            assert parity.box_ious(found.boxes, expected.boxes[index]).max(initial=0) > 0.8
    all_boxes = [
        Detector(one.spec, one.engine, OutputDecoder(one.spec, 0.1, 1.0, 10_000)).detect(images)
        for one in (fast, reference)
    ]
    apart = np.concatenate([parity.deviations(*pair) for pair in zip(*all_boxes, strict=True)])
    assert np.mean(apart <= 1) >= 0.98
    assert np.median(apart) <= 1 / parity.MEDIAN_MARGIN


def test_bf16_can_be_asked_for(load: Load, model_dir: Path) -> None:
    """Also for a task whose output is not compared as a whole."""
    if not supports_bf16():
        pytest.skip("This CPU has no bf16")
    weights = model_dir / "yolo11n-seg.pt"
    assert load(weights).engine.name == "OpenVINO in f32"
    assert load(weights, precision="bf16").engine.name == "OpenVINO in bf16"


def test_less_precision_needs_something_to_compare() -> None:
    """A network that detects nothing on the images may or may not tolerate less precision."""
    none = np.zeros(0, np.float32)
    blank = Detections(ImageSize(9, 9), ("a",), none.reshape(0, 4), none, none.astype(np.int64))
    nothing = [blank] * len(parity.comparison_images())
    parity.check_parity(lambda images: nothing, nothing)
    with pytest.raises(ModelError, match="it finds 0 objects"):
        parity.check_parity(lambda images: nothing, nothing, less_precise=True)


@pytest.mark.parametrize(
    ("moved", "surer", "parts"),
    [
        pytest.param(0.0, 0.0, 0.0, id="the same"),
        pytest.param(1.0, 0.0, 0.5, id="an overlap of 0.99"),
        pytest.param(0.0, 0.01, 0.5, id="a score by 0.01"),
        pytest.param(4.0, 0.01, 1.92, id="the worse of both"),
        pytest.param(0.0, -0.6, np.inf, id="lost"),
    ],
)
def test_how_far_answers_are_apart(moved: float, surer: float, parts: float) -> None:
    apart = parity.deviations(box(100 + moved, 0.7 + surer), box(100, 0.7))
    assert apart.max() == pytest.approx(parts, abs=0.02)


def box(side: float, score: float) -> Detections:
    """One box, unless its score is too low."""
    boxes, scores = np.array([[0, 0, side, 100]]), np.array([score])
    kept = scores > 0.15
    return Detections(
        ImageSize(200, 200),
        ("a",),
        boxes[kept].astype(np.float32),
        scores[kept].astype(np.float32),
        np.zeros(int(kept.sum()), np.int64),
    )


def test_a_refusal_says_how_many_objects_are_lost() -> None:
    expected = [box(100, 0.7), box(100, 0.7), box(100, 0.7)]
    found = [box(100, 0.75), box(100, 0.1), box(30, 0.7)]
    with pytest.raises(ModelError) as raised:
        parity.compare_detections(found, expected)
    assert "deviate from PyTorch's by 2.5 times the limit" in str(raised.value)
    # Of each object that one of the two lacks, and twice of the box that is elsewhere.
    assert str(raised.value).endswith(" and 3 of 5 objects are found by only one of the two")


def test_a_classifier_loses_no_objects() -> None:
    def sure(*probabilities: float) -> Detections:
        return replace(box(100, 0.1), probabilities=np.array(probabilities, np.float32))

    with pytest.raises(ModelError, match=r"by 40 times the limit .*score\)$"):
        parity.compare_detections([sure(0.1, 0.9)], [sure(0.9, 0.1)])


def test_half_precision_of_a_gpu_agrees() -> None:
    """On the CPU, which rounds alike."""
    ready, kind = architecture.load_network(STARTER, 0)
    half = Detector(
        kind, engines.TorchEngine(ready, "cpu", half=True), OutputDecoder(kind, 0.1, 1.0, 10_000)
    )
    ready, kind = architecture.load_network(STARTER, 0)
    single = Detector(
        kind, engines.TorchEngine(ready, "cpu", half=False), OutputDecoder(kind, 0.1, 1.0, 10_000)
    )
    images = draw_images(6)
    assert all(match_strictly(half.detect(images), single.detect(images)))


def test_an_image_is_found_the_same_whatever_comes_with_it(load: Load) -> None:
    detector = load()
    images = draw_images(9)
    together = detector.detect(images)
    for image, found in zip(images, together, strict=True):
        [alone] = detector.detect([image])
        assert np.array_equal(alone.boxes, found.boxes)
        assert np.array_equal(alone.scores, found.scores)


def test_images_of_one_shape_share_a_run_on_a_gpu() -> None:
    ready, kind = architecture.load_network(STARTER, 0)
    engine = engines.TorchEngine(ready, "cpu", half=False)
    engine.batch_size = 16
    shapes: list[tuple[int, ...]] = []
    run = engine.run
    engine.run = lambda pixels: shapes.append(pixels.shape) or run(pixels)  # type: ignore
    found = Detector(kind, engine, OutputDecoder(kind, 0.25, 0.7)).detect(draw_images(8))
    assert sorted(shapes) == [
        (2, 128, 320, 3),
        (2, 256, 320, 3),
        (2, 320, 256, 3),
        (2, 320, 320, 3),
    ]
    assert len(found) == 8


def test_a_network_is_converted_once(load: Load, model_dir: Path, tmp_path: Path) -> None:
    def kept() -> Sequence[Path]:
        return sorted(tmp_path.glob("openvino/*"))

    one, other = (model_dir / f"{name}.pt" for name in ("yolov8n", "yolo11n"))
    load(one, engine="openvino", cache_dir=tmp_path)
    [first] = kept()
    made = (first / "model.xml").stat().st_mtime_ns
    load(one, engine="openvino", cache_dir=tmp_path, run=RunOptions(image_size=96))
    assert kept() == [first]
    assert (first / "model.xml").stat().st_mtime_ns == made
    load(other, engine="openvino", cache_dir=tmp_path)
    assert len(kept()) == 2


@pytest.mark.parametrize(("engine", "file"), [("openvino", "model.bin"), ("onnx", "model.onnx")])
def test_a_damaged_conversion_is_made_again(
    engine: str, file: str, load: Load, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip(engine)
    load(engine=engine, cache_dir=tmp_path)
    gc.collect()  # what is loaded is shared
    [path] = tmp_path.glob(f"{engine}/*/{file}")
    right = path.read_bytes()
    change_byte(path)
    load(engine=engine, cache_dir=tmp_path)
    assert f"is made again, since it cannot be loaded: {file} is damaged" in caplog.text
    [path] = tmp_path.glob(f"{engine}/*/{file}")
    assert path.read_bytes() == right


def test_a_full_disk_leaves_no_verdict_on_bf16(tmp_path: Path) -> None:
    """An empty file would say that the network may run in it."""
    spec = NetworkSpec("detect", ("dot",), 64, 32, False, False, None)
    found = ConvertedNetwork(tmp_path, "openvino", spec)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            found.write_bf16_obstacle("it differs")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert found.read_bf16_obstacle() is None
    found.write_bf16_obstacle("it differs")
    assert found.read_bf16_obstacle() == "it differs"
    assert [path.name for path in tmp_path.iterdir()] == ["bf16.txt"]


@pytest.fixture(scope="module")
def other(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the conversion of a network."""
    ready, kind = architecture.load_network(model_dir / "yolov8n.pt", 0)
    return conversion.convert_to_openvino(ready, kind, tmp_path_factory.mktemp("other") / "made")


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch, other: Path) -> list[Path]:
    """Let the conversion return another network; return the folders that it was called for."""
    called: list[Path] = []

    def convert(network: Any, spec: Any, folder: Path) -> Path:
        called.append(folder)
        return other

    monkeypatch.setattr(conversion, "convert_to_openvino", convert)
    return called


def test_a_network_that_does_not_survive_runs_on_pytorch(
    wrong: list[Path],
    load: Load,
    model_dir: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(2):  # the verdict is kept
        caplog.clear()
        detector = load(model_dir / "yolo11n.pt", cache_dir=tmp_path)
        assert detector.engine.name == "PyTorch on cpu"
        assert "yolo11n.pt runs on PyTorch: its" in caplog.text
        assert detector.describe_engine().startswith("PyTorch on cpu: its boxes or scores deviate")
        del detector
        gc.collect()
    assert len(wrong) == 1


def test_an_engine_that_is_asked_for_is_not_replaced(
    wrong: list[Path], load: Load, model_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"ENGINE=openvino cannot run yolo11n\.pt.*ENGINE=torch"):
        load(model_dir / "yolo11n.pt", engine="openvino", cache_dir=tmp_path)


def test_a_missing_package_is_named(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"ENGINE=onnx.*onnx, onnxruntime.*\[onnx\]"):
        load(engine="onnx")


def test_engine_and_device_that_do_not_go_together(load: Load) -> None:
    with pytest.raises(ModelError, match="ENGINE=openvino runs on the CPU, and DEVICE=cuda"):
        load(engine="openvino", device="cuda")


def test_the_log_says_what_runs(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "backends.detection.model.loader"):
        assert load(engine="torch").engine.name == "PyTorch on cpu"
    assert "shapes.pt runs on PyTorch on cpu" in caplog.text


@pytest.mark.parametrize("task", ["semantic"])
def test_other_tasks_are_refused(task: str, tmp_path: Path) -> None:
    from ultralytics import YOLO

    YOLO(f"yolo26n-{task[:3]}.yaml").save(tmp_path / "other.pt")
    with pytest.raises(ModelError, match=f"other.pt is a network for {task}"):
        architecture.load_network(tmp_path / "other.pt", 0)


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7])
def test_any_number_of_places_is_read(count: int) -> None:
    """Ultralytics takes an array of six anchors for finished rows of six numbers."""
    kind = architecture.NetworkSpec(
        "detect", ("a", "b"), 640, 32, end_to_end=False, stretches_image=False, keypoint_shape=None
    )
    output = np.zeros((6, 8400), np.float32)
    for place in range(count):
        output[:5, place] = 50 + 90 * place, 50, 40, 40, 0.5
    found = OutputDecoder(kind, 0.01, 0.7).decode(
        [output], Letterbox.fit_longer_side(ImageSize(640, 640), 640, 32)
    )
    assert sorted(found.boxes[:, 0].tolist()) == [30 + 90 * n for n in range(count)]
    assert found.scores.tolist() == [0.5] * count


def test_why_nothing_faster_runs_is_said(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = load(precision="f32").describe_engine()
    assert asked == "OpenVINO in f32: DETECTION_PRECISION=f32"
    assert load(engine="torch").describe_engine() == "PyTorch on cpu"
    monkeypatch.setattr(loader, "supports_bf16", lambda: False)
    assert load().describe_engine() == (
        "OpenVINO in f32: this CPU has no bf16; int8 was not tried: prelabel export --calibrate"
        " tries it"
    )
