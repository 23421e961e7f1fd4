"""Clicks, boxes and strokes are answered by regions: of every tag, and whatever is drawn."""

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from shared.results import rle
from tests.backends.segment.drawing import CONFIG, HEIGHT, WIDTH, box, click, context, stroke
from tests.backends.segment.flood import FloodBackend, FloodModel

Json = dict[str, Any]

# Edges of the shapes on the picture, all on white.
RED, BLUE = (10, 20, 40, 60), (60, 10, 90, 30)
LABELS = '<Label value="Cat"/><Label value="Dog"/>'


def picture(shade: int = 255) -> np.ndarray:  # type: ignore[type-arg]
    """A white picture with a red and a blue box; `shade` makes it another one."""
    pixels = np.full((HEIGHT, WIDTH, 3), shade, np.uint8)
    for (left, top, right, bottom), colour in ((RED, (200, 0, 0)), (BLUE, (0, 0, 200))):
        pixels[top:bottom, left:right] = colour
    return pixels


def mask_of(*shapes: tuple[int, int, int, int]) -> np.ndarray:  # type: ignore[type-arg]
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for left, top, right, bottom in shapes:
        mask[top:bottom, left:right] = True
    return mask


def data_url(pixels: np.ndarray) -> str:  # type: ignore[type-arg]
    _, png = cv2.imencode(".png", pixels[:, :, ::-1])
    return "data:image/png;base64," + base64.b64encode(png.tobytes()).decode()


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FloodModel:
    """A model of this test alone, without embeddings of earlier ones."""
    monkeypatch.setenv("SEGMENT_MODEL", "flood")
    monkeypatch.setenv("CACHE_DIR", str(tmp_path))
    made = FloodModel()
    monkeypatch.setattr(FloodBackend, "model", made)
    return made


def ask(drawn: Json | None, config: str = CONFIG, image: Any = None, task: int = 1) -> Any:
    backend = FloodBackend(label_config=config)
    value = data_url(picture()) if image is None else image
    [answer] = backend.predict([{"id": task, "data": {"image": value}}], context=drawn)
    return answer


def masks(answer: Json) -> list[np.ndarray]:  # type: ignore[type-arg]
    return [rle.decode(one["value"]["rle"], HEIGHT, WIDTH) > 0 for one in answer["result"]]


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        pytest.param([click(20, 30)], [mask_of(RED)], id="click"),
        pytest.param([click(20, 30), click(70, 20)], [mask_of(RED, BLUE)], id="two clicks"),
        pytest.param(
            [click(20, 30), click(70, 20), click(20, 31, positive=False)],
            [mask_of(BLUE)],
            id="a negative click cuts",
        ),
        pytest.param([box(8, 15, 45, 65)], [mask_of(RED)], id="box"),
        pytest.param(
            [box(8, 15, 45, 65), box(55, 5, 95, 35)], [mask_of(RED), mask_of(BLUE)], id="boxes"
        ),
        pytest.param(
            [box(8, 15, 45, 65), click(70, 20)], [mask_of(RED), mask_of(BLUE)], id="box and click"
        ),
        pytest.param([stroke(15, 30, 25, 33)], [mask_of(RED)], id="stroke"),
        pytest.param(
            [click(20, 30), click(20, 31, positive=False)], [], id="an empty mask is no region"
        ),
        pytest.param([], [], id="nothing drawn"),
        pytest.param([click(2, 2, positive=False)], [], id="negative alone"),
        pytest.param([click(999, 2)], [], id="outside"),
        pytest.param([click(20, 30, None)], [], id="without a label"),
        pytest.param([click(20, 30, "Horse")], [], id="unknown label"),
    ],
)
def test_answers(drawn: list[Json], expected: list[Any]) -> None:
    answer = ask(context(*drawn))
    assert [mask.tolist() for mask in masks(answer)] == [mask.tolist() for mask in expected]
    assert {one["from_name"] for one in answer["result"]} <= {"b"}
    assert {tuple(one["value"]["brushlabels"]) for one in answer["result"]} <= {("Cat",)}


def test_the_same_clicks_give_the_same_answer_after_all_is_forgotten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from shared.pipeline.runtime import reset_runtime

    drawn = context(click(20, 30), click(70, 20), click(75, 20, positive=False))
    first = ask(drawn)
    reset_runtime()
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "empty"))
    assert ask(drawn) == first


def test_further_clicks_change_the_region_and_add_none() -> None:
    one, two = ask(context(click(20, 30))), ask(context(click(20, 30), click(70, 20)))
    assert [r["id"] for r in one["result"]] == [r["id"] for r in two["result"]]


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("Rectangle", {"x": 10, "y": 25, "width": 30, "height": 50, "rotation": 0}),
        ("Polygon", {"points": [[10, 25], [40, 25], [40, 75], [10, 75]], "closed": True}),
        ("Ellipse", {"x": 25, "y": 50, "radiusX": 23.1, "radiusY": 21.65, "rotation": 90}),
    ],
)
def test_other_tags_get_the_shape_of_the_mask(tag: str, expected: Json) -> None:
    points = f'<KeyPointLabels name="k" toName="i" smart="true">{LABELS}</KeyPointLabels>'
    config = f'<View><Image name="i" value="$image"/>{points}<{tag} name="b" toName="i"/></View>'
    [result] = ask(context(click(20, 30)), config)["result"]
    value = result["value"]
    if tag == "Polygon":
        value["points"].sort()
        expected["points"].sort()
    assert value.pop("closed", True) == expected.pop("closed", True)
    for key, wanted in expected.items():
        assert np.allclose(value[key], wanted, atol=0.02), key


def test_bitmask_and_labels_of_their_own() -> None:
    config = f"""<View><Image name="i" value="$image"/><KeyPoint name="k" toName="i" smart="true"/>
      <Bitmask name="m" toName="i"/><Labels name="l" toName="i">{LABELS}</Labels></View>"""
    point = {**click(20, 30, None), "type": "keypoint", "id": "drawn"}
    label = {**click(20, 30, "Dog"), "type": "labels", "from_name": "l", "id": "drawn"}
    results = ask({"result": [point, label]}, config)["result"]
    assert [(one["type"], one["value"].get("labels")) for one in results] == [
        ("bitmask", None),
        ("labels", ["Dog"]),
    ]
    assert len({one["id"] for one in results}) == 1


def test_a_click_on_a_known_image_runs_the_decoder_alone(model: FloodModel) -> None:
    ask(context(click(20, 30)))
    ask(context(click(20, 30), click(70, 20)))
    ask(context(click(70, 20)), task=2)
    assert (model.encoded, model.decoded) == (1, 3)


def test_equal_clicks_are_answered_from_the_cache(model: FloodModel) -> None:
    assert ask(context(click(20, 30))) == ask(context(click(20, 30)))
    assert model.decoded == 1


def test_another_image_at_the_same_task_is_embedded(model: FloodModel) -> None:
    ask(context(click(20, 30)))
    ask(context(click(20, 30)), image=data_url(picture(240)))
    assert model.encoded == 2


def test_a_list_of_images_is_answered_on_the_image_that_is_drawn_on() -> None:
    config = CONFIG.replace('value="$image"', 'valueList="$image"')
    swapped = np.ascontiguousarray(picture()[:, ::-1])
    images = [data_url(picture()), data_url(swapped)]
    answer = ask(context(click(75, 30, item_index=1)), config, images)
    [mask] = masks(answer)
    assert (mask == mask_of((60, 20, 90, 60))).all()
    assert answer["result"][0]["item_index"] == 1


def test_an_image_shown_in_another_size() -> None:
    large = cv2.resize(picture(), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    [result] = ask(context(click(20, 30)), image=data_url(large))["result"]
    assert (result["original_width"], result["original_height"]) == (2 * WIDTH, 2 * HEIGHT)
    mask = rle.decode(result["value"]["rle"], 2 * HEIGHT, 2 * WIDTH) > 0
    assert mask.sum() == 4 * mask_of(RED).sum()


def test_without_a_context_nothing_is_answered() -> None:
    assert ask(None) == []


@pytest.mark.parametrize("value", ["data:image/png;base64,AAAA", "", None, 7])
def test_an_image_that_cannot_be_read_gives_an_empty_object(value: Any) -> None:
    assert ask(context(click(20, 30)), image=value or "") == {"result": []}


def test_300_clicks_and_broken_contexts_give_an_empty_object() -> None:
    for drawn in (
        context(*(click(n / 4, 1) for n in range(300))),
        {"result": "text"},
        {"result": [None]},
        {"event": "dance"},
    ):
        assert ask(drawn)["result"] == []
