"""Of each backend's example the editor draws what the model said."""

from collections.abc import Iterator

import pytest

from shared.backend.base import Backend
from shared.backend.example import FILES_ROOT, Example
from shared.backend.registry import find_backends
from shared.editor.browser import EditorBrowser
from shared.editor.comparison import find_differences
from shared.editor.drawn import read_drawing
from shared.label_studio.label_config import LabelConfig
from shared.settings import Settings
from shared.testing import example_environment, predict_example

from .conftest import PATIENCE_SECONDS, label_studio_folder

BACKENDS = find_backends()


@pytest.fixture(scope="module")
def browser() -> Iterator[EditorBrowser]:
    settings = Settings(label_studio_assets=label_studio_folder(), local_files_root=FILES_ROOT)
    with EditorBrowser(settings, timeout=PATIENCE_SECONDS) as opened:
        yield opened


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
def test_example_is_drawn_as_predicted(backend: type[Backend], browser: EditorBrowser) -> None:
    with example_environment(backend):
        predictions = predict_example(backend)
    example = Example.load(backend)
    config = LabelConfig.parse(example.label_config)
    drawn = 0
    for task, prediction in zip(example.tasks, predictions, strict=True):
        results = prediction["result"]
        browser.show(config, {**task, "predictions": [{"result": results}]})
        drawing = read_drawing(browser, 0, results)
        assert find_differences(results, drawing, config) == []
        drawn += len(drawing.regions) + len(drawing.chosen)
    assert drawn, "nothing was predicted, so nothing was compared"
