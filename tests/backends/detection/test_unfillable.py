"""If a network has no output for a tag, there is no prediction rather than an empty one."""

import pytest

from shared.errors import UnfillableError
from tests.backends.detection.conftest import Predict
from tests.backends.detection.every_tag import control_tag
from tests.backends.detection.networks import CLASSES

pytestmark = pytest.mark.usefixtures("on_torch")

DRAGON = '<Label value="Dragon"/>'
PATH = 'model_path="{}.pt"'


def shape_tag(name: str, network: str, labels: str = DRAGON, attrs: str = "") -> str:
    path = PATH.format(network)
    return f'<{name} name="l" toName="image" {path} {attrs}>{labels}</{name}>'


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        pytest.param(shape_tag("RectangleLabels", "yolo11n"), ["Dragon", *CLASSES], id="labels"),
        pytest.param(
            shape_tag("BrushLabels", "yolo11n-seg"), ["Dragon", *CLASSES], id="labels masks"
        ),
        pytest.param(
            shape_tag("KeyPointLabels", "yolov8n-pose"),
            ["Dragon", "KeyPointLabels"],
            id="labels points",
        ),
        pytest.param(
            shape_tag("Choices", "yolo11n-cls", '<Choice value="Dragon"/>'),
            ["Dragon"],
            id="choices",
        ),
        pytest.param(
            shape_tag("Choices", "yolo11n", '<Choice value="Dragon"/>'), ["Dragon"], id="seen"
        ),
        pytest.param(
            shape_tag(
                "RectangleLabels", "yolo11n", '<Label value="car"/>', 'model_classes="circle"'
            ),
            ["car", "circle"],
            id="another class asked for",
        ),
        pytest.param(
            shape_tag("RectangleLabels", "yolo11n", '<Label value="car"/>', 'model_classes="cart"'),
            ["cart", "model_classes", *CLASSES],
            id="no class asked for",
        ),
        pytest.param(
            shape_tag("Rectangle", "yolo11n", "", 'model_classes="cart"'), ["cart"], id="plain"
        ),
        pytest.param(
            shape_tag("Choices", "yolo11n", '<Choice value="car"/>', 'model_classes="cart"'),
            ["cart"],
            id="no class asked for in choices",
        ),
        pytest.param(
            shape_tag("BrushLabels", "yolo11n", '<Label value="car"/>'), ["masks"], id="masks"
        ),
        pytest.param(shape_tag("Brush", "yolo11n", ""), ["masks"], id="plain masks"),
        pytest.param(
            shape_tag("KeyPointLabels", "yolo11n", '<Label value="car"/>'),
            ["key points"],
            id="points",
        ),
        pytest.param(
            shape_tag("RectangleLabels", "yolo11n-cls", '<Label value="car"/>'),
            ["objects"],
            id="boxes",
        ),
        pytest.param(
            '<Rectangle name="r" toName="image"/><Labels name="l" toName="image">'
            f"{DRAGON}</Labels>",
            ["Dragon", 'Labels "l"'],
            id="labels beside",
        ),
    ],
)
def test_nothing_could_be_asked(tags: str, said: list[str], predict: Predict) -> None:
    with pytest.raises(UnfillableError) as caught:
        predict(tags)
    for words in said:
        assert words in str(caught.value)


def test_one_of_two_tags_can_be_filled(predict: Predict) -> None:
    brush = '<BrushLabels name="b" toName="image"><Label value="car"/></BrushLabels>'
    boxes = control_tag("RectangleLabels", "yolo11n")
    found = predict(boxes + brush.replace("<BrushLabels", f"<BrushLabels {PATH.format('yolo11n')}"))
    assert {result["from_name"] for result in found["result"]} == {"RectangleLabels"}


def test_points_without_a_label_for_their_boxes_are_drawn_alone(predict: Predict) -> None:
    boxes = '<RectangleLabels name="p_bbox" toName="image" model_skip="true">'
    boxes += f"{DRAGON}</RectangleLabels>"
    points = (
        f'<KeyPointLabels name="p" toName="image" {PATH.format("yolov8n-pose")}'
        ' model_score_threshold="0.01"><Label value="car"/><Label value="circle"/>'
        '<Label value="Square"/></KeyPointLabels>'
    )
    found = predict(points + boxes)["result"]
    assert found
    assert {(result["from_name"], result.get("parentID")) for result in found} == {("p", None)}
