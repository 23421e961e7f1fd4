"""The settings of the audio backend."""

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.backend import BackendSettings


class AudioSettings(BackendSettings):
    """Environment variables AUDIO_…"""

    model_config = SettingsConfigDict(
        env_prefix="AUDIO_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    model: str = Field(
        "laion/clap-htsat-unfused",
        description="A CLAP or audio classification model: a hub's name or a folder",
    )
    speaker_model: str = Field(
        "",
        description="A pyannote pipeline that tells speakers apart: a hub's name or a folder;"
        " empty: none",
    )
    speaker_token: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("AUDIO_SPEAKER_TOKEN", "HF_TOKEN"),
        description="The hub's token that the pipeline asks for",
    )
    score_threshold: float = Field(0.5, ge=0, le=1, description="Minimum score of a choice or span")
    template: str = Field(
        "This is a sound of {}.", description="Sentence that CLAP compares with; {} is a label"
    )
    window_seconds: float = Field(
        2.0, ge=0.2, le=30, description="Seconds of sound in which an event is looked for"
    )
