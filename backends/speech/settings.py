"""The settings of the speech backend."""

from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from shared.backend import BackendSettings
from shared.settings import check_address

# The model of pocketsphinx that comes with the backend.
STARTER = "starter"
EngineName = Literal["faster-whisper", "transformers", "openai", "pocketsphinx"]


class SpeechSettings(BackendSettings):
    """Environment variables SPEECH_…"""

    model_config = SettingsConfigDict(
        env_prefix="SPEECH_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    engine: EngineName = Field(
        "faster-whisper",
        description="faster-whisper, transformers, openai (an address) or pocketsphinx",
    )
    model: str = Field(
        "",
        description="The engine's model: a name or a folder; `starter` is pocketsphinx's, and"
        " chooses that engine where none is set; empty: small, openai/whisper-small, whisper-1 or"
        " pocketsphinx's own English",
    )
    language: str = Field(
        "", description="Code of the language that is spoken, e.g. en; empty: it is found"
    )
    hot_words: str = Field("", description="Names and terms to expect, by comma")
    score_threshold: float = Field(0.0, ge=0, le=1, description="Minimum score of a segment")
    base_url: str | None = Field(
        None,
        description="An OpenAI-compatible address with /audio/transcriptions, e.g."
        " http://localhost:8000/v1; empty: OpenAI's",
    )
    api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("SPEECH_API_KEY", "OPENAI_API_KEY"),
        description="The key that is sent there",
    )
    concurrency: int = Field(8, ge=1, le=256, description="Parts that are sent there at a time")
    timeout: float = Field(60.0, gt=0, description="Seconds that its answer may take")
    compute_type: str = Field(
        "default", description="Numbers that faster-whisper computes with, e.g. int8 or float16"
    )
    beam_size: int = Field(5, ge=1, le=32, description="Beams of faster-whisper's search")

    @field_validator("base_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        return None if value is None else check_address(value, "http://localhost:8000/v1")

    @model_validator(mode="after")
    def _choose_engine(self) -> "SpeechSettings":
        if self.model == STARTER and "engine" not in self.model_fields_set:
            self.engine = "pocketsphinx"
        return self
