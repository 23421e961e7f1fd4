"""Similarity of regions: expected figures are computed by hand, see the comments."""

import math
from datetime import datetime

import numpy as np
import pytest

from shared.evaluation.similarity.outlines import draw_inside, outlines_of
from shared.evaluation.similarity.regions import similarity_matrix
from shared.label_studio.label_config import Control
from shared.results import (
    AudioSpan,
    Bitmask,
    Brush,
    Dialogue,
    Ellipse,
    HyperTextSpan,
    ImageSize,
    KeyPoint,
    ParagraphSpan,
    Polygon,
    Rectangle,
    TextSpan,
    TimelineSpan,
    TimeSeriesSpan,
    Vector,
    Video,
    VideoBox,
    VideoTrack,
)
from shared.results.whole_task import WholeTask
from tests.evaluation.regions import region_of


def mask_of(left, top, right, bottom, size=(100, 100)):
    mask = np.zeros(size[::-1], np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


def similarity(one, other, source=None):
    more = {} if source is None else {"source": source}
    return similarity_matrix([region_of(one, **more)], [region_of(other, **more)])[0, 0]


SQUARE = Rectangle(0, 0, 10, 10)

# Every second corner of a pentagon around (50, 50).
PENTAGRAM = [
    (50 + 40 * math.sin(math.radians(144 * at)), 50 - 40 * math.cos(math.radians(144 * at)))
    for at in range(5)
]
INNER = math.cos(math.radians(72)) / math.cos(math.radians(36))

AREAS = {
    "equal boxes": (SQUARE, SQUARE, 1),
    # overlap 5 × 10, union 100 + 100 - 50
    "boxes half aside": (SQUARE, Rectangle(5, 0, 10, 10), 50 / 150),
    "boxes apart": (SQUARE, Rectangle(20, 0, 10, 10), 0),
    "boxes that touch": (SQUARE, Rectangle(10, 0, 10, 10), 0),
    "a box without an area": (Rectangle(0, 0, 0, 10), Rectangle(0, 0, 0, 10), 0),
    "a box of width below zero": (Rectangle(10, 0, -10, 10), SQUARE, 0),
    "numbers that are none": (Rectangle(math.nan, 0, 10, 10), SQUARE, 0),
    # turned by 90° about (10, 0): it is the same square
    "a turned box in the same place": (Rectangle(10, 0, 10, 10, 90), SQUARE, 1),
    # the square and its turn by 45° about the shared corner: the wedge between the axes of turn
    # is half of the quarter, a kite of 100 (√2 - 1)
    "a box turned by 45°": (
        Rectangle(50, 50, 10, 10),
        Rectangle(50, 50, 10, 10, 45),
        (math.sqrt(2) - 1) / (2 - (math.sqrt(2) - 1)),
    ),
    "a turn of 360° is none": (Rectangle(0, 0, 10, 10, 360), SQUARE, 1),
    # half of the square, 50 of 100
    "a triangle in a box": (Polygon([(0, 0), (10, 0), (0, 10)]), SQUARE, 0.5),
    # a bow tie is two triangles of 5 × 10 / 2 = 25 each: 50 of 100
    "a polygon that crosses itself": (
        Polygon([(0, 0), (10, 10), (10, 0), (0, 10)]),
        SQUARE,
        0.5,
    ),
    # a pentagram fills its middle, too, as its line goes round that twice: of radius 1 it has the
    # area 10 sin 36° r / 2, where the inner corners are r = cos 72° / cos 36° from the middle
    "a polygon that goes round twice": (
        Polygon(PENTAGRAM),
        Polygon([PENTAGRAM[at] for at in (0, 3, 1, 4, 2)]),
        10 * math.sin(math.radians(36)) * INNER / 2 / (5 * math.sin(math.radians(72)) / 2),
    ),
    "a polygon of two points": (Polygon([(0, 0), (10, 0)]), SQUARE, 0),
    "a polygon without a point": (Polygon([]), SQUARE, 0),
    "a closed vector": (Vector([(0, 0), (10, 0), (10, 10), (0, 10)], closed=True), SQUARE, 1),
    "a closed vector without a point": (Vector([], closed=True), SQUARE, 0),
    # a circle in its square: π / 4
    "an ellipse in its box": (Ellipse(50, 50, 20, 20), Rectangle(30, 30, 40, 40), math.pi / 4),
    # two ellipses around one another: π 10 5 / π 20 10
    "an ellipse in an ellipse": (Ellipse(50, 50, 10, 5, 30), Ellipse(50, 50, 20, 10, 30), 0.25),
    "a mask and its box": (Brush(mask_of(10, 20, 40, 60)), Rectangle(10, 20, 30, 40), 1),
    # 30 × 40 pixels, of which 15 × 40 in the other
    "two masks": (Brush(mask_of(0, 0, 30, 40)), Bitmask(mask_of(15, 0, 30, 40)), 0.5),
    "an empty mask": (Brush(mask_of(0, 0, 0, 0)), Bitmask(mask_of(0, 0, 0, 0)), 0),
    "masks apart": (Brush(mask_of(0, 0, 10, 10)), Brush(mask_of(50, 50, 60, 60)), 0),
    # the bitmask has half of the image's size: 15 × 20 of its pixels are 30 × 40
    "a bitmask of another size": (
        Brush(mask_of(0, 0, 30, 40)),
        Bitmask(mask_of(0, 0, 15, 20, (50, 50))),
        1,
    ),
    # pixels whose centre is in the triangle below the diagonal: 9 + 8 + … + 0 and those on the
    # diagonal itself, 10 of them whose centre is on the edge, which is inside on the left only
    "a triangle and a mask": (
        Polygon([(0, 0), (10.2, 0), (0, 10.2)]),
        Brush(mask_of(0, 0, 10, 10)),
        0.55,
    ),
}


@pytest.mark.parametrize(("one", "other", "expected"), AREAS.values(), ids=AREAS)
def test_areas(one, other, expected):
    assert similarity(one, other) == pytest.approx(expected, abs=1e-5)
    assert similarity(other, one) == pytest.approx(expected, abs=1e-5)


def test_boxes_at_once():
    predicted = [region_of(SQUARE), region_of(Rectangle(5, 0, 10, 10))]
    truth = [*predicted, region_of(Rectangle(0, 5, 10, 10))]
    # (5, 0) and (0, 5): overlap 5 × 5, union 175
    expected = [[1, 1 / 3, 1 / 3], [1 / 3, 1, 25 / 175]]
    assert similarity_matrix(predicted, truth) == pytest.approx(np.array(expected), abs=1e-12)


def test_shapes_of_one_image_are_mixed():
    predicted = [
        region_of(shape)
        for shape in (SQUARE, Polygon([(0, 0), (10, 0), (0, 10)]), Brush(mask_of(0, 0, 10, 5)))
    ]
    truth = [region_of(Rectangle(0, 0, 10, 10, 360)), region_of(Brush(mask_of(0, 0, 10, 10)))]
    # the triangle's pixels: exactly 50 of 100 without the mask, with it 45 or 55 by the edge's
    found = similarity_matrix(predicted, truth)
    assert found[:, 0] == pytest.approx([1, 0.5, 0.5], abs=1e-9)
    assert found[:, 1] == pytest.approx([1, 0.5, 0.5], abs=0.051)


def test_image_sizes_that_differ_are_compared_in_percent():
    half = region_of(Rectangle(0, 0, 25, 50), source=ImageSize(50, 50))
    assert similarity_matrix([half], [region_of(Rectangle(0, 0, 50, 100))])[0, 0] == 1
    small = region_of(Brush(mask_of(0, 0, 25, 50, (50, 50))), source=ImageSize(50, 50))
    assert similarity_matrix([small], [region_of(Brush(mask_of(0, 0, 50, 100)))])[0, 0] == 1


@pytest.mark.parametrize("seed", range(5))
def test_inside_of_an_outline_is_what_shapely_says_of_pixel_centres(seed):
    import shapely

    generator = np.random.default_rng(seed)
    outline = outlines_of([Polygon((generator.random((9, 2)) * 70 - 5).tolist())])[0]
    columns, rows = np.meshgrid(np.arange(60) + 0.5, np.arange(50) + 0.5)
    expected = shapely.contains_xy(outline, columns, rows)
    assert (draw_inside(outline, 60, 50) == expected).all()
    assert expected.any()


LINES = {
    "equal lines": ([(10, 10), (90, 10)], [(10, 10), (90, 10)], 1),
    "the other way round": ([(90, 10), (10, 10)], [(10, 10), (90, 10)], 1),
    "lines apart": ([(10, 10), (90, 10)], [(10, 20), (90, 20)], 0),
    # bands of 2 pixels, half of each in the other, but for the round ends: 1 / 3 of the union
    "a pixel aside": ([(1, 10), (9001, 10)], [(1, 11), (9001, 11)], 1 / 3),
}


@pytest.mark.parametrize(("one", "other", "expected"), LINES.values(), ids=LINES)
def test_open_vectors(one, other, expected):
    assert similarity(Vector(one), Vector(other)) == pytest.approx(expected, abs=1e-3)


def test_curves_and_skeletons():
    bent = Vector([(10, 50), (90, 50)], curves={0: ((10, 50), (30, 10)), 1: ((70, 10), (90, 50))})
    assert similarity(bent, Vector([(10, 50), (90, 50)])) < 0.3
    assert similarity(bent, bent) == pytest.approx(1)
    star = Vector([(50, 50), (10, 10), (90, 10)], links=[None, 0, 0])
    both = Vector([(10, 10), (50, 50), (90, 10)])
    assert similarity(star, both) == pytest.approx(1)
    assert similarity(Vector([(5, 5)]), Vector([(5, 5)])) == pytest.approx(1)


def test_key_points():
    # s² = 100 × 100, k = 0.05: exp(-(3² + 4²) / (2 × 10,000 × 0.0025)) = exp(-0.5)
    found = similarity(KeyPoint(10, 10), KeyPoint(13, 14))
    assert found == pytest.approx(math.exp(-0.5), abs=1e-12)


def test_key_points_of_an_object():
    box = region_of(Rectangle(0, 0, 50, 40), id="box")
    point = region_of(KeyPoint(13, 14), region_keys={"parentID": "box"})
    found = similarity_matrix([region_of(KeyPoint(10, 10))], [point, box])
    # s² = 50 × 40: exp(-25 / (2 × 2000 × 0.0025)) = exp(-2.5)
    assert found[0] == pytest.approx([math.exp(-2.5), 0], abs=1e-12)


DIALOGUE = Dialogue(("Hello there", "Hi", "How are you"))

SPANS = {
    "characters": (TextSpan(0, 10), TextSpan(5, 15), None, 5 / 15),
    "characters apart": (TextSpan(0, 5), TextSpan(5, 10), None, 0),
    "characters of HTML": (HyperTextSpan(0, 4), HyperTextSpan(0, 8), None, 0.5),
    "characters of a paragraph": (ParagraphSpan(0, 0, 5), ParagraphSpan(0, 0, 10), DIALOGUE, 0.5),
    "equal offsets in two paragraphs": (
        ParagraphSpan(0, 0, 2),
        ParagraphSpan(1, 0, 2),
        DIALOGUE,
        0,
    ),
    # "there", "Hi", "How" are 5 + 2 + 3 characters, of which "Hi" is 2
    "characters across paragraphs": (
        ParagraphSpan(0, 6, 3, last=2),
        ParagraphSpan(1, 0, 2),
        DIALOGUE,
        0.2,
    ),
    "seconds": (AudioSpan(1, 3), AudioSpan(2, 4), None, 1 / 3),
    "seconds of two channels": (AudioSpan(1, 3, 0), AudioSpan(1, 3, 1), None, 0),
    "frames": (TimelineSpan(0, 10), TimelineSpan(0, 5), None, 0.5),
    "times of a series": (TimeSeriesSpan(0.0, 4.0), TimeSeriesSpan(2.0, 4.0), None, 0.5),
    "times from end to start": (TimeSeriesSpan(4.0, 0.0), TimeSeriesSpan(2.0, 4.0), None, 0.5),
    # 1 of 2 days
    "dates of a series": (
        TimeSeriesSpan(datetime(2024, 1, 1), datetime(2024, 1, 3)),
        TimeSeriesSpan("2024-01-02", "2024-01-03"),
        None,
        0.5,
    ),
    "equal instants": (TimeSeriesSpan(3.0, 3.0), TimeSeriesSpan(3.0, 3.0), None, 1),
    "an instant and a span": (TimeSeriesSpan(3.0, 3.0), TimeSeriesSpan(0.0, 4.0), None, 0),
    "texts that are no times": (TimeSeriesSpan("a", "b"), TimeSeriesSpan("a", "b"), None, 1),
    "other texts that are no times": (TimeSeriesSpan("a", "b"), TimeSeriesSpan("a", "c"), None, 0),
}


@pytest.mark.parametrize(("one", "other", "source", "expected"), SPANS.values(), ids=SPANS)
def test_spans(one, other, source, expected):
    assert similarity(one, other, source) == pytest.approx(expected, abs=1e-12)
    assert similarity(other, one, source) == pytest.approx(expected, abs=1e-12)


VIDEO = Video(ImageSize(100, 100), 1)


def track_of(*keys):
    """Return a track of boxes 10 × 10 at (frame, left, enabled)."""
    return VideoTrack([VideoBox(frame, Rectangle(x, 0, 10, 10), on) for frame, x, on in keys])


TRACKS = {
    "equal": (track_of((0, 0, True), (4, 0, False)), track_of((0, 0, True), (4, 0, False)), 1),
    # frames 0–4 and 0–9: 5 of 10 frames are shown in both, with IoU 1
    "half as long": (
        track_of((0, 0, True), (4, 0, False)),
        track_of((0, 0, True), (9, 0, False)),
        0.5,
    ),
    # no end of its own: it stays to the last key frame of both
    "without an end": (track_of((0, 0, True)), track_of((0, 0, True), (9, 0, False)), 1),
    # moves 0, 5, 10 away: IoU 1, 1/3, 0 of three frames
    "moves away": (
        track_of((0, 0, True), (2, 10, False)),
        track_of((0, 0, True), (2, 0, False)),
        (1 + 1 / 3) / 3,
    ),
    # frames 0–1 and 4–5 of 0–5
    "a gap": (
        track_of((0, 0, True), (1, 0, False), (4, 0, True), (5, 0, False)),
        track_of((0, 0, True), (5, 0, False)),
        4 / 6,
    ),
    "other frames": (track_of((0, 0, True), (1, 0, False)), track_of((3, 0, True)), 0),
    "without a key frame": (track_of(), track_of((0, 0, False)), 0),
}


@pytest.mark.parametrize(("one", "other", "expected"), TRACKS.values(), ids=TRACKS)
def test_tracks(one, other, expected):
    assert similarity(one, other, VIDEO) == pytest.approx(expected, abs=1e-12)
    assert similarity(other, one, VIDEO) == pytest.approx(expected, abs=1e-12)


def test_turned_boxes_of_tracks_are_on_frames_of_16_to_9():
    # In percent a box of 9 × 16 is a square of 16 units; turned by 90° it lies on its left side.
    turned = VideoTrack([VideoBox(0, Rectangle(50, 50, 9, 16, 90))])
    beside = VideoTrack([VideoBox(0, Rectangle(41, 50, 9, 16))])
    assert similarity(turned, beside, VIDEO) == pytest.approx(1)


def test_boxes_of_tracks_turn_the_shorter_way():
    # from 350 over 0 to 10 degrees, as the editor does (interpolateProp)
    def turned(*keys):
        return VideoTrack(
            [VideoBox(frame, Rectangle(50, 50, 20, 5, angle)) for frame, angle in keys]
        )

    assert similarity(
        turned((0, 350), (10, 10)), turned((0, 350), (5, 0), (10, 10))
    ) == pytest.approx(1)


def test_a_track_that_is_too_long_is_like_no_other():
    endless = track_of((0, 0, True), (10_000_000, 0, True))
    assert similarity(endless, endless, VIDEO) == 0


OTHER = Control("KeyPointLabels", "point", "other image")

APART = {
    "an area and a point": (region_of(SQUARE), region_of(KeyPoint(5, 5))),
    "an area and a line": (region_of(SQUARE), region_of(Vector([(0, 0), (10, 10)]))),
    "two items of a list": (region_of(SQUARE), region_of(SQUARE, region_keys={"item_index": 1})),
    "two object tags": (region_of(SQUARE), region_of(SQUARE, control=OTHER)),
    "a region and the whole task": (region_of(SQUARE), region_of(WholeTask())),
}


@pytest.mark.parametrize(("one", "other"), APART.values(), ids=APART)
def test_regions_that_cannot_be_compared(one, other):
    assert similarity_matrix([one], [other]).tolist() == [[0]]


def test_the_first_item_of_a_list_is_the_default():
    assert similarity_matrix(
        [region_of(SQUARE)], [region_of(SQUARE, region_keys={"item_index": 0})]
    ).tolist() == [[1]]


def test_whole_tasks_are_alike():
    assert similarity_matrix([region_of(WholeTask())], [region_of(WholeTask())] * 2).tolist() == [
        [1, 1]
    ]


@pytest.mark.parametrize(("predicted", "truth"), [(0, 0), (0, 2), (3, 0)])
def test_no_regions(predicted, truth):
    found = similarity_matrix([region_of(SQUARE)] * predicted, [region_of(SQUARE)] * truth)
    assert found.shape == (predicted, truth)


def test_a_shape_that_is_unknown():
    with pytest.raises(TypeError, match="Regions of Strange cannot be compared"):
        similarity_matrix([region_of(Strange())], [region_of(SQUARE)])


class Strange:
    def to_value(self, source):
        return {}, {}
