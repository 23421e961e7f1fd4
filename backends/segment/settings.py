"""The SEGMENT_… settings."""

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from shared.settings import BackendSettings, Names


class SegmentSettings(BackendSettings):
    """Environment variables SEGMENT_…"""

    model_config = SettingsConfigDict(
        env_prefix="SEGMENT_", env_ignore_empty=True, extra="ignore", protected_namespaces=()
    )

    model: str = Field(
        "",
        description="Weights: a name of Ultralytics such as mobile_sam.pt or sam2.1_t.pt, a file or"
        " folder in MODEL_DIR, a name on the hub, or `starter`; empty: clicks are not answered",
    )
    allowed_models: Names = Field(
        (),
        description="Names that `model_path` may use besides files in MODEL_DIR and the names that"
        " Ultralytics publishes, comma-separated",
    )
    embedding_cache_mb: float = Field(
        2000.0,
        ge=0,
        validation_alias=AliasChoices("SEGMENT_EMBEDDING_CACHE_MB", "EMBEDDING_CACHE_MB"),
        description="MB of embeddings of images that are kept in CACHE_DIR; 0: none",
    )
    embedding_memory_mb: float = Field(
        500.0, ge=0, description="MB of embeddings that a worker keeps in memory; 0: none"
    )
    tolerance: float = Field(
        1.0, ge=0, le=100, description="Pixels that a polygon's edge may be off the mask's"
    )
    max_points: int = Field(200, ge=4, le=10_000, description="Points of a polygon at most")
    track_seconds: float = Field(
        60.0,
        ge=0,
        description="Seconds for which a request follows an object, within PREDICT_DEADLINE; a job"
        " does the rest, if PREDICT_IN_BACKGROUND lets it",
    )
    tracks_at_once: int = Field(
        1,
        ge=1,
        le=16,
        validation_alias=AliasChoices("SEGMENT_TRACKS_AT_ONCE", "MAX_TRACKING_SESSIONS"),
        description="Objects followed at once for the event `track`; further ones are told to wait",
    )
