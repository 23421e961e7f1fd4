"""Images to boxes, and to choices of what is on them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from backends.detection import weights
from backends.detection.model import Detections, Detector
from shared.backend import Backend, sorted_options
from shared.claim import Claim, ModelSpec
from shared.errors import ConfigError
from shared.label_config import Control
from shared.results import Rectangle, Region, region, whole_task
from shared.settings import BackendSettings


class DetectionSettings(BackendSettings):
    """DETECTION_…"""

    model_config = SettingsConfigDict(
        env_prefix="DETECTION_", env_ignore_empty=True, extra="ignore", protected_namespaces=()
    )

    model: str = Field(
        "yolo26n.pt",
        description="Weights: a name of Ultralytics, a file in MODEL_DIR, or `starter`",
    )
    allowed_models: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Names that `model_path` may ask for besides files in MODEL_DIR, by comma"
    )
    score_threshold: float = Field(0.25, ge=0, le=1, description="Least score of a box")
    iou: float = Field(0.7, gt=0, le=1, description="Overlap from which two boxes are one")
    image_size: int = Field(
        0, ge=0, le=4096, description="Longer side in pixels for the model; 0: as trained"
    )

    @field_validator("allowed_models", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value


class DetectionBackend(Backend):
    """Fills RectangleLabels with boxes, and Choices with the classes of the boxes."""

    name = "detection"
    fills = frozenset({("RectangleLabels", "Image"), ("Choices", "Image")})
    modules = ("torch", "torchvision", "ultralytics")
    imports = ("ultralytics.models.yolo",)
    batch_size = 8
    ahead = 24
    settings_class: ClassVar[type[BackendSettings]] = DetectionSettings
    example_settings: ClassVar[Mapping[str, str]] = {"DETECTION_MODEL": "starter"}

    def spec(self, control: Control) -> ModelSpec:
        model = control.attrs.get("model_path", "").strip()
        if model and model not in (self.settings.model, *self.settings.allowed_models):
            self._check_path(control, model)
        return self._spec(model or self.settings.model)

    def options(self, control: Control) -> Mapping[str, Any]:
        threshold = control.number(
            "model_score_threshold", self.settings.score_threshold, low=0, high=1
        )
        return {"score_threshold": threshold}

    def default_specs(self) -> Iterable[ModelSpec]:
        return (self._spec(self.settings.model),)

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        return (weights.find(spec.model, self.server_settings),)

    def load(self, spec: ModelSpec) -> Detector:
        options = dict(spec.options)
        path = weights.find(spec.model, self.server_settings)
        return Detector.load(
            path, options["image_size"], options["iou"], self.server_settings.device
        )

    def infer(self, model: Detector, items: list[Any]) -> Sequence[Any]:
        return model.detect(items)

    def regions(self, output: Detections, claim: Claim) -> Iterable[Region]:
        labels = claim.label_map(output.names).to_label
        seen: dict[str, float] = {}
        for box, score, index in zip(output.boxes, output.scores, output.classes, strict=True):
            label = labels.get(output.names[index])
            if label is None or score < claim.options["score_threshold"]:
                continue
            seen.setdefault(label, float(score))
            if claim.control.tag == "RectangleLabels":
                yield region(
                    Rectangle.from_xyxy(box), {claim.control: [label]}, output.size, float(score)
                )
        if claim.control.tag == "Choices" and seen:
            yield _choices(claim.control, seen)

    def _spec(self, model: str) -> ModelSpec:
        options = sorted_options(iou=self.settings.iou, image_size=self.settings.image_size)
        return ModelSpec(self.name, model, options)

    def _check_path(self, control: Control, model: str) -> None:
        """A label config must not load any file: weights can hold code."""
        path, root = PurePosixPath(model), self.server_settings.model_dir.resolve()
        inside = (root / path).resolve().is_relative_to(root) and not path.is_absolute()
        if not inside or not (root / path).is_file():
            raise ConfigError(
                f'{control}: model_path="{model}" is no file in MODEL_DIR and not listed in'
                " DETECTION_ALLOWED_MODELS",
                control.name,
            )


def _choices(control: Control, seen: Mapping[str, float]) -> Region:
    """The classes of the boxes as choices: the surest one, or all where several may be chosen."""
    several = control.attrs.get("choice") == "multiple"
    chosen = list(seen) if several else [max(seen, key=seen.__getitem__)]
    return whole_task(control, chosen, score=max(seen[label] for label in chosen))
