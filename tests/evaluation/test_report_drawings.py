import base64
import io
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from shared.backend.passages import Passages
from shared.evaluation.report.drawings import MAX_DRAWN, TaskDrawer, TaskDrawing
from shared.evaluation.report.marks import Mark
from shared.evaluation.report.passages import mark_passages, mark_text
from shared.evaluation.report.pictures import MAX_SIDE, draw_picture, encode_image
from shared.evaluation.report.timelines import draw_timeline
from shared.label_studio.label_config import LabelConfig
from shared.media.image import Image
from shared.results import (
    AudioSpan,
    Brush,
    ImageSize,
    ParsedRegion,
    Rectangle,
    TextSpan,
    TimelineSpan,
    TimeSeriesSpan,
    VideoBox,
    VideoTrack,
    region,
)
from tests.e2e.media import SIZE, VIDEO, image
from tests.evaluation.gallery import (
    CONFIG,
    TASK_URL,
    draw,
    evaluate,
    gallery_task,
    picture_regions,
    say,
    sources_of,
    text_regions,
    written,
)
from tests.evaluation.tasks import annotation, prediction, raw_task


def drawn(task: dict[str, Any], config: LabelConfig = CONFIG) -> TaskDrawing:
    _, evaluated, problems = evaluate([task], config=config)
    [result] = evaluated.worst_tasks()
    return TaskDrawer(sources_of(evaluated, problems).media, TASK_URL).draw(result)


def mark(kind: Any, shape: Any, label: str = "", source: Any = None, number: Any = None) -> Mark:
    return Mark(kind, ParsedRegion("r", shape, {}, source), label, None, number)


def test_task_is_linked_by_its_number() -> None:
    assert drawn(gallery_task(12, picture_regions)).link == f"{TASK_URL}12"
    assert drawn(gallery_task("7", picture_regions)).link == f"{TASK_URL}7"
    assert drawn(gallery_task("a/../b", picture_regions)).link is None
    assert drawn(gallery_task(None, picture_regions)).link is None


def test_regions_on_images_are_marked() -> None:
    [drawing] = drawn(gallery_task(1, picture_regions)).drawings
    assert drawing.picture is not None
    assert drawing.picture.size == (320, 200)
    found = sorted((s.kind, s.label, s.number) for s in drawing.picture.shapes if s.number)
    assert found == [
        ("invention", "Bus", 3),
        ("invention", "Lamp", 4),
        ("miss", "Bus", 1),
        ("miss", "Road", 2),
    ]
    [car] = [s for s in drawing.picture.shapes if s.label == "Car" and s.kind == "hit"]
    assert car.path == "M64.0 40.0 L204.0 40.0 L204.0 120.0 L64.0 120.0 Z"
    [true] = [s for s in drawing.picture.shapes if s.label == "Car" and s.kind == "truth"]
    assert true.path.startswith("M60.0 40.0")


def test_shapes_are_drawn_on_an_empty_canvas_without_the_image() -> None:
    task = gallery_task(1, picture_regions, image="http://127.0.0.1:9/a.png")
    [drawing] = drawn(task).drawings
    assert drawing.picture is not None
    assert drawing.picture.size == (320, 200)  # as the regions tell it
    assert drawing.picture.image == ""
    assert drawing.reason.startswith("The image cannot be shown: ")
    assert len(drawing.picture.shapes) == 10


def test_of_too_many_regions_the_wrong_ones_are_drawn(tmp_path: Path) -> None:
    def build(found: bool) -> list[Any]:
        boxes = [
            draw("box", "Car", Rectangle(n % 300, n // 3, 5, 5), SIZE, id=f"box-{n}")
            for n in range(500)
        ]
        return boxes if found else boxes[:-1]

    task = gallery_task(1, build)
    found = drawn(task)
    [drawing] = found.drawings
    kinds = Counter(shape.kind for shape in drawing.picture.shapes) if drawing.picture else {}
    assert kinds == {"invention": 1, "hit": MAX_DRAWN - 1}
    assert found.undrawn == 999 - MAX_DRAWN
    page = written([task], tmp_path)
    assert "599 more regions are not drawn" in page
    assert "and 340 more" in page  # that are listed in words


def test_of_too_many_images_some_are_drawn() -> None:
    xml = """<View><Image name="i" valueList="$i"/>
      <RectangleLabels name="box" toName="i"><Label value="Car"/></RectangleLabels></View>"""
    config = LabelConfig.parse(xml)
    [box] = config.controls
    missed = [
        region(Rectangle(1, 2, 30, 40), {box: ["Car"]}, SIZE, item_index=at) for at in range(6)
    ]
    task = raw_task({"i": [image()] * 6}, [annotation(missed)], [prediction()])
    assert [one.name for one in drawn(task, config).drawings] == [
        "i, image 1",
        "i, image 2",
        "i, image 3",
        "i, image 4 (2 more images with regions are not drawn)",
    ]


def test_images_are_embedded_small_and_once() -> None:
    pixels = np.zeros((1200, 2000, 3), np.uint8)
    url = encode_image(Image(pixels, "a"))
    data = base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))
    assert Pillow.open(io.BytesIO(data)).size == (MAX_SIDE, 480)


def test_regions_measured_on_another_size_are_scaled() -> None:
    one = mark("miss", Rectangle(10, 10, 20, 20), source=ImageSize(100, 50))
    [shape] = draw_picture([one], ImageSize(200, 200)).shapes
    assert shape.path == "M20.0 40.0 L60.0 40.0 L60.0 120.0 L20.0 120.0 Z"


def test_masks_keep_their_place_on_a_coarser_scale() -> None:
    mask = np.zeros((2000, 4000), np.uint8)
    mask[500:1500, 1000:3000] = 1
    one = mark("miss", Brush(mask), source=ImageSize(4000, 2000))
    [shape] = draw_picture([one]).shapes
    numbers = [float(number) for number in re.findall(r"[\d.]+", shape.path)]
    assert (min(numbers[::2]), max(numbers[::2])) == pytest.approx((1000, 3000), abs=5)
    assert (min(numbers[1::2]), max(numbers[1::2])) == pytest.approx((500, 1500), abs=5)


def test_broken_numbers_are_not_drawn() -> None:
    one = mark("miss", Rectangle(float("nan"), 0, 1, 1), source=ImageSize(10, 10))
    assert draw_picture([one]).shapes == []


def test_nested_spans_have_lines_of_their_own() -> None:
    marks = [
        mark("miss", TextSpan(0, 15), "PER", number=1),
        mark("invention", TextSpan(8, 15), "LOC", number=2),
    ]
    [line] = mark_text("Charles Babbage spoke", marks)
    assert [
        (
            piece.text,
            sorted((u.kind, u.lane) for u in piece.underlines),
            [m.number for m in piece.ends],
        )
        for piece in line.pieces
    ] == [
        ("Charles ", [("miss", 1)], []),
        ("Babbage", [("invention", 0), ("miss", 1)], [1, 2]),
        (" spoke", [], []),
    ]


def test_true_span_that_was_hit_exactly_is_marked_once() -> None:
    same = [mark("truth", TextSpan(0, 3), "PER"), mark("hit", TextSpan(0, 3), "PER")]
    [line] = mark_text("Ada wrote", same)
    assert [under.kind for under in line.pieces[0].underlines] == ["hit"]
    near = [mark("truth", TextSpan(0, 9), "PER"), mark("hit", TextSpan(0, 3), "PER")]
    [line] = mark_text("Ada wrote", near)
    assert [under.kind for under in line.pieces[0].underlines] == ["truth", "hit"]


def test_long_text_is_shown_around_its_spans() -> None:
    text = "".join(f"{number:05d} " for number in range(2000))
    [line] = mark_text(text, [mark("miss", TextSpan(6000, 6005), "N", number=1)])
    assert [piece.text if not piece.gap else "…" for piece in line.pieces] == [
        "…",
        text[5880:6000],
        "01000",
        text[6005:6125],
        "…",
    ]


def test_spans_outside_of_the_text_are_left_out() -> None:
    spans = [TextSpan(-5, 3), TextSpan(50, 60), TextSpan(8, 99), TextSpan(4, 4)]
    [line] = mark_text("Ada wrote", [mark("miss", span, "X") for span in spans])
    assert [(p.text, len(p.underlines)) for p in line.pieces] == [
        ("Ada", 1),
        (" wrot", 0),
        ("e", 1),
    ]


def test_blocks_of_a_document_are_lines() -> None:
    passages = Passages.from_html("<h1>Ada</h1><p>wrote <b>to</b> Bob</p><p>Then</p>").passages
    # The text is "Adawrote to BobThen".
    across, last = TextSpan(1, 8), TextSpan(12, 15)
    lines = mark_passages(passages, [mark("miss", across, "X", number=1), mark("hit", last, "Y")])
    assert [
        [(piece.text, [under.kind for under in piece.underlines]) for piece in line.pieces]
        for line in lines
    ] == [
        [("A", []), ("da", ["miss"])],
        [("wrote", ["miss"]), (" to ", []), ("Bob", ["hit"])],
        [("Then", [])],
    ]


def test_dialogue_has_its_speakers() -> None:
    drawing = {one.name: one for one in drawn(gallery_task(2, text_regions)).drawings}["talk"]
    assert [(line.name, line.pieces[0].text) for line in drawing.lines] == [
        ("Ann", "Where is the station?"),
        ("Bob", "Two streets on, then left."),
    ]


def test_seconds_are_bars_on_the_recording() -> None:
    marks = [
        mark("miss", AudioSpan(1, 2), "Noise", 4.0, 1),
        mark("truth", AudioSpan(1.5, 3), "Speech", 4.0),
        mark("hit", AudioSpan(2, 3), "Speech", 4.0),
    ]
    found = draw_timeline(marks)
    assert found is not None
    assert (found.start, found.end) == ("0.00 s", "4.00 s")
    assert [(row.name, [bar[1:] for bar in row.bars]) for row in found.rows] == [
        ("true", [("Noise", 1, 25, 25)]),
        ("", [("Speech", None, 37.5, 37.5)]),  # both overlap
        ("predicted", [("Speech", None, 50, 25)]),
    ]


@pytest.mark.parametrize(
    ("shape", "ends"),
    [
        pytest.param(TimelineSpan(10, 20), ("frame 0", "frame 20"), id="frames"),
        pytest.param(TimeSeriesSpan(10.0, 20.5), ("10", "20.5"), id="numbers"),
        pytest.param(
            VideoTrack([VideoBox(5, Rectangle(0, 0, 1, 1)), VideoBox(9, Rectangle(0, 0, 1, 1))]),
            ("frame 0", "frame 10"),
            id="track",
        ),
    ],
)
def test_line_of_a_timeline(shape: Any, ends: tuple[str, str]) -> None:
    found = draw_timeline([mark("miss", shape)])
    assert found is not None
    assert (found.start, found.end) == ends


def test_track_has_a_gap_where_it_is_hidden() -> None:
    box = Rectangle(0, 0, 1, 1)
    frames = [VideoBox(0, box), VideoBox(9, box, False), VideoBox(50, box), VideoBox(99, box)]
    found = draw_timeline([mark("invention", VideoTrack(frames))])
    assert found is not None
    [bars] = [row.bars for row in found.rows if row.bars]
    assert [(bar.left, bar.width) for bar in bars] == [(0, 10), (50, 50)]


def test_times_that_are_no_numbers_have_no_line() -> None:
    assert draw_timeline([mark("miss", TimeSeriesSpan("soon", "later"))]) is None


def test_values_stand_side_by_side() -> None:
    def build(found: bool) -> list[Any]:
        return [
            say("summary", ["same"], id="same"),
            say("quality", "bad" if found else "good", id=str(found), score=0.7),
        ]

    rows = drawn(gallery_task(3, build)).values
    assert [(row.control, row.truth, row.predicted, row.state, row.score) for row in rows] == [
        ("quality", "good", "bad", "invention", 0.7),
        ("summary", "same", "same", "hit", None),
    ]


def test_values_of_regions_stand_beside_those_of_the_same_place() -> None:
    xml = """<View><Image name="i" value="$i"/><Rectangle name="box" toName="i"/>
      <TextArea name="read" toName="i" perRegion="true"/></View>"""
    config = LabelConfig.parse(xml)
    box, read = config.controls

    def build(*texts: str) -> list[Any]:
        return [
            region(
                Rectangle(10, 40 * int(at), 80, 20), {box: None, read: [text]}, SIZE, id=at + text
            )
            for at, text in (one.split(" ") for one in texts)
        ]

    made = (
        [annotation(build("0 TOTAL", "1 9.99", "2 paid"))],
        [prediction(build("1 9.90", "0 T0TAL"))],
    )
    rows = drawn(raw_task({"i": "data:,"}, *made), config).values
    assert [(row.truth, row.predicted, row.state) for row in rows] == [
        ("TOTAL", "T0TAL", "invention"),
        ("9.99", "9.90", "invention"),
        ("paid", None, "miss"),
    ]


def test_region_that_one_control_tag_misses_is_drawn_once_as_missed() -> None:
    def build(found: bool) -> list[Any]:
        boxes = [VideoBox(0, Rectangle(0, 0, 10, 10))]
        made = draw("track", "Car", VideoTrack(boxes), VIDEO, id="t")
        return [made] if not found else []

    [drawing] = drawn(gallery_task(3, build)).drawings
    assert [(one.kind, one.label) for one in drawing.marks] == [("miss", "Car")]
