"""What `prelabel new` makes, before Label Studio: its label configs, and its predictions shown."""

import sys
from pathlib import Path
from typing import Any

import pytest

from shared.backend.base import Backend
from shared.backend.example import Example
from shared.cli.scaffold.create import create_backend, import_backend
from shared.cli.scaffold.files import Scaffold
from shared.cli.scaffold.tag_pairs import PAIRS
from shared.testing import example_environment, predict_example

from .compare import comparable, differences
from .editor_alone import EditorAlone
from .label_studio import LabelStudio

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SHOWN = [
    ("PolygonLabels", "Image"),
    ("Labels", "Text"),
    ("HyperTextLabels", "HyperText"),
    ("ParagraphLabels", "Paragraphs"),
    ("Labels", "Audio"),
    ("TimeSeriesLabels", "TimeSeries"),
    ("VideoRectangle", "Video"),
    ("TimelineLabels", "Video"),
    ("Pairwise", "Text"),
    ("Ranker", "List"),
    ("Taxonomy", "Image"),
    ("DateTime", "Audio"),
]
"""One pair of each kind; every type itself is shown in test_every_type.py."""


def created(pair: tuple[str, str], root: Path, monkeypatch: pytest.MonkeyPatch) -> type[Backend]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"shown_{pair[0]}_{pair[1]}".lower()
    scaffold = Scaffold(name, *pair, name)
    if not (root / name).exists():
        create_backend(scaffold, root)
    return import_backend(scaffold, root)


def uploaded(server: LabelStudio, project: int, data: dict[str, Any], root: Path) -> dict[str, Any]:
    """The data with each local file as an upload of the project."""
    below = "/data/local-files/?d="
    found = {}
    for key, value in data.items():
        if isinstance(value, str) and value.startswith(below):
            [task] = server.upload(project, [root / value.removeprefix(below)])
            found[key] = next(iter(server.task(task)["data"].values()))
    return data | found


def test_label_studio_takes_every_label_config(label_studio: LabelStudio) -> None:
    for control, target in PAIRS:
        config = PAIRS[control, target].label_config(control)
        assert label_studio.create_project(f"{control} on {target}", config)


@pytest.mark.parametrize("pair", SHOWN, ids=" on ".join)
def test_the_editor_shows_what_is_predicted(
    pair: tuple[str, str],
    label_studio: LabelStudio,
    editor_alone: EditorAlone,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend = created(pair, tmp_path, monkeypatch)
    with example_environment(backend):
        predictions = predict_example(backend)
    example = Example.load(backend)
    project = label_studio.create_project(f"New: {pair[0]}", example.label_config)
    data = uploaded(label_studio, project, example.tasks[0]["data"], example.root)
    task = {"data": data, "predictions": [predictions[0]]}
    [number] = label_studio.import_tasks(project, [task])
    [shown] = editor_alone.predictions(project, number)
    sent = predictions[0]["result"]
    assert sent
    assert differences(map(comparable, sent), map(comparable, shown)) == []
