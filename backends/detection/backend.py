"""Images and videos to all that an Ultralytics network can say of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from backends.detection import (
    album,
    classes,
    key_points,
    loading,
    objects,
    video_claims,
    wanted,
    weights,
)
from backends.detection import video_regions as on_video
from backends.detection.album import Album, Page
from backends.detection.claims import TAGS, WHOLE, groups, indexed, labels_beside, point_options
from backends.detection.found import Found
from backends.detection.model import Detector, Look, Run
from backends.detection.settings import DetectionSettings
from backends.detection.video import Footage, Watched, Watcher, networks_of
from shared.backend import Backend, Context
from shared.claim import Claim, ModelSpec
from shared.image import Image
from shared.label_config import Control, LabelConfig
from shared.label_map import LabelMap
from shared.results import Region
from shared.settings import BackendSettings
from shared.task import Task

Place = int | None
"""An image's `item_index`; None where the object tag shows one image."""


class DetectionBackend(Backend):
    """Fills every control tag on images and videos with what one pass of its model finds."""

    name = "detection"
    fills = frozenset((tag, "Image") for tag in TAGS) | frozenset(
        (tag, "Video") for tag in video_claims.TAGS
    )
    modules = ("torch", "torchvision", "ultralytics", "av", "lap")
    imports = ("ultralytics.models.yolo", "ultralytics.trackers.track")
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
            options = dict(wanted.options(group[0], self.settings))
            if wanted.kind(group[0]) == "KeyPoint":
                options |= point_options(group, self.config)
            found.append(Claim(group, target, self.spec(group[0]), options))
        return _together(found) + video_claims.claims(config, self.settings, self.server_settings)

    def with_labels(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        return [
            replace(claim, options={**claim.options, "points": indexed(claim.controls)})
            if "points" in claim.options
            else claim
            for claim in claims
        ]

    def spec(self, control: Control) -> ModelSpec:
        return wanted.spec(control, self.settings, self.server_settings)

    def labels_known(self, model: Detector | Watcher, claim: Claim) -> int:
        if isinstance(model, Watcher):
            return 0  # nobody else fills videos
        maps = (LabelMap.build(control, model.names) for control in claim.controls)
        return sum(len(set(found.to_label.values())) for found in maps)

    def default_specs(self) -> Iterable[ModelSpec]:
        own = self.settings
        return (wanted.model_spec(own.model, own.image_size),)

    def reads_ahead(self, claim: Claim) -> int:
        return 2 if claim.object.tag == "Video" or claim.object.is_list else self.ahead

    def items_at_once(self, spec: ModelSpec) -> int:
        return 1 if networks_of(spec) else self.batch_size

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        parts = networks_of(spec) or (spec,)
        return tuple(weights.find(part.model, self.server_settings) for part in parts)

    def load(self, spec: ModelSpec) -> Detector | Watcher:
        options = dict(spec.options)
        if networks := networks_of(spec):
            loaded = {part: self._network(part) for part in networks}
            return Watcher(loaded, options["step"], options["motion"])
        return self._network(spec)

    def _network(self, spec: ModelSpec) -> Detector:
        path = weights.find(spec.model, self.server_settings)
        return loading.load(
            path, Run(**dict(spec.options)), self.server_settings, self.settings.precision
        )

    def read(self, task: Task, claim: Claim, context: Context | None) -> Album | Footage:
        if claim.object.tag == "Video":
            video = self.media.video(task.text_value(claim.object), task.id)
            return Footage(video, video.shown(claim.object, task))
        looks = claim.options["looks"]
        if not claim.object.is_list:
            return Album((self.media.image(task.text_value(claim.object), task.id),), looks)
        most = self.server_settings.max_megapixels
        return Album(
            tuple(
                Page(self.media.fetch(address, task.id), place or 0, most)
                for place, address in task.addresses(claim.object)
            ),
            looks,
        )

    def parts(self, item: Any) -> Sequence[Any]:
        return item.views if isinstance(item, Album) else (item,)

    def whole(self, outputs: Sequence[Any]) -> Any:
        one = len(outputs) == 1  # what was seen in a video is no list
        return outputs[0] if one else [found for output in outputs for found in output]

    def infer(self, model: Detector | Watcher, items: list[Any]) -> Sequence[Any]:
        if isinstance(model, Watcher):
            return [model.watch(footage) for footage in items]
        found: dict[int, Found] = {}
        for look in dict.fromkeys(view.look for view in items):
            chosen = [number for number, view in enumerate(items) if view.look == look]
            images = [items[number].image for number in chosen]
            found |= zip(chosen, _detected(model.reading(look), images), strict=True)
        return [
            [(getattr(view.image, "place", None), found[number])]
            for number, view in enumerate(items)
        ]

    def regions(
        self, output: list[tuple[Place, Found]] | Watched, claim: Claim
    ) -> Iterable[Region]:
        if isinstance(output, Watched):
            yield from on_video.regions(output, claim)
            return
        own = {None, claim.options["look"].iou}
        seen = [(place, found) for place, found in output if found.iou in own]
        if claim.control.tag in WHOLE and not claim.control.flag("perItem"):
            yield from classes.regions([found for _, found in seen], claim)
            return
        for place, found in seen:
            beside = {} if place is None else {"item_index": place}
            if claim.control.tag in WHOLE:
                yield from classes.regions([found], claim, **beside)
            elif wanted.kind(claim.control) == "KeyPoint":
                yield from key_points.regions(found, claim, self._boxes(claim), **beside)
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


def _detected(model: Detector, images: Sequence[Image | Page]) -> Iterable[Found]:
    """What is on each image; pages are decoded a few at a time."""
    pages = [image for image in images if isinstance(image, Page)]
    listed = (found for chunk in album.chunks(pages) for found in model.detect(chunk))
    single = iter(model.detect([image for image in images if not isinstance(image, Page)]))
    for image in images:
        yield next(listed if isinstance(image, Page) else single)
