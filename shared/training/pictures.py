"""Pictures of a training: its curves, and what was confused on the held-out tasks."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.backend.extras import require
from shared.evaluation.report.charts import ConfusionMatrix, draw_confusion

CURVES_FILE, CONFUSION_FILE = "curves.png", "confusion.png"
DPI = 120
# Lines of a panel, at most: a trainer may report a figure for every label.
MAX_LINES = 10
# What labels of a matrix are cut to.
MAX_LABEL_CHARACTERS = 24
NO_LABEL_NAME = "nothing"
# What is reported with an epoch, and is no curve.
NO_CURVES = frozenset(("epoch", "epochs", "seconds"))


def draw_pictures(
    folder: Path,
    epochs: Sequence[Mapping[str, float]],
    confusion: Mapping[str, Mapping[str, int]],
) -> list[str]:
    """Draw the pictures for which there is something to draw; return their names.

    SettingError if matplotlib is not installed.
    """
    drawn = []
    panels = group_curves(epochs)
    if panels:
        _draw_curves(panels).savefig(folder / CURVES_FILE)
        drawn.append(CURVES_FILE)
    matrix = draw_confusion(confusion)
    if matrix is not None:
        _draw_matrix(matrix).savefig(folder / CONFUSION_FILE)
        drawn.append(CONFUSION_FILE)
    return drawn


def group_curves(
    epochs: Sequence[Mapping[str, float]],
) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Return the lines of each panel as (epoch, value), by the metrics' names.

    Losses share a panel, and so do shares, which go from 0 to 1; others, such as a learning rate,
    are in `settings.json` and `metrics.json`. Values that are not finite are left out.
    """
    lines: dict[str, list[tuple[float, float]]] = {}
    for number, epoch in enumerate(epochs, 1):
        for name, value in epoch.items():
            if name not in NO_CURVES and math.isfinite(value):
                lines.setdefault(name, []).append((epoch.get("epoch", number), value))
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name, points in lines.items():
        panel = _panel_of(name, points)
        if panel and len(panels.setdefault(panel, {})) < MAX_LINES:
            panels[panel][name] = points
    return panels


def _panel_of(name: str, points: Sequence[tuple[float, float]]) -> str:
    if "loss" in name.lower():
        return "loss"
    is_share = "lr" not in name.lower() and all(0 <= value <= 1 for _, value in points)
    return "metrics" if is_share else ""


def _draw_curves(panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]) -> Any:
    figure = _create_figure(5.0 * len(panels), 3.6)
    for axes, (title, lines) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        for name, points in lines.items():
            axes.plot(*zip(*points, strict=True), label=_plain(name), marker=".", linewidth=1.2)
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.25)
        axes.legend(loc="upper right" if title == "loss" else "lower right", fontsize="small")
        if title == "metrics":
            axes.set_ylim(0, 1.02)
    return figure


def _draw_matrix(matrix: ConfusionMatrix) -> Any:
    names = [_plain(name)[:MAX_LABEL_CHARACTERS] or NO_LABEL_NAME for name in matrix.columns]
    side = 2.6 + 0.42 * len(names)
    figure = _create_figure(side + 0.6, side)
    axes = figure.subplots()
    axes.imshow(
        [[cell.share for cell in cells] for _, cells in matrix.rows], "Blues", vmin=0, vmax=1
    )
    for row, (_, cells) in enumerate(matrix.rows):
        for column, cell in enumerate(cells):
            if cell.count:
                ink = "white" if cell.share > 0.5 else "black"
                axes.text(column, row, cell.count, ha="center", va="center", color=ink, fontsize=8)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    left_out = f"; {matrix.left_out} more labels" if matrix.left_out else ""
    axes.set(xlabel=f"predicted{left_out}", ylabel="true")
    return figure


def _create_figure(width: float, height: float) -> Any:
    """Return a figure that needs no display, and that nothing else holds."""
    require("matplotlib", "train")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _plain(name: str) -> str:
    """Return a name that matplotlib does not read as a formula."""
    return name.replace("$", "\\$")
