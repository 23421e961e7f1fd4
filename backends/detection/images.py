"""Detection on images and image lists: from label config and task to regions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from backends.detection.inputs.image_list import (
    ImageDetections,
    ImageDetector,
    ImageList,
    ListedImage,
)
from backends.detection.model.detector import Detector, Thresholds
from backends.detection.regions.choices import choice_regions
from backends.detection.regions.keypoints import keypoint_regions
from backends.detection.regions.objects import object_regions
from backends.detection.tags import tag_options
from backends.detection.tags.image_tags import (
    WHOLE_IMAGE_TAGS,
    control_groups,
    read_keypoint_options,
    shared_labels,
)
from shared.backend.base import Backend
from shared.backend.claim import Claim, ModelSpec
from shared.label_studio.label_config import Control, LabelConfig
from shared.label_studio.task import Task
from shared.results import Region

TRAINED_POINT_THRESHOLD = 0.5


@dataclass(frozen=True)
class ImageDetection:
    """The steps of `backend` for `Image` tags."""

    backend: Backend

    def claims(self, config: LabelConfig) -> list[Claim]:
        """Claim each control tag that draws, together with its Labels, and each Choices."""
        settings = self.backend.settings
        claims = []
        for group, target in control_groups(config):
            spec = self.backend.spec(group[0])
            options = dict(tag_options.read_options(group[0], settings, spec))
            if tag_options.base_tag(group[0]) == "KeyPoint":
                # What was trained here tells by the score whether a point was marked.
                threshold = TRAINED_POINT_THRESHOLD if spec.trained_version else 0
                options |= read_keypoint_options(group, self.backend.config, threshold)
            claims.append(Claim(group, target, spec, options))
        return _share_thresholds(claims)

    def build_detector(
        self, spec: ModelSpec, networks: Mapping[ModelSpec, Detector]
    ) -> ImageDetector:
        """Build the model of a spec from its only network."""
        return ImageDetector(networks[spec])

    def read(self, task: Task, claim: Claim) -> ImageList:
        """Read the image of a task, or the files of its list, which are decoded later."""
        media, thresholds = self.backend.media, claim.options["all_thresholds"]
        if not claim.object.is_list:
            return ImageList(
                (media.read_image(task.text_value(claim.object), task.id),), thresholds
            )
        max_megapixels = self.backend.server_settings.max_megapixels
        images = (
            ListedImage(media.fetch(address, task.id), index or 0, max_megapixels)
            for index, address in task.media_addresses(claim.object)
        )
        return ImageList(tuple(images), thresholds)

    def regions(self, outputs: Sequence[ImageDetections], claim: Claim) -> Iterable[Region]:
        """Yield the regions of a claim; on each image, or about all images of a task together."""
        # Several `model_iou` on one image give several outputs; this claim's are those of its own.
        accepted = {None, claim.options["thresholds"].iou}
        own = [output for output in outputs if output.detections.iou_threshold in accepted]
        if claim.control.tag in WHOLE_IMAGE_TAGS and not claim.control.get_flag("perItem"):
            yield from choice_regions([output.detections for output in own], claim)
            return
        for output in own:
            index = output.item_index
            yield from self._image_regions(
                output, claim, {} if index is None else {"item_index": index}
            )

    def _image_regions(
        self, output: ImageDetections, claim: Claim, region_keys: Mapping[str, int]
    ) -> Iterable[Region]:
        if claim.control.tag in WHOLE_IMAGE_TAGS:
            return choice_regions([output.detections], claim, **region_keys)
        if tag_options.base_tag(claim.control) == "KeyPoint":
            boxes = self._box_controls(claim)
            return keypoint_regions(output.detections, claim, boxes, **region_keys)
        return object_regions(output.detections, claim, **region_keys)

    def _box_controls(self, claim: Claim) -> Sequence[Control]:
        """Return the control tags that get the box around keypoints: one that draws, its Labels."""
        config = self.backend.config
        control = config.find_control(claim.options["boxes"] or "", claim.object.name)
        return (control, *shared_labels(control, config)) if control else ()


def _share_thresholds(claims: Sequence[Claim]) -> list[Claim]:
    """Let the claims of one model on one object tag share its outputs.

    All outputs are decoded from the lowest of their minimum scores, which includes what the other
    claims need; `all_thresholds` has one entry for each `model_iou` among the claims.
    """
    groups: dict[tuple[str, ModelSpec], list[Thresholds]] = {}
    for claim in claims:
        groups.setdefault((claim.object.name, claim.spec), []).append(claim.options["thresholds"])
    shared = []
    for claim in claims:
        group = groups[claim.object.name, claim.spec]
        min_score = min(thresholds.min_score for thresholds in group)
        ious = sorted({thresholds.iou for thresholds in group})
        options = {
            "thresholds": Thresholds(claim.options["thresholds"].iou, min_score),
            "all_thresholds": tuple(Thresholds(iou, min_score) for iou in ious),
        }
        shared.append(replace(claim, options={**claim.options, **options}))
    return shared
