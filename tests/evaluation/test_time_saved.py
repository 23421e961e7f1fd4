"""What people made of predictions and how long it took, by hand."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from shared.cli.time_saved_table import print_time_saved
from shared.evaluation.annotators.time_saved import TimeSaved
from shared.evaluation.report import write_report
from shared.label_studio.label_config import LabelConfig
from shared.results import ParsedRegion, Rectangle, Region, TextSpan, region
from shared.results.types import Shape
from tests.e2e.every_type import ROWS, SCENES, Row

from .annotations import CONFIG, SIZE, TEXT, answer, box, span
from .gallery import GALLERY, evaluate, sources_of
from .tasks import annotation, prediction, raw_task, read_task

DATA = {"image": "x", "text": TEXT}
NOTHING = dict.fromkeys(("accepted", "moved", "relabelled", "changed", "deleted", "added"), 0)
PREDICTED = prediction(id=7)


def counts(**more: int) -> dict[str, int]:
    return {**NOTHING, **more}


def renamed(regions: list[ParsedRegion], names: list[str]) -> list[Region]:
    """Return the regions with ids of their own."""
    return [
        region(one.shape, one.values, one.source, one.score, **one.region_keys, id=name)
        for one, name in zip(regions, names, strict=True)
    ]


def saved_of(*tasks: Any) -> TimeSaved:
    saved = TimeSaved(CONFIG)
    for raw in tasks:
        read = read_task(raw, CONFIG)
        assert read is not None
        saved.add(read)
    return saved


def controls_of(before: list[Region], after: list[Region]) -> dict[str, Any]:
    """Return the figures of one annotation that began with a prediction."""
    made = annotation(after, parent_prediction=7)
    task = raw_task(DATA, [made], [prediction(before)])
    found: dict[str, Any] = saved_of(task).figures()["versions"]["v1"]["controls"]
    return found


def test_each_outcome_of_regions_with_ids() -> None:
    before = [box(0), box(20), box(40), box(60), box(80, plate=["AB 1"])]
    after = [box(0), box(33), box(40, "Bus"), box(80, plate=["AB 7"]), box(70, "Bus")]
    found = controls_of(renamed(before, list("abcde")), renamed(after, list("abcef")))
    # a as it was; b moved so far that it does not overlap any more; c is a Bus; d is gone; e has
    # another plate; f is new.
    cars = counts(accepted=1, moved=1, relabelled=1, changed=1, deleted=1)
    assert found == {
        "box": {
            "tag": "RectangleLabels",
            **cars,
            "added": 1,
            "labels": {"Bus": counts(added=1), "Car": cars},
        },
        "plate": {"tag": "TextArea", **counts(changed=1)},
    }


@pytest.mark.parametrize(
    ("left", "label", "outcome"),
    [
        pytest.param(0, "Car", {"accepted": 1}, id="the same place"),
        pytest.param(0.0004, "Car", {"accepted": 1}, id="a place that was rounded"),
        pytest.param(0.5, "Car", {"moved": 1}, id="half a pixel further"),
        pytest.param(3, "Car", {"moved": 1}, id="IoU of 7 by 13"),
        pytest.param(4, "Car", {"deleted": 1, "added": 1}, id="IoU of 6 by 14"),
        pytest.param(3, "Bus", {"relabelled": 1}, id="another label, IoU of 7 by 13"),
    ],
)
def test_regions_without_ids_are_found_by_place(
    left: float, label: str, outcome: dict[str, int]
) -> None:
    found = controls_of(renamed([box(0)], ["a"]), renamed([box(left, label)], ["b"]))
    labels = found["box"].pop("labels")
    assert found == {"box": {"tag": "RectangleLabels", **counts(**outcome)}}
    assert labels["Car"] == counts(**outcome) | ({} if label == "Car" else {"added": 0})


def test_equal_labels_are_matched_before_others() -> None:
    before = renamed([box(0), box(2, "Bus")], ["a", "b"])
    found = controls_of(before, renamed([box(2), box(0, "Bus")], ["c", "d"]))
    assert found["box"]["labels"] == {"Bus": counts(moved=1), "Car": counts(moved=1)}


def test_a_region_with_several_labels_counts_for_each() -> None:
    before = renamed([box(0, box=["Bus", "Car"])], ["a"])
    found = controls_of(before, renamed([box(0, box=["Car"])], ["a"]))
    assert found["box"] == {
        "tag": "RectangleLabels",
        **counts(relabelled=1),
        "labels": {"Bus": counts(relabelled=1), "Car": counts(accepted=1)},
    }


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        pytest.param((0, 12), (0, 12), {"accepted": 1}, id="equal offsets"),
        pytest.param((0, 12), (0, 3), {"moved": 1}, id="other offsets"),
    ],
)
def test_spans(before: tuple[int, int], after: tuple[int, int], outcome: dict[str, int]) -> None:
    found = controls_of(renamed([span(*before)], ["a"]), renamed([span(*after)], ["a"]))
    assert found["span"]["labels"] == {"Person": counts(**outcome)}


@pytest.mark.parametrize(
    ("control", "before", "after", "outcome", "labels"),
    [
        pytest.param("class", ["A"], ["A"], "accepted", {"A": {"accepted": 1}}, id="choice kept"),
        pytest.param("class", ["A"], ["B"], "changed", {"A": {"changed": 1}}, id="other choice"),
        pytest.param("class", ["A"], None, "deleted", {"A": {"deleted": 1}}, id="choice removed"),
        pytest.param("class", None, ["B"], "added", {"B": {"added": 1}}, id="choice added"),
        pytest.param(
            "classes",
            ["A", "B"],
            ["B", "A"],
            "accepted",
            {"A": {"accepted": 1}, "B": {"accepted": 1}},
            id="order of choices is nothing",
        ),
        pytest.param(
            "classes",
            ["A", "B"],
            ["B", "C"],
            "changed",
            {"A": {"changed": 1}, "B": {"accepted": 1}},
            id="one of two choices kept",
        ),
        pytest.param("count", 3, 3.0, "accepted", None, id="number kept"),
        pytest.param("count", 3, 4, "changed", None, id="other number"),
        pytest.param("summary", ["a"], ["b"], "changed", None, id="other text"),
        pytest.param("summary", None, ["b"], "added", None, id="text added"),
    ],
)
def test_answers_for_the_whole_task(
    control: str, before: Any, after: Any, outcome: str, labels: Any
) -> None:
    sides = [
        renamed([answer(control, said)] if said is not None else [], ["x"][: said is not None])
        for said in (before, after)
    ]
    found = controls_of(*sides)[control]
    assert {name: found[name] for name in NOTHING} == counts(**{outcome: 1})
    expected = labels and {name: counts(**one) for name, one in labels.items()}
    assert found.get("labels") == expected


def test_a_size_that_the_prediction_did_not_know_is_no_move() -> None:
    shape: Shape = Rectangle(10, 10, 10, 10)
    control = box(0).values
    before = region(shape, control, SIZE, id="a")
    after = region(Rectangle(64, 48, 64, 48), control, type(SIZE)(640, 480), id="a")
    assert controls_of([before], [after])["box"]["accepted"] == 1


def test_seconds_with_and_without_a_prediction() -> None:
    others = {"completed_by": 2}
    predicted = [
        raw_task(DATA, [annotation(parent_prediction=7, lead_time=seconds)], [PREDICTED], number)
        for number, seconds in enumerate([4.0, 10.0, 6.0, None])
    ]
    twice = raw_task(
        DATA,
        [annotation(parent_prediction=7, lead_time=8), annotation(lead_time=9, **others)],
        [PREDICTED],
    )
    alone = [raw_task(DATA, [annotation(lead_time=seconds)]) for seconds in (30.0, 20.0)]
    found = saved_of(*predicted, twice, *alone).figures()
    # 4, 6, 8, 10: the median is 7. The second annotation of `twice` names no prediction.
    version = found["versions"]["v1"]
    assert version.pop("controls") == {}
    assert version == {"tasks": 5, "annotations": 5, "timed": 4, "median_seconds": 7.0}
    assert found["without_prediction"] == {
        "tasks": 2,
        "annotations": 2,
        "timed": 2,
        "median_seconds": 25.0,
    }
    assert found["unknown_prediction"] == {
        "tasks": 1,
        "annotations": 1,
        "timed": 1,
        "median_seconds": 9.0,
    }
    assert found["missing_prediction"] == {"tasks": 0, "annotations": 0, "timed": 0}


FROM_PREDICTION = renamed([box(0)], ["a"])[0].results[0] | {"origin": "prediction-changed"}


@pytest.mark.parametrize(
    ("made", "predictions", "group"),
    [
        pytest.param({}, [], "without_prediction", id="the task has none"),
        pytest.param({}, None, "unknown_prediction", id="the input has no predictions"),
        pytest.param({}, [PREDICTED], "unknown_prediction", id="the annotation names none"),
        pytest.param({}, [7], "unknown_prediction", id="only ids of predictions"),
        pytest.param({"parent_prediction": 7}, [7], "missing_prediction", id="only its id"),
        pytest.param({"parent_prediction": 8}, [PREDICTED], "missing_prediction", id="another"),
        pytest.param(
            {"result": [FROM_PREDICTION]}, [], "missing_prediction", id="regions tell of one"
        ),
    ],
)
def test_what_label_studio_does_not_know(made: Any, predictions: Any, group: str) -> None:
    raw = raw_task(DATA, [annotation() | made], predictions or [])
    if predictions is None:
        del raw["predictions"]
    found = saved_of(raw).figures()
    assert found.pop("versions") == {}
    assert {name: one["annotations"] for name, one in found.items() if one["annotations"]} == {
        group: 1
    }


def test_skipped_annotations_do_not_count() -> None:
    skipped = annotation(parent_prediction=7, lead_time=3, was_cancelled=True)
    assert saved_of(raw_task(DATA, [skipped], [PREDICTED])).figures()["versions"] == {}


def test_versions_are_apart() -> None:
    car = renamed([box(0)], ["a"])
    made = [annotation(car, parent_prediction=number) for number in (1, 2, 2)]
    stored = [prediction(car, "old", id=1), prediction([], "new", id=2)]
    rows = [row for row in saved_of(raw_task(DATA, made, stored)).rows() if row.label is None]
    assert [(row.version, row.control, row.counts) for row in rows] == [
        ("new", "box", counts(added=2)),
        ("old", "box", counts(accepted=1)),
    ]


def printed(saved: TimeSaved) -> str:
    console = Console(file=io.StringIO(), width=140)
    print_time_saved(saved, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_table() -> None:
    before = renamed([box(0), box(20), box(40)], list("abc"))
    made = annotation(before[:1], parent_prediction=7, lead_time=12.5)
    lines = printed(saved_of(raw_task(DATA, [made], [prediction(before, "[v1]")]))).splitlines()
    cells = [line.split() for line in lines]
    zero = ["0", "(0%)"]
    figures = ["1", "(33%)", *zero * 3, "2", "(67%)", "0"]
    assert ["[v1]", "box", *figures] in cells
    assert ["[v1]", "box", "Car", *figures] in cells
    assert ["with", "[v1]", "1", "1", "1", "12.5"] in cells
    assert ["without", "a", "prediction", "0", "0", "0", "no", "cases"] in cells


def test_table_says_what_is_not_known() -> None:
    text = printed(saved_of(raw_task(DATA, [annotation()], [PREDICTED])))
    assert "Corrections: no cases" in text
    (line,) = (line for line in text.splitlines() if "names no prediction" in line)
    assert line.split()[-5:] == ["1", "1", "0", "not", "known"]


def test_hundred_thousand_annotations_are_kept_in_a_megabyte() -> None:
    import tracemalloc

    read = read_task(raw_task(DATA, [annotation(lead_time=3)]), CONFIG)
    assert read is not None
    saved = TimeSaved(CONFIG)
    tracemalloc.start()
    for _ in range(100_000):
        saved.add(read)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 1_000_000
    assert saved.figures()["without_prediction"]["tasks"] == 100_000


def test_spans_of_other_texts_are_other_regions() -> None:
    before = region(TextSpan(0, 3), span(0, 3).values, TEXT, id="a")
    found = controls_of([before], renamed([span(13, 16)], ["b"]))
    assert found["span"]["labels"] == {"Person": counts(deleted=1, added=1)}


@pytest.mark.parametrize("keeps_ids", [True, False], ids=["by id", "by place"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_equal_regions_of_every_control_tag_are_accepted(row: Row, keeps_ids: bool) -> None:
    scene = SCENES[row.scene]
    results = [dict(one) for built in row.regions() for one in built.results]
    said = [one for one in results if one["type"] != "relation"]
    made = [one if keeps_ids else one | {"id": f"new-{one['id']}"} for one in said]
    task = raw_task(
        scene.data(),
        [annotation() | {"parent_prediction": 7, "result": made}],
        [prediction() | {"result": said}],
    )
    config = LabelConfig.parse(scene.config)
    read = read_task(task, config)
    assert read is not None
    saved = TimeSaved(config)
    saved.add(read)
    rows = list(saved.rows())
    assert rows
    assert all(one.counts == counts(accepted=one.counts["accepted"]) for one in rows), rows


def test_labels_of_tracks_are_found_in_the_tag_that_the_editor_writes() -> None:
    row = next(row for row in ROWS if row.name == "videorectangle and labels")
    scene = SCENES[row.scene]
    said = [dict(one) for built in row.regions() for one in built.results]
    track, labels = said
    made = [track | {"value": track["value"] | {"labels": labels["value"]["labels"]}}]
    task = raw_task(
        scene.data(),
        [annotation() | {"parent_prediction": 7, "result": made}],
        [prediction() | {"result": said}],
    )
    config = LabelConfig.parse(scene.config)
    read, saved = read_task(task, config), TimeSaved(config)
    assert read is not None
    saved.add(read)
    assert [(one.control, one.label, one.counts) for one in saved.rows()] == [
        ("box", None, counts(accepted=1)),
        ("box", "Car", counts(accepted=1)),
    ]


def test_report_page(tmp_path: Path) -> None:
    before = renamed([box(0), box(20, "Bus")], ["a", "b"])
    made = annotation(before[:1], parent_prediction=7, lead_time=12.5)
    alone = raw_task(DATA, [annotation()])
    saved = saved_of(raw_task(DATA, [made], [prediction(before, "<v1>")]), alone)
    report, evaluated, problems = evaluate(GALLERY)
    report["time_saved"] = saved.figures()
    page = write_report(tmp_path, report, sources_of(evaluated, problems)).read_text()
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "&lt;v1&gt; box 1 0 0 0 1 0 Bus 0 0 0 0 1 0 Car 1 0 0 0 0 0" in text
    assert "with &lt;v1&gt; 1 1 1 12.5 without a prediction 1 1 0 not known" in text
    report["time_saved"] = saved_of(alone).figures()
    page = write_report(tmp_path, report, sources_of(evaluated, problems)).read_text()
    assert "no cases: no annotation names a prediction" in page
