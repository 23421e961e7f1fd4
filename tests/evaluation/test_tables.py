import io
import re
from typing import Any

import pytest
from rich.console import Console

from shared.cli.tables import print_report, print_thresholds
from shared.evaluation.figures import (
    Figure,
    column_keys,
    control_rows,
    format_number,
    label_rows,
    scheme_rows,
)
from shared.evaluation.thresholds import OperatingPoint, Threshold


def version(tasks: int = 40, **controls: Any) -> dict[str, Any]:
    return {"tasks": tasks, "controls": controls}


BOX = {
    "tag": "RectangleLabels",
    "tasks": 38,
    "regions": {"truth": 1234, "predicted": 1200},
    "precision": 0.81234,
    "recall": 0.79,
    "f1": 0.8,
    "interval": {"f1": [0.75, 0.85]},
    "labels": {
        "Car": {"tasks": 30, "regions": {"truth": 1000, "predicted": 900}, "f1": 0.9},
        "Bus": {"regions": {"truth": 234, "predicted": 0}, "recall": 0.0},
    },
}
TEXT = {"tag": "TextArea", "cer": 0.05, "interval": {"cer": [0.01, 0.1]}}
SPANS = {
    "tag": "Labels",
    "f1": 0.5,
    "schemes": {
        "strict": {"correct": 1017, "f1": 0.5, "interval": {"f1": [0.4, 0.6]}},
        "ent_type": {"correct": 1078, "f1": 0.7},
    },
}


def printed(report: dict[str, Any], width: int = 140) -> str:
    file = io.StringIO()
    print_report(report, Console(file=file, width=width, color_system=None))
    return file.getvalue()


def line_with(text: str, *parts: str) -> str:
    [line] = [line for line in text.splitlines() if all(part in line for part in parts)]
    return line


def test_rows_have_the_cases_beside_the_figures() -> None:
    [row] = control_rows(version(box=BOX))
    assert (row.control, row.tag, row.label) == ("box", "RectangleLabels", None)
    assert (row.tasks, row.truth, row.predicted) == (38, 1234, 1200)
    assert row.figures["f1"] == Figure(0.8, (0.75, 0.85))
    assert row.figures["recall"] == Figure(0.79)
    assert column_keys([row]) == ["precision", "recall", "f1"]


def test_tasks_of_a_control_tag_are_those_of_the_version_where_it_has_no_own() -> None:
    [row] = control_rows(version(12, text=TEXT))
    assert (row.tasks, row.truth) == (12, None)
    [_, bus] = label_rows(version(box=BOX), "box")
    assert (bus.label, bus.tasks, bus.truth) == ("Bus", None, 234)


def test_schemes_have_rows_of_their_own() -> None:
    part = version(spans=SPANS)
    assert [[*row.figures] for row in control_rows(part)] == [["f1"]]
    strict, label_only = scheme_rows(part, "spans")
    assert strict.label == "offsets and label"
    assert strict.figures == {"correct": Figure(1017), "f1": Figure(0.5, (0.4, 0.6))}
    assert label_only.label == "overlap and label"
    text = printed({"versions": {"v1": part}})
    head = " ".join(line_with(text, "matched by").split())
    assert head == "control tag matched by F1 correct"
    assert line_with(text, "overlap and label").split()[-2:] == ["0.700", "1,078"]


def test_interval_below_zero_is_told_from_its_sign() -> None:
    assert Figure(0.1, (0.05, 0.2)).format_interval() == "0.050–0.200"
    assert Figure(0.1, (-0.1, 0.2)).format_interval() == "-0.100 to 0.200"
    assert Figure(0.1).format_interval() == ""


@pytest.mark.parametrize(
    ("value", "expected"), [(0.81251, "0.813"), (3, "3"), (1234567, "1,234,567"), (-0.5, "-0.500")]
)
def test_numbers(value: float, expected: str) -> None:
    assert format_number(value) == expected


def test_tables_of_one_version() -> None:
    text = printed({"versions": {"v1": version(box=BOX, text=TEXT, empty={"tag": "Choices"})}})
    assert "v1: 40 tasks with a prediction" in text
    row = line_with(text, "RectangleLabels")
    assert row.split() == [
        "box",
        "RectangleLabels",
        "38",
        "1,234",
        "1,200",
        "0.812",
        "0.790",
        "0.800",
    ]
    assert "0.750–0.850" in text
    assert line_with(text, "box", "Car").split() == [
        *("box", "Car", "30", "1,000", "900"),
        *("no", "cases", "0.900"),
    ]
    assert line_with(text, "TextArea").split() == ["text", "TextArea", "40", "0.050"]
    assert line_with(text, "empty").strip() == "empty: no cases"


def test_numbers_stand_to_the_right() -> None:
    text = printed({"versions": {"v1": version(box=BOX)}})
    head, row = line_with(text, "tag", "tasks", "precision"), line_with(text, "RectangleLabels")
    for name, number in (("true", "1,234"), ("predicted", "1,200"), ("F1", "0.800")):
        assert head.index(name) + len(name) == row.index(number) + len(number)


def test_versions_stand_side_by_side() -> None:
    other = {**BOX, "f1": 0.9, "interval": {}}
    report = {"versions": {"v1": version(box=BOX), "v2": version(box=other, text=TEXT)}}
    text = printed(report)
    first, _, _ = text.partition("v1: 40 tasks")
    assert line_with(first, "F1").split() == ["F1", "0.800", "0.900"]
    assert line_with(first, "CER").split() == ["CER", "no", "cases", "0.050"]
    assert re.sub(" +", " ", line_with(first, "box")) == " box tasks · true 38 · 1,234 38 · 1,234 "
    assert re.sub(" +", " ", line_with(first, "text")) == " text tasks · true 40 "


def test_many_figures_take_several_tables() -> None:
    figures = {f"figure_{number}": number / 100 for number in range(20)}
    text = printed({"versions": {"v1": version(box={"tag": "Labels", **figures})}}, width=100)
    assert max(map(len, text.splitlines())) <= 100
    assert all(f"{number / 100:.3f}" in text for number in range(20))
    assert "…" not in text


def test_no_versions_are_no_cases() -> None:
    assert printed({"versions": {}}).strip() == "no cases"


def test_names_cannot_steer_the_terminal() -> None:
    part = {**BOX, "labels": {"[red]\x1b[2J": {"f1": 0.5}}}
    text = printed({"versions": {"[bold]v\x1b": {**version(**{"[i]box": part})}}})
    assert "\x1b" not in text
    assert "[red]\\x1b[2J" in text
    assert "[bold]v\\x1b: 40" in text
    assert "[i]box" in text


def test_many_labels_are_counted() -> None:
    labels = {f"l{n}": {"regions": {"truth": n, "predicted": 0}, "f1": 0.5} for n in range(60)}
    text = printed({"versions": {"v1": version(box={**BOX, "labels": labels})}})
    assert "box: 10 rarer labels are in the report only" in text
    assert " l59 " in text
    assert " l9 " not in text


def thresholds_text(*thresholds: Threshold, xml: str = "<View/>", note: str = "") -> str:
    file = io.StringIO()
    console = Console(file=file, width=140, color_system=None)
    print_thresholds(thresholds, xml, [note] if note else [], console)
    return file.getvalue()


def test_thresholds_and_the_label_config_to_paste() -> None:
    point = OperatingPoint(0.42, 0.95, 0.5, 0.655, 1200, 2000)
    xml = f"<View>\n  <!-- [red] {'long ' * 40}-->\n</View>"
    text = thresholds_text(
        Threshold("box", None, point),
        Threshold("box", "Car", None, "no prediction is right"),
        xml=xml,
        note="remove it",
    )
    row = ["box", "all", "labels", "0.42", "0.950", "0.500", "0.655", "1,200", "2,000"]
    assert line_with(text, "all labels").split() == row
    assert line_with(text, "Car").split() == ["box", "Car", "no", "prediction", "is", "right"]
    assert "Note: remove it" in text
    assert text.endswith(f":\n\n{xml}\n")


def test_nothing_to_paste_without_a_threshold() -> None:
    assert "<View/>" not in thresholds_text(Threshold("box", None, None, "no true regions"))
    assert thresholds_text().strip() == "Thresholds: no cases, no predictions have scores"
