"""The figures of an evaluation's report, as tables show them: their names, order and numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

# What each key of the report's JSON is called in tables, in the order of their columns.
FIGURE_NAMES: Mapping[str, str] = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "ap50": "AP50",
    "ap": "AP50–95",
    "map50": "mAP50",
    "map50_95": "mAP50–95",
    "mean_iou": "mean IoU",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "ece": "ECE",
    "mae": "MAE",
    "spearman": "Spearman",
    "tau": "Kendall's τ",
    "pairs": "pairs",
    "cer": "CER",
    "wer": "WER",
    "hota": "HOTA",
    "deta": "DetA",
    "assa": "AssA",
    "idf1": "IDF1",
}
# The schemes of nervaluate by which spans of text are matched.
SCHEME_NAMES: Mapping[str, str] = {
    "strict": "offsets and label",
    "exact": "offsets",
    "partial": "overlap, counts half",
    "ent_type": "overlap and label",
}
# What stands in a table where nothing was compared.
NO_CASES = "no cases"
DECIMALS = 3


class Figure(NamedTuple):
    """A figure and its 95 % interval, if it has one."""

    value: float
    interval: tuple[float, float] | None = None

    def format_value(self) -> str:
        """Return the figure as tables show it: counts whole, others with three decimals."""
        return format_number(self.value)

    def format_interval(self) -> str:
        """Return the interval as `0.712–0.934`; nothing if there is none."""
        if self.interval is None:
            return ""
        between = " to " if self.interval[0] < 0 else "–"
        return between.join(map(format_number, self.interval))


@dataclass(frozen=True)
class FigureRow:
    """The figures of a control tag, of a label or a scheme, and the cases they stand on.

    `label` is None for the control tag as a whole. `truth` and `predicted` count regions; None
    where the report has no such counts. `figures` are by their keys.
    """

    control: str
    tag: str
    label: str | None
    tasks: int | None
    truth: int | None
    predicted: int | None
    figures: Mapping[str, Figure]


def format_number(value: float) -> str:
    """Return a number as tables show it."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.{DECIMALS}f}"


def format_count(count: int, noun: str) -> str:
    """Return a number of things in words: 1 view, 2,000 views."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def figure_name(key: str) -> str:
    """Return what a figure is called; a key that is not known by its own name."""
    return FIGURE_NAMES.get(key, key.replace("_", " "))


def control_rows(version: Mapping[str, Any]) -> list[FigureRow]:
    """Return a row for each control tag of a version's report."""
    return [_read_row(name, part, None, version) for name, part in version["controls"].items()]


def label_rows(version: Mapping[str, Any], control: str) -> list[FigureRow]:
    """Return a row for each label of a control tag."""
    part = version["controls"][control]
    return [
        _read_row(control, {"tag": part.get("tag", ""), **inner}, label, version)
        for label, inner in part.get("labels", {}).items()
    ]


def column_keys(rows: Sequence[FigureRow]) -> list[str]:
    """Return the keys of all figures in the rows: known ones in their order, then others."""
    found = dict.fromkeys(key for row in rows for key in row.figures)
    order = {key: place for place, key in enumerate(FIGURE_NAMES)}
    return sorted(found, key=lambda key: order.get(key, len(order)))


def scheme_rows(version: Mapping[str, Any], control: str) -> list[FigureRow]:
    """Return a row for each scheme by which spans of text are matched, named by its `label`."""
    part = version["controls"][control]
    return [
        _read_row(control, {"tag": part.get("tag", ""), **inner}, SCHEME_NAMES.get(name, name), {})
        for name, inner in part.get("schemes", {}).items()
    ]


def _read_row(
    control: str, part: Mapping[str, Any], label: str | None, version: Mapping[str, Any]
) -> FigureRow:
    regions = part.get("regions") or {}
    tasks = part.get("tasks", version.get("tasks") if label is None else None)
    counts = (regions.get("truth"), regions.get("predicted"))
    intervals = part.get("interval") or {}
    figures = {
        key: Figure(value, _read_interval(intervals.get(key)))
        for key, value in part.items()
        if key != "tasks" and isinstance(value, int | float) and not isinstance(value, bool)
    }
    return FigureRow(control, part.get("tag", ""), label, tasks, *counts, figures)


def _read_interval(ends: Sequence[float] | None) -> tuple[float, float] | None:
    return (float(ends[0]), float(ends[1])) if ends else None
