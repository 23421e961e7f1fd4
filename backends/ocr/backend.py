"""Images of text to regions with their transcription."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends.ocr import engine
from backends.ocr.granularity import GRANULARITIES, text_of, units
from backends.ocr.page import Page
from backends.ocr.template import KINDS, Group, attribute, groups, marks
from shared.backend import Backend
from shared.claim import Claim, ModelSpec
from shared.label_config import Control, LabelConfig
from shared.results import Polygon, Rectangle, Region, region, whole_task
from shared.settings import BackendSettings

UPRIGHT_WITHIN = 2.0
"""Degrees of turn up to which a line gets an upright box."""


class OcrSettings(BackendSettings):
    """OCR_…"""

    model_config = SettingsConfigDict(env_prefix="OCR_", env_ignore_empty=True, extra="ignore")

    score_threshold: float = Field(0.5, ge=0, le=1, description="Least score of a line")
    granularity: Literal["line", "word", "block"] = Field(
        "line", description="What becomes a region: line, word or block"
    )


class OcrBackend(Backend):
    """Fills box, label and text area together, under one region id."""

    name = "ocr"
    fills = frozenset({("TextArea", "Image")})
    modules = ("rapidocr", "onnxruntime")
    batch_size = 1
    ahead = 16
    settings_class: ClassVar[type[BackendSettings]] = OcrSettings

    def claim(self, config: LabelConfig) -> list[Claim]:
        """Text areas on images: per region with what draws it, or of the whole image."""
        return [
            Claim(group, target, self.spec(group[0]), self._options(group))
            for target in config.objects.values()
            if target.tag == "Image"
            for group in groups(config, target)
        ]

    def spec(self, control: Control) -> ModelSpec:
        return ModelSpec(self.name, "rapidocr")

    def _options(self, group: Group) -> Mapping[str, Any]:
        least = self.settings.score_threshold
        for control in group:
            least = control.number("model_score_threshold", least, low=0, high=1)
        granularity = attribute(group, "ocr_granularity", self.settings.granularity, GRANULARITIES)
        return {"score_threshold": least, "granularity": granularity}

    def default_specs(self) -> Iterable[ModelSpec]:
        return (ModelSpec(self.name, "rapidocr"),)

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        return engine.weights()

    def load(self, spec: ModelSpec) -> Any:
        return engine.load(self.server_settings.engine)

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        return [engine.read_page(model, image) for image in items]

    def regions(self, output: Page, claim: Claim) -> Iterable[Region]:
        least = claim.options["score_threshold"]
        kept = Page(output.size, [line for line in output.lines if line.score >= least])
        if claim.control.tag == "TextArea":
            if kept.lines:
                score = sum(line.score for line in kept.lines) / len(kept.lines)
                yield whole_task(claim.control, [text_of(kept.lines)], score=score)
            return
        polygon = claim.control.tag in KINDS["polygon"]
        for unit in units(kept, claim.options["granularity"]):
            shape: Rectangle | Polygon = Rectangle.from_quad(unit.corners, UPRIGHT_WITHIN)
            if polygon:
                shape = Polygon(unit.corners)
            yield region(shape, marks(claim, unit.text), on=kept.size, score=unit.score)
