"""A box that is drawn in one task of a real Label Studio is looked for in all of its project."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.backends.detection.conftest import PICTURE, data_url
from tests.backends.detection.open_vocabulary.test_drawn_examples import drawn
from tests.backends.detection.open_vocabulary.word_networks import save_word_network
from tests.serving import served

from .label_studio import LabelStudio

CONFIG = """<View><Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image" model_examples="annotated"
    model_score_threshold="0.001"><Label value="Helmet"/><Label value="Vest"/></RectangleLabels>
</View>"""


def test_what_is_annotated_once_is_found_by_the_server_and_the_command(
    label_studio: LabelStudio, tmp_path: Path
) -> None:
    path = save_word_network("yoloe-v8n", tmp_path)
    project = label_studio.create_project("Find more like it", CONFIG)
    pictures = [data_url(pixels) for pixels in (PICTURE, PICTURE[:, ::-1], PICTURE[::-1])]
    tasks = label_studio.import_tasks(project, [{"data": {"image": one}} for one in pictures])
    settings = {"MODEL_DIR": str(tmp_path), "DETECTION_MODEL": path.name, "ENGINE": "torch"}
    settings |= {"LABEL_STUDIO_URL": label_studio.url, "TRAIN_DIR": str(tmp_path / "training")}
    settings |= {"LABEL_STUDIO_API_KEY": label_studio.token, "DETECTION_TEXT_ENCODER": ""}
    with served("detection", log=tmp_path / "log", **settings) as server:
        server.wait("/ready")
        label_studio.connect_backend(project, server.url)
        label_studio.retrieve_predictions(project)
        assert label_studio.predictions(project) == []
        assert "no box with a label of it is annotated" in (tmp_path / "log").read_text()
        body = {"result": [drawn("Vest", (40, 60, 120, 140))]}
        label_studio.request("POST", f"/api/tasks/{tasks[0]}/annotations/", json=body)
        label_studio.retrieve_predictions(project)
    stored = {one["task"]: one["result"] for one in label_studio.predictions(project)}
    assert set(stored) == set(tasks)
    for result in stored.values():
        assert {label for one in result for label in one["value"]["rectanglelabels"]} == {"Vest"}
    out = tmp_path / "out.json"
    words = ["predict", "--project", project, "--only", "unannotated", "--backend", "detection"]
    subprocess.run(
        [sys.executable, "-m", "shared.cli", *map(str, words), "-o", str(out)],
        env=os.environ | settings,
        check=True,
    )
    written = {one["id"]: one["predictions"][0]["result"] for one in json.loads(out.read_text())}
    assert written == {task: stored[task] for task in tasks[1:]}
