"""`prelabel export --calibrate`: a copy in int8 where it agrees, and else the reason."""

import json
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backends._inference import quantization
from backends._transformers.int8 import check_differences
from backends._transformers.probability_comparison import ProbabilityComparison
from backends.detection import DetectionBackend
from backends.detection.model import int8
from backends.detection.model.engines import OpenVinoEngine
from backends.detection.model.int8 import choose_layers
from backends.detection.model.trunk import STAGE
from backends.detection.starter.shapes import draw_picture
from backends.ner import NerBackend
from backends.ner.entities import Entity, compare_entities
from backends.ner.starter import sentences
from backends.pattern import PatternBackend
from backends.text_classification import TextClassificationBackend
from backends.text_classification.sequence_classifier import (
    Classification,
    Kind,
    compare_classifications,
)
from backends.text_classification.starter.sentences import generate
from shared.backend.base import Backend
from shared.backend.claim import ModelSpec
from shared.backend.example import Example
from shared.backend.registry import find_backends
from shared.cli.calibration import read_items
from shared.cli.export import add_int8_copy
from shared.cli.export_folder import new_folder
from shared.errors import ModelError, RefusedPrecisionError, SettingError
from shared.settings import changed_environment

from .conftest import Command
from .test_export import predict_without_torch

PICTURES = 36


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("nncf", "openvino", "torch", "transformers", "ultralytics"):
        pytest.importorskip(package)
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "cache"))


def late_layers(path: Path) -> list[quantization.Layers]:
    """The last stages before the head, whose rounding has the fewest layers to grow in."""
    whole = choose_layers(path)[0]
    names = [name for name in whole.names if int(STAGE.findall(f"{name}.")[0]) >= 17]
    return [replace(whole, title="late convolutions in int8", names=tuple(names))]


@pytest.mark.usefixtures("packages")
def test_a_network_that_agrees_in_int8_is_served_in_it_without_nncf_and_pytorch(
    prelabel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is faster depends on the processor, and is not asked here.

    Which layers allow it is a search of minutes: here they are known.
    """
    monkeypatch.setattr(quantization, "MIN_GAIN", 0)
    monkeypatch.setattr(int8, "choose_layers", late_layers)
    (tmp_path / "pictures").mkdir()
    for number in range(PICTURES):
        picture = draw_picture(np.random.default_rng(number), (320, 240), "clean", 6).image
        cv2.imwrite(str(tmp_path / "pictures" / f"{number}.png"), picture[:, :, ::-1])
    arguments = ("--precision", "int8", "--calibrate", "pictures", "--output", "models/mine")
    ran = prelabel("export", "detection:starter", *arguments)
    assert ran.status == 0, ran.err
    assert "detection-starter: OpenVINO in int8, " in ran.out
    assert_outputs_are_compared(tmp_path / "models" / "mine")
    verdict = (tmp_path / "models" / "mine" / "int8.txt").read_text()
    assert "objects on 12 images deviate by at most 0." in verdict

    used = {"DETECTION_MODEL": "mine", "MODEL_DIR": str(tmp_path / "models")}
    answers, failures = predict_without_torch("detection", **used)
    assert failures == []
    expected = Example.load(DetectionBackend).expected
    assert expected
    labels = [
        [[region["value"]["rectanglelabels"] for region in one["result"]] for one in found]
        for found in (answers, expected)
    ]
    assert labels[0] == labels[1]
    with changed_environment(used):
        backend = DetectionBackend(served=True)
        [spec] = backend.default_specs()
        assert backend.describe_engine(backend.load(spec)) == f"OpenVINO in int8: {verdict}"
    with changed_environment({**used, "DETECTION_PRECISION": "f32"}):
        [spec] = DetectionBackend(served=True).default_specs()
        assert "in f32" in backend.describe_engine(DetectionBackend(served=True).load(spec))
    assert_served_without(tmp_path / "models" / "mine" / "int8.xml", DetectionBackend, used)


def assert_outputs_are_compared(folder: Path) -> None:
    """As NNCF asks for it while it searches layers."""
    drawn = draw_picture(np.random.default_rng(0), (320, 256), "clean", 6).image
    pixels = np.ascontiguousarray(drawn)[None]
    compared = int8.DetectedObjects(str(folder))
    with OpenVinoEngine(folder / "model.xml", [], "f32").run(pixels) as outputs:
        found = compared.read([pixels], outputs)
    assert len(found) >= 6
    nothing = replace(found, scores=found.scores * 0)
    assert compared.distance([found], [found]) == 0
    assert compared.distance([nothing], [nothing]) == 0
    assert compared.distance([found], [nothing]) == pytest.approx(1 + quantization.LOST)


@pytest.mark.usefixtures("packages")
def test_a_text_classifier_that_agrees_in_int8_is_served_in_it(
    prelabel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantization, "MIN_GAIN", 0)
    tasks = [{"data": {"text": one.text}} for one in generate(45, 7, "held_out")]
    (tmp_path / "tasks.json").write_text(json.dumps([*tasks, {"data": {"other": "key"}}]))
    arguments = ("--precision", "int8", "--calibrate", "tasks.json", "--output", "models/mine")
    ran = prelabel("export", "text_classification:starter", *arguments)
    assert ran.status == 0, ran.err
    assert "1 of --calibrate cannot be read: " in ran.err
    assert "OpenVINO in int8: all linear layers but the last in int8: 15 held-out texts" in ran.out
    used = {"TEXT_CLASSIFICATION_MODEL": "mine", "MODEL_DIR": str(tmp_path / "models")}
    answers, failures = predict_without_torch("text_classification", **used)
    assert failures == []
    expected = Example.load(TextClassificationBackend).expected
    assert expected
    assert values_of(answers) == values_of(expected)
    scores = [one["score"] for one in expected]
    assert [one["score"] for one in answers] == pytest.approx(scores, abs=0.02)
    copy = tmp_path / "models" / "mine" / "int8" / "model.bin"
    assert_served_without(copy, TextClassificationBackend, used)


def values_of(predictions: Sequence[Any]) -> list[list[Any]]:
    """What each region of each prediction says."""
    return [[region["value"] for region in one["result"]] for one in predictions]


@pytest.mark.usefixtures("packages")
def test_layers_that_keep_entities_from_agreeing_are_left_out(
    prelabel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all linear layers in int8 the starter finds others in some texts."""
    monkeypatch.setattr(quantization, "MIN_GAIN", 0)
    tasks = [{"data": {"text": one.text}} for one in sentences.generate(60, 7)]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    arguments = ("--precision", "int8", "--calibrate", "tasks.json", "--output", "models/mine")
    ran = prelabel("export", "ner:starter", *arguments)
    assert ran.status == 0, ran.err
    verdict = (tmp_path / "models" / "mine" / "int8" / "verdict.txt").read_text()
    found = re.match(r"(\d+) of the 13 linear layers before the last in int8: 20 held-out", verdict)
    assert found is not None, verdict
    assert 1 <= int(found[1]) < 13
    used = {"NER_MODEL": "mine", "MODEL_DIR": str(tmp_path / "models")}
    answers, failures = predict_without_torch("ner", **used)
    assert failures == []
    expected = Example.load(NerBackend).expected
    assert expected
    assert values_of(answers) == values_of(expected)


@pytest.mark.parametrize("several", [False, True])
def test_probabilities_of_a_copy_are_compared(several: bool) -> None:
    compared = ProbabilityComparison(allowed=0.02, several=several)
    logits = np.array([[[0.0, 0.0], [3.0, -3.0]]], np.float32)
    expected, near, far = (
        compared.read([], [logits + np.float32(change) * np.array([1, -1], np.float32)])
        for change in (0, 0.02, 0.2)
    )
    assert expected.shape == (2, 2)
    assert expected[0] == pytest.approx([0.5, 0.5])
    assert compared.distance([expected], [near]) == 0
    assert 1 < compared.distance([expected, expected], [near, far]) < 10
    assert compared.distance([], []) == 0


def assert_served_without(copy: Path, cls: type[Backend], used: dict[str, str]) -> None:
    """Assert that a copy in int8 that lost its end is not served, and that this is said."""
    copy.write_bytes(copy.read_bytes()[:1000])
    with changed_environment(used):
        backend = cls(served=True)
        [spec] = backend.default_specs()
        engine = backend.describe_engine(backend.load(spec))
    assert engine is not None
    assert engine.startswith(("OpenVINO in f32", "OpenVINO in bf16"))
    assert "in int8, its copy cannot be loaded, as the log says: export it again" in engine


def test_what_each_copy_lacks_is_said(tmp_path: Path) -> None:
    made = []

    def judge(path: Path) -> str:
        made.append(path.stem)
        if path.name == "1.xml":
            check_differences([0.01, inf, 0.05, 0.02])
        quantization.measure_gain(lambda item: None, time.sleep, [0.002] * 3)
        return "never"

    copies = (quantization.Copy(f"{n} layers", tmp_path / f"{n}.xml") for n in (1, 2, 3))
    with pytest.raises(RefusedPrecisionError) as raised:
        quantization.choose_copy(copies, judge)
    first, second = str(raised.value).split("; ")
    assert first == (
        "with 1 layers, of 4 held-out texts it answers 1 otherwise, and 1 with scores that differ"
        " by up to 0.05 (0.02 is allowed)"
    )
    assert second.startswith("with 2 layers, it is 0.0")
    assert made == ["1", "2"], "what is not faster is not faster with fewer layers"


@pytest.mark.usefixtures("packages")
def test_what_is_not_faster_in_int8_is_exported_without_and_says_why(
    prelabel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantization, "MIN_GAIN", 1000)
    tasks = [{"data": {"text": one.text}} for one in generate(30, 7, "held_out")]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    arguments = ("--calibrate", "tasks.json", "--output", "models/mine")
    ran = prelabel("export", "text_classification:starter", *arguments)
    assert ran.status == 0, ran.err
    assert "text_classification-starter does not run in int8: with all linear layers" in ran.err
    assert "times as fast as without on this processor" in ran.err
    with changed_environment({"MODEL_DIR": "models", "TEXT_CLASSIFICATION_MODEL": "mine"}):
        backend = TextClassificationBackend(served=True)
        [spec] = backend.default_specs()
        engine = backend.describe_engine(backend.load(spec))
    assert engine.startswith("OpenVINO in ")
    assert "in int8, with all linear layers but the last in int8, it is " in engine


class Refused(PatternBackend):
    """A backend whose model is as fast without int8."""

    def quantize_model(self, spec: ModelSpec, folder: Path, items: Iterable[Any]) -> str:
        raise RefusedPrecisionError("with all layers, it is 0.90 times as fast")


def test_a_refusal_is_an_error_where_int8_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = Refused, ModelSpec("pattern", "rules"), tmp_path, ()
    assert add_int8_copy(*given, is_required=False) is None
    told = "pattern-rules does not run in int8: with all layers, it is 0.90 times as fast"
    assert capsys.readouterr().err == f"{told}\n"
    with pytest.raises(SettingError) as raised:
        add_int8_copy(*given, is_required=True)
    without = "Nothing was written: without --precision int8 it is exported"
    assert str(raised.value) == f"{told}. {without}"


def test_nothing_is_left_of_what_does_not_run_in_int8(tmp_path: Path) -> None:
    def export() -> None:
        with new_folder(tmp_path / "mine") as folder:
            (folder / "model.xml").touch()
            add_int8_copy(PatternBackend, ModelSpec("pattern", "rules"), folder, [], True)

    with pytest.raises(SettingError, match="pattern has no models that run in int8"):
        export()
    assert not (tmp_path / "mine").exists()


@pytest.mark.usefixtures("packages")
def test_a_network_that_nncf_cannot_read_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "model.xml").write_text("<half")
    made = quantization.Quantization(tmp_path / "model.xml", [], tmp_path)
    with pytest.raises(ModelError, match=r"^NNCF cannot make a copy in int8: \w+$"):
        made.make(quantization.Layers("all", ()))


def test_too_few_items_are_no_calibration() -> None:
    with pytest.raises(ModelError, match=r"int8 takes at least 30 items .*; found: 29$"):
        quantization.split_items(range(29))
    calibration, held_out = quantization.split_items(range(30))
    assert (len(calibration), len(held_out)) == (20, 10)
    assert not set(calibration) & set(held_out)


@pytest.mark.parametrize(
    ("found", "difference"),
    [
        ([Entity(0, 3, "PER", 0.8)], 0.1),
        ([Entity(0, 4, "PER", 0.9)], inf),
        ([Entity(0, 3, "ORG", 0.9)], inf),
        ([], inf),
    ],
    ids=["another score", "another end", "another type", "none"],
)
def test_entities_differ_by_their_scores_or_altogether(
    found: list[Entity], difference: float
) -> None:
    assert compare_entities([Entity(0, 3, "PER", 0.9)], found) == pytest.approx(difference)


@pytest.mark.parametrize(
    ("kind", "found", "difference"),
    [
        ("one", (1.0, -0.9), 0.011),
        ("one", (-1.0, 1.0), inf),
        ("several", (1.0, -1.1), 0.019),
        ("several", (1.0, 0.1), inf),
    ],
)
def test_classes_differ_by_their_scores_or_altogether(
    kind: Kind, found: tuple[float, float], difference: float
) -> None:
    outputs = [
        Classification(("a", "b"), np.array(logits, np.float32), kind)
        for logits in ((1.0, -1.0), found)
    ]
    assert compare_classifications(*outputs) == pytest.approx(difference, abs=0.001)


@pytest.mark.parametrize("name", ["detection", "ner"])
def test_what_int8_lacks_is_told_before_the_model_is_converted(
    name: str, prelabel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Converting takes minutes."""
    cls = find_backends()[name]
    monkeypatch.setattr(cls, "export_model", None)
    (tmp_path / "items").mkdir()
    if name == "detection":
        picture = draw_picture(np.random.default_rng(0), (320, 240), "clean", 6).image
        cv2.imwrite(str(tmp_path / "items" / "one.png"), picture)
    else:
        (tmp_path / "items" / "one.txt").write_text("Ada was in London.")
    arguments = ("export", f"{name}:starter", "--calibrate", "items", "--output", "models/mine")
    with monkeypatch.context() as changed:
        changed.setattr(quantization, "find_spec", lambda module: None)
        ran = prelabel(*arguments)
    assert f"{name}-starter: nncf is not installed: install the extra" in ran.err
    pytest.importorskip("nncf")
    ran = prelabel(*arguments)
    assert ran.status == 2
    assert (
        f"{name}-starter: int8 takes at least 30 items to calibrate with, such as annotators label;"
        " found: 1. Nothing was written: without --calibrate it is exported"
    ) in ran.err
    assert not (tmp_path / "models" / "mine").exists()


def test_items_to_calibrate_with_are_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are counted before the model is converted, and used afterwards."""
    tasks = [{"data": {"text": "one"}}, {"data": {"other": "two"}}, {"data": {"text": "three"}}]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    items = read_items(PatternBackend, str(tmp_path / "tasks.json"), None)
    assert len(list(items)) == len(list(items)) == 2
    assert capsys.readouterr().err.count("1 of --calibrate cannot be read: ") == 2
    next(iter(items))
    assert capsys.readouterr().err == ""


def test_int8_needs_what_it_is_calibrated_with(prelabel: Command) -> None:
    ran = prelabel("export", "ner:starter", "--output", "mine", "--precision", "int8")
    assert ran.status == 2
    assert "--precision int8 needs --calibrate, tasks such as those to come" in ran.err
