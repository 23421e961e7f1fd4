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

MOST_COMPONENTS = 128
# Training ends after this many epochs without a lower loss on the validation videos.
PATIENCE = 20


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
        videos = self._read_part("train", options, folder)
        labels = self._learned_labels(videos)
        validation = self._read_part("val", options, folder)
        if not validation:
            logger.warning(
                "%s: there are no validation videos: which epoch is the best, and when to stop, is"
                " told by the training videos themselves",
                self.run.control,
            )
        description, network = self._make_network(videos, labels, options)
        columns = [self.run.labels.index(label) for label in labels]
        of_training = self._project(network, videos, columns)
        of_validation = self._project(network, validation, columns) or of_training
        self._learn(network, options, of_training, of_validation)
        save_timeline(self.run.output, description, network)

    def _read_part(self, part: str, options: TimelineOptions, folder: Path) -> list[StoredFeatures]:
        source = self.source
        settings = self.settings.model_copy(update={"device": self.run.device})
        features = FrameFeatures.load(source.model, source.image_size, settings, self.precision)
        limits = VideoLimits(settings.max_megapixels, settings.max_video_frames)
        reader = FeatureReader(features, folder, limits, options.frame_step)
        control = self.run.control.name
        return reader.read_all(read_videos(self.run, part), control, self.run.labels)

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
        import torch

        from backends.detection.timeline.network import principal_components

        sample = torch.from_numpy(sample_frames(videos))
        mean, components = principal_components(sample, MOST_COMPONENTS)
        made = TimelineDescription(
            labels, self.source, options.size, options.frame_step, *components.shape[::-1]
        )
        base = self.run.base
        if base is not None and holds_timeline(base):
            known, network = load_timeline(base)
            if known.fits(made):
                return known, network.to(self.run.device)
            logger.info("%s: begins anew, as labels or options have changed", self.run.control)
        network = made.build_network()
        network.set_projection(mean, components)
        return made, network.to(self.run.device)

    def _project(
        self, network: Any, videos: Sequence[StoredFeatures], columns: Sequence[int]
    ) -> list[Any]:
        import torch

        from backends.detection.timeline.learning import VideoTensors

        device = self.run.device
        found = []
        with torch.inference_mode():
            for video in videos:
                features = torch.from_numpy(np.asarray(video.read(), np.float32)).to(device)
                labels = torch.from_numpy(video.labels[:, columns]).to(device)
                found.append(VideoTensors(network.project(features).clone(), labels))
        return found

    def _learn(
        self,
        network: Any,
        options: TimelineOptions,
        training: Sequence[Any],
        validation: Sequence[Any],
    ) -> None:
        from backends.detection.timeline.learning import (
            BATCH_SEQUENCES,
            Learner,
            SequenceSampler,
            measure,
        )

        size, run = options.size.sequence_size, self.run
        batch_size = max(int(BATCH_SEQUENCES * run.batch_scale), 1)
        sampler = SequenceSampler(training, size, batch_size, np.random.default_rng(run.seed))
        learner = Learner(network, sampler)
        epochs = min(options.epochs, run.max_epochs or options.epochs)
        best_epoch = 0
        for epoch in range(1, epochs + 1):
            loss = learner.run_epoch()
            found = measure(network, validation, size, options.score_threshold)
            if learner.is_best(found.loss):
                best_epoch = epoch
            figures = {"val_loss": found.loss, "f1": found.f1, "accuracy": found.accuracy}
            goes_on = run.report(epoch, epochs, loss=loss, **figures)
            if (
                not goes_on
                or epoch - best_epoch >= PATIENCE
                or options.is_reached(found.f1, found.accuracy)
            ):
                break
        learner.restore_best()


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
