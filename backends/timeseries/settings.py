"""Environment variables TIMESERIES_…, and the names that the official segmenter gives them."""

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from shared.backend import BackendSettings


class TimeSeriesSettings(BackendSettings):
    """Environment variables TIMESERIES_…"""

    model_config = SettingsConfigDict(
        env_prefix="TIMESERIES_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    score_threshold: float = Field(0.5, ge=0, le=1, description="Minimum score of a span or choice")
    sensitivity: float = Field(
        1.0,
        gt=0,
        le=10,
        description="How readily the methods find something: 2 takes half of what 1 needs",
    )
    max_points: int = Field(
        20_000_000, ge=1, description="Rows that a series may have; memory is about 8 bytes a cell"
    )
    window: int = Field(
        0,
        ge=0,
        le=100_000,
        validation_alias=AliasChoices("TIMESERIES_WINDOW", "SEQUENCE_SIZE"),
        description="Rows that a trained model looks at, and of an anomaly; 0: found out",
    )
    class_weights: bool = Field(
        True,
        validation_alias=AliasChoices("TIMESERIES_CLASS_WEIGHTS", "USE_CLASS_WEIGHTS"),
        description="Whether rare labels count as much as frequent ones in a training",
    )
