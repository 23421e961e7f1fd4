"""The figures of an evaluation's report, as tables show them: their names, order and numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

# What each key of the report's JSON is called in tables, in the order of their columns.
FIGURE_NAMES: Mapping[str, str] = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "ap50": "AP50",
    "ap": "AP50–95",
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
    "schemes": "",
    "ent_type": "label only",
}
# Keys that are no figures themselves.
OTHER_KEYS = frozenset(
    ("tag", "tasks", "regions", "interval", "labels", "confusion", "calibration", "label")
)
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
        return "" if self.interval is None else "–".join(map(format_number, self.interval))


@dataclass(frozen=True)
class FigureRow:
    """The figures of a control tag, or of one of its labels, and the cases they stand on.

    `label` is None for the control tag as a whole. `truth` and `predicted` count regions; None
    where the report has no such counts. `figures` are by their keys; those inside another key
    have both, such as `exact.f1`.
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


def figure_name(key: str) -> str:
    """Return what a figure is called; a key that is not known by its own name."""
    parts = (FIGURE_NAMES.get(part, part.replace("_", " ")) for part in key.split("."))
    return " ".join(filter(None, parts))


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
    return sorted(found, key=lambda key: ("." in key, order.get(key, len(order))))


def _read_row(
    control: str, part: Mapping[str, Any], label: str | None, version: Mapping[str, Any]
) -> FigureRow:
    regions = part.get("regions") or {}
    tasks = part.get("tasks", version.get("tasks") if label is None else None)
    counts = (regions.get("truth"), regions.get("predicted"))
    return FigureRow(control, part.get("tag", ""), label, tasks, *counts, _read_figures(part))


def _read_figures(part: Mapping[str, Any]) -> dict[str, Figure]:
    return {key: Figure(value, _find_interval(part, key)) for key, value in _flatten(part)}


def _flatten(part: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for key, value in part.items():
        if key in OTHER_KEYS or isinstance(value, bool):
            continue
        if isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", number) for inner, number in _flatten(value))
        elif isinstance(value, int | float):
            yield key, value


def _find_interval(part: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    """Return an interval that stands under the figure's whole key, or beside the figure."""
    found = (part.get("interval") or {}).get(key)
    outer, dot, inner = key.partition(".")
    if found is None and dot:
        beside = part[outer]
        above = (part.get("interval") or {}).get(outer)
        found = above.get(inner) if isinstance(above, Mapping) else None
        return _find_interval(beside, inner) if found is None else (found[0], found[1])
    return None if found is None else (float(found[0]), float(found[1]))
