"""The job that trains a project's models: called by `shared.jobs` in a process of its own."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.backend.process_resources import shared_resources
from shared.backend.training import TrainingError
from shared.errors import PrelabelError
from shared.evaluation.problems import ProblemLog
from shared.jobs.context import JobContext
from shared.jobs.job import JobError
from shared.jobs.job_folder import LOG_FILE
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import Runtime
from shared.training.device import choose_device
from shared.training.serving_choice import choose_versions
from shared.training.snapshot import Snapshot
from shared.training.source import TrainingSource
from shared.training.tag_outcome import TagOutcome
from shared.training.tag_scope import TagScope
from shared.training.tag_training import TagTraining
from shared.training.trainable import ServingBackends, TrainableTag, find_trainable
from shared.training.training_tools import TrainingTools
from shared.training.version_store import VersionStore

logger = logging.getLogger(__name__)


def run_training(context: JobContext) -> Mapping[str, Any]:
    """Train the control tags of a project, one after the other; return what became of each.

    TrainingError, with all reasons in one sentence, if none could be trained.
    """
    return ProjectTraining(context, ServingBackends.from_settings(context.settings)).run()


@dataclass
class ProjectTraining:
    """One training of a project with the backends that serve here."""

    context: JobContext
    backends: ServingBackends

    def run(self) -> Mapping[str, Any]:
        """Read the annotations once, and train each control tag that can be."""
        problems = ProblemLog()
        snapshot = Snapshot(self.context.folder / "snapshot.jsonl")
        config = self._take_snapshot(snapshot, problems)
        tools = self._tools(snapshot)
        tags = self._wanted(self._find_tags(config, tools))
        outcomes = [self._train(tag, config, tools) for tag in tags]
        message = _describe(outcomes)
        if not any(outcome.version for outcome in outcomes):
            raise TrainingError(message)
        self.context.say(message)
        return {
            "tasks": snapshot.annotated_tasks,
            "controls": [outcome.to_json() for outcome in outcomes],
            "problems": [str(problem) for problem in problems],
        }

    def _take_snapshot(self, snapshot: Snapshot, problems: ProblemLog) -> LabelConfig:
        source = TrainingSource.from_json(self.context.arguments)
        self.context.say("reads the annotated tasks")
        with source.open(self.context.settings) as opened:
            opened.check_key(self.context.job.key)
            snapshot.take(
                opened.tasks,
                problems,
                lambda count: self.context.report(stage="read", tasks=count),
            )
            return opened.config

    def _tools(self, snapshot: Snapshot) -> TrainingTools:
        context, settings = self.context, self.context.settings
        store = VersionStore(settings.train_dir)
        # A first attempt whose process was killed may have filled the memory.
        scale = 1.0 if context.job.attempts <= 1 else 0.5
        return TrainingTools(
            context.job.key,
            settings,
            self.backends,
            shared_resources().media,
            store,
            snapshot,
            {one.control: one for one in choose_versions(store, context.job.key, {}).versions},
            context.folder,
            context.report,
            context.folder.parent / LOG_FILE,
            choose_device(settings),
            scale,
            int(context.arguments.get("max_epochs", 0)),
        )

    def _find_tags(self, config: LabelConfig, tools: TrainingTools) -> list[TrainableTag]:
        runtime = Runtime(shared_resources())
        try:
            chosen = self.backends.only(self.context.arguments.get("backends", ()))
            plan = chosen.plan(runtime.planner, config, tools.serving_weights)
            return find_trainable(plan)
        finally:
            runtime.close()

    def _wanted(self, tags: Sequence[TrainableTag]) -> list[TrainableTag]:
        """Return the control tags that were asked for; all, if none was."""
        names = self.context.arguments.get("controls", ())
        there = {tag.control.name for tag in tags}
        for name in names:
            if name not in there:
                known = ", ".join(f'"{one}"' for one in sorted(there)) or "none"
                raise TrainingError(
                    f'the label config has no control tag "{name}" to train; it has: {known}'
                )
        return [tag for tag in tags if not names or tag.control.name in names]

    def _train(self, tag: TrainableTag, config: LabelConfig, tools: TrainingTools) -> TagOutcome:
        """Train a control tag; what goes wrong costs only itself."""
        control = tag.control
        if tag.obstacle is not None or tag.backend is None or tag.claim is None:
            return TagOutcome(control.name, control.tag, tag.obstacle or "")
        self.context.say(f"trains {control}")
        try:
            companions = tuple(tag.backend.training_controls(tag.claim))
            objects = tuple(tag.backend.training_objects(tag.claim))
            scope = TagScope(config, tag.claim, companions, objects)
            return TagTraining(tools, tag.backend, scope).run()
        except JobError:  # it was cancelled
            raise
        except PrelabelError as error:
            logger.warning("%s is not trained: %s", control, error)
            return TagOutcome(control.name, control.tag, str(error), tag.backend.name)


def _describe(outcomes: Sequence[TagOutcome]) -> str:
    """Return in one sentence what became of all control tags."""
    if not outcomes:
        return "the label config has no control tags: nothing is trained"
    return "; ".join(outcome.sentence for outcome in outcomes)
