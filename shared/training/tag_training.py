"""The training of one control tag: dataset, trainer, gate, and the version that comes of it."""

import gc
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from shared.backend.base import Backend
from shared.backend.claim import Claim
from shared.backend.training import TrainedWeights, TrainingError, TrainingRun
from shared.errors import PrelabelError
from shared.evaluation.annotated_task import AnnotatedTask, TaskReader
from shared.evaluation.problems import ProblemLog
from shared.jobs.job_folder import DISK_FULL
from shared.training.epoch_log import EpochLog
from shared.training.gate import GateResult, HeldOutTasks, compare
from shared.training.leavings import Leavings, write_leavings
from shared.training.tag_dataset import MANIFEST_FILE, TagDataset, TagDatasetBuilder
from shared.training.tag_outcome import TagOutcome
from shared.training.tag_scope import TagScope
from shared.training.trainer_call import TrainerCall
from shared.training.training_tools import TrainingTools
from shared.training.version_store import WEIGHTS_FOLDER, TrainedVersion

logger = logging.getLogger(__name__)

PARTS_FILE = "split.json"
# What a job's progress says of epochs.
EPOCH_KEYS = ("epoch", "epochs", "loss", "metrics", "remaining_seconds")


@dataclass
class TagTraining:
    """Trains one control tag, in a folder of its own that is moved into the version store."""

    tools: TrainingTools
    backend: Backend
    scope: TagScope

    def __post_init__(self) -> None:
        self._folder = self.tools.folder / "tag"
        self._staged = self._folder / "version"
        self._created = datetime.now(timezone.utc).isoformat(timespec="seconds")

    @property
    def _claim(self) -> Claim:
        return self.scope.claim

    @property
    def _name(self) -> str:
        return self._claim.control.name

    def run(self) -> TagOutcome:
        """Train, compare and keep the version; PrelabelError says why there is none."""
        try:
            (self._staged / WEIGHTS_FOLDER).mkdir(parents=True)
            return self._run()
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            raise TrainingError("the disk of TRAIN_DIR is full: free some room") from None
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self) -> TagOutcome:
        builder = self._builder()
        dataset = builder.build(self.backend, self._folder / "dataset")
        held_out = self._held_out(dataset)
        held_out.check()
        log = EpochLog(self.tools.report, self._name, self.tools.settings.train_max_minutes * 60)
        call = TrainerCall(self.backend, self._training_run(dataset, log), log)
        self._report("train")
        call.train()
        self._report("compare")
        result = self._compare(held_out, dataset)
        lacking = self._leave(dataset, call, result)
        version = self._add(dataset, result)
        return self._publish(version, dataset, result, lacking)

    def _builder(self) -> TagDatasetBuilder:
        def report(stage: str, done: int) -> None:
            self._report(f"dataset: {stage}", done)

        parts = self.tools.store.control_folder(self.tools.project, self._name) / PARTS_FILE
        tools, fetched = self.tools, self.tools.folder / "media"
        return TagDatasetBuilder(self.scope, tools.snapshot, tools.media, parts, fetched, report)

    def _report(self, stage: str, tasks: int | None = None) -> None:
        """Report what is being done; what was said of epochs does not hold any more."""
        epochs = dict.fromkeys(EPOCH_KEYS)
        self.tools.report(**{**epochs, "control": self._name, "stage": stage, "tasks": tasks})

    def _training_run(self, dataset: TagDataset, log: EpochLog) -> TrainingRun:
        base = self._base
        return TrainingRun(
            dataset.config,
            self._claim.control,
            dataset.labels,
            dataset.folder,
            base.weights.folder if base is not None else None,
            self._staged / WEIGHTS_FOLDER,
            self.tools.settings.train_threads,
            self.tools.device,
            self.tools.batch_scale,
            self.tools.max_epochs,
            on_epoch=log,
        )

    @property
    def _base(self) -> TrainedVersion | None:
        """The version to go on from: the one that serves, if this backend has trained it."""
        serving = self.tools.serving.get(self._name)
        return serving if serving is not None and serving.backend == self.backend.name else None

    def _held_out(self, dataset: TagDataset) -> HeldOutTasks:
        wanted, snapshot = dataset.held_out, self.tools.snapshot

        def read(reader: TaskReader) -> Iterator[AnnotatedTask]:
            tasks = snapshot.read(reader, ProblemLog())
            return (task for task in tasks if str(task.id) in wanted)

        return HeldOutTasks(self._name, self.scope.own_config, self.scope.config, read)

    def _compare(self, tasks: HeldOutTasks, dataset: TagDataset) -> GateResult:
        """Let the model that serves and the new one predict the held-out tasks."""
        backends, config = self.tools.backends, self.scope.config
        now = self.tools.serving_weights
        own = TrainedWeights(
            self.backend.name,
            self._staged / WEIGHTS_FOLDER,
            f"candidate-{dataset.manifest.version[:8]}",
        )
        serving = tasks.score("serving", lambda planner: backends.plan(planner, config, now))
        gc.collect()
        candidate = tasks.score(
            "candidate",
            lambda planner: backends.plan(planner, config, {**now, self._name: own}),
        )
        return compare(candidate, serving)

    def _leave(self, dataset: TagDataset, call: TrainerCall, result: GateResult) -> list[str]:
        """Write what stays beside the weights; return what could not be written."""
        settings = {
            **call.settings(),
            "max_minutes": self.tools.settings.train_max_minutes,
            "base": self._base.name if self._base is not None else None,
        }
        leavings = Leavings(
            self._claim.control,
            self._claim.object,
            self.backend.name,
            dataset.labels,
            dataset.manifest.version,
            dataset.folder / MANIFEST_FILE,
            call.log.epochs,
            result.figures,
            result.confusion if any(result.confusion.values()) else {},
            settings,
            call.log.seconds,
            self.tools.log,
            self._created,
        )
        return write_leavings(self._staged, leavings)

    def _add(self, dataset: TagDataset, result: GateResult) -> TrainedVersion:
        details = {
            "snapshot": dataset.manifest.version,
            "created": self._created,
            "figures": result.figures,
        }
        tools = self.tools
        return tools.store.add(self._staged, tools.project, self.backend.name, self._name, details)

    def _prune(self) -> None:
        """Remove old versions; that they stay is no reason for a training to fail."""
        try:
            self.tools.store.prune(self.tools.project, self.tools.settings.train_keep)
        except (PrelabelError, OSError) as error:
            logger.warning("old versions cannot be removed: %s", error)

    def _publish(
        self,
        version: TrainedVersion,
        dataset: TagDataset,
        result: GateResult,
        lacking: Sequence[str],
    ) -> TagOutcome:
        has_gate = self.tools.settings.train_gate
        serves = result.is_better or not has_gate
        if serves:
            self.tools.store.promote(version)
        self._prune()
        reason = result.reason
        if not has_gate and not result.is_better:
            reason += "; served nevertheless, since TRAIN_GATE is off"
        return TagOutcome(
            self._name,
            self._claim.control.tag,
            reason,
            self.backend.name,
            version.name,
            serves,
            dataset.labels,
            (*dataset.notes, *lacking),
        )
