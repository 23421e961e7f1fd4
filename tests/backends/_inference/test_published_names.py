"""Our list of the weights that Ultralytics publishes is the list in the installed package."""

import re
from pathlib import Path

import pytest

from backends._inference.published_names import PUBLISHED_DETECTORS, PUBLISHED_SEGMENTERS
from backends._inference.ultralytics_weights import download_weights
from shared.errors import ModelError

# What there is no control tag for (classes of pixels, depth, re-identification), what needs one
# more package (YOLO-NAS), and what is no network for pictures.
OTHERS = r"yolo26.-(sem|sem-ade20k|depth)\.pt|yolo26.-reid\.onnx|yolo_nas_.\.pt|.*\.(ts|zip)"


def test_published_names_are_those_of_the_installed_package() -> None:
    assets = pytest.importorskip("ultralytics.utils.downloads").GITHUB_ASSETS_NAMES
    listed = PUBLISHED_DETECTORS | PUBLISHED_SEGMENTERS
    assert not PUBLISHED_DETECTORS & PUBLISHED_SEGMENTERS
    assert {name for name in assets if not re.fullmatch(OTHERS, name)} == listed


def test_names_of_the_official_examples_are_published() -> None:
    assert {"yolov8n.pt", "yolov8m.pt", "yolov8n-pose.pt", "yolo11m.pt"} <= PUBLISHED_DETECTORS
    assert {"mobile_sam.pt", "sam2.1_l.pt"} <= PUBLISHED_SEGMENTERS


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mobile_sma.pt", ". Did you mean mobile_sam.pt?"),
        ("fastsam-s.pt", ". Did you mean FastSAM-s.pt?"),
        ("helmets.pt", ""),
    ],
)
def test_an_unknown_name_is_refused_with_the_one_that_was_meant(
    tmp_path: Path, name: str, hint: str
) -> None:
    pytest.importorskip("ultralytics")
    with pytest.raises(ModelError) as caught:
        download_weights(name, str(tmp_path / name))
    words = f"{name} is neither a file in MODEL_DIR nor a pretrained model of Ultralytics"
    assert str(caught.value) == words + hint
