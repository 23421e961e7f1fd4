"""DETECTION_…: the settings of this backend."""

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from shared.settings import BackendSettings

Names = Annotated[tuple[str, ...], NoDecode]


class DetectionSettings(BackendSettings):
    """What holds where a control tag says nothing else."""

    model_config = SettingsConfigDict(
        env_prefix="DETECTION_", env_ignore_empty=True, extra="ignore", protected_namespaces=()
    )

    model: str = Field(
        "yolo26n.pt",
        description="Weights: a name of Ultralytics, a file in MODEL_DIR, or `starter`",
    )
    segment_model: str = Field(
        "", description="Weights for polygons, brushes and bitmasks; empty: see below"
    )
    pose_model: str = Field("", description="Weights for key points; empty: see below")
    obb_model: str = Field("", description="Weights where `model_obb` is true; empty: see below")
    classify_model: str = Field(
        "", description="Weights for choices and taxonomies; empty: `DETECTION_MODEL`"
    )
    allowed_models: Names = Field(
        (), description="Names that `model_path` may ask for besides files in MODEL_DIR, by comma"
    )
    score_threshold: float = Field(0.25, ge=0, le=1, description="Least score of an object")
    iou: float = Field(0.7, gt=0, le=1, description="Overlap from which two boxes are one")
    image_size: int = Field(
        0, ge=0, le=4096, description="Longer side in pixels for the model; 0: as trained"
    )
    precision: Literal["auto", "bf16", "f32"] = Field(
        "auto",
        description="On a CPU: bf16, f32, or auto: bf16 if the CPU has it and boxes stay the same",
    )
    classes: Names = Field((), description="The model's classes to use, by comma; empty: all")

    @field_validator("allowed_models", "classes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return names(value) if isinstance(value, str) else value


def names(text: str) -> tuple[str, ...]:
    """Names written with commas between them."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
