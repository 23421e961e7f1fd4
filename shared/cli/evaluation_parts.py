"""What `prelabel evaluate` tells beside the figures of versions, where it is asked for."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from shared.cli.tables import (
    create_console,
    print_agreement,
    print_label_errors,
    print_report,
    print_thresholds,
)
from shared.cli.time_saved_table import print_time_saved

if TYPE_CHECKING:
    from shared.cli.annotated_input import AnnotatedInput
    from shared.evaluation.annotated_task import AnnotatedTask
    from shared.evaluation.annotators.agreement import Agreement
    from shared.evaluation.annotators.time_saved import TimeSaved
    from shared.evaluation.evaluation import Evaluation, TaskResult
    from shared.evaluation.label_errors.collector import LabelErrors
    from shared.evaluation.pushed_results import ResultPush
    from shared.evaluation.thresholds import Threshold
    from shared.label_studio.label_config import LabelConfig


class PartOptions(Protocol):
    """Which parts are asked for."""

    @property
    def thresholds(self) -> bool: ...

    @property
    def precision(self) -> float | None: ...

    @property
    def agreement(self) -> bool: ...

    @property
    def label_errors(self) -> bool: ...

    @property
    def push(self) -> bool: ...

    @property
    def time_saved(self) -> bool: ...


class EvaluationParts:
    """Collects what is asked for as tasks come, and then prints it."""

    def __init__(self, source: "AnnotatedInput", options: PartOptions) -> None:
        config = self._config = source.config
        self._project = source.project
        self._options = options
        self._push = _create_push(source) if options.push else None
        self._agreement = _create_agreement(config) if options.agreement else None
        self._errors = _create_label_errors(config) if options.label_errors else None
        self._time_saved = _create_time_saved(config) if options.time_saved else None

    @property
    def result_observers(self) -> "list[Callable[[TaskResult], None]]":
        """What gets each result of a task."""
        return [self._errors.add] if self._errors is not None else []

    def add_task(self, task: "AnnotatedTask", results: "Sequence[TaskResult]") -> None:
        """Take a task with its annotations and predictions, and what became of these."""
        if self._push is not None:
            self._push.add(task, results)
        if self._agreement is not None:
            self._agreement.add(task)
        if self._time_saved is not None:
            self._time_saved.add(task)

    def figures(self, evaluation: "Evaluation") -> dict[str, Any]:
        """Return the figures of the parts, for the report's JSON."""
        figures: dict[str, Any] = {}
        if self._agreement is not None:
            figures["agreement"] = self._agreement.figures()
        if self._errors is not None:
            figures["label_errors"] = [issue._asdict() for issue in self._errors.rows()]
        if self._time_saved is not None:
            figures["time_saved"] = self._time_saved.figures()
        if self._options.thresholds:
            figures["thresholds"] = {
                version: [_threshold_json(one) for one in found]
                for version, found in self._thresholds(evaluation).items()
            }
        return figures

    def push(self) -> "Iterator[str]":
        """Finish what is stored in the project; yield a sentence for each view."""
        if self._push is None:
            return
        yield self._push.finish()
        if self._errors is not None and self._project is not None:
            from shared.evaluation.pushed_results import push_label_errors

            tasks = (entry.task for entry in self._project)
            yield push_label_errors(self._project, self._errors.rows(), tasks)

    def print_tables(self, figures: dict[str, Any], evaluation: "Evaluation") -> None:
        """Print the report, and then each part."""
        console = create_console()
        print_report(figures, console)
        if self._agreement is not None:
            print_agreement(self._agreement, console=console)
        if self._errors is not None:
            print_label_errors(self._errors.rows(), console=console)
        if self._time_saved is not None:
            print_time_saved(self._time_saved, console)
        if self._options.thresholds:
            self._print_thresholds(evaluation, console)

    def _thresholds(self, evaluation: "Evaluation") -> "dict[str, list[Threshold]]":
        from shared.evaluation.thresholds import suggest_thresholds

        precision = self._options.precision
        return {
            name: suggest_thresholds(version.metrics, precision)
            for name, version in evaluation.versions.items()
        }

    def _print_thresholds(self, evaluation: "Evaluation", console: Any) -> None:
        from shared.evaluation.thresholds import config_with_thresholds, conflicting_attributes

        found = self._thresholds(evaluation)
        for version, thresholds in found.items():
            if len(found) > 1:
                console.print(f"Thresholds for {version}", markup=False, highlight=False)
            xml = config_with_thresholds(self._config, thresholds)
            notes = conflicting_attributes(self._config, thresholds)
            print_thresholds(thresholds, xml, notes, console)


def _create_push(source: "AnnotatedInput") -> "ResultPush":
    from shared.evaluation.pushed_results import ResultPush

    assert source.project is not None
    return ResultPush(source.project)


def _create_agreement(config: "LabelConfig") -> "Agreement":
    from shared.evaluation.annotators.agreement import Agreement

    return Agreement(config)


def _create_label_errors(config: "LabelConfig") -> "LabelErrors":
    from shared.evaluation.label_errors.collector import LabelErrors

    return LabelErrors(config)


def _create_time_saved(config: "LabelConfig") -> "TimeSaved":
    from shared.evaluation.annotators.time_saved import TimeSaved

    return TimeSaved(config)


def _threshold_json(threshold: "Threshold") -> dict[str, Any]:
    point = threshold.point._asdict() if threshold.point is not None else None
    note = {"note": threshold.note} if threshold.note else {}
    return {"control": threshold.control, "label": threshold.label, "point": point, **note}
