"""What a new backend needs: the contract, and helpers to fulfil it.

Regions are built with `shared.results`.
"""

from shared.backend.base import Backend, Context, spec_options
from shared.backend.choices import SelectedChoices, select_choices
from shared.backend.claim import Claim, ModelSpec
from shared.backend.label_map import LabelMap
from shared.backend.passages import Passage, Passages
from shared.backend.training import TrainedWeights, TrainingError, TrainingRun
from shared.errors import DecodeError, UnfillableError, ValueTypeError
from shared.label_studio.label_config import Control, LabelConfig, ObjectTag
from shared.label_studio.task import Task
from shared.media.image import Image, Pixels
from shared.media.reader import MediaReader
from shared.settings import BackendSettings

__all__ = [
    "Backend",
    "BackendSettings",
    "Claim",
    "Context",
    "Control",
    "DecodeError",
    "Image",
    "LabelConfig",
    "LabelMap",
    "MediaReader",
    "ModelSpec",
    "ObjectTag",
    "Passage",
    "Passages",
    "Pixels",
    "SelectedChoices",
    "Task",
    "TrainedWeights",
    "TrainingError",
    "TrainingRun",
    "UnfillableError",
    "ValueTypeError",
    "select_choices",
    "spec_options",
]
