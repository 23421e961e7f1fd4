"""The editor draws the boxes that a detector finds, and the masks that are made of them."""

import pytest

from shared.editor.browser import EditorBrowser
from shared.editor.comparison import find_differences
from shared.editor.drawn import read_drawing
from shared.label_studio.label_config import LabelConfig
from tests.backends.detection.conftest import data_url
from tests.backends.segment.test_boxes_to_masks import BOXES, MASKS, STARTERS, config, predict


@pytest.mark.parametrize("tag", ["Brush", "Polygon"])
def test_boxes_and_their_masks_are_drawn(
    tag: str, browser: EditorBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in STARTERS.items():
        monkeypatch.setenv(name, value)
    parsed = LabelConfig.parse(config(BOXES, MASKS.replace("Brush", tag)))
    image = data_url()
    results = predict(parsed.xml, image)
    prediction = {"result": results}
    browser.show(parsed, {"id": 1, "data": {"image": image}, "predictions": [prediction]})
    drawing = read_drawing(browser, 0, results)
    assert find_differences(results, drawing, parsed) == []
    assert len(drawing.regions) == len(results) >= 6
