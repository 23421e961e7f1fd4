"""A label config predicted with data of ours: who fills it, and what comes out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from shared.backend.base import Backend
from shared.backend.registry import choose_backends, split_available
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.sample_data import make_sample_data
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import Runtime
from shared.results.validation import check_task


@dataclass(frozen=True)
class SampleRun:
    """What became of a label config.

    - `task`: the data, and the predictions as a list of none or one
    - `filled_by`: the backend that the plan gives each control tag, by name
    - `problems`: why control tags are filled by nobody; `failures`: why the prediction lacks
      something, or Label Studio would not take it
    """

    config: LabelConfig
    task: Mapping[str, Any]
    filled_by: Mapping[str, str]
    problems: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    @property
    def results(self) -> Sequence[Mapping[str, Any]]:
        """The results of its prediction, if it got one."""
        return [result for one in self.task["predictions"] for result in one["result"]]

    def count_results(self) -> Counter[str]:
        """Return how many results each control tag got, by its name.

        The labels of a track stand in its own result, and count for their Labels tag.
        """
        counts = Counter(str(result.get("from_name")) for result in self.results)
        for result in self.results:
            if result.get("type") == "videorectangle" and result["value"].get("labels"):
                tags = self.config.controls_on(str(result.get("to_name")))
                counts.update(tag.name for tag in tags if tag.tag == "Labels")
        return counts


class SampleRunner:
    """Predicts label configs with the backends that serve in this process, one after another."""

    def __init__(self, runtime: Runtime, names: Sequence[str] = ()) -> None:
        """`names` are backends, or `backend:model`; without them those of the server serve."""
        self._runtime = runtime
        names = names or runtime.settings.backends
        self._names = [name.partition(":")[0] for name in names]
        self._classes: list[type[Backend]]
        self._classes, self.unavailable = split_available(choose_backends(names))
        self._number = 0

    def run(self, config: LabelConfig, own: Mapping[str, Any] = MappingProxyType({})) -> SampleRun:
        """Predict one task whose data is made for the label config, but for what is one's `own`."""
        self._number += 1
        data = {**make_sample_data(config), **own}
        task: dict[str, Any] = {"id": f"sample-{self._number}", "data": data}
        planner = self._runtime.planner
        plan = planner.plan_all(config, self._classes, self._names)[0]
        task["predictions"], failures = self._predict(plan, task) if plan.steps else ([], [])
        failures += [finding.message for finding in check_task(config, task)]
        apart = tuple(dict.fromkeys(failures))
        return SampleRun(config, task, plan.filled_by(), plan.problems, apart)

    def _predict(
        self, plan: PredictionPlan, task: Mapping[str, Any]
    ) -> tuple[list[dict[str, Any]], list[str]]:
        """Return the prediction, and why there is none or why it lacks something."""
        with closing(self._runtime.pipeline.run(plan, [task])) as outcomes:
            [outcome] = outcomes
        failures = [str(outcome.error)] if outcome.error is not None else []
        failures += [
            failure["message"]
            for failure in self._runtime.failures.recent()
            if failure["task"] == task["id"]
        ]
        found = outcome.prediction
        return [] if found is None else [found.to_json()], failures
