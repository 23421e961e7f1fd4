import base64
import io
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from PIL import Image as Pillow

from shared.backend.passages import Passages
from shared.errors import SettingError
from shared.evaluation.metrics.metric import ScoredPredictions
from shared.evaluation.problems import ProblemLog
from shared.evaluation.report import ReportSources, write_report
from shared.evaluation.report.charts import (
    MAX_CONFUSED,
    MAX_POINTS,
    draw_calibration,
    draw_confusion,
    draw_curves,
    thin_curve,
)
from shared.evaluation.report.drawings import TaskDrawer, TaskDrawing
from shared.evaluation.report.marks import Mark
from shared.evaluation.report.passages import mark_passages, mark_text
from shared.evaluation.report.pictures import MAX_SIDE, draw_picture, encode_image
from shared.evaluation.report.timelines import draw_timeline
from shared.evaluation.thresholds import precision_recall_curve
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
    whole_task,
)
from tests.e2e.media import SIZE, VIDEO
from tests.evaluation.gallery import (
    CONFIG,
    EVIL,
    GALLERY,
    draw,
    evaluate,
    gallery_task,
    picture_regions,
    say,
    sources_of,
    text_regions,
)
from tests.evaluation.tasks import annotation, prediction, raw_task

URL = "http://localhost:8080/projects/3/data?task="


def written(tasks: Any, folder: Path, task_url: str | None = URL) -> str:
    report, evaluated, problems = evaluate(tasks)
    page = write_report(folder, report, sources_of(evaluated, problems, task_url))
    return page.read_text()


def drawn(task: dict[str, Any], config: LabelConfig = CONFIG) -> TaskDrawing:
    _, evaluated, problems = evaluate([task], config=config)
    [result] = evaluated.worst_tasks()
    return TaskDrawer(sources_of(evaluated, problems).media, URL).draw(result)


def mark(kind: Any, shape: Any, label: str = "", source: Any = None, number: Any = None) -> Mark:
    return Mark(kind, ParsedRegion("r", shape, {}, source), label, None, number)


# The page


def test_page_needs_nothing_else(tmp_path: Path) -> None:
    page = written(GALLERY, tmp_path)
    assert re.findall(r'(?:src|href|action)="(?!#|data:)([^"]*)"', page) == [
        f"{URL}{task}" for task in (3, 2, 1)
    ]
    assert "@import" not in page
    assert "url(" not in page
    assert "<script" not in page


def test_json_holds_the_figures_and_the_problems(tmp_path: Path) -> None:
    report, evaluated, problems = evaluate(GALLERY)
    problems.add("the label config has no label", "task 9")
    write_report(tmp_path / "new" / "folder", report, sources_of(evaluated, problems))
    found = orjson.loads((tmp_path / "new" / "folder" / "report.json").read_bytes())
    listed = found.pop("problems")
    assert found == report
    assert listed == [{"problem": "the label config has no label", "count": 1, "tasks": ["task 9"]}]
    assert "the label config has no label" in (tmp_path / "new/folder/report.html").read_text()


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="the report cannot be written to"):
        written(GALLERY, tmp_path / "file")


def test_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(SettingError, match=r"jinja2 is not installed: pip install"):
        written(GALLERY, tmp_path)


def test_figures_stand_in_the_page(tmp_path: Path) -> None:
    text = re.sub(r"<[^>]+>|\s+", " ", written(GALLERY, tmp_path))
    text = re.sub(r" +", " ", text)
    # Of the boxes one is right (Car), one invented, one missed: 1/2 each. Only task 1 has any.
    assert "box RectangleLabels label tasks true predicted precision recall F1" in text
    assert "all labels 3 2 2 0.500 0.500–0.500 0.500 0.500–0.500 0.500 0.500–0.500" in text
    assert "bad 0 1 0.000 0.000–0.000 no cases 0.000" in text


def test_figures_that_labels_do_not_have_are_left_blank(tmp_path: Path) -> None:
    """Unlike those that only some of them lack, which have no cases."""
    report, evaluated, problems = evaluate(GALLERY)
    part = report["versions"]["v1"]["controls"]["quality"]
    part |= {"accuracy": 0.25, "schemes": {"strict": {"f1": 0.75}}}
    page = write_report(tmp_path, report, sources_of(evaluated, problems)).read_text()
    table = page.partition('aria-label="Figures of quality"')[2].partition("</table>")[0]
    rows = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in table.split("</tr>")]
    assert rows[1].endswith("0.000 0.000–0.000 0.250")
    assert rows[2] == "bad 0 1 0.000 0.000–0.000 no cases 0.000 0.000–0.000"
    matches = page.partition("Matches of quality by scheme")[2].partition("</table>")[0]
    assert "offsets and label" in matches
    assert "0.750" in matches


def test_further_parts_stand_in_the_page(tmp_path: Path) -> None:
    """As `prelabel evaluate` adds them with --thresholds, --agreement and --label-errors."""
    report, evaluated, problems = evaluate(GALLERY)
    point = {"score": 0.42, "precision": 0.95, "recall": 0.5, "f1": 0.655}
    counts = {"predicted": 1200, "truths": 2000}
    report["thresholds"] = {
        "v1": [
            {"control": "box", "label": None, "point": point | counts},
            {"control": "box", "label": "Car", "point": None, "note": "no true regions"},
        ]
    }
    pairs = {"ann": {"bob": {"agreement": 0.5, "tasks": 3}}}
    agreed = {"tag": "Choices", "tasks": 3, "annotations": 6, "agreement": 0.5, "alpha": 0.25}
    report["agreement"] = {
        "tasks": 4,
        "controls": {"quality": {**agreed, "pairs": pairs}, "box": {"tag": "A", "tasks": 0}},
    }
    issue = {"control": "quality", "label": "good", "kind": "label", "suggestion": "bad"}
    report["label_errors"] = [
        {"task": 12, "confidence": 0.93, "region": "", **issue},
        {"task": "<i>", "confidence": 0.9, "region": "", **issue},
    ]
    page = write_report(tmp_path, report, sources_of(evaluated, problems, URL)).read_text()
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "box all labels 0.42 0.950 0.500 0.655 1,200 2,000" in text
    assert "box Car no true regions" in text
    assert "quality all 3 0.500 0.250 ann and bob 3 0.500 box all 0 no cases" in text
    assert f'<a href="{URL}12" target="_blank" rel="noopener">12</a>' in page
    assert "12 quality label good bad 0.930 &lt;i&gt; quality" in text
    report |= {"thresholds": {"v1": []}, "label_errors": []}
    page = write_report(tmp_path, report, sources_of(evaluated, problems, URL)).read_text()
    assert "no cases: no predictions have scores" in page
    assert "no cases: the predictions contradict no annotation" in page


def test_nothing_to_show_is_said(tmp_path: Path) -> None:
    report = {"versions": {}}
    sources = ReportSources({}, ProblemLog(), sources_of(*evaluate(())[1:]).media)
    page = write_report(tmp_path, report, sources).read_text()
    assert "No version was evaluated: no cases" in page
    page = written([raw_task({}, [annotation()], [prediction()])], tmp_path)
    assert page.count('<p class="none">no cases</p>') == len(CONFIG.controls)
    assert "worst tasks: none" in page


def test_versions_stand_side_by_side(tmp_path: Path) -> None:
    first, one, problems = evaluate(GALLERY, "v1")
    second, other, _ = evaluate(GALLERY[:1], "v1")
    report = {**first, "versions": {"v1": first["versions"]["v1"], "v2": second["versions"]["v1"]}}
    media = sources_of(one, problems).media
    sources = ReportSources({"v1": one, "v2": other}, problems, media)
    page = write_report(tmp_path, report, sources).read_text()
    table = page.partition('id="comparison"')[2].partition("</table>")[0]
    [entity] = [part for part in table.split("</tbody>") if ">entity<" in part]
    rows = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in entity.split("</tr>")]
    # Of the entities one of three predicted is right; task 1 alone has none.
    assert rows[0] == "entity tasks · true · predicted 3 · 4 · 3 1"
    assert rows[1] == "precision 0.333 0.333–0.333 no cases"
    assert page.count("data:image/jpeg") == 1  # the same image in both


def test_user_content_is_escaped_everywhere(tmp_path: Path) -> None:
    config = LabelConfig.parse(
        '<View><Text name="t" value="$t"/><Labels name="l" toName="t"/>'
        '<Choices name="c" toName="t"/><TextArea name="a" toName="t"/></View>'
    )
    [label, choice, area] = config.controls
    said = [
        region(TextSpan(0, 30), {label: [EVIL]}, EVIL * 2),
        whole_task(choice, EVIL),
        whole_task(area, [EVIL]),
    ]
    task = raw_task({"t": EVIL * 2}, [annotation(said)], [prediction([], EVIL)], EVIL)
    report, evaluated, problems = evaluate([task], EVIL, config)
    report["versions"][EVIL]["controls"]["c"]["confusion"] = {EVIL: {EVIL: 1}}
    problems.add(EVIL, EVIL)
    sources = sources_of(evaluated, problems, URL)
    sources = ReportSources(sources.versions, problems, sources.media, EVIL, URL)
    page = write_report(tmp_path, report, sources).read_text()
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;") > 10
    assert 'href="http' not in page  # the id is no number


def test_lone_surrogates_of_a_text_are_written(tmp_path: Path) -> None:
    written([gallery_task(1, text_regions, text="\ud800" + "x" * 80)], tmp_path)


# The drawings


def test_task_is_linked_by_its_number() -> None:
    assert drawn(gallery_task(12, picture_regions)).link == f"{URL}12"
    assert drawn(gallery_task("7", picture_regions)).link == f"{URL}7"
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


# The charts


def test_curves_are_thinned_to_their_shape() -> None:
    rng = np.random.default_rng(0)
    scores = np.sort(rng.random(20_000))[::-1]
    hits = rng.random(20_000) < scores
    scored = ScoredPredictions(scores, hits, int(hits.sum()))
    curve = precision_recall_curve(scored)
    kept = thin_curve(curve)
    assert len(kept) <= MAX_POINTS
    assert (kept[0], curve.recall[kept[-1]]) == (0, 1.0)
    between = np.interp(curve.recall, curve.recall[kept], curve.precision[kept])
    assert np.abs(between - curve.precision)[200:].max() < 0.02
    [chart] = draw_curves({"Car": scored})
    assert len(chart.points.split()) == len(kept)


def test_curve_of_all_labels_comes_before_theirs() -> None:
    one = ScoredPredictions(np.array([0.9, 0.8]), np.array([True, False]), 2)
    none = ScoredPredictions(np.array([0.7]), np.array([False]), 0)
    charts = draw_curves({"Car": one, "Bus": none})
    # All: precision 1/1 at recall 1/2, then 1/2, then 1/3.
    assert [(chart.label, chart.points) for chart in charts] == [
        (None, "50.0,0.0 50.0,50.0 50.0,66.7"),
        ("Car", "50.0,0.0 50.0,50.0"),
    ]
    assert draw_curves({"Bus": none}) == []


def test_confusions_are_shares_of_what_is_true() -> None:
    matrix = draw_confusion({"a": {"a": 3, "b": 1}, "b": {"": 2}})
    assert matrix is not None
    assert matrix.columns == ["a", "b", ""]
    assert [(n, [(c.count, c.share) for c in cells]) for n, cells in matrix.rows] == [
        ("a", [(3, 0.75), (1, 0.25), (0, 0.0)]),
        ("b", [(0, 0.0), (0, 0.0), (2, 1.0)]),
        ("", [(0, 0.0), (0, 0.0), (0, 0.0)]),
    ]
    assert draw_confusion({}) is None


def test_large_confusions_keep_the_labels_that_are_confused() -> None:
    table = {f"l{n}": {f"l{n}": 9} for n in range(50)} | {"l40": {"l49": 5}}
    matrix = draw_confusion(table)
    assert matrix is not None
    assert len(matrix.columns) == MAX_CONFUSED
    assert {"l40", "l49"} <= set(matrix.columns)
    assert matrix.left_out == 20


def test_calibration_has_the_bins_of_its_error() -> None:
    scored = ScoredPredictions(np.array([0.61, 0.65, 0.05]), np.array([True, False, False]), 2)
    found = draw_calibration({"a": scored})
    assert [(b.confidence, b.accuracy, b.count) for b in found] == [
        (0.05, 0, 1),
        (pytest.approx(0.63), 0.5, 2),
    ]
