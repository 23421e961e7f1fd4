"""Detection on images and image lists: from label config and task to regions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backends.detection.inputs.image_list import (
    ImageDetections,
    ImageDetector,
    ImageList,
    ImageNetwork,
    ListedImage,
)
from backends.detection.model.detector import Thresholds
from backends.detection.open_vocabulary.annotated_boxes import (
    OPTION,
    SHARED_OPTION,
    read_examples,
    share_examples,
)
from backends.detection.open_vocabulary.drawn_examples import (
    DrawnBoxes,
    has_drawn_examples,
    read_drawn_boxes,
)
from backends.detection.open_vocabulary.families import is_open_vocabulary, uses_text_threshold
from backends.detection.open_vocabulary.prompts import Words, with_words
from backends.detection.open_vocabulary.typed_words import (
    has_typed_words,
    label_typed_words,
    typed_words,
)
from backends.detection.regions.choices import choice_regions
from backends.detection.regions.keypoints import keypoint_regions
from backends.detection.regions.objects import object_regions
from backends.detection.tags import tag_options
from backends.detection.tags.image_tags import (
    WHOLE_IMAGE_TAGS,
    ControlGroup,
    control_groups,
    read_keypoint_options,
    shared_labels,
)
from shared.backend.base import Backend, Context
from shared.backend.claim import Claim, ModelSpec
from shared.errors import TaskError
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
            options |= self._read_word_thresholds(group, spec, options)
            is_open = is_open_vocabulary(spec, self.backend.server_settings)
            examples = self.backend.examples
            options |= read_examples(group, target, spec.model, is_open, examples)
            if tag_options.base_tag(group[0]) == "KeyPoint":
                # What was trained here tells by the score whether a point was marked.
                threshold = TRAINED_POINT_THRESHOLD if spec.trained_version else 0
                options |= read_keypoint_options(group, self.backend.config, threshold)
            claims.append(Claim(group, target, spec, options))
        return self.with_words(share_examples(_share_thresholds(claims)))

    def with_words(self, claims: Sequence[Claim]) -> list[Claim]:
        """Return the claims, those of open-vocabulary models with the words of their labels."""
        server = self.backend.server_settings
        is_open = {claim.spec: is_open_vocabulary(claim.spec, server) for claim in claims}
        return with_words(claims, is_open)

    def _read_word_thresholds(
        self, group: ControlGroup, spec: ModelSpec, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the thresholds of single labels, and the one of a model that scores tokens.

        What the label config does not ask for stays absent: options are part of the version.
        """
        settings, server = self.backend.settings, self.backend.server_settings
        found: dict[str, Any] = {}
        if uses_text_threshold(spec, server):
            found["score_threshold"] = max(
                options["score_threshold"],
                group[0].get_number("model_text_threshold", settings.text_threshold, low=0, high=1),
            )
        labels = tag_options.read_label_thresholds(group[-1])
        return found | ({"label_thresholds": labels} if labels else {})

    def build_detector(
        self, spec: ModelSpec, networks: Mapping[ModelSpec, ImageNetwork]
    ) -> ImageDetector:
        """Build the model of a spec from its only network."""
        return ImageDetector(networks[spec])

    def answers(self, context: Context, claims: Sequence[Claim]) -> bool:
        """Return whether words were typed, or examples drawn, on the image of such claims."""
        target, config = claims[0].object, self.backend.config
        if not any("words" in claim.options for claim in claims):
            return False
        typed = has_typed_words(context, config, target)
        return typed or has_drawn_examples(context, config, target)

    def read(self, task: Task, claim: Claim, context: Context | None) -> ImageList:
        """Read the image of a task, or the files of its list, which are decoded later.

        With a context what looks like the examples that were drawn is looked for, or else the
        words that were typed; there are no images if none were.
        """
        if context is None:
            images = self._read_images(task, claim, claim.options.get("words", ()))
            most = self.backend.server_settings.max_megapixels
            annotated = claim.options.get(SHARED_OPTION, ())
            read = tuple(one.read(self.backend.media, most) for one in annotated)
            return replace(images, annotated=read) if read else images
        drawn = read_drawn_boxes(context, self.backend.config, claim.object)
        if drawn is not None:
            return self._read_examples(task, claim, drawn)
        typed = typed_words(context, self.backend.config, claim.object)
        if not typed:
            return ImageList((), claim.options["all_thresholds"])
        images = self._read_images(task, claim, tuple(dict.fromkeys(one.word for one in typed)))
        return replace(images, typed=typed)

    def _read_examples(self, task: Task, claim: Claim, drawn: DrawnBoxes) -> ImageList:
        """Read the image that examples are drawn on."""
        addresses = dict(task.media_addresses(claim.object))
        address = addresses.get(drawn.item_index)
        if address is None:
            raise TaskError(
                f"Image {drawn.item_index} is drawn on, and {claim.object} shows {len(addresses)}"
            )
        image = self.backend.media.read_image(address, task.id)
        return ImageList(
            (image,),
            claim.options["all_thresholds"],
            examples=drawn.on_image(image),
            item_index=drawn.item_index,
        )

    def _read_images(self, task: Task, claim: Claim, words: Words) -> ImageList:
        media, thresholds = self.backend.media, claim.options["all_thresholds"]
        if not claim.object.is_list:
            return ImageList(
                (media.read_image(task.text_value(claim.object), task.id),), thresholds, words
            )
        max_megapixels = self.backend.server_settings.max_megapixels
        images = (
            ListedImage(media.fetch(address, task.id), index or 0, max_megapixels)
            for index, address in task.media_addresses(claim.object)
        )
        return ImageList(tuple(images), thresholds, words)

    def regions(self, outputs: Sequence[ImageDetections], claim: Claim) -> Iterable[Region]:
        """Yield the regions of a claim; on each image, or about all images of a task together."""
        # Several `model_iou` on one image give several outputs; this claim's are those of its own.
        accepted = {None, claim.options["thresholds"].iou}
        own = [output for output in outputs if output.detections.iou_threshold in accepted]
        examples = claim.control.name if OPTION in claim.options else ""
        own = [one for one in own if one.is_asked or one.examples_of == examples]
        labels = _asked_labels(own, claim)
        if labels is not None:
            if claim.control.tag in WHOLE_IMAGE_TAGS:  # the question is where, and not what
                return
            claim = replace(claim, options={**claim.options, "typed_labels": labels, "classes": ()})
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


def _asked_labels(outputs: Sequence[ImageDetections], claim: Claim) -> Mapping[str, str] | None:
    """Return the labels of what an annotator has asked for, or drawn; None if none has."""
    if any(output.is_alike or output.examples_of for output in outputs):
        return {label: label for label in claim.controls[-1].labels}
    typed = next((output.typed for output in outputs if output.typed), None)
    return None if typed is None else label_typed_words(typed, claim)


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
