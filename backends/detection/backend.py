"""The backend of boxes, shapes, tracks and classes on images and videos."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from backends.detection.box_models.box_model import BoxModel
from backends.detection.box_models.loading import LOADERS, box_model_files, load_box_model
from backends.detection.images import ImageDetection
from backends.detection.inputs.image_list import ImageDetector, ImageList, decoded_images
from backends.detection.inputs.video import VideoDetector, VideoInput, is_video_model, networks_of
from backends.detection.model import kinds, loader, weights
from backends.detection.model.detector import Detector, RunOptions
from backends.detection.open_vocabulary import families
from backends.detection.open_vocabulary.prompt_tags import explain_prompts
from backends.detection.open_vocabulary.word_model import load_word_model, word_model_files
from backends.detection.settings import DetectionSettings
from backends.detection.tags import image_tags, tag_options, video_tags
from backends.detection.timeline.attributes import timeline_obstacle
from backends.detection.timeline.frame_classifier import FrameClassifier
from backends.detection.timeline.weights import is_timeline, timeline_files
from backends.detection.training import network_task
from backends.detection.videos import VideoDetection
from shared.backend.base import Backend, BatchLanes, Context
from shared.backend.claim import Claim, ModelSpec
from shared.backend.embedding import describe_content
from shared.backend.extras import require
from shared.backend.training import TrainingRun
from shared.errors import ModelError
from shared.label_studio.label_config import Control, LabelConfig
from shared.label_studio.task import Task
from shared.media.image import Image
from shared.results import Region
from shared.settings import BackendSettings, read_settings

# What videos take besides: decoding, and following objects from frame to frame.
VIDEO_MODULES = ("av", "lap", "ultralytics.trackers.track")
# Images that the model gets at once, and tasks that are read in advance.
MAX_BATCH_SIZE = 8
READ_AHEAD = 24


class DetectionBackend(Backend):
    """Fills the control tags on images and videos with what an Ultralytics network detects.

    Images and videos share the networks and the way they are loaded. All other steps differ, and
    are those of `ImageDetection` and `VideoDetection`; the model spec of a claim says of which.
    """

    name = "detection"
    fills = frozenset((tag, "Image") for tag in image_tags.TAGS) | frozenset(
        (tag, "Video") for tag in video_tags.TAGS
    )
    modules = ("openvino",)
    dataset_format = "yolo"
    settings_class: ClassVar[type[BackendSettings]] = DetectionSettings
    example_settings: ClassVar[Mapping[str, str]] = {
        "DETECTION_MODEL": "starter",
        "DETECTION_PRECISION": "f32",  # so that expected.json holds on any CPU
    }

    @classmethod
    def unavailable_reason(cls) -> str | None:
        """Return why nothing can be found here: OpenVINO alone runs only converted networks.

        Other extras bring it, too: without Ultralytics, such a network has to be named.
        """
        reason = super().unavailable_reason()
        if reason is not None or find_spec("ultralytics") is not None:
            return reason
        if cls.model_name or "model" in read_settings(DetectionSettings).model_fields_set:
            return None
        return (
            f"{cls.name} needs ultralytics: {cls._install_hint()}, or let {cls.model_variable()}"
            " name what `prelabel export` has written"
        )

    def claim(self, config: LabelConfig) -> list[Claim]:
        return ImageDetection(self).claims(config) + VideoDetection(self).claims(config)

    def with_task_labels(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        with_points = [
            replace(
                claim,
                options={**claim.options, "points": image_tags.keypoint_numbers(claim.controls)},
            )
            if "points" in claim.options
            else claim
            for claim in claims
        ]
        on_images = [claim for claim in with_points if "words" in claim.options]
        worded = iter(ImageDetection(self).with_words(on_images))
        return [next(worded) if "words" in claim.options else claim for claim in with_points]

    def explain_unfilled(self, config: LabelConfig) -> Iterable[str]:
        server = self.server_settings
        return explain_prompts(
            config, self.config, lambda tag: families.is_open_vocabulary(self.spec(tag), server)
        )

    def answers(self, context: Context, claims: Sequence[Claim]) -> bool:
        if is_video_model(claims[0].spec):
            return False
        return ImageDetection(self).answers(context, claims)

    def spec(self, control: Control) -> ModelSpec:
        own = self.trained_spec(control)
        if own is not None:
            return tag_options.with_image_size(own, control, self.settings)
        return tag_options.choose_model(control, self.settings, self.server_settings)

    def count_known_labels(self, model: ImageDetector | VideoDetector, claim: Claim) -> int:
        return model.count_known_labels(claim)

    def default_specs(self) -> Iterable[ModelSpec]:
        settings = self.settings
        return (tag_options.model_spec(settings.model, settings.image_size),)

    def read_ahead(self, claim: Claim) -> int:
        # A video or a list of images takes far more memory than one image.
        return 2 if claim.object.tag == "Video" or claim.object.is_list else READ_AHEAD

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 1 if is_video_model(spec) else MAX_BATCH_SIZE

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        return tuple(file for network in networks_of(spec) for file in self._files_of(network))

    def _files_of(self, spec: ModelSpec) -> Sequence[Path]:
        if is_timeline(spec):
            return timeline_files(Path(spec.model), self.server_settings)
        server = self.server_settings
        if self._kind_of(spec) in LOADERS:
            return box_model_files(spec, server)
        if families.is_open_vocabulary(spec, server):
            return word_model_files(spec, self.settings.text_encoder, server)
        return weights.files_of(weights.weights_of(spec, server))

    def export_model(self, spec: ModelSpec, folder: Path) -> str:
        if self._kind_of(spec) != "ultralytics":
            raise ModelError(f"{spec.label} is no network of Ultralytics: only those are exported")
        path = weights.weights_of(spec, self.server_settings)
        return loader.export_network(path, folder, self.settings.precision)

    def quantize_model(self, spec: ModelSpec, folder: Path, items: Iterable[Any]) -> str:
        from backends.detection.model.int8 import add_int8

        return add_int8(folder, _images_of(items))

    def check_calibration(self, items: Iterable[Any]) -> None:
        from backends._inference.quantization import check_calibration

        check_calibration(_images_of(items))

    def load(self, spec: ModelSpec) -> ImageDetector | VideoDetector:
        networks = networks_of(spec)
        if is_video_model(spec):
            for module in VIDEO_MODULES:
                require(module, self.name)
        if not is_video_model(spec) and self._kind_of(spec) == "words":
            return ImageDetector(load_word_model(spec, self.server_settings))
        detectors = {one: self._load_network(one) for one in networks if not is_timeline(one)}
        if not is_video_model(spec):
            return ImageDetection(self).build_detector(spec, detectors)
        classifiers = {one: self._load_classifier(one) for one in networks if is_timeline(one)}
        return VideoDetection(self).build_detector(spec, detectors, classifiers)

    def _kind_of(self, spec: ModelSpec) -> kinds.Kind:
        """Return which library reads a network; what was trained here is one of Ultralytics."""
        if spec.trained_version:
            return "ultralytics"
        return kinds.find_kind(spec.model, self.server_settings)

    def _load_classifier(self, spec: ModelSpec) -> FrameClassifier:
        folder, precision = Path(spec.model), self.settings.precision
        return FrameClassifier.load(folder, self.server_settings, precision)

    def _load_network(self, spec: ModelSpec) -> Detector | BoxModel:
        kind, run = self._kind_of(spec), RunOptions(**dict(spec.options))
        if kind in LOADERS:
            return load_box_model(spec, run, self.server_settings)
        if kind == "words":
            raise ModelError(f"{spec.label} finds what words name, on images alone: no videos")
        path = weights.weights_of(spec, self.server_settings)
        settings, is_open = self.settings, families.is_open_vocabulary(spec, self.server_settings)
        encoder = settings.text_encoder if is_open else ""
        return loader.load_detector(path, run, self.server_settings, settings.precision, encoder)

    def dataset_format_for(self, claim: Claim) -> str | None:
        return "video" if claim.control.tag == "TimelineLabels" else self.dataset_format

    def training_obstacle(self, claim: Claim) -> str | None:
        if claim.control.tag == "TimelineLabels":
            return timeline_obstacle(claim.control)
        return network_task.find_obstacle(claim, self.config)

    def training_controls(self, claim: Claim) -> Sequence[Control]:
        return network_task.box_controls(claim, self.config)

    def train(self, run: TrainingRun) -> None:
        if run.control.tag == "TimelineLabels":
            VideoDetection(self).train_timeline(run)
            return
        from backends.detection.training.train import train_network

        train_network(run, self.settings, self.server_settings)

    def _steps_of(self, spec: ModelSpec) -> ImageDetection | VideoDetection:
        return VideoDetection(self) if is_video_model(spec) else ImageDetection(self)

    def read(self, task: Task, claim: Claim, context: Context | None) -> ImageList | VideoInput:
        if is_video_model(claim.spec):
            return VideoDetection(self).read(task, claim)
        return ImageDetection(self).read(task, claim, context)

    def split(self, item: ImageList | VideoInput) -> Sequence[Any]:
        return item.parts

    def join(self, outputs: Sequence[Any]) -> Sequence[Any]:
        return tuple(outputs)

    def infer(self, model: ImageDetector | VideoDetector, items: list[Any]) -> Sequence[Any]:
        return model.infer(items)

    def batch_lanes(self, spec: ModelSpec, model: ImageDetector | VideoDetector) -> BatchLanes:
        network = model.network if isinstance(model, ImageDetector) else None
        threads = network.parallel_images if isinstance(network, Detector) else 1
        return BatchLanes(threads, 1) if threads > 1 else super().batch_lanes(spec, model)

    def describe_engine(self, model: ImageDetector | VideoDetector) -> str:
        return model.describe_engine()

    def embed(
        self, model: ImageDetector | VideoDetector, items: list[Any], claims: Sequence[Claim]
    ) -> Any:
        features = model.embed(items)
        if features is None:
            return super().embed(model, items, claims)
        # Features tell what is there; near-duplicates also have the same layout and colours.
        return np.concatenate([features, np.stack(list(map(describe_content, items)))], axis=1)

    def regions(self, output: Sequence[Any], claim: Claim) -> Iterable[Region]:
        return self._steps_of(claim.spec).regions(output, claim)


def _images_of(items: Iterable[ImageList]) -> Iterator[Image]:
    """Yield the images of several items."""
    return (image for item in items for image in decoded_images(item))
