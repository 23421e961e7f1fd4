"""Images of text to regions with their transcription."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends.ocr import engine
from shared.backend import Backend
from shared.claim import Claim, ModelSpec
from shared.label_config import Control, LabelConfig, ObjectTag
from shared.results import Polygon, Rectangle, Region, region
from shared.settings import BackendSettings

SHAPES = ("Rectangle", "RectangleLabels", "Polygon", "PolygonLabels")
"""The control tags that draw a line of text, the preferred first."""
UPRIGHT_WITHIN = 2.0
"""Degrees of turn up to which a line gets an upright box."""
ALIASES = {"text": ("Text", "Printed", "Printed text", "Line", "Text line", "Word", "OCR")}


class OcrSettings(BackendSettings):
    """OCR_…"""

    model_config = SettingsConfigDict(env_prefix="OCR_", env_ignore_empty=True, extra="ignore")

    score_threshold: float = Field(0.5, ge=0, le=1, description="Least score of a line")


class OcrBackend(Backend):
    """Fills box, label and text area together, under one region id."""

    name = "ocr"
    fills = frozenset({("TextArea", "Image")})
    modules = ("rapidocr", "onnxruntime")
    batch_size = 1
    ahead = 16
    settings_class: ClassVar[type[BackendSettings]] = OcrSettings

    def claim(self, config: LabelConfig) -> list[Claim]:
        """One claim for each image with a text area per region and something to draw."""
        claims = []
        for target in config.objects.values():
            controls = _controls(config, target)
            if controls:
                spec, options = self.spec(controls[0]), self.options(controls[0])
                claims.append(Claim(controls, target, spec, options))
        return claims

    def spec(self, control: Control) -> ModelSpec:
        return ModelSpec(self.name, "rapidocr")

    def options(self, control: Control) -> Mapping[str, Any]:
        threshold = control.number(
            "model_score_threshold", self.settings.score_threshold, low=0, high=1
        )
        return {"score_threshold": threshold}

    def default_specs(self) -> Iterable[ModelSpec]:
        return (ModelSpec(self.name, "rapidocr"),)

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        return engine.weights()

    def load(self, spec: ModelSpec) -> Any:
        return engine.load(self.server_settings.engine)

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        return [engine.read_page(model, image) for image in items]

    def regions(self, output: engine.Page, claim: Claim) -> Iterable[Region]:
        for line in output.lines:
            if line.score >= claim.options["score_threshold"]:
                marks = {control: _mark(claim, control, line.text) for control in claim.controls}
                shape: Rectangle | Polygon = Rectangle.from_quad(line.corners, UPRIGHT_WITHIN)
                if claim.control.tag.startswith("Polygon"):
                    shape = Polygon(line.corners)
                yield region(shape, marks, on=output.size, score=line.score)


def _controls(config: LabelConfig, target: ObjectTag) -> tuple[Control, ...]:
    """The control that draws, the labels if there are any, the text area; empty if it is no OCR."""
    if target.tag != "Image":
        return ()
    on_image = [control for control, of in config.pairs() if of is target]
    area = next((c for c in on_image if c.tag == "TextArea" and c.per_region), None)
    draws = next((c for tag in SHAPES for c in on_image if c.tag == tag), None)
    if area is None or draws is None:
        return ()
    labels = () if draws.labels else tuple(c for c in on_image if c.tag == "Labels")[:1]
    return (draws, *labels, area)


def _mark(claim: Claim, control: Control, text: str) -> Any:
    """What a control says of a line: its text, a label, or nothing.

    The label is the one that means text, or else the first.
    """
    if control.tag == "TextArea":
        return [text]
    if not control.labels:
        return None
    label = claim.label_map(["text"], control, ALIASES).to_label.get("text")
    return [label or next(iter(control.labels))]
