"""What an operator reads about the mapping from classes to labels."""

import logging
import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from backends.detection import DetectionBackend
from shared.pipeline import runtime
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.settings import Settings, changed_environment, read_settings
from tests.backends.detection.conftest import data_url
from tests.backends.detection.networks import CLASSES

SEEN = '<Label value="Circle"/><Label value="Vehicle" predicted_values="car,bus"/>'
XML = f"""<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image">{SEEN}<Label value="Person"/></RectangleLabels>
<EllipseLabels name="round" toName="image"><Label value="CAR"/></EllipseLabels>
</View>"""
OTHER = XML.replace("Person", "Somebody")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "detection needs ultralytics: install the extra"),
        ({"DETECTION_MODEL": "exported"}, None),
    ],
    ids=["the default", "a model that is named"],
)
def test_openvino_alone_serves_only_what_is_named(
    settings: dict[str, str], reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other extras bring OpenVINO, too: a server of theirs must not wait for these weights."""
    monkeypatch.delenv("DETECTION_MODEL", raising=False)
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    with changed_environment(settings):
        found = DetectionBackend.unavailable_reason()
        named = DetectionBackend.with_model("exported").unavailable_reason()
    assert named is None
    assert (found or "").startswith(reason or "")
    assert (found is None) is (reason is None)


def test_the_mapping_is_in_the_status_and_once_a_config_in_the_log(
    model_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert CLASSES == ("circle", "Square", "car")
    settings = {"MODEL_DIR": str(model_dir), "DETECTION_MODEL": "yolo11n.pt", "ENGINE": "torch"}
    with changed_environment(settings), caplog.at_level(logging.INFO, "shared.backend.claim"):
        runtime.reset_runtime()
        app = create_app(BackendService([DetectionBackend]), read_settings(Settings))
        with TestClient(app) as client:
            for xml in (OTHER, XML, OTHER, XML):
                tasks = [{"id": number, "data": {"image": data_url()}} for number in range(2)]
                body = {"tasks": tasks, "label_config": xml, "project": "1.2"}
                answer = client.post("/predict", json=body).json()
                assert [bool(found["result"]) for found in answer["results"]] == [True, True]
            other, seen = client.get("/status").json()["label_configs"]
    assert seen["filled"] == {"box": "detection", "round": "detection"}
    assert seen["mappings"] == [
        {
            "control": "box",
            "labels": {"circle": "Circle", "car": "Vehicle"},
            "unfilled_labels": ["Person"],
            "unused_classes": ["Square"],
        },
        {
            "control": "round",
            "labels": {"car": "CAR"},
            "unfilled_labels": [],
            "unused_classes": ["circle", "Square"],
        },
    ]
    assert other["mappings"][0]["unfilled_labels"] == ["Somebody"]
    box = 'RectangleLabels "box": circle → Circle, car → Vehicle; labels without a class: '
    ellipse = 'EllipseLabels "round": car → CAR; classes without a label: circle, Square'
    assert seen["labels"] == [f"{box}Person; classes without a label: Square", ellipse]
    said = [
        record.getMessage() for record in caplog.records if record.name == "shared.backend.claim"
    ]
    assert sorted(said) == sorted(
        f"detection-yolo11n.pt fills {report}" for report in seen["labels"] + other["labels"]
    )
