"""The OCR backend: images of text to regions with their transcription."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np

from backends.ocr.engines import (
    docling,
    docling_document,
    document_layout,
    easyocr,
    rapidocr,
    tesseract,
    trocr,
)
from backends.ocr.engines.base import OcrEngine
from backends.ocr.engines.onnx_network import library_of
from backends.ocr.inputs import OcrInput, OcrOutput, crop_region, last_drawn_region
from backends.ocr.layout.granularity import GRANULARITIES
from backends.ocr.layout.page import Page
from backends.ocr.regions import (
    draw_blocks,
    draw_text_blocks,
    draw_units,
    fill_drawn_region,
    fill_whole_image,
)
from backends.ocr.settings import DOCLING_EXAMPLE, EngineName, OcrSettings
from backends.ocr.tag_groups import (
    Group,
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
from shared.backend.label_map import Aliases
from shared.errors import ModelError
from shared.media.image import Image
from shared.results import Region
from shared.settings import Settings, read_settings

ENGINES = get_args(EngineName)
# What an engine reads where OCR_LANG says nothing; RapidOCR reads all of its languages.
DEFAULT_LANGUAGES = {"tesseract": "eng", "easyocr": easyocr.DEFAULT_LANGUAGE}
# The engines that find parts of pages, with the names that label configs have for these.
LAYOUT_ALIASES: Mapping[str, Aliases] = {
    document_layout.ENGINE: document_layout.ALIASES,
    docling.ENGINE: docling_document.ALIASES,
}
# The names of what only these find: a label "Text" may be for anything.
PART_NAMES = frozenset(document_layout.ALIASES) & frozenset(docling_document.ALIASES) - {"text"}


class OcrBackend(Backend):
    """Fills a drawing tag, its label and its text area together, under one region id."""

    name = "ocr"
    fills = frozenset({("TextArea", "Image")})
    modules = ("rapidocr", "onnxruntime")
    preload_modules = ("rapidocr", "pyclipper")
    interactive = True
    settings_class: ClassVar[type[BackendSettings]] = OcrSettings

    @classmethod
    def needed_modules(cls) -> Iterable[str]:
        """Return what RapidOCR's networks need; what other engines need is imported with them."""
        return (*cls.preload_modules, library_of(read_settings(Settings).engine))

    def claim(self, config: LabelConfig) -> list[Claim]:
        """Claim text areas on images: of each region with what draws it, or of the whole image."""
        images = [target for target in config.objects.values() if target.tag == "Image"]
        claims = [
            self._claim_group(group, target)
            for target in images
            for group in find_groups(config, target)
        ]
        if not self.settings.layout_model and not self.settings.docling_url:
            return claims
        return claims + [one for target in images for one in self._claim_layout(config, target)]

    def _claim_layout(self, config: LabelConfig, target: ObjectTag) -> Iterable[Claim]:
        """Yield a claim for each tag that has labels for parts of a page, or asks for this."""
        spec = self._layout_spec()
        names = _known_names(spec)
        for control in find_layout_controls(config, target):
            known = count_named_labels(control, names)
            asked = bool(control.attrs.get("model_backend", "").strip())
            if known or asked:
                options = {"score_threshold": self.score_threshold(control)}
                count = None if asked or known == len(control.labels) else known
                yield Claim((control,), target, spec, options, known_label_count=count)

    def _layout_spec(self) -> ModelSpec:
        if not self.settings.layout_model:
            return self._docling_spec()
        options = spec_options(model=self.settings.layout_model)
        return ModelSpec(self.name, document_layout.ENGINE, options)

    def _docling_spec(self) -> ModelSpec:
        """Return the one model for parts of pages and their text, so that one call gives both."""
        languages = self.settings.lang if self.settings.engine == docling.ENGINE else ""
        address = self.settings.docling_url
        return ModelSpec(
            self.name, docling.ENGINE, spec_options(address=address, lang=languages or None)
        )

    def _claim_group(self, group: Group, target: ObjectTag) -> Claim:
        spec = self._group_spec(group)
        options = self._group_options(group, spec.model)
        count = count_text_labels(group, _known_names(spec))
        return Claim(group, target, spec, options, known_label_count=count)

    def explain_unfilled(self, config: LabelConfig) -> Iterable[str]:
        """Explain text areas on images that do not ask for text, or whose regions no tag draws.

        One whose name begins with "prompt" holds what a model is asked, as in many label configs.
        Labels for parts of pages wait for the setting that finds these.
        """
        finds_layout = self.settings.layout_model or self.settings.docling_url
        for control, target in config.tag_pairs():
            is_question = control.name.lower().startswith("prompt")
            if (control.tag, target.tag) in self.fills and not is_question:
                yield f"{control} is left empty: {explain_unfilled_area(control)}"
            is_drawn = (control.tag, target.tag) == ("RectangleLabels", "Image")
            if is_drawn and not finds_layout and count_named_labels(control, PART_NAMES):
                yield (
                    f"{control} has labels for parts of pages, which ocr finds once"
                    f" {document_layout.SETTING} or OCR_DOCLING_URL is set"
                )

    def spec(self, control: Control) -> ModelSpec:
        return self._group_spec((control,))

    def _group_spec(self, group: Group) -> ModelSpec:
        engine = read_attribute(group, "ocr_engine", self.settings.engine, ENGINES)
        if engine == docling.ENGINE:
            return self._docling_spec()
        if engine == "trocr":
            return ModelSpec(self.name, engine, spec_options(model=self.settings.trocr_model))
        language = self.settings.lang or DEFAULT_LANGUAGES.get(engine, "")
        model = self.settings.ppocr_model if engine == "rapidocr" else ""
        return ModelSpec(
            self.name, engine, spec_options(lang=language or None, model=model or None)
        )

    def _group_options(self, group: Group, engine: str) -> Mapping[str, Any]:
        known = ("block",) if engine == docling.ENGINE else GRANULARITIES
        usual = known[0] if engine == docling.ENGINE else self.settings.granularity
        granularity = read_attribute(group, "ocr_granularity", usual, known)
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
        if spec.model == docling.ENGINE:
            return ()
        return rapidocr.find_weights(options.get("model", ""), self.server_settings)

    def load(self, spec: ModelSpec) -> OcrEngine:
        options = read_options(spec)
        if spec.model == "tesseract":
            return tesseract.TesseractEngine(options["lang"])
        if spec.model == "easyocr":
            return easyocr.EasyOcrEngine(options["lang"], self.server_settings)
        if spec.model == document_layout.ENGINE:
            return document_layout.LayoutEngine(options["model"], self.server_settings)
        if spec.model == docling.ENGINE:
            return self._connect(options["lang"])
        if spec.model == "trocr":
            return trocr.TrocrEngine(options["model"], self.server_settings)
        server, model = self.server_settings, options.get("model", "")
        weights = rapidocr.find_weights(model, server) if model else ()
        language = options["lang"]
        return rapidocr.RapidOcrEngine(server.engine, language, weights, server.cache_dir)

    def _connect(self, languages: str) -> OcrEngine:
        if not self.settings.docling_url:
            raise ModelError(
                'ocr_engine="docling" needs the address of a Docling service: set OCR_DOCLING_URL,'
                f" e.g. {DOCLING_EXAMPLE}"
            )
        return docling.DoclingEngine(languages, self.settings, self.server_settings)

    def read(self, task: Task, claim: Claim, context: Context | None) -> OcrInput:
        """Read all images of the object tag; if the user has drawn a region, that part of one."""
        if context is None:
            return OcrInput(list(self._read_images(task, claim.object)))
        if not _has_area(claim):  # what is drawn has no parts to be found
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

    def describe_engine(self, model: OcrEngine) -> str:
        return model.describe_engine()

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 4

    def concurrent_calls(self, spec: ModelSpec) -> int:
        remote = spec.model == docling.ENGINE
        return int(self.settings.docling_concurrency) if remote else 0

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
        for index, page in output.pages:
            if output.drawn is not None:
                yield from fill_drawn_region(output.drawn, page, claim)
            else:
                yield from _page_regions(
                    page, claim, {} if index is None else {"item_index": index}
                )


def _page_regions(page: Page, claim: Claim, item_index: Mapping[str, int]) -> Iterable[Region]:
    least, aliases = claim.options["score_threshold"], LAYOUT_ALIASES.get(claim.spec.model)
    sure = replace(page, lines=[line for line in page.lines if line.score >= least])
    if claim.control.tag == "TextArea":
        yield from fill_whole_image(sure, claim, item_index)
    elif aliases is None:
        yield from draw_units(sure, claim, item_index)
    elif _has_area(claim):
        yield from draw_text_blocks(page, claim, item_index, aliases)
    else:
        yield from draw_blocks(page, claim, item_index, aliases)


def _has_area(claim: Claim) -> bool:
    return claim.controls[-1].tag == "TextArea"


def _known_names(spec: ModelSpec) -> Sequence[str]:
    """Return the names of labels for the parts of a page that an engine finds."""
    aliases = LAYOUT_ALIASES.get(spec.model, {})
    return [one for name, others in aliases.items() for one in (name, *others)]


def read_options(spec: ModelSpec) -> dict[str, Any]:
    """Return the options of an engine; its default language, if it has one, where none is named."""
    return {"lang": DEFAULT_LANGUAGES.get(spec.model, ""), **dict(spec.options)}
