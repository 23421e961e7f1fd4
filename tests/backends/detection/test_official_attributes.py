"""Each attribute of the official YOLO example changes what a control tag asks for."""

import pytest

from backends.detection import DetectionBackend
from shared.backend.claim import Claim

LABELS = '<Label value="person"{label}/><Label value="car"/>'
IMAGE = '<Image name="o" value="$image"/>'
VIDEO = '<Video name="o" value="$video"/>'
BOXES = IMAGE + '<RectangleLabels name="c" toName="o"{tag}>' + LABELS + "</RectangleLabels>"
POINTS = (
    IMAGE
    + '<RectangleLabels name="b" toName="o" model_skip="true"><Label value="person"/>'
    + '</RectangleLabels><KeyPointLabels name="c" toName="o"{tag}>'
    + LABELS
    + "</KeyPointLabels>"
)
TRACKS = (
    VIDEO + '<VideoRectangle name="c" toName="o"{tag}/><Labels name="l" toName="o">' + LABELS
) + "</Labels>"
TIMELINE = VIDEO + '<TimelineLabels name="c" toName="o"{tag}>' + LABELS + "</TimelineLabels>"


def claims(tags: str, tag: str = "", label: str = "") -> list[Claim]:
    xml = f"<View>{tags.format(tag=tag, label=label)}</View>"
    backend = DetectionBackend(label_config=xml, served=True)
    return [claim for claim in backend.claim(backend.config) if claim.control.name == "c"]


@pytest.mark.parametrize(
    ("tags", "tag", "label"),
    [
        pytest.param(BOXES, 'model_path="yolov8m.pt"', "", id="model_path"),
        pytest.param(BOXES, 'model_score_threshold="0.7"', "", id="model_score_threshold"),
        pytest.param(BOXES, 'score_threshold="0.7"', "", id="score_threshold"),
        pytest.param(BOXES, 'model_obb="true"', "", id="model_obb"),
        pytest.param(POINTS, 'model_point_threshold="0.7"', "", id="model_point_threshold"),
        pytest.param(POINTS, 'model_point_size="3"', "", id="model_point_size"),
        pytest.param(POINTS, 'model_add_bboxes="false"', "", id="model_add_bboxes"),
        pytest.param(POINTS, "", 'model_index="4"', id="model_index"),
        pytest.param(TRACKS, 'model_conf="0.05"', "", id="model_conf"),
        pytest.param(TRACKS, 'model_iou="0.4"', "", id="model_iou"),
        pytest.param(TRACKS, 'model_tracker="bytetrack"', "", id="model_tracker"),
        pytest.param(TRACKS, 'botsort_track_buffer="60"', "", id="botsort"),
        pytest.param(
            TRACKS, 'model_tracker="bytetrack" bytetrack_match_thresh="0.5"', "", id="bytetrack"
        ),
        pytest.param(TIMELINE, 'model_score_threshold="0.7"', "", id="timeline"),
        pytest.param(TIMELINE, 'score_threshold="0.7"', "", id="timeline-other-name"),
    ],
)
def test_attribute_changes_what_is_asked_for(tags: str, tag: str, label: str) -> None:
    [plain], [asked] = claims(tags), claims(tags, f" {tag}", f" {label}")
    assert (plain.spec, plain.options) != (asked.spec, asked.options)


def test_our_name_of_an_attribute_comes_first() -> None:
    [claim] = claims(BOXES, ' score_threshold="0.2" model_score_threshold="0.7"')
    assert claim.options["score_threshold"] == 0.7


def test_predicted_values_of_a_label_are_read() -> None:
    [claim] = claims(BOXES, "", ' predicted_values="pedestrian,cyclist"')
    assert claim.labels_for(["cyclist", "car"]) == {"cyclist": "person", "car": "car"}
