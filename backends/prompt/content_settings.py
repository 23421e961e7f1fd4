"""Which part of a task's media is sent to a model: settings of the prompt backend."""

from typing import Literal

from pydantic import Field, field_validator

from shared.backend import BackendSettings
from shared.settings import Names

# What models take: texts, pictures, sound.
MODALITIES = ("text", "image", "audio")
# How models write boxes: the order of the corners' coordinates, and their unit.
BoxFormat = Literal["xyxy_1000", "yxyx_1000", "xyxy_pixels", "xyxy_1"]


class ContentSettings(BackendSettings):
    """The bounds of what is sent of a task."""

    modalities: Names = Field(
        MODALITIES,
        description="What the model takes, by comma: text, image, audio; a task that shows what it"
        " does not take is refused here",
    )
    max_image_pixels: int = Field(
        1_500_000,
        ge=10_000,
        le=100_000_000,
        description="Pixels of a picture that is sent; larger ones are scaled down",
    )
    max_pictures: int = Field(
        16, ge=1, le=500, description="Pictures of a list, or pages of a PDF, that are sent"
    )
    max_frames: int = Field(
        8, ge=1, le=200, description="Frames of a video that are sent, spread evenly over it"
    )
    max_audio_seconds: float = Field(
        600.0, gt=0, le=36_000, description="Seconds of a recording that are sent at most"
    )
    max_rows: int = Field(
        200, ge=10, le=100_000, description="Rows of a table or time series that are sent"
    )
    pdf: Literal["pages", "text"] = Field(
        "pages", description="How a PDF is sent: its pages as pictures, or their text"
    )
    box_format: BoxFormat | None = Field(
        None,
        description="How the model writes boxes: xyxy_1000 (Qwen-VL 3), yxyx_1000 (Gemini),"
        " xyxy_pixels (Qwen 2.5 VL) or xyxy_1; empty: no boxes are asked for",
    )

    @field_validator("modalities")
    @classmethod
    def _check_modalities(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(names) - set(MODALITIES))
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: expected {', '.join(MODALITIES)}")
        return names
