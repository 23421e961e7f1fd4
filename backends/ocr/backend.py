"""Images of text to regions with their transcription."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends.ocr.engines import rapidocr, tesseract, trocr
from backends.ocr.inputs import Pages, Sheets, drawn_in, part
from backends.ocr.layout.granularity import GRANULARITIES, text_of, units
from backends.ocr.layout.page import Corners, Engine, Page
from backends.ocr.tag_groups import KINDS, Group, attribute, groups, labels_known, marks, why_left
from shared.backend.base import Backend, Context, spec_options
from shared.backend.claim import Claim, ModelSpec
from shared.label_studio.label_config import Control, LabelConfig, ObjectTag
from shared.label_studio.task import Task
from shared.media.image import Image
from shared.results import ParsedRegion, Polygon, Rectangle, Region, region, whole_task
from shared.settings import BackendSettings

ENGINES = ("rapidocr", "tesseract", "trocr")
# Degrees of turn up to which a line gets an upright box, if that is not much higher.
UPRIGHT_WITHIN = 2.0
# The part of its height by which an upright box may be higher than the line itself.
HIGHER = 0.25


class OcrSettings(BackendSettings):
    """OCR_…"""

    model_config = SettingsConfigDict(env_prefix="OCR_", env_ignore_empty=True, extra="ignore")

    score_threshold: float = Field(0.5, ge=0, le=1, description="Least score of a line")
    granularity: Literal["line", "word", "block"] = Field(
        "line", description="What becomes a region: line, word or block"
    )
    engine: Literal["rapidocr", "tesseract", "trocr"] = Field(
        "rapidocr", description="What reads: rapidocr, tesseract or, for handwriting, trocr"
    )
    trocr_model: str = Field(
        "microsoft/trocr-base-handwritten",
        description="TrOCR's weights: a folder, in MODEL_DIR or anywhere, or a name on the hub",
    )
    lang: str = Field(
        "", description="Language, as the engine names it; empty: RapidOCR's all, Tesseract's eng"
    )


class OcrBackend(Backend):
    """Fills box, label and text area together, under one region id."""

    name = "ocr"
    fills = frozenset({("TextArea", "Image")})
    modules = ("rapidocr", "onnxruntime")
    preload_modules = ("rapidocr.main", "openvino")
    interactive = True
    settings_class: ClassVar[type[BackendSettings]] = OcrSettings

    def claim(self, config: LabelConfig) -> list[Claim]:
        """Text areas on images: per region with what draws it, or of the whole image."""
        return [
            self._claim(group, target)
            for target in config.objects.values()
            if target.tag == "Image"
            for group in groups(config, target)
        ]

    def _claim(self, group: Group, target: ObjectTag) -> Claim:
        spec, options = self._spec(group), self._options(group)
        return Claim(group, target, spec, options, known_label_count=labels_known(group))

    def explain_unfilled(self, config: LabelConfig) -> Iterable[str]:
        """Text areas on images that do not ask for text, or whose regions nothing draws."""
        for control, target in config.pairs():
            if (control.tag, target.tag) in self.fills:
                yield f"{control} is left empty: {why_left(control)}"

    def spec(self, control: Control) -> ModelSpec:
        return self._spec((control,))

    def _spec(self, group: Group) -> ModelSpec:
        engine = attribute(group, "ocr_engine", self.settings.engine, ENGINES)
        if engine == "trocr":
            return ModelSpec(self.name, engine, spec_options(model=self.settings.trocr_model))
        language = self.settings.lang or ("eng" if engine == "tesseract" else "")
        return ModelSpec(self.name, engine, spec_options(lang=language or None))

    def _options(self, group: Group) -> Mapping[str, Any]:
        least = self.settings.score_threshold
        for control in group:
            least = control.number("model_score_threshold", least, low=0, high=1)
        granularity = attribute(group, "ocr_granularity", self.settings.granularity, GRANULARITIES)
        return {"score_threshold": least, "granularity": granularity}

    def default_specs(self) -> Iterable[ModelSpec]:
        return (self._spec(()),)

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        options = dict(spec.options)
        if spec.model == "tesseract":
            return tesseract.weights(options.get("lang", "eng"))
        if spec.model == "trocr":
            model = trocr.weights(options["model"], self.server_settings)
            return [*rapidocr.weights(), *model]
        return rapidocr.weights()

    def load(self, spec: ModelSpec) -> Engine:
        options = dict(spec.options)
        if spec.model == "tesseract":
            return tesseract.TesseractEngine(options.get("lang", "eng"))
        if spec.model == "trocr":
            return trocr.TrocrEngine(options["model"], self.server_settings)
        return rapidocr.RapidEngine(self.server_settings.engine, options.get("lang", ""))

    def read(self, task: Task, claim: Claim, context: Context | None) -> Sheets:
        """All images of the object tag; after the user has drawn a region, that part of one."""
        if context is None:
            return Sheets(list(self._images(task, claim.object)))
        drawn = drawn_in(context, self.config, claim.object)
        if drawn is None:
            return Sheets()
        index = drawn.envelope.get("item_index")
        [(_, image)] = self._images(task, claim.object, index or 0)
        return Sheets([(index, part(image, drawn))], drawn)

    def _images(
        self, task: Task, target: ObjectTag, only: int | None = None
    ) -> Iterable[tuple[int | None, Image]]:
        """(item_index, image) of the tag's images, or the `only` one.

        One PDF or TIFF in the place of a list is the list of its pages.
        """
        addresses = task.addresses(target)
        if target.is_list and len(addresses) == 1:
            pages = enumerate(self.media.pages(addresses[0][1], task.id))
            yield from ((n, page) for n, page in pages if only is None or n == only)
            return
        for index, address in addresses:
            if only is None or index is None or index == only:
                yield index, self.media.image(address, task.id)

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 4

    def read_ahead(self, claim: Claim) -> int:
        return 16

    def split(self, item: Sheets) -> Sequence[Sheets]:
        return item.single()

    def join(self, outputs: Sequence[Pages]) -> Pages:
        return Pages.of(outputs)

    def infer(self, model: Engine, items: list[Sheets]) -> Sequence[Pages]:
        pages = iter(model.read_all([image for item in items for _, image in item.images]))
        return [item.answered([next(pages) for _ in item.images]) for item in items]

    def regions(self, output: Pages, claim: Claim) -> Iterable[Region]:
        for index, page in output.pages:
            place = {} if index is None else {"item_index": index}
            if output.drawn is not None:
                yield from _drawn(output.drawn, page, claim)
                continue
            least = claim.options["score_threshold"]
            kept = Page(page.size, [line for line in page.lines if line.score >= least])
            if claim.control.tag == "TextArea":
                yield from _whole(kept, claim, place)
            else:
                yield from _each(kept, claim, place)


def _drawn(drawn: ParsedRegion, page: Page, claim: Claim) -> Iterable[Region]:
    """The drawn region as it is, with its text."""
    area = claim.controls[-1]
    if page.lines and claim.control.tag != "TextArea":
        others = {control: m for control, m in drawn.marks.items() if control.name != area.name}
        said = {**others, area: [text_of(page.lines)]}
        yield replace(drawn, marks=said, score=_score(page)).region()


def _whole(page: Page, claim: Claim, place: Mapping[str, int]) -> Iterable[Region]:
    if page.lines:
        yield whole_task(claim.control, [text_of(page.lines)], score=_score(page), **place)


def _each(page: Page, claim: Claim, place: Mapping[str, int]) -> Iterable[Region]:
    polygon = claim.control.tag in KINDS["polygon"]
    for unit in units(page, claim.options["granularity"]):
        shape: Rectangle | Polygon = _rectangle(unit.corners)
        if polygon:
            shape = Polygon(unit.corners)
        yield region(shape, marks(claim, unit.text), source=page.size, score=unit.score, **place)


def _rectangle(corners: Corners) -> Rectangle:
    """Upright where that makes little difference, as people draw it; else turned as the line."""
    across, down = math.dist(corners[0], corners[1]), math.dist(corners[0], corners[3])
    within = math.degrees(math.atan2(HIGHER * min(across, down), max(across, down)))
    return Rectangle.from_quad(corners, min(UPRIGHT_WITHIN, within))


def _score(page: Page) -> float:
    return fmean(line.score for line in page.lines)
