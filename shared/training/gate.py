"""The gate: whether a trained model is better on the held-out tasks than the one that serves.

Both predict them through the same pipeline as the server's. What is compared is each task's score
(its F1, see `shared.evaluation.metrics`), in pairs, so that hard tasks are hard for both.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from shared.backend.process_resources import shared_resources
from shared.evaluation.annotated_task import AnnotatedTask, StoredPrediction, TaskReader
from shared.evaluation.evaluation import Evaluation, TaskResult
from shared.evaluation.figures import figure_name
from shared.evaluation.fresh_predictions import FreshPredictions
from shared.evaluation.metrics.bootstrap import Bootstrap
from shared.evaluation.problems import ProblemLog
from shared.evaluation.truth import counted_annotations, latest_annotation
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.plan import NO_VERSION, PredictionPlan
from shared.pipeline.planner import Planner
from shared.pipeline.runtime import Runtime
from shared.training.confusion import ConfusionCounter

# A label collapses if its recall falls by more than this, where it has so many true cases.
MAX_RECALL_LOSS = 0.1
MIN_RECALL_CASES = 20
# Fewer tasks cannot tell two models apart, even if one is better on each: with five that happens
# by chance once in 32 times, which is what a 95 % interval may miss.
MIN_COMPARED_TASKS = 5
# Tasks that are compared with themselves beforehand.
CHECKED_TASKS = 50
# The figure that a reason names: the first that a control tag's metric has.
HEADLINES = ("accuracy", "f1", "hota", "mae", "cer", "spearman", "tau")

MakePlan = Callable[[Planner], PredictionPlan]
# The tasks anew for each model, as a reader that it is given reads them.
ReadTasks = Callable[[TaskReader], Iterable[AnnotatedTask]]


@dataclass(frozen=True)
class ModelScores:
    """How one model does on the held-out tasks.

    `scores` are those of the tasks, by their ids. `figures` is a control tag's part of
    `Evaluation.report()`. `version` is the model's; empty if nothing fills the control tag.
    `confusion` counts what was predicted for each true label.
    """

    version: str
    scores: Mapping[str, float]
    figures: Mapping[str, Any]
    failures: tuple[str, ...] = ()
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def headline(self) -> tuple[str, float, list[float] | None]:
        """The name of the figure that sums up the others, its value and its interval."""
        for key in HEADLINES:
            if key in self.figures:
                interval = self.figures.get("interval", {}).get(key)
                return figure_name(key), self.figures[key], interval
        mean = float(np.mean(list(self.scores.values()))) if self.scores else 0.0
        return "mean score", mean, None

    def describe(self) -> str:
        """Return the headline in words."""
        name, value, interval = self.headline
        between = f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
        return f"{name} {value:.2f}{between}"


@dataclass(frozen=True)
class HeldOutTasks:
    """The held-out tasks of a control tag. `config` is the label config with it alone."""

    control: str
    config: LabelConfig
    whole_config: LabelConfig
    read: ReadTasks

    def check(self) -> None:
        """Compare some tasks with themselves: SettingError says if a library is missing for it.

        So that it is said before a training rather than after it.
        """
        reader = self._reader()
        evaluation = Evaluation(self.config, versions=["truth"])
        for task in islice(self.read(reader), CHECKED_TASKS):
            truth = latest_annotation(counted_annotations(task)).regions
            evaluation.add(replace(task, predictions=(StoredPrediction(truth, "truth"),)))
        evaluation.report()

    def score(self, name: str, make_plan: MakePlan) -> ModelScores:
        """Let a plan predict the tasks; its models are unloaded at the end."""
        runtime = Runtime(shared_resources())
        try:
            plan = restrict_plan(make_plan(runtime.planner), self.control)
            return self._score(name, plan, runtime)
        finally:
            runtime.close()

    def _score(self, name: str, plan: PredictionPlan, runtime: Runtime) -> ModelScores:
        scores: dict[str, float] = {}

        def keep(result: TaskResult) -> None:
            score = result.outcomes[self.control].score
            # nothing is there and nothing was predicted
            scores[str(result.task.id)] = 1.0 if score is None else score

        confusion = ConfusionCounter(self.control, name)
        evaluation = Evaluation(self.config, versions=[name], observers=[keep, confusion])
        problems = ProblemLog()
        failed = []
        for task in self._predict(plan, runtime, problems):
            made = [replace(one, version=name) for one in task.predictions]
            if not made:
                failed.append(str(task.id))
            evaluation.add(
                replace(task, predictions=tuple(made[:1]) or (StoredPrediction((), name),))
            )
        scores |= dict.fromkeys(failed, 0.0)
        figures = evaluation.report()["versions"][name]["controls"][self.control]
        version = plan.own_version()
        version = "" if version == NO_VERSION else version
        failures = tuple(str(one) for one in problems) if plan.steps else ()
        return ModelScores(version, scores, figures, failures, confusion.table())

    def _predict(
        self, plan: PredictionPlan, runtime: Runtime, problems: ProblemLog
    ) -> Iterator[AnnotatedTask]:
        reader = self._reader()
        fresh = FreshPredictions(runtime.pipeline, [plan], reader, problems)
        return fresh.predict(self.read(reader))

    def _reader(self) -> TaskReader:
        media = shared_resources().media
        return TaskReader(self.whole_config, media, ProblemLog(), needs_predictions=False)


@dataclass(frozen=True)
class GateResult:
    """What the gate decides, and why.

    `reason` is a sentence without a beginning: what it says of the model that was trained.
    `figures` are those of both models, `confusion` is that of the candidate.
    """

    is_better: bool
    reason: str
    figures: Mapping[str, Any]
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def restrict_plan(plan: PredictionPlan, control: str) -> PredictionPlan:
    """Return a plan that fills one control tag, and what its backend fills together with it."""
    steps = []
    for step in plan.steps:
        claims = step.answered_claims
        kept = tuple(c for c in claims if any(one.name == control for one in c.controls))
        if kept:
            steps.append(replace(step, claims=kept))
    return replace(plan, steps=tuple(steps), preceding=())


def compare(candidate: ModelScores, serving: ModelScores) -> GateResult:
    """Decide whether the candidate is better than what serves, by the scores of the same tasks."""
    ids = list(candidate.scores)
    before = np.array([serving.scores[one] for one in ids])
    gains = np.array([candidate.scores[one] for one in ids]) - before
    interval = Bootstrap(len(ids)).interval(np.arange(len(ids)), gains, np.ones(len(ids)))
    mean = float(gains.mean()) if len(ids) else 0.0
    low, high = interval or (0.0, 0.0)
    obstacle = _find_obstacle(candidate, serving, mean, low)
    figures = {
        "candidate": candidate.figures,
        **({"serving": serving.figures} if serving.version else {}),
        "serving_version": serving.version,
        "is_better": obstacle is None,
        "tasks": len(ids),
        "gain": mean,
        "gain_interval": [low, high],
    }
    compared = f"{candidate.describe()} on {_count_tasks(len(ids))}, {_describe_serving(serving)}"
    change = f"a task's score changes by {mean:+.3f} ({low:+.3f} to {high:+.3f})"
    reason = "; ".join(filter(None, [compared, change, obstacle, _describe_failures(candidate)]))
    return GateResult(obstacle is None, reason, {**figures, "reason": reason}, candidate.confusion)


def _find_obstacle(
    candidate: ModelScores, serving: ModelScores, mean: float, low: float
) -> str | None:
    """Return why the candidate does not count as better; None if it does."""
    if mean <= 0:
        return "it is not better"
    serves_nothing = not serving.version or not any(serving.scores.values())
    if len(candidate.scores) < MIN_COMPARED_TASKS and not serves_nothing:
        return f"{MIN_COMPARED_TASKS} held-out tasks are needed to tell them apart"
    if low <= 0:
        return "that may be chance"
    fallen = _find_collapsed(candidate.figures, serving.figures)
    return f"but the recall of {fallen}" if fallen else None


def _find_collapsed(candidate: Mapping[str, Any], serving: Mapping[str, Any]) -> str:
    """Return which labels are found much more rarely, in words; empty if none is."""
    found = []
    for label, before in serving.get("labels", {}).items():
        after = candidate.get("labels", {}).get(label, {})
        cases = before.get("regions", {}).get("truth", 0)
        was, now = before.get("recall", 0.0), after.get("recall", 0.0)
        if cases >= MIN_RECALL_CASES and was - now > MAX_RECALL_LOSS:
            found.append(f'"{label}" falls from {was:.2f} to {now:.2f} ({cases} cases)')
    return ", ".join(found)


def _describe_serving(serving: ModelScores) -> str:
    if not serving.version:
        return "where nothing serves"
    return f"the serving model {serving.headline[1]:.2f}"


def _describe_failures(candidate: ModelScores) -> str:
    return f"it could not predict everything: {candidate.failures[0]}" if candidate.failures else ""


def _count_tasks(count: int) -> str:
    return f"{count:,} held-out task" + ("" if count == 1 else "s")
