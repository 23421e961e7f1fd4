"""Trains a temporal network on a dataset of videos."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from backends.detection.timeline.attributes import TimelineOptions
from backends.detection.timeline.frame_features import FrameFeatures
from backends.detection.timeline.labelled_frames import read_videos
from backends.detection.timeline.training_videos import (
    FeatureReader,
    StoredFeatures,
    sample_frames,
)
from backends.detection.timeline.weights import (
    FeatureSource,
    TimelineDescription,
    holds_timeline,
    load_timeline,
    save_timeline,
)
from shared.backend.training import TrainingError, TrainingMemoryError, TrainingRun
from shared.media.video import VideoLimits
from shared.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TimelineTraining:
    """One training: the network whose features are used, and the settings under which it runs."""

    run: TrainingRun
    source: FeatureSource
    settings: Settings
    precision: str

    def train(self) -> None:
        """Write the trained network to the output; TrainingError if nothing can be learned."""
        import torch

        options = TimelineOptions.of_control(self.run.control)
        try:
            with (
                _threads(self.run.threads),
                TemporaryDirectory(dir=self.run.output.parent, prefix="features-") as folder,
            ):
                torch.manual_seed(self.run.seed)
                self._train(options, Path(folder))
        except (MemoryError, torch.OutOfMemoryError):
            raise TrainingMemoryError(f"{self.run.control}: out of memory") from None

    def _train(self, options: TimelineOptions, folder: Path) -> None:
        reader = self._make_reader(options, folder)
        videos = self._read_part("train", reader)
        labels = self._learned_labels(videos)
        validation = self._read_part("val", reader)
        if not validation:
            logger.warning(
                "%s: there are no validation videos: which epoch is the best, and when to stop, is"
                " told by the training videos themselves",
                self.run.control,
            )
        description, network = self._make_network(videos, labels, options)
        columns = [self.run.labels.index(label) for label in labels]
        of_training = self._project(network, videos, columns)
        of_validation = self._project(network, validation, columns)
        self._learn(network, options, of_training, of_validation)
        save_timeline(self.run.output, description, network)

    def _make_reader(self, options: TimelineOptions, folder: Path) -> FeatureReader:
        source = self.source
        settings = self.settings.model_copy(update={"device": self.run.device})
        features = FrameFeatures.load(source.model, source.image_size, settings, self.precision)
        limits = VideoLimits(settings.max_megapixels, settings.max_video_frames)
        return FeatureReader(features, folder, limits, options.frame_step)

    def _read_part(self, part: str, reader: FeatureReader) -> list[StoredFeatures]:
        videos, control = read_videos(self.run, part), self.run.control.name
        return reader.read_all(videos, control, self.run.labels)

    def _learned_labels(self, videos: Sequence[StoredFeatures]) -> tuple[str, ...]:
        """Return the labels that hold on some frame of the training videos."""
        if not videos:
            raise TrainingError(f"{self.run.control}: no video of the dataset can be read")
        held = sum(video.labels.sum(axis=0) for video in videos)
        labels = tuple(label for label, count in zip(self.run.labels, held, strict=True) if count)
        if not labels:
            raise TrainingError(
                f"{self.run.control}: no frame of the {len(videos)} training videos has one of its"
                " labels: annotate some"
            )
        for label in set(self.run.labels).difference(labels):
            logger.warning(
                '%s: no frame of the training videos has the label "%s": it cannot be predicted',
                self.run.control,
                label,
            )
        return labels

    def _make_network(
        self, videos: Sequence[StoredFeatures], labels: tuple[str, ...], options: TimelineOptions
    ) -> tuple[TimelineDescription, Any]:
        """Return a network to train: the one that serves if it fits, else a new one."""
        projections = self._find_projections(videos, options)
        whole, cells, changes = (len(components) for _, components in projections)
        features = len(projections[0][0])
        made = TimelineDescription(
            labels, self.source, options.size, options.frame_step, features, (whole, cells, changes)
        )
        base = self.run.base
        if base is not None and holds_timeline(base):
            known, network = load_timeline(base)
            if known.fits(made):
                return known, network.to(self.run.device)
            logger.info("%s: begins anew, as labels or options have changed", self.run.control)
        network = made.build_network()
        for part, projection in zip(
            (network.whole, network.cells, network.changes), projections, strict=True
        ):
            part.set(*projection)
        return made, network.to(self.run.device)

    def _find_projections(
        self, videos: Sequence[StoredFeatures], options: TimelineOptions
    ) -> list[tuple[Any, Any]]:
        """Return mean and components for the whole frame, its cells, and their changes."""
        import torch

        from backends.detection.timeline import network

        lag = network.change_lag(options.size.sequence_size)
        features, changes = (torch.from_numpy(one) for one in sample_frames(videos, lag))
        return [
            network.block_components(features, network.WHOLE),
            network.block_components(features, network.CELLS),
            network.block_components(changes, network.CHANGES),
        ]

    def _project(
        self, network: Any, videos: Sequence[StoredFeatures], columns: Sequence[int]
    ) -> list[Any]:
        """Return what the network's streams see of videos, with the labels of some columns."""
        import torch

        from backends.detection.timeline.learning import VideoTensors

        device, found = self.run.device, []
        with torch.no_grad():
            for video in videos:
                features = torch.from_numpy(np.asarray(video.read(), np.float32)).to(device)
                labels = torch.from_numpy(video.labels[:, columns]).to(device)
                found.append(VideoTensors(network.project(features), labels))
        return found

    def _learn(
        self,
        network: Any,
        options: TimelineOptions,
        training: Sequence[Any],
        validation: Sequence[Any],
    ) -> None:
        """Train the streams side by side, and keep the best state of each."""
        from backends.detection.timeline import learning

        run, threshold = self.run, options.score_threshold
        checks = learning.Validation(validation or training, threshold, bool(validation))
        batch_size = max(int(learning.BATCH_SEQUENCES * run.batch_scale), 1)
        random = np.random.default_rng(run.seed)
        size = options.size.sequence_size
        sampler = learning.SequenceSampler(training, size, batch_size, random)
        learners = [learning.StreamLearner(stream, sampler) for stream in network.streams]
        epochs = min(options.epochs, run.max_epochs or options.epochs)
        for epoch in range(1, epochs + 1):
            losses = [one.run_epoch() for one in learners if one.is_learning]
            stream_losses, figures = checks.measure(network)
            for learner, loss in zip(learners, stream_losses, strict=True):
                if learner.is_learning:
                    learner.note_loss(loss)
            goes_on = run.report(
                epoch,
                epochs,
                loss=sum(losses) / len(losses),
                val_loss=figures.loss,
                f1=figures.f1,
                accuracy=figures.accuracy,
            )
            is_done = not any(learner.is_learning for learner in learners)
            if not goes_on or is_done or options.is_reached(figures.f1, figures.accuracy):
                break
        for learner in learners:
            learner.restore_best()
        checks.measure(network)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch use this many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
