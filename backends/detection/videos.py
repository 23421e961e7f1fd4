"""Detection on videos: from label config and task to regions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from backends.detection.inputs.image_list import ImageNetwork
from backends.detection.inputs.video import AlignedDetections, VideoDetector, VideoInput
from backends.detection.regions.video import video_regions
from backends.detection.tags import tag_options
from backends.detection.tags.video_tags import claim_videos
from backends.detection.timeline.frame_classifier import FrameClassifier
from backends.detection.timeline.training import TimelineTraining
from backends.detection.timeline.weights import FeatureSource
from shared.backend.base import Backend
from shared.backend.claim import Claim, ModelSpec
from shared.backend.training import TrainingRun
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task import Task
from shared.results import Region, Video


@dataclass(frozen=True)
class VideoDetection:
    """The steps of `backend` for `Video` tags."""

    backend: Backend

    def claims(self, config: LabelConfig) -> list[Claim]:
        """Claim the control tags on each video; they share one model, so it is decoded once."""
        return claim_videos(config, self.backend.settings, self.backend.spec)

    def build_detector(
        self,
        spec: ModelSpec,
        networks: Mapping[ModelSpec, ImageNetwork],
        classifiers: Mapping[ModelSpec, FrameClassifier],
    ) -> VideoDetector:
        """Build the model of a spec from all networks that look at its videos."""
        options = dict(spec.options)
        step, estimates_motion = options["frame_step"], options["estimates_motion"]
        return VideoDetector(networks, step, estimates_motion, classifiers)

    def train_timeline(self, run: TrainingRun) -> None:
        """Train a temporal network on the features of the network that a TimelineLabels tag has."""
        settings, server = self.backend.settings, self.backend.server_settings
        chosen = tag_options.choose_model(run.control, settings, server)
        source = FeatureSource.find(chosen.model, dict(chosen.options)["image_size"], server)
        TimelineTraining(run, source, server, settings.precision).train()

    def read(self, task: Task, claim: Claim) -> VideoInput:
        """Open the video of a task; its frames are decoded later."""
        file = self.backend.media.read_video(task.text_value(claim.object), task.id)
        return VideoInput(file, Video.of_file(file, claim.object, task))

    def regions(self, outputs: Sequence[AlignedDetections], claim: Claim) -> Iterable[Region]:
        """Return the tracks, spans or choices of a claim."""
        [detections] = outputs
        return video_regions(detections, claim)
