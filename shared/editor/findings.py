"""Differences between a task's predictions and what the editor draws, as findings of validation."""

from typing import Any

from shared.editor.browser import EditorBrowser
from shared.editor.comparison import find_differences
from shared.editor.drawn import read_drawing
from shared.errors import TaskError
from shared.label_studio.label_config import LabelConfig
from shared.results.validation import Finding

DRAWN = "drawn"
NOT_SHOWN = "not_shown"


def compare_task(browser: EditorBrowser, config: LabelConfig, task: Any) -> list[Finding]:
    """Show each prediction of a task in the editor; return how it is drawn otherwise than meant.

    A task that the editor cannot show, such as for an image that cannot be read, is one finding.
    """
    predictions = task.get("predictions") if isinstance(task, dict) else None
    if not isinstance(predictions, list) or not predictions:
        return []
    try:
        browser.show(config, task)
    except TaskError as error:
        return [Finding(NOT_SHOWN, None, None, str(error), "warning")]
    return [
        finding
        for index, prediction in enumerate(predictions)
        for finding in _compare_prediction(browser, config, index, prediction)
    ]


def _compare_prediction(
    browser: EditorBrowser, config: LabelConfig, index: int, prediction: Any
) -> list[Finding]:
    results = prediction.get("result") if isinstance(prediction, dict) else None
    good = [r for r in results if isinstance(r, dict)] if isinstance(results, list) else []
    try:
        drawing = read_drawing(browser, index, good)
        differences = find_differences(good, drawing, config)
    except TaskError as error:
        return [Finding(NOT_SHOWN, None, None, str(error), "warning", index)]
    except (KeyError, ValueError, TypeError, IndexError) as error:
        # a value without what its shape needs: the rules say what
        what = f"the prediction cannot be compared with the editor: {type(error).__name__} {error}"
        return [Finding(NOT_SHOWN, None, None, what, "warning", index)]
    return [
        Finding(DRAWN, region, None, f"region {region}: {message}", "error", index)
        for region, message in differences
    ]
