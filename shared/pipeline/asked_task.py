"""What language models are asked about one task, and what they answer: for `prelabel prompt`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared.backend.asked_question import AskedQuestion, GivenAnswer
from shared.backend.base import Backend
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task import Task
from shared.label_studio.task_labels import with_task_labels
from shared.pipeline.models import ModelRegistry
from shared.pipeline.plan import ModelStep, PredictionPlan
from shared.pipeline.prediction import Prediction
from shared.results import Omission, Region


@dataclass(frozen=True)
class AskedStep:
    """The questions of one step of a plan: several, for example, where a text has windows.

    `config` is the label config with the labels of the task.
    """

    plan: PredictionPlan
    step: ModelStep
    config: LabelConfig
    parts: Sequence[Any]
    questions: Sequence[AskedQuestion]

    @property
    def controls(self) -> list[str]:
        """The names of the control tags that are asked for."""
        return [control.name for claim in self.step.claims for control in claim.controls]

    def ask(self, models: ModelRegistry) -> "StepAnswer":
        """Ask the model, which is loaded if need be; raises what it costs the task."""
        backend = self.step.backend
        queue = models.get_or_load(backend, self.step.spec)
        futures = [queue.submit(part, interactive=True) for part in self.parts]
        outputs = [future.result() for future in futures]
        answers = [answer for one in outputs if (answer := backend.describe_answer(one))]
        return StepAnswer(answers, self._predict(backend.join(outputs)))

    def _predict(self, output: Any) -> Prediction:
        found = [
            one for claim in self.step.claims for one in self.step.backend.regions(output, claim)
        ]
        regions = [one for one in found if isinstance(one, Region)]
        prediction = Prediction.build(
            regions,
            self.config,
            self.plan.version(),
            self.plan.score_mode,
            self.plan.min_score,
        )
        return prediction.with_omissions(one for one in found if isinstance(one, Omission))


@dataclass(frozen=True)
class StepAnswer:
    """The answers to the questions of a step, in their order, and the prediction they make."""

    answers: Sequence[GivenAnswer]
    prediction: Prediction


def asks_language_model(cls: type[Backend]) -> bool:
    """Return whether a backend is one that asks a language model: it says what it asks."""
    return cls.describe_question is not Backend.describe_question


def read_asked_steps(plans: Sequence[PredictionPlan], raw_task: Any) -> Iterator[AskedStep]:
    """Yield the steps of plans in which a language model is asked about a task.

    Raises TaskError if the task cannot be read. No model is loaded, and nothing is sent.
    """
    task = Task.parse(raw_task)
    for plan in plans:
        config = plan.config
        if config.dynamic_controls:
            config = with_task_labels(config, task.data)
        for step in plan.steps:
            if not asks_language_model(type(step.backend)):
                continue
            own = step if config is plan.config else step.for_task(config)
            item = own.backend.read(task, own.claims[0], None)
            parts = list(own.backend.split(item))
            described = [own.backend.describe_question(part, own.spec) for part in parts]
            questions = [question for question in described if question is not None]
            if questions:
                yield AskedStep(plan, own, config, parts, questions)
