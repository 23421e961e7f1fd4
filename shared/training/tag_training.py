"""The training of one control tag: dataset, trainer, gate, and the version that comes of it."""

import gc
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from shared.backend.base import Backend
from shared.backend.claim import Claim
from shared.backend.training import (
    TrainedWeights,
    TrainingError,
    TrainingMemoryError,
    TrainingRun,
)
from shared.errors import PrelabelError
from shared.evaluation.annotated_task import AnnotatedTask, TaskReader
from shared.evaluation.problems import ProblemLog
from shared.jobs.job_folder import DISK_FULL
from shared.media.reader import MediaReader
from shared.settings import Settings
from shared.training.epoch_log import EpochLog, ReportProgress
from shared.training.gate import GateResult, HeldOutTasks, compare
from shared.training.leavings import Leavings, write_leavings
from shared.training.snapshot import Snapshot
from shared.training.tag_dataset import MANIFEST_FILE, TagDataset, TagDatasetBuilder
from shared.training.tag_scope import TagScope
from shared.training.trainable import ServingBackends
from shared.training.version_store import WEIGHTS_FOLDER, TrainedVersion, VersionStore

logger = logging.getLogger(__name__)

# Batches become half as large after the memory was full, down to this share.
MIN_BATCH_SCALE = 1 / 8
PARTS_FILE = "split.json"
# What a job's progress says of epochs.
EPOCH_KEYS = ("epoch", "epochs", "loss", "metrics", "remaining_seconds")


@dataclass(frozen=True)
class TrainingTools:
    """What all control tags of a training share.

    `serving` are the versions that served when it began, by control tag. `report` takes what the
    job's progress says.
    """

    project: str
    settings: Settings
    backends: ServingBackends
    media: MediaReader
    store: VersionStore
    snapshot: Snapshot
    serving: Mapping[str, TrainedVersion]
    folder: Path
    report: ReportProgress
    log: Path
    device: str = "cpu"
    batch_scale: float = 1.0
    max_epochs: int = 0

    @property
    def serving_weights(self) -> dict[str, TrainedWeights]:
        """The weights that serve, by control tag."""
        return {control: version.weights for control, version in self.serving.items()}


@dataclass(frozen=True)
class TagOutcome:
    """What became of a control tag: a version that serves, a candidate, or nothing.

    `reason` says why, in a part of a sentence. The figures stand in the version's `version.json`.
    """

    control: str
    tag: str
    reason: str
    backend: str = ""
    version: str = ""
    is_serving: bool = False
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What became of it, without a full stop."""
        what = "is not trained"
        if self.version:
            what = f"is served by {self.version}" if self.is_serving else "is not served by the new"
            what += "" if self.is_serving else f" {self.version}, which is kept as a candidate"
        return f'{self.tag} "{self.control}" {what}: {self.reason}'

    def to_json(self) -> dict[str, Any]:
        """Return it as the job's result has it."""
        state = "not trained"
        if self.version:
            state = "serving" if self.is_serving else "candidate"
        found = {
            "control": self.control,
            "tag": self.tag,
            "state": state,
            "reason": self.reason,
            "backend": self.backend,
            "version": self.version,
            "labels": list(self.labels),
            "notes": list(self.notes),
        }
        return {key: value for key, value in found.items() if value not in ("", [])}


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
        self._train(dataset, log)
        self._report("compare")
        result = self._compare(held_out, dataset)
        lacking = self._leave(dataset, log, result)
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

    # Training

    def _train(self, dataset: TagDataset, log: EpochLog) -> None:
        """Train; with smaller batches if the memory does not suffice."""
        scale = self.tools.batch_scale
        run = self._training_run(dataset, log)
        while True:
            log.begin_attempt()
            self._last_run = replace(run, batch_scale=scale)
            try:
                self._call_trainer(self._last_run)
                return
            except TrainingMemoryError as error:
                if scale <= MIN_BATCH_SCALE:
                    raise TrainingError(
                        "the memory does not suffice, even with an eighth of the batch size: use a"
                        f" smaller model or a machine with more memory ({error})"
                    ) from None
                scale /= 2
                logger.warning("%s; again with %g of the batch size", error, scale)
            _empty(run.output)
            gc.collect()

    def _training_run(self, dataset: TagDataset, log: EpochLog) -> TrainingRun:
        serving = self.tools.serving.get(self._name)
        is_own = serving is not None and serving.backend == self.backend.name
        return TrainingRun(
            dataset.config,
            self._claim.control,
            dataset.labels,
            dataset.folder,
            serving.weights.folder if serving is not None and is_own else None,
            self._staged / WEIGHTS_FOLDER,
            self.tools.settings.train_threads,
            self.tools.device,
            max_epochs=self.tools.max_epochs,
            on_epoch=log,
        )

    def _call_trainer(self, run: TrainingRun) -> None:
        """Call the backend. The one place where what it raises is caught."""
        try:
            self.backend.train(run)
        except PrelabelError:
            raise
        except MemoryError:
            raise TrainingMemoryError("the memory of this machine is used up") from None
        except OSError as error:
            if error.errno in DISK_FULL:
                raise
            raise self._unknown_failure(error) from None
        except Exception as error:  # a trainer may raise anything
            raise self._unknown_failure(error) from None
        if not any(path.is_file() for path in run.output.rglob("*")):
            raise TrainingError(f"{self.backend.name} has written no weights")

    def _unknown_failure(self, error: Exception) -> TrainingError:
        logger.error("Training with %s failed", self.backend.name, exc_info=error)
        name = type(error).__name__
        return TrainingError(f"{self.backend.name} failed with {name} (the log has the details)")

    # The gate

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

    # The version

    def _leave(self, dataset: TagDataset, log: EpochLog, result: GateResult) -> list[str]:
        """Write what stays beside the weights; return what could not be written."""
        leavings = Leavings(
            self._claim.control,
            self._claim.object,
            self.backend.name,
            dataset.labels,
            dataset.manifest.version,
            dataset.folder / MANIFEST_FILE,
            log.epochs,
            result.figures,
            result.confusion if any(result.confusion.values()) else {},
            self._run_settings(log),
            log.seconds,
            self.tools.log,
            self._created,
        )
        return write_leavings(self._staged, leavings)

    def _run_settings(self, log: EpochLog) -> dict[str, Any]:
        """Return what the trainer was told."""
        run, serving = self._last_run, self.tools.serving.get(self._name)
        return {
            "seed": run.seed,
            "device": run.device,
            "threads": run.threads,
            "batch_scale": run.batch_scale,
            "max_epochs": run.max_epochs,
            "max_minutes": self.tools.settings.train_max_minutes,
            "base": serving.name if run.base is not None and serving is not None else None,
        }

    def _add(self, dataset: TagDataset, result: GateResult) -> TrainedVersion:
        details = {
            "snapshot": dataset.manifest.version,
            "created": self._created,
            "figures": result.figures,
        }
        tools = self.tools
        return tools.store.add(self._staged, tools.project, self.backend.name, self._name, details)

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
        self.tools.store.prune(self.tools.project, self.tools.settings.train_keep)
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


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
