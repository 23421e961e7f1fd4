"""Detection on videos: from label config and task to regions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from backends.detection.inputs.video import AlignedDetections, VideoDetector, VideoInput
from backends.detection.model.detector import Detector
from backends.detection.regions.video import video_regions
from backends.detection.tags.video_tags import claim_videos
from shared.backend.base import Backend
from shared.backend.claim import Claim, ModelSpec
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
        self, spec: ModelSpec, networks: Mapping[ModelSpec, Detector]
    ) -> VideoDetector:
        """Build the model of a spec from all networks that look at its videos."""
        options = dict(spec.options)
        return VideoDetector(networks, options["frame_step"], options["estimates_motion"])

    def read(self, task: Task, claim: Claim) -> VideoInput:
        """Open the video of a task; its frames are decoded later."""
        file = self.backend.media.read_video(task.text_value(claim.object), task.id)
        return VideoInput(file, Video.of_file(file, claim.object, task))

    def regions(self, outputs: Sequence[AlignedDetections], claim: Claim) -> Iterable[Region]:
        """Return the tracks, spans or choices of a claim."""
        [detections] = outputs
        return video_regions(detections, claim)
