"""Finds and loads the model that a name or file means."""

from collections.abc import Sequence
from pathlib import Path

from backends._inference import ultralytics_weights
from backends._inference.published_names import PUBLISHED_SEGMENTERS, suggest_published
from backends._inference.ultralytics_weights import STARTER
from backends._transformers import hub
from backends.segment.models import fast_sam, transformers_models, ultralytics_models
from backends.segment.models.promptable_model import PromptableModel
from backends.segment.models.sam_model import SamModel
from backends.segment.models.starter_model import STARTER_FILE, StarterModel
from shared.backend.claim import ModelSpec
from shared.backend.weights import hash_files
from shared.errors import ModelError
from shared.settings import Settings

SETTING = "SEGMENT_MODEL"
# Ends of the names of files that Ultralytics reads; other names are those of folders.
WEIGHTS_SUFFIXES = (".pt", ".pth")


def find_weights(spec: ModelSpec, settings: Settings) -> Sequence[Path]:
    """Return the files of a model, after downloading them if they are published.

    ModelError says where they were looked for.
    """
    if is_weights_file(spec.model):
        return (ultralytics_weights.find_weights(spec.model, settings, STARTER_FILE),)
    try:
        return tuple(hub.find_files(model_reference(spec), settings))
    except ModelError as error:  # a name of Ultralytics without its ending may be meant
        hint = suggest_published(spec.model, PUBLISHED_SEGMENTERS | {STARTER})
        if not hint:
            raise
        raise ModelError(f"{error}{hint}") from None


def load_model(spec: ModelSpec, settings: Settings) -> PromptableModel:
    """Load a model; ModelError if it is none that takes prompts."""
    if spec.model == STARTER:
        return StarterModel()
    if not is_weights_file(spec.model):
        folder = hub.find_folder(model_reference(spec), settings)
        source = transformers_models.describe_folder(folder, spec.model, _key(spec, settings))
        return SamModel.load(source, settings)
    (path,) = find_weights(spec, settings)
    state = ultralytics_models.read_weights(path)
    if state is None:
        return fast_sam.FastSamModel.load(path, settings)
    source = ultralytics_models.describe_weights(state, path.name, _key(spec, settings))
    return SamModel.load(source, settings)


def is_weights_file(model: str) -> bool:
    """Return whether a name is that of a file, not of a folder: the starter's is, too."""
    return model == STARTER or model.endswith(WEIGHTS_SUFFIXES)


def model_reference(spec: ModelSpec) -> hub.ModelReference:
    return hub.ModelReference(spec.model, SETTING, STARTER_FILE.parent)


def _key(spec: ModelSpec, settings: Settings) -> str:
    """Return what the conversions of a model are named by: its name and a hash of its files."""
    return f"{spec.label}-{hash_files(find_weights(spec, settings))[:16]}"
