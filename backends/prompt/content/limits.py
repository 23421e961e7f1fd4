"""How much of a task's media a model gets."""

from dataclasses import dataclass
from typing import Literal

from backends.prompt.content_settings import MODALITIES, BoxFormat, ContentSettings


@dataclass(frozen=True)
class ContentLimits:
    """The bounds of what is sent for one object tag, and what the model takes at all.

    - `image_pixels`: width times height of a picture; larger ones are scaled down
    - `pictures`: pictures of a list, pages of a document
    - `frames`: pictures of a video, spread evenly over it
    - `audio_seconds`: length of a recording
    - `rows`: rows of a table or time series
    - `pdf`: whether a PDF's pages are sent as pictures or as their text
    - `modalities`: what the model takes (text, image, audio); what else a task shows cannot be
      asked about
    - `box_format`: how it writes boxes; None: none are asked for
    """

    image_pixels: int = 1_500_000
    pictures: int = 16
    frames: int = 8
    audio_seconds: float = 600.0
    rows: int = 200
    pdf: Literal["pages", "text"] = "pages"
    modalities: frozenset[str] = frozenset(MODALITIES)
    box_format: BoxFormat | None = None

    @classmethod
    def from_settings(cls, settings: ContentSettings) -> "ContentLimits":
        """Return the limits that the settings state."""
        return cls(
            image_pixels=settings.max_image_pixels,
            pictures=settings.max_pictures,
            frames=settings.max_frames,
            audio_seconds=settings.max_audio_seconds,
            rows=settings.max_rows,
            pdf=settings.pdf,
            modalities=frozenset(settings.modalities),
            box_format=settings.box_format,
        )
