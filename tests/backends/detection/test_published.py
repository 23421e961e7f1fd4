"""A label config may name what Ultralytics publishes; what happens until it is downloaded."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.pipeline import runtime
from shared.pipeline.prediction import TaskOutcome
from shared.settings import changed_environment
from tests.backends.detection.conftest import data_url, route_of
from tests.backends.detection.networks import save_network

XML = """<View><Image name="image" value="$image"/>
<RectangleLabels name="r" toName="image" model_score_threshold="0" model_path="{name}">
<Label value="circle"/></RectangleLabels></View>"""
# Nobody listens there, so that no test fetches anything.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
NO_NETWORK = dict.fromkeys(PROXIES, "http://127.0.0.1:9")


@pytest.fixture(autouse=True)
def folders(tmp_path: Path) -> Iterator[None]:
    """Let weights be looked for in empty folders, and on no network."""
    pytest.importorskip("ultralytics")
    folders = {"MODEL_DIR": f"{tmp_path}/models", "CACHE_DIR": str(tmp_path), "ENGINE": "torch"}
    with changed_environment({**folders, **NO_NETWORK, "DETECTION_MODEL": "starter"}):
        runtime.reset_runtime()
        yield


def predict(name: str) -> TaskOutcome:
    task = {"id": 1, "data": {"image": data_url()}}
    [outcome] = runtime.runtime().pipeline.run(route_of(XML.format(name=name)), [task])
    return outcome


def test_a_published_name_is_taken_from_the_cache(tmp_path: Path) -> None:
    (tmp_path / "ultralytics").mkdir()
    save_network("yolo11n", tmp_path / "ultralytics")
    answer = predict("yolo11n.pt").to_response()
    assert isinstance(answer, dict)
    assert answer["model_version"].startswith("detection-yolo11n")
    assert {result["from_name"] for result in answer["result"]} == {"r"}


def test_a_published_name_that_cannot_be_fetched_says_so() -> None:
    error = str(predict("yolo11n.pt").error)
    assert error.startswith("yolo11n.pt could not be downloaded (")
    assert error.endswith("check the network, or put the file into MODEL_DIR")


@pytest.mark.parametrize(
    "name", ["yolov8n.pt", "yolo26x-pose.pt", "yoloe-11s-seg.pt", "rtdetr-l.pt"]
)
def test_a_published_name_needs_no_setting(name: str) -> None:
    [step] = route_of(XML.format(name=name)).steps
    assert step.claims[0].spec.model == name
