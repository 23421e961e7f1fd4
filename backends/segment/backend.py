"""The segment backend: clicks, boxes and strokes on images to masks."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from backends.segment.drawn_objects import DrawnImage, boxed_images, read_drawn_image
from backends.segment.embedding_cache import EmbeddingKey
from backends.segment.kept_images import KeptImages, kept_images
from backends.segment.mask_regions import build_regions
from backends.segment.models.loader import find_weights, load_model
from backends.segment.segmenter import Segmenter, SegmentItem
from backends.segment.settings import SegmentSettings
from backends.segment.tag_choice import (
    MASK_TAGS,
    ControlGroup,
    choose_model,
    describe_wanted,
    find_mask_controls,
    find_prompts,
    read_grid_clicks,
    share_labels,
    shared_labels,
    wants_boxes,
)
from backends.segment.video import tags as video_tags
from backends.segment.video.events import SegmentEvents
from backends.segment.video.items import TrackItem
from backends.segment.video.steps import VideoTracking
from backends.segment.video.video_model import VideoModel
from shared.backend import (
    Backend,
    BackendSettings,
    Claim,
    Context,
    Control,
    LabelConfig,
    ModelSpec,
    ObjectTag,
    Task,
)
from shared.backend.editor_event import EditorEvent
from shared.errors import TaskError
from shared.results import Omission, ParsedRegion, Region, Result
from shared.settings import read_settings

# Images of a list that are embedded when its task is opened.
MAX_IMAGES_AHEAD = 16


class SegmentBackend(Backend):
    """Fills tags that hold masks with what is under the user's clicks, boxes and strokes."""

    name = "segment"
    fills = frozenset((f"{tag}{kind}", "Image") for tag in MASK_TAGS for kind in ("", "Labels")) | {
        (video_tags.TAG, "Video")
    }
    modules = ("torch", "torchvision")
    preload_modules = ("openvino",)
    interactive = True
    settings_class: ClassVar[type[BackendSettings]] = SegmentSettings
    example_settings: ClassVar = {
        "SEGMENT_MODEL": "starter",
        "ENGINE": "torch",  # converting it would take longer than the example
    }

    @classmethod
    def idle_reason(cls) -> str | None:
        if cls.model_name or read_settings(SegmentSettings).model:
            return None
        return "segment answers no clicks: set SEGMENT_MODEL, for example to mobile_sam.pt"

    def claim(self, config: LabelConfig) -> list[Claim]:
        """Claim, beside whatever fills them in bulk, the tags that get what is under clicks."""
        on_images = [
            claim
            for target in config.objects.values()
            if target.tag == "Image"
            for claim in self._claims_on(config, target)
        ]
        on_videos = video_tags.claim_videos(config, self.settings, self.server_settings, self.name)
        return [*on_images, *on_videos]

    def _claims_on(self, config: LabelConfig, target: ObjectTag) -> Iterator[Claim]:
        outputs = find_mask_controls(config, target)
        if not outputs:  # `model_path` on other tags names other backends' weights
            return
        groups: list[ControlGroup] = [
            (control, *shared_labels(control, config)) for control in outputs
        ]
        model = choose_model(
            [*outputs, *config.controls_on(target.name)], self.settings, self.server_settings
        )
        if not model:
            return
        boxed = share_labels([group for group in groups if wants_boxes(group[0])])
        for group, owned in zip(groups, share_labels(groups), strict=True):
            tolerance = group[0].get_number(
                "model_tolerance", self.settings.tolerance, low=0, high=100
            )
            options = {
                "owned": owned,
                "tolerance": tolerance,
                "max_points": self.settings.max_points,
                "grid_clicks": read_grid_clicks(group),
            }
            prompts = find_prompts(group, config, self.config)
            options |= {"boxed": boxed[0]} if prompts else {}
            yield Claim(
                group,
                target,
                ModelSpec(self.name, model),
                options,
                interactive_only=not options["grid_clicks"] and not prompts,
                is_requested=bool(prompts or options["grid_clicks"]),
                prompted_by=prompts,
            )

    def with_task_labels(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        if video_tags.is_video_spec(claims[0].spec):
            return claims
        shares = share_labels([claim.controls for claim in claims])
        boxed = {"boxed": shares[0]} if claims[0].prompted_by else {}
        return [
            replace(claim, options={**claim.options, "owned": owned, **boxed})
            for claim, owned in zip(claims, shares, strict=True)
        ]

    def explain_unfilled(self, config: LabelConfig) -> Iterable[str]:
        for target in config.objects.values():
            if target.tag == "Image" and not self.settings.model:
                for control in find_mask_controls(config, target):
                    yield f"{control} gets no {describe_wanted(control)}: set SEGMENT_MODEL"

    def spec(self, control: Control) -> ModelSpec:
        return ModelSpec(self.name, self.settings.model)

    @classmethod
    def needed_modules(cls) -> Iterable[str]:
        """Return what converted models need; what reads others is imported with them."""
        return cls.preload_modules

    def default_specs(self) -> Iterable[ModelSpec]:
        model = self.settings.model
        return (ModelSpec(self.name, model),) if model else ()

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        return find_weights(spec, self.server_settings)

    def load(self, spec: ModelSpec) -> Segmenter | VideoModel:
        model = load_model(spec, self.server_settings)
        segmenter = Segmenter(model, self._kept.embeddings, self.weights_hash(spec))
        if video_tags.is_video_spec(spec):
            return VideoModel.load(segmenter, spec, self.server_settings)
        return segmenter

    @property
    def _kept(self) -> KeptImages:
        return kept_images(self._resources, self.settings)

    def describe_engine(self, model: Segmenter | VideoModel) -> str:
        return model.model.describe_engine()

    def read(
        self, task: Task, claim: Claim, context: Context | None
    ) -> Sequence[SegmentItem | TrackItem | None]:
        """Read what is drawn, and the image if its embedding is not known; None: nothing is asked.

        Without a context the first images of a task are read to be embedded ahead.
        """
        if video_tags.is_video_spec(claim.spec):
            return [VideoTracking(self).read(task, claim, context)]
        addresses = task.media_addresses(claim.object)
        if context is None:
            clicks = claim.options["grid_clicks"]
            chosen = addresses if clicks else addresses[:MAX_IMAGES_AHEAD]
            items = [(index, self._read_image(task, claim, address)) for index, address in chosen]
            return [replace(item, grid_clicks=clicks, item_index=index) for index, item in items]
        drawn = read_drawn_image(context, self.config, claim.object)
        if drawn is None:
            return [None]
        address = dict(addresses).get(drawn.item_index)
        if address is None:
            raise TaskError(
                f"Image {drawn.item_index} is drawn on, and {claim.object} shows {len(addresses)}"
            )
        return [self._read_image(task, claim, address, drawn)]

    def read_prompted(
        self, task: Task, claim: Claim, regions: Sequence[ParsedRegion]
    ) -> Sequence[SegmentItem | None]:
        """Read the images on which boxes were found, each with its boxes; others stay unread."""
        addresses = dict(task.media_addresses(claim.object))
        is_wanted = claim.options["boxed"].has_place_for
        images = boxed_images(regions, is_wanted)
        if regions and not images and not is_wanted(""):
            labels = ", ".join(claim.controls[-1].labels)
            claim.warn_once(
                f"{claim.control} gets masks of boxes with one of its labels ({labels}), and none"
                f" that {' and '.join(map(str, claim.prompted_by))} got has one"
            )
        return [self._read_image(task, claim, addresses[one.item_index], one) for one in images]

    def _read_image(
        self, task: Task, claim: Claim, address: str, drawn: DrawnImage | None = None
    ) -> SegmentItem:
        most = self.server_settings.max_megapixels
        opened = self._kept.opener.open(self.media, address, task.id, most)
        key = EmbeddingKey(self.weights_hash(claim.spec), opened.digest)
        # Decoded here, beside the model, if it will be needed; a list would take too much memory.
        if key in self._kept.embeddings or claim.object.is_list:
            return SegmentItem(opened.digest, None, opened.read, drawn)
        image = opened.read()  # of another digest, if what is at the address has changed
        return SegmentItem(image.digest, image, opened.read, drawn)

    def split(self, item: Sequence[Any]) -> Sequence[Any]:
        return item or [None]

    def join(self, outputs: Sequence[Sequence[Any]]) -> Sequence[Any]:
        return [image for output in outputs for image in output]

    def cache_key(self, item: SegmentItem | TrackItem | None) -> Hashable | None:
        return None if item is None else item.cache_key()

    def answer_event(self, event: EditorEvent) -> Sequence[Result] | None:
        return SegmentEvents(self).answer(event)

    def concurrent_calls(self, spec: ModelSpec) -> int:
        # One thread for clicks alone, so that none waits until images are embedded in bulk.
        is_video = video_tags.is_video_spec(spec)
        return self.settings.tracks_at_once + 2 if is_video else 2

    def read_ahead(self, claim: Claim) -> int:
        return 8

    def infer(self, model: Segmenter | VideoModel, items: list[Any]) -> Sequence[Sequence[Any]]:
        return [() if item is None else (model.run(item),) for item in items]

    def regions(self, output: Sequence[Any], claim: Claim) -> Iterable[Region | Omission]:
        if video_tags.is_video_spec(claim.spec):
            for followed in output:
                yield from VideoTracking(self).regions(followed, claim)
            return
        for image in output:
            yield from build_regions(image, claim)
