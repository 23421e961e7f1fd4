"""The example of the backend, by the starter, and all objects found by a grid of clicks."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.segment import SegmentBackend
from backends.segment.everything import find_all_objects, grid_prompts
from shared.errors import ConfigError
from shared.results import ImageSize, rle
from shared.testing import Conformance
from tests.backends.segment.drawing import HEIGHT, WIDTH, click, context
from tests.backends.segment.flood import FloodBackend, FloodModel
from tests.backends.segment.test_backend import (
    BLUE,
    RED,
    ask,
    data_url,
    mask_of,
    picture,
)

ONE_LABEL = '<Label value="Cat"/>'
CONFIG = f"""<View><Image name="i" value="$image"/>
<KeyPointLabels name="k" toName="i" smart="true">{ONE_LABEL}</KeyPointLabels>
<BrushLabels name="b" toName="i" model_segment="everything">{ONE_LABEL}</BrushLabels></View>"""


class TestExample(Conformance):
    backend = SegmentBackend


@pytest.fixture
def _flood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEGMENT_MODEL", "flood")
    monkeypatch.setenv("CACHE_DIR", str(tmp_path))


def masks(answer: Any) -> list[Any]:
    found = [rle.decode(one["value"]["rle"], HEIGHT, WIDTH) > 0 for one in answer["result"]]
    return sorted(found, key=lambda mask: -mask.sum())


@pytest.mark.usefixtures("_flood")
def test_everything_is_found_in_bulk_and_clicks_are_answered_beside_it() -> None:
    found = ask(None, CONFIG)
    assert [mask.tolist() for mask in masks(found)] == [
        mask_of(RED).tolist(),
        mask_of(BLUE).tolist(),
    ]
    [clicked] = masks(ask(context(click(20, 30)), CONFIG))
    assert (clicked == mask_of(RED)).all()


@pytest.mark.usefixtures("_flood")
def test_everything_on_each_image_of_a_list() -> None:
    config = CONFIG.replace('value="$image"', 'valueList="$image"')
    answer = ask(None, config, [data_url(picture()), data_url(picture(250))])
    assert sorted(one["item_index"] for one in answer["result"]) == [0, 0, 1, 1]
    assert len({one["id"] for one in answer["result"]}) == 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"everything"', '"some"', 'model_segment="some" should be everything, true or false'),
        (f"{ONE_LABEL}</Brush", f'{ONE_LABEL}<Label value="Dog"/></Brush', "give it one label"),
    ],
)
@pytest.mark.usefixtures("_flood")
def test_what_everything_cannot_be_asked_of(old: str, new: str, message: str) -> None:
    backend = FloodBackend(label_config=CONFIG.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        backend.claim(backend.config)


def test_background_and_noise_are_no_objects() -> None:
    model = FloodModel()
    embedding = model.encode(picture())
    found = find_all_objects(partial(model.decode, embedding), embedding.size, 12)
    assert sorted(one.area for one in found) == [30 * 20, 30 * 40]


def test_the_grid_has_square_cells() -> None:
    points = np.array(
        [(p.x, p.y) for one in grid_prompts(ImageSize(120, 60), 12) for p in one.points]
    )
    assert points.shape == (12 * 6, 2)
    assert points[:2].tolist() == [[5, 5], [15, 5]]
