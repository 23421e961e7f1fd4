"""Images and videos to all that an Ultralytics network can say of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from backends.detection.inputs import image_list
from backends.detection.inputs.image_list import ImageList, ListedImage
from backends.detection.inputs.video import (
    AlignedDetections,
    VideoDetector,
    VideoInput,
    networks_of,
)
from backends.detection.model import loader, weights
from backends.detection.model.detections import Detections
from backends.detection.model.detector import Detector, Look, Run
from backends.detection.regions import choices, keypoints, objects
from backends.detection.regions import video as on_video
from backends.detection.settings import DetectionSettings
from backends.detection.tags import tag_options, video_tags
from backends.detection.tags.image_tags import (
    TAGS,
    WHOLE,
    groups,
    indexed,
    labels_beside,
    point_options,
)
from shared.backend.base import Backend, Context
from shared.backend.claim import Claim, ModelSpec
from shared.backend.label_map import LabelMap
from shared.label_studio.label_config import Control, LabelConfig
from shared.label_studio.task import Task
from shared.media.image import Image
from shared.results import Region, Video
from shared.settings import BackendSettings

# An image's `item_index`; None where the object tag shows one image.
Place = int | None


class DetectionBackend(Backend):
    """Fills every control tag on images and videos with what one pass of its model finds."""

    name = "detection"
    fills = frozenset((tag, "Image") for tag in TAGS) | frozenset(
        (tag, "Video") for tag in video_tags.TAGS
    )
    modules = ("torch", "torchvision", "ultralytics", "av", "lap")
    preload_modules = ("ultralytics.models.yolo", "ultralytics.trackers.track")
    batch_size = 8
    ahead = 24
    settings_class: ClassVar[type[BackendSettings]] = DetectionSettings
    example_settings: ClassVar[Mapping[str, str]] = {
        "DETECTION_MODEL": "starter",
        "DETECTION_PRECISION": "f32",  # so that expected.json holds on any CPU
    }

    def claim(self, config: LabelConfig) -> list[Claim]:
        """Each tag that draws, with the Labels beside it; and each answer about the image."""
        found = []
        for group, target in groups(config):
            options = dict(tag_options.options(group[0], self.settings))
            if tag_options.kind(group[0]) == "KeyPoint":
                options |= point_options(group, self.config)
            found.append(Claim(group, target, self.spec(group[0]), options))
        return _together(found) + video_tags.claims(config, self.settings, self.server_settings)

    def with_labels(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        return [
            replace(claim, options={**claim.options, "points": indexed(claim.controls)})
            if "points" in claim.options
            else claim
            for claim in claims
        ]

    def spec(self, control: Control) -> ModelSpec:
        return tag_options.spec(control, self.settings, self.server_settings)

    def labels_known(self, model: Detector | VideoDetector, claim: Claim) -> int:
        if isinstance(model, VideoDetector):
            return 0  # nobody else fills videos
        maps = (LabelMap.build(control, model.names) for control in claim.controls)
        return sum(len(set(found.to_label.values())) for found in maps)

    def default_specs(self) -> Iterable[ModelSpec]:
        own = self.settings
        return (tag_options.model_spec(own.model, own.image_size),)

    def reads_ahead(self, claim: Claim) -> int:
        return 2 if claim.object.tag == "Video" or claim.object.is_list else self.ahead

    def items_at_once(self, spec: ModelSpec) -> int:
        return 1 if networks_of(spec) else self.batch_size

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        parts = networks_of(spec) or (spec,)
        return tuple(weights.find(part.model, self.server_settings) for part in parts)

    def load(self, spec: ModelSpec) -> Detector | VideoDetector:
        options = dict(spec.options)
        if networks := networks_of(spec):
            loaded = {part: self._network(part) for part in networks}
            return VideoDetector(loaded, options["step"], options["motion"])
        return self._network(spec)

    def _network(self, spec: ModelSpec) -> Detector:
        path = weights.find(spec.model, self.server_settings)
        return loader.load(
            path, Run(**dict(spec.options)), self.server_settings, self.settings.precision
        )

    def read(self, task: Task, claim: Claim, context: Context | None) -> ImageList | VideoInput:
        if claim.object.tag == "Video":
            file = self.media.video(task.text_value(claim.object), task.id)
            return VideoInput(file, Video.of_file(file, claim.object, task))
        looks = claim.options["looks"]
        if not claim.object.is_list:
            return ImageList((self.media.image(task.text_value(claim.object), task.id),), looks)
        most = self.server_settings.max_megapixels
        return ImageList(
            tuple(
                ListedImage(self.media.fetch(address, task.id), place or 0, most)
                for place, address in task.addresses(claim.object)
            ),
            looks,
        )

    def split(self, item: Any) -> Sequence[Any]:
        return item.views if isinstance(item, ImageList) else (item,)

    def join(self, outputs: Sequence[Any]) -> Any:
        one = len(outputs) == 1  # what was seen in a video is no list
        return outputs[0] if one else [found for output in outputs for found in output]

    def infer(self, model: Detector | VideoDetector, items: list[Any]) -> Sequence[Any]:
        if isinstance(model, VideoDetector):
            return [model.watch(footage) for footage in items]
        found: dict[int, Detections] = {}
        for look in dict.fromkeys(view.look for view in items):
            chosen = [number for number, view in enumerate(items) if view.look == look]
            images = [items[number].image for number in chosen]
            found |= zip(chosen, _detected(model.reading(look), images), strict=True)
        return [
            [(getattr(view.image, "place", None), found[number])]
            for number, view in enumerate(items)
        ]

    def regions(
        self, output: list[tuple[Place, Detections]] | AlignedDetections, claim: Claim
    ) -> Iterable[Region]:
        if isinstance(output, AlignedDetections):
            yield from on_video.regions(output, claim)
            return
        own = {None, claim.options["look"].iou}
        seen = [(place, found) for place, found in output if found.iou in own]
        if claim.control.tag in WHOLE and not claim.control.flag("perItem"):
            yield from choices.regions([found for _, found in seen], claim)
            return
        for place, found in seen:
            beside = {} if place is None else {"item_index": place}
            if claim.control.tag in WHOLE:
                yield from choices.regions([found], claim, **beside)
            elif tag_options.kind(claim.control) == "KeyPoint":
                yield from keypoints.regions(found, claim, self._boxes(claim), **beside)
            else:
                yield from objects.regions(found, claim, **beside)

    def _boxes(self, claim: Claim) -> Sequence[Control]:
        """The control tags that take the box around key points."""
        control = self.config.control(claim.options["boxes"] or "", claim.object.name)
        return (control, *labels_beside(control, self.config)) if control else ()


def _together(claims: Sequence[Claim]) -> list[Claim]:
    """Let the claims of one model on one object tag share what it says of an image.

    What is read from the least of their scores has all that the others look at; `looks` are the
    ways in which it is read, one for each `model_iou`.
    """
    shared: dict[tuple[str, ModelSpec], list[Look]] = {}
    for claim in claims:
        shared.setdefault((claim.object.name, claim.spec), []).append(claim.options["look"])
    made = []
    for claim in claims:
        looks = shared[claim.object.name, claim.spec]
        least = min(look.least for look in looks)
        united = tuple(Look(iou, least) for iou in sorted({look.iou for look in looks}))
        own = Look(claim.options["look"].iou, least)
        made.append(replace(claim, options={**claim.options, "look": own, "looks": united}))
    return made


def _detected(model: Detector, images: Sequence[Image | ListedImage]) -> Iterable[Detections]:
    """What is on each image; pages are decoded a few at a time."""
    pages = [image for image in images if isinstance(image, ListedImage)]
    listed = (found for chunk in image_list.decoded_chunks(pages) for found in model.detect(chunk))
    single = iter(model.detect([image for image in images if not isinstance(image, ListedImage)]))
    for image in images:
        yield next(listed if isinstance(image, ListedImage) else single)
