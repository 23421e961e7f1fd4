"""Our list of the weights that Ultralytics publishes is the list in the installed package."""

import re

import pytest

from backends._inference.published_names import PUBLISHED_DETECTORS, PUBLISHED_SEGMENTERS

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
