"""The DETECTION_… settings."""

from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from shared.settings import BackendSettings, Names


class DetectionSettings(BackendSettings):
    """Defaults for what a control tag's attributes do not set."""

    model_config = SettingsConfigDict(
        env_prefix="DETECTION_",
        env_ignore_empty=True,
        extra="ignore",
        protected_namespaces=(),
        populate_by_name=True,
    )

    model: str = Field(
        "yolo26n.pt",
        description="Weights: a name of Ultralytics, a file in MODEL_DIR, or `starter`; or a model"
        " of another library: a folder, or a hub's name",
    )
    segment_model: str = Field(
        "",
        description="Weights for polygons, brushes and bitmasks; empty: by DETECTION_MODEL",
    )
    pose_model: str = Field("", description="Weights for key points; empty: by DETECTION_MODEL")
    obb_model: str = Field(
        "", description="Weights where `model_obb` is true; empty: by DETECTION_MODEL"
    )
    classify_model: str = Field(
        "", description="Weights for choices and taxonomies; empty: `DETECTION_MODEL`"
    )
    allowed_models: Names = Field(
        (),
        description="Names that `model_path` may use besides files in MODEL_DIR and the names that"
        " Ultralytics publishes, comma-separated",
    )
    text_encoder: str = Field(
        "",
        description="The text encoder of YOLO-World (such as `openai/clip-vit-base-patch32`) or"
        " YOLOE: a hub's name, or a folder; empty: only the words in the weights are known",
    )
    score_threshold: float = Field(
        0.25,
        ge=0,
        le=1,
        validation_alias=AliasChoices("DETECTION_SCORE_THRESHOLD", "BOX_THRESHOLD"),
        description="Minimum score of an object",
    )
    text_threshold: float = Field(
        0,
        ge=0,
        le=1,
        validation_alias=AliasChoices("DETECTION_TEXT_THRESHOLD", "TEXT_THRESHOLD"),
        description="Grounding DINO: minimum score of an object's word, if it is higher",
    )
    iou: float = Field(
        0.7, gt=0, le=1, description="Overlap (IoU) above which two boxes are one object"
    )
    image_size: int = Field(
        0, ge=0, le=4096, description="Longer side of the model's input in pixels; 0: as trained"
    )
    precision: Literal["auto", "bf16", "f32"] = Field(
        "auto",
        description="On a CPU: bf16, f32, or auto: int8 if it was exported and agreed, else bf16 if"
        " the CPU has it and boxes stay the same",
    )
    classes: Names = Field(
        (), description="The model's classes to use, comma-separated; empty: all"
    )
    train_epochs: int = Field(
        0, ge=0, description="Epochs of a training; 0: by the number of pictures"
    )
    train_base: str = Field(
        "",
        description="Weights that the first training of a tag starts from: a file in MODEL_DIR, or"
        " `starter`; empty: those that fill the tag",
    )
